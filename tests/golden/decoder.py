#!/usr/bin/env python3
"""Golden logits of the decoder, computed in f64 from the documented model alone.

    python decoder.py            write decoder.json, decoder.safetensors and runs/ next to this script
    python decoder.py --check    fail if they differ from what the script computes

The model is implemented literally: the whole sequence at once, the full matrix of scores, no cache, no
folding. ExPE and ExQPE override the leading columns of the inputs of the query and key projections
by concatenation. RoPE rotates the halves of a head; ALiBi subtracts slope times distance.

The weights of all cases are parts of one file: a case uses the first heads of the projections and
omits the tensors that it does not have. They come from an integer hash, so that they do not depend on the
version of NumPy.
"""

import json
import sys
from pathlib import Path

import numpy as np

import positions
from golden import main

FOLDER = Path(__file__).parent

VOCAB, WIDTH, LAYERS, HEAD_WIDTH, HIDDEN, CONTEXT = 256, 16, 2, 6, 20, 8
LENGTH = 16 * CONTEXT
EPSILON = 1e-5
KEPT_POSITIONS = [0, 1, 7, 8, 63, 127]
KEPT_TOKENS = [0, 10, 65, 97, 128, 255]

# ---------------------------------------------------------------- weights


def uniform(name, count):
    """Return `count` numbers in [-1, 1) for the tensor `name`: splitmix64, exact in f32."""
    seed = sum(byte * 257**i for i, byte in enumerate(name.encode())) % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(41)).astype(np.float64) / 2**22 - 1


def all_weights():
    """Return the largest model: 4 heads with keys of their own, three MLP matrices, an untied head, a position table."""
    heads = 4 * HEAD_WIDTH

    def matrix(name, rows, columns, gain=1.0):
        scale = gain * np.sqrt(3 / columns)  # preserves the variance
        return (uniform(name, rows * columns) * scale).astype(np.float32).reshape(rows, columns)

    def norm(name):
        return (1 + uniform(name, WIDTH) / 4).astype(np.float32)

    tensors = {
        "embed.weight": matrix("embed", VOCAB, WIDTH, 2),
        "position.weight": matrix("position", CONTEXT, WIDTH, 2),
    }
    for n in range(LAYERS):
        layer = f"layers.{n}"
        tensors[f"{layer}.attn_norm.weight"] = norm(f"{layer}.attn_norm")
        for name in ("wq", "wk"):
            weight = matrix(f"{layer}.{name}", heads, WIDTH, 1.2)
            weight[:, :4] /= 4  # positions are larger than activations; training shrinks these weights too
            tensors[f"{layer}.attn.{name}.weight"] = weight
        tensors[f"{layer}.attn.wv.weight"] = matrix(f"{layer}.wv", heads, WIDTH)
        tensors[f"{layer}.attn.wo.weight"] = matrix(f"{layer}.wo", WIDTH, heads)
        tensors[f"{layer}.mlp_norm.weight"] = norm(f"{layer}.mlp_norm")
        tensors[f"{layer}.mlp.w1.weight"] = matrix(f"{layer}.w1", HIDDEN, WIDTH)
        tensors[f"{layer}.mlp.w2.weight"] = matrix(f"{layer}.w2", WIDTH, HIDDEN)
        tensors[f"{layer}.mlp.w3.weight"] = matrix(f"{layer}.w3", HIDDEN, WIDTH)
    tensors["final_norm.weight"] = norm("final_norm")
    tensors["head.weight"] = matrix("head", VOCAB, WIDTH)
    return tensors


def submodel(tensors, config):
    """Return the weights of one case."""
    queries, keys = config["heads"] * HEAD_WIDTH, config["kv_heads"] * HEAD_WIDTH
    weights = {}
    for name, tensor in tensors.items():
        if name == "head.weight" and config["tied_head"]:
            continue
        if name == "position.weight" and config["position"]["name"] != "learned":
            continue
        if ".w3." in name and config["activation"] != "swiglu":
            continue
        if ".wq." in name:
            tensor = tensor[:queries]
        if ".wk." in name or ".wv." in name:
            tensor = tensor[:keys]
        if ".wo." in name:
            tensor = tensor[:, :queries]
        weights[name] = tensor
    return weights


def safetensors(tensors):
    """Return the bytes of a safetensors file: length of the header, header in JSON, data."""
    header, data = {}, b""
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name]).astype("<f4")
        offsets = [len(data), len(data) + tensor.nbytes]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": offsets}
        data += tensor.tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


# ---------------------------------------------------------------- the model


