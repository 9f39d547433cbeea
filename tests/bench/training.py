"""See `training`."""

import argparse
import pathlib
import platform
import subprocess
import sys

import torch

import same_losses
import turns

# Name: width, layers, heads, context, batch; vocabulary 512, GELU MLP four times as wide, tied head, RMSNorm.
SHAPES = {"128x4": (128, 4, 4, 128, 16), "256x6": (256, 6, 8, 256, 8)}
VOCAB = 512


def candidates(shape, position, threads):
    width, layers, heads, context, batch = SHAPES[shape]
    ours = [turns.program(), "bench", "train", "--preset", shape, "--position", position]
    yield "expe", [*ours, "--threads", str(threads), "--serve"]
    rival = pathlib.Path(__file__).parent / "torch_model.py"
    sizes = {
        "width": width, "layers": layers, "heads": heads, "hidden": 4 * width, "vocab": VOCAB,
        "context": context, "batch": batch, "threads": threads,
    }
    options = [text for name, size in sizes.items() for text in (f"--{name}", str(size))]
    command = [sys.executable, str(rival), "--task", "train", "--position", position, *options]
    yield "PyTorch eager", command
    yield "PyTorch compiled", [*command, "--compile"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", choices=SHAPES, action="append")
    parser.add_argument("--position", choices=["expe", "rope", "none"], action="append")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--json")
    parser.add_argument("--skip-check", action="store_true", help="the losses were compared before")
    options = parser.parse_args()
    versions = {
        "torch": torch.__version__,
        "expe": subprocess.run([turns.program(), "--version"], capture_output=True, text=True).stdout.strip(),
        "python": platform.python_version(),
    }
    positions = options.position or ["expe"]
    print(turns.machine(), versions, flush=True)
    for position in positions if not options.skip_check else []:
        same_losses.check(position, compiled=False)
    reports = []
    for shape in options.shape or SHAPES:
        for position in positions:
            started = [turns.Candidate(*each) for each in candidates(shape, position, options.threads)]
            turns.alternate(started, options.rounds, options.seconds)
            _, _, _, context, batch = SHAPES[shape]
            title = f"training step, {shape}, {position}, {options.threads} threads"
            reports.append(turns.report(title, started, "expe", tokens=context * batch))
    turns.write_json(options.json, reports, versions)


if __name__ == "__main__":
    main()
