"""Measure inference; see the script `inference`."""

import argparse
import importlib.metadata
import os
import pathlib
import re
import subprocess
import sys

import turns

WIDTH, LAYERS, HEADS, HIDDEN, VOCAB = 288, 6, 6, 768, 32_000
TOKENS = {"decode": 128, "prefill": 512}
OURS = "expe, RoPE"


def candidates(task, torch):
    tokens = str(TOKENS[task])
    for name in ("rope", "expe"):
        ours = [turns.program(), "bench", task, "--preset", "15m", "--position", name, "--tokens", tokens, "--serve"]
        yield {"rope": OURS, "expe": "expe, ExPE"}[name], ours
    sizes = [str(size) for size in (WIDTH, LAYERS, HEADS, HIDDEN, VOCAB, tokens)]
    yield "C, gcc -Ofast", [os.environ["RIVAL_C"], task, *sizes]
    one = {"RAYON_NUM_THREADS": "1", "CANDLE_NUM_THREADS": "1"}
    yield "candle", [os.environ["RIVAL_CANDLE"], task, *sizes], one
    if torch and task == "prefill":
        rival = pathlib.Path(__file__).parent / "torch_model.py"
        options = {
            "width": WIDTH, "layers": LAYERS, "heads": HEADS, "hidden": HIDDEN, "vocab": VOCAB, "context": tokens,
            "threads": 1, "position": "rope", "activation": "swiglu", "task": "prefill",
        }
        command = [sys.executable, str(rival)]
        command += [text for name, value in options.items() for text in (f"--{name}", str(value))]
        yield "PyTorch eager", command
        yield "PyTorch compiled", [*command, "--compile"]


def version_of(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", choices=TOKENS, action="append")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--without", choices=["torch"])
    parser.add_argument("--json")
    options = parser.parse_args()
    lock = pathlib.Path(__file__).with_name("candle").joinpath("Cargo.lock").read_text()
    said = lambda *command: subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]
    versions = {
        "expe": said(turns.program(), "--version"),
        "gcc": said("gcc", "--version"),
        "candle": re.search(r'name = "candle-core"\nversion = "(.*)"', lock)[1],
        "rustc": said("rustc", "--version"),
        "torch": version_of("torch"),
    }
    print(turns.machine(), versions, flush=True)
    reports = []
    for task in options.task or TOKENS:
        started = [turns.Candidate(*each) for each in candidates(task, not options.without)]
        turns.alternate(started, options.rounds, options.seconds, warm_up=1)
        title = f"{task}, {TOKENS[task]} tokens, 1 thread"
        reports.append(turns.report(title, started, OURS, tokens=TOKENS[task]))
    turns.write_json(options.json, reports, versions)


if __name__ == "__main__":
    main()