def normalize(config, x, gain):
    if config["norm"] == "layernorm":
        x = x - x.mean(-1, keepdims=True)
    return gain * x / np.sqrt((x * x).mean(-1, keepdims=True) + float(positions.f32(EPSILON)))


def activate(config, weights, layer, h):
    inner = h @ weights[f"{layer}.mlp.w1.weight"].T
    if config["activation"] == "relu":
        inner = np.maximum(inner, 0)
    elif config["activation"] == "swiglu":
        inner = inner / (1 + np.exp(-inner)) * (h @ weights[f"{layer}.mlp.w3.weight"].T)
    else:
        inner = inner / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (inner + 0.044715 * inner**3)))
    return inner @ weights[f"{layer}.mlp.w2.weight"].T


def override(position, h, query):
    """Replace the leading columns of the rows of `h` (ExPE and ExQPE)."""
    start, step = float(position["start"]), float(position["step"])
    cap = position.get("query_cap") if query else None
    base, digits = position.get("base", 2), position.get("digits", 1)
    growth = base if position.get("growth") == "weighted" else 1
    run = position["width"] // digits
    columns = []
    for n in range(len(h)):
        n = n if cap is None else min(n, cap)
        row = []
        for j in range(digits):
            digit = n // base**j if j == digits - 1 else n // base**j % base
            row += [start + step * growth**j * digit] * run
        columns.append(row)
    return np.concatenate([np.array(columns), h[:, position["width"] :]], axis=1)


def rotate(table, heads):
    """Rotate column i of each head with column i + half."""
    half = HEAD_WIDTH // 2
    cos, sin = table[:, None, :half], table[:, None, half:]
    low, high = heads[..., :half], heads[..., half:]
    return np.concatenate([low * cos - high * sin, high * cos + low * sin], axis=-1)


