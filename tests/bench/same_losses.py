"""Check that both sides of the comparison compute the same: with the same parameters and text, `expe train`
and PyTorch must have the same losses and gradient norms at every step.

`expe train` picks windows at random, so the text is exactly one window long. Its initial parameters are those
of a run with a learning rate close to zero.
"""

import csv
import pathlib
import subprocess
import tempfile

import safetensors.torch
import torch

from torch_model import Training, Transformer, read_config
from turns import program

STEPS = 20
# Sums in f32 in another order differ by about 1e-7, and 20 steps that halve the loss amplify this at most a
# hundredfold. In mixed precision, `expe` rounds the factors of products to f16 and PyTorch also their results:
# at most 5e-4 each, about twenty times in a row from the embedding to a gradient.
TOLERANCE = {"f32": 1e-4, "mixed": 1e-2}


def config(position, precision, rate, steps):
    return f"""[data]
tokenizer = "byte"
[train]
seed = 3
steps = {steps}
batch = 4
learning_rate = {rate}
final_learning_rate = {rate}
precision = "{precision}"
validate_every = {steps}
validation_tokens = 64
[model]
vocab = 256
width = 64
layers = 2
heads = 4
kv_heads = 4
head_width = 16
hidden = 256
context = 64
[model.position]
{position}
"""


POSITIONS = {
    "expe": 'name = "expe"\nstart = 16.0\nstep = 0.0625\nwidth = 4',
    "rope": 'name = "rope"\nbase = 10000.0',
    "none": 'name = "none"',
}


def train(folder, name, text, device):
    (folder / f"{name}.toml").write_text(text)
    command = [program(), "train", "--config", f"{name}.toml", "--data", "text", "--out", name, "--device", device]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    with open(folder / name / "metrics.csv") as file:
        return [(float(row["loss"]), float(row["gradient_norm"])) for row in csv.DictReader(file)]


def check(position, compiled, device="cpu", precision="f32"):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "text").mkdir()
        texts = [
            ("The quick brown fox jumps over the lazy dog, and then it sleeps for hours and hours. " * 2)[:65],
            ("A merchant showed them a yellow flute, but he would not sell it; so they all went home. " * 2)[:65],
        ]
        for number, text in enumerate(texts):
            (folder / "text" / f"{number}.txt").write_text(text)
        train(folder, "fresh", config(POSITIONS[position], precision, 1e-30, 1), device)
        ours = train(folder, "run", config(POSITIONS[position], precision, 1e-3, STEPS), device)
        model, training = read_config(folder / "run" / "config.toml")
        fresh = safetensors.torch.load_file(folder / "fresh" / "model.safetensors")
    # One text is for training, the other is held out.
    distances = []
    for text in texts:
        rival = Transformer(model)
        rival.load(fresh)
        rival.to(device)
        steps = Training(rival, training, compiled)
        window = torch.tensor(list(text.encode()))
        tokens, targets = (part.to(device).repeat(training["batch"], 1) for part in (window[:-1], window[1:]))
        theirs = [steps.step(tokens, targets) for _ in range(STEPS)]
        pairs = [pair for own, other in zip(ours, theirs) for pair in zip(own, other)]
        distances.append(max(abs(a / b - 1) for a, b in pairs))
    distance = min(distances)
    kind = "compiled" if compiled else "eager"
    print(f"{position}, {precision}, {kind}: {STEPS} losses and gradient norms differ by {distance:.1e} at most", flush=True)
    if not distance < TOLERANCE[precision]:
        raise SystemExit(f"{position}: not the same training: {distances}")
