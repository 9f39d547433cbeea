"""The model of this project in idiomatic PyTorch, with training steps.

As a program it is a candidate (see turns.py): `--task train` runs training steps on random tokens,
`--task prefill` reads prompts and computes the logits of the last token.
"""

import argparse
import math
import pathlib
import sys
import time
import tomllib

import torch
import torch.nn.functional as F


class Layer(torch.nn.Module):
    """A layer. Projections of the same input share one matrix, as is usual in PyTorch."""

    def __init__(self, config):
        super().__init__()
        width, hidden = config["width"], config["hidden"]
        self.heads = config["heads"]
        self.columns = config["position"].get("width", 0)
        self.epsilon = config["epsilon"]
        self.gated = config["activation"] == "swiglu"
        matrix = lambda rows, columns: torch.nn.Parameter(0.02 * torch.randn(rows, columns))
        self.attn_norm = torch.nn.Parameter(torch.ones(width))
        self.mlp_norm = torch.nn.Parameter(torch.ones(width))
        if self.columns:
            self.qk, self.v = matrix(2 * width, width), matrix(width, width)
        else:
            self.qkv = matrix(3 * width, width)
        self.wo = matrix(width, width)
        self.inner = matrix(2 * hidden if self.gated else hidden, width)
        self.w2 = matrix(width, hidden)

    def forward(self, x, positions, cosines, sines):
        batch, length, width = x.shape
        h = F.rms_norm(x, (width,), self.attn_norm, self.epsilon)
        if self.columns:
            # ExPE: positions override the first columns of the input of the query and key projections.
            overridden = torch.cat([positions.expand(batch, -1, -1), h[..., self.columns :]], dim=-1)
            q, k = F.linear(overridden, self.qk).chunk(2, dim=-1)
            v = F.linear(h, self.v)
        else:
            q, k, v = F.linear(h, self.qkv).chunk(3, dim=-1)
        q, k, v = (y.view(batch, length, self.heads, -1).transpose(1, 2) for y in (q, k, v))
        if cosines is not None:
            q, k = rotate(q, cosines, sines), rotate(k, cosines, sines)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + F.linear(attended.transpose(1, 2).reshape(batch, length, width), self.wo)
        h = F.linear(F.rms_norm(x, (width,), self.mlp_norm, self.epsilon), self.inner)
        if self.gated:
            gate, up = h.chunk(2, dim=-1)
            h = F.silu(gate) * up
        else:
            h = F.gelu(h, approximate="tanh")
        return x + F.linear(h, self.w2)