def attend(config, weights, layer, h):
    position, length = config["position"], len(h)
    overrides = position["name"] in ("expe", "exqpe")
    query_input = override(position, h, True) if overrides else h
    key_input = override(position, h, False) if overrides else h
    q = (query_input @ weights[f"{layer}.attn.wq.weight"].T).reshape(length, config["heads"], -1)
    k = (key_input @ weights[f"{layer}.attn.wk.weight"].T).reshape(length, config["kv_heads"], -1)
    v = (h @ weights[f"{layer}.attn.wv.weight"].T).reshape(length, config["kv_heads"], -1)
    if position["name"] == "rope":
        table = positions.rope_table(position["base"], HEAD_WIDTH, position["scaling"], range(length))
        q, k = rotate(table, q), rotate(table, k)
    n, m = np.arange(length)[:, None], np.arange(length)[None, :]
    outputs = []
    for head in range(config["heads"]):
        kv = head // (config["heads"] // config["kv_heads"])
        scores = q[:, head] @ k[:, kv].T / np.sqrt(HEAD_WIDTH)
        if position["name"] == "alibi":
            scores = scores - positions.alibi(config["heads"])["slopes"][head] * (n - m)
        scores = np.where(m <= n, scores, -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        outputs.append(scores / scores.sum(-1, keepdims=True) @ v[:, kv])
    return np.concatenate(outputs, axis=1) @ weights[f"{layer}.attn.wo.weight"].T


def logits(config, weights, tokens):
    """Return the logits of every position, in f64."""
    weights = {name: tensor.astype(np.float64) for name, tensor in weights.items()}
    position = config["position"]
    x = weights["embed.weight"][tokens]
    if position["name"] == "sinusoidal":
        x = np.sqrt(WIDTH) * x + positions.sinusoidal_rows(position["base"], WIDTH, range(len(tokens)))
    if position["name"] == "learned":
        x = x + weights["position.weight"][: len(tokens)]
    for n in range(LAYERS):
        layer = f"layers.{n}"
        x = x + attend(config, weights, layer, normalize(config, x, weights[f"{layer}.attn_norm.weight"]))
        h = normalize(config, x, weights[f"{layer}.mlp_norm.weight"])
        x = x + activate(config, weights, layer, h)
    x = normalize(config, x, weights["final_norm.weight"])
    return x @ weights.get("head.weight", weights["embed.weight"]).T


# ---------------------------------------------------------------- cases

ENCODINGS = [
    {"name": "none"},
    {"name": "learned"},
    {"name": "sinusoidal", "base": 10000.0},
    {"name": "rope", "base": 10000.0, "scaling": {"kind": "none"}},
    {"name": "rope", "base": 10000.0, "scaling": {"kind": "linear", "factor": 4.0}},
    {"name": "rope", "base": 100.0, "scaling": {"kind": "ntk", "factor": 4.0}},
    {"name": "rope", "base": 100.0, "scaling": {"kind": "yarn", "factor": 4.0, "original": 32}},
    {"name": "alibi"},
    {"name": "expe", "start": 0.0, "step": 0.125, "width": 4},
    {"name": "expe", "start": 16.0, "step": 0.0625, "width": 4, "query_cap": 9},
    {"name": "exqpe", "start": 4.0, "step": 0.0625, "width": 4, "base": 16, "digits": 2, "growth": "weighted"},
    {"name": "exqpe", "start": 1.0, "step": 0.5, "width": 3, "base": 4, "digits": 3, "growth": "equal", "query_cap": 9},
]


def configs():
    """Yield every encoding with every norm, activation and number of heads; half of the cases tie the head."""
    for position in ENCODINGS:
        for norm in ("rmsnorm", "layernorm"):
            for index, activation in enumerate(("gelu", "swiglu", "relu")):
                for heads, kv_heads in ((4, 2), (3, 3)):
                    yield {
                        "vocab": VOCAB,
                        "width": WIDTH,
                        "layers": LAYERS,
                        "heads": heads,
                        "kv_heads": kv_heads,
                        "head_width": HEAD_WIDTH,
                        "hidden": HIDDEN,
                        "context": CONTEXT,
                        "norm": norm,
                        "epsilon": EPSILON,
                        "activation": activation,
                        "tied_head": (index + (norm == "rmsnorm") + (heads == 3)) % 2 == 0,
                        "position": position,
                    }


def tokens():
    """Return text with repetitions, so that attention has something to find."""
    return [int(token) for token in np.abs(uniform("tokens", LENGTH) * 128).astype(np.int64) % 40 + 65]


def sensitivity(config, weights, text, exact):
    """Return the largest relative change of the logits of a position when every weight moves by half an
    ulp of an f32, up or down: the error that one rounding to f32 causes."""
    moved = {}
    for name, tensor in weights.items():
        sign = np.sign(uniform(f"sign of {name}", tensor.size)).reshape(tensor.shape)
        moved[name] = tensor.astype(np.float64) * (1 + sign * 2.0**-24)
    change = np.abs(logits(config, moved, text) - exact).max(-1) / np.abs(exact).max(-1)
    return float(change.max())


def cases():
    everything, text = all_weights(), tokens()
    result = []
    for config in configs():
        weights = submodel(everything, config)
        read = text[:CONTEXT] if config["position"]["name"] == "learned" else text
        exact = logits(config, weights, read)
        rows = []
        for n in KEPT_POSITIONS:
            if n < len(read):
                kept = [round(float(x), 7) for x in exact[n, KEPT_TOKENS]]
                rows.append([n, round(float(np.abs(exact[n]).max()), 7), kept])
        result.append(
            {
                "config": config,
                "sensitivity": round(sensitivity(config, weights, read, exact), 11),
                "rows": rows,
            }
        )
    return {"text": text, "kept": KEPT_TOKENS, "cases": result}


# ---------------------------------------------------------------- run folders

# Two cases as complete run folders: index into ENCODINGS, norm, activation, heads.
RUNS = {
    "expe": (8, "rmsnorm", "gelu", 4),
    "rope": (6, "layernorm", "swiglu", 3),
}


def chosen(run):
    """Return the configuration of a run folder."""
    encoding, *rest = RUNS[run]
    wanted = [ENCODINGS[encoding], *rest]
    return next(c for c in configs() if [c["position"], c["norm"], c["activation"], c["heads"]] == wanted)


def toml(run):
    """Return `config.toml` with only the required training keys."""

    def lines(table):
        plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
        return [f"{key} = {json.dumps(value)}" for key, value in plain.items()]

    config = chosen(run)
    text = ["[data]", 'tokenizer = "byte"', "", "[train]"]
    text += lines({"seed": 0, "steps": 1, "batch": 1, "learning_rate": 0.001, "validate_every": 1})
    text += ["", "[model]", *lines(config), "", "[model.position]", *lines(config["position"])]
    if "scaling" in config["position"]:
        text += ["", "[model.position.scaling]", *lines(config["position"]["scaling"])]
    return "\n".join(text) + "\n"


def runs():
    files = {}
    for run in RUNS:
        folder = FOLDER / "runs" / run
        files[folder / "config.toml"] = lambda run=run: toml(run)
        files[folder / "model.safetensors"] = lambda run=run: safetensors(submodel(all_weights(), chosen(run)))
    return files


if __name__ == "__main__":
    vectors = {
        FOLDER / "decoder.json": cases,
        FOLDER / "decoder.safetensors": lambda: safetensors(all_weights()),
    }
    sys.exit(main(vectors | runs()))
