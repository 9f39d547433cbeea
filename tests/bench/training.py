"""Measure training steps; see the scripts `training` and `gpu`."""

import argparse
import pathlib
import platform
import subprocess
import sys

import torch

import same_losses
import turns
from nvidia import Gpu

# Name: width, layers, heads, context, batch, vocabulary; GELU MLP of four times the width, tied head, RMSNorm.
SHAPES = {
    "tiny": (64, 2, 4, 64, 4, 512),
    "128x4": (128, 4, 4, 128, 16, 512),
    "256x6": (256, 6, 8, 256, 8, 512),
    # 25 and 110 million parameters, head width 64.
    "25m": (512, 6, 8, 512, 32, 12_288),
    "110m": (768, 12, 12, 1024, 8, 32_000),
}
COMPILED = "PyTorch compiled"


def sizes(shape, batch):
    width, layers, heads, context, usual, vocab = SHAPES[shape]
    return {
        "width": width, "layers": layers, "heads": heads, "hidden": 4 * width, "vocab": vocab,
        "context": context, "batch": batch or usual,
    }


def candidates(sizes, position, precision, options):
    given = {
        **sizes, "position": position, "precision": precision, "device": options.device,
        "threads": options.threads,
    }
    arguments = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    yield "expe", [turns.program(), "bench", "train", "--preset", "128x4", *arguments, "--serve"]
    rival = pathlib.Path(__file__).parent / "torch_model.py"
    command = [sys.executable, str(rival), "--task", "train", *arguments]
    yield "PyTorch eager", command
    yield COMPILED, [*command, "--compile"]


def start(commands, gpu):
    """Start the candidates and let each run a few steps: PyTorch compiles in the first. A candidate that
    does not compile is left out; the others must run."""
    started = []
    for name, command in commands:
        before = gpu and gpu.memory()
        try:
            candidate = turns.Candidate(name, command)
            warm_up = lambda: candidate.run(5)
            if gpu:
                # All other candidates are asleep.
                candidate.device_memory = gpu.most_memory(warm_up) - before
            else:
                warm_up()
        except turns.Ended as ended:
            if name != COMPILED:
                raise
            print(f"left out: {ended}", flush=True)
            continue
        started.append(candidate)
    return started


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", choices=SHAPES, action="append")
    parser.add_argument("--position", choices=["expe", "rope", "none"], action="append")
    parser.add_argument("--precision", choices=["f32", "mixed"], action="append")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--batch", type=int, help="instead of the shape's")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--json")
    parser.add_argument("--skip-check", action="store_true", help="do not compare the losses first")
    options = parser.parse_args()
    gpu = None if options.device == "cpu" else Gpu(options.device)
    versions = {
        "torch": torch.__version__,
        "expe": subprocess.run([turns.program(), "--version"], capture_output=True, text=True).stdout.strip(),
        "python": platform.python_version(),
    }
    if gpu:
        versions["gpu"] = gpu.about()
    print(turns.machine(), versions, flush=True)
    kinds = [(p, q) for p in options.position or ["expe"] for q in options.precision or ["f32"]]
    for position, precision in kinds if not options.skip_check else []:
        same_losses.check(position, False, options.device, precision)
    reports, failures = [], []
    for shape in options.shape or (["25m", "110m"] if gpu else ["128x4", "256x6"]):
        given = sizes(shape, options.batch)
        for position, precision in kinds:
            where = options.device if gpu else f"{options.threads} threads"
            title = f"training step, {shape}, batch {given['batch']}, {position}, {precision}, {where}"
            try:
                started = start(candidates(given, position, precision, options), gpu)
                turns.alternate(started, options.rounds, options.seconds)
            except turns.Ended as ended:
                # The results of the other configurations are still useful.
                failures.append(f"{title}: {ended}")
                print(f"failed: {failures[-1]}", flush=True)
                continue
            reports.append(turns.report(title, started, "expe", tokens=given["context"] * given["batch"]))
            turns.write_json(options.json, reports, versions)
    if failures:
        raise SystemExit("\n".join(["these failed:", *failures]))


if __name__ == "__main__":
    main()