def rotate(x, cosines, sines):
    """Rotate column i with column i + head_width/2 (RoPE)."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosines - second * sines, second * cosines + first * sines], dim=-1)


class Transformer(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config, position = config, config["position"]
        width, length = config["width"], config["context"]
        self.embed = torch.nn.Parameter(0.02 * torch.randn(config["vocab"], width))
        self.layers = torch.nn.ModuleList(Layer(config) for _ in range(config["layers"]))
        self.final_norm = torch.nn.Parameter(torch.ones(width))
        numbers = torch.arange(length, dtype=torch.float64)
        positions = cosines = sines = None
        if position["name"] == "expe":
            values = (position["start"] + position["step"] * numbers).float()
            positions = values[None, :, None].expand(1, -1, position["width"]).contiguous()
        elif position["name"] == "rope":
            half = width // config["heads"] // 2
            angles = numbers[:, None] * position["base"] ** -(torch.arange(half) / half).double()
            cosines, sines = angles.cos().float(), angles.sin().float()
        elif position["name"] != "none":
            raise ValueError(f"position {position['name']} is not among the rivals")
        # Buffers follow the parameters to another device.
        for name, buffer in (("positions", positions), ("cosines", cosines), ("sines", sines)):
            self.register_buffer(name, buffer, persistent=False)

    def hidden(self, tokens):
        x = F.embedding(tokens, self.embed)
        for layer in self.layers:
            x = layer(x, self.positions, self.cosines, self.sines)
        return F.rms_norm(x, (self.config["width"],), self.final_norm, self.config["epsilon"])

    def forward(self, tokens, targets):
        logits = F.linear(self.hidden(tokens), self.embed)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def last_logits(self, tokens):
        return F.linear(self.hidden(tokens)[:, -1], self.embed)

    def load(self, tensors):
        """Load the tensors of a `model.safetensors` by name."""
        with torch.no_grad():
            self.embed.copy_(tensors["embed.weight"])
            self.final_norm.copy_(tensors["final_norm.weight"])
            for number, layer in enumerate(self.layers):
                get = lambda name: tensors[f"layers.{number}.{name}.weight"]
                projections = [get("attn.wq"), get("attn.wk"), get("attn.wv")]
                if layer.columns:
                    layer.qk.copy_(torch.cat(projections[:2]))
                    layer.v.copy_(projections[2])
                else:
                    layer.qkv.copy_(torch.cat(projections))
                layer.inner.copy_(torch.cat([get("mlp.w1"), get("mlp.w3")]) if layer.gated else get("mlp.w1"))
                layer.wo.copy_(get("attn.wo"))
                layer.w2.copy_(get("mlp.w2"))
                layer.attn_norm.copy_(get("attn_norm"))
                layer.mlp_norm.copy_(get("mlp_norm"))


class Training:
    """The training step of `expe train`: AdamW, with weight decay on projections only, after clipping the global
    gradient norm. The fused AdamW is PyTorch's fastest. Mixed precision follows its documentation: autocast to
    f16 and a GradScaler; both have no effect in f32."""

    def __init__(self, model, train, compiled):
        self.model, self.clip = model, train["clip"]
        self.loss = torch.compile(model) if compiled else model
        decays = lambda name: "norm" not in name and name != "embed"
        groups = [
            {
                "params": [p for name, p in model.named_parameters() if decays(name) == decay],
                "weight_decay": train["weight_decay"] if decay else 0.0,
            }
            for decay in (True, False)
        ]
        self.device = next(model.parameters()).device.type
        self.mixed = train["precision"] == "mixed"
        self.scaler = torch.amp.GradScaler(self.device, enabled=self.mixed)
        betas = (train["beta1"], train["beta2"])
        self.optimizer = torch.optim.AdamW(
            groups, lr=train["learning_rate"], betas=betas, eps=train["epsilon"], fused=True
        )

    def step(self, tokens, targets):
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device, torch.float16, enabled=self.mixed):
            loss = self.loss(tokens, targets)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.item(), norm.item()


DEFAULTS = {"weight_decay": 0.1, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8, "clip": 1.0, "precision": "f32"}


def read_config(path):
    """Read the model and training sections of a `config.toml`."""
    config = tomllib.loads(pathlib.Path(path).read_text())
    model = {"epsilon": 1e-5, "activation": "gelu", **config["model"]}
    return model, {**DEFAULTS, **config["train"]}


def position(name, width):
    return {
        "none": {"name": "none"},
        "rope": {"name": "rope", "base": 10_000.0},
        "expe": {"name": "expe", "start": 16.0, "step": 1 / 16, "width": width // 16},
    }[name]


def peak_memory():
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", choices=["train", "prefill"], required=True)
    for size in ("width", "layers", "heads", "hidden", "vocab", "context"):
        parser.add_argument(f"--{size}", type=int, required=True)
    parser.add_argument("--activation", choices=["gelu", "swiglu"], default="gelu")
    parser.add_argument("--position", choices=["none", "rope", "expe"], required=True)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=["f32", "mixed"], default="f32")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    # No TF32: f32 means f32 on a GPU as well.
    torch.set_float32_matmul_precision("highest")
    on_gpu = options.device != "cpu"
    wait = torch.cuda.synchronize if on_gpu else lambda: None
    if on_gpu:
        torch.cuda.set_device(options.device)
    config = {**vars(options), "epsilon": 1e-5, "position": position(options.position, options.width)}
    model = Transformer(config).to(options.device)
    # Pinned, as from a data loader: a GPU copies them asynchronously.
    tokens = torch.randint(options.vocab, (64, options.batch, options.context + 1))
    tokens = tokens.pin_memory() if on_gpu else tokens
    if options.task == "train":
        train = {**DEFAULTS, "learning_rate": 1e-4, "precision": options.precision}
        training = Training(model, train, options.compile)
        work = lambda part: training.step(part[:, :-1].contiguous(), part[:, 1:].contiguous())
    else:
        model.requires_grad_(False)
        logits = torch.compile(model.last_logits) if options.compile else model.last_logits

        def work(part):
            with torch.inference_mode():
                return logits(part[:, :-1].contiguous()).argmax().item()

    done = 0
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "peak":
            print(peak_memory(), flush=True)
            continue
        times = []
        for _ in range(int(line)):
            wait()
            started = time.perf_counter()
            work(tokens[done % len(tokens)].to(options.device, non_blocking=True))
            wait()
            times.append((time.perf_counter() - started) * 1e3)
            done += 1
        print(" ".join(f"{milliseconds:.6f}" for milliseconds in times), flush=True)


if __name__ == "__main__":
    main()
