"""Measure candidates alternately.

Each candidate is a process that waits for orders on its standard input: for a line `N` it performs N units of
work and prints the milliseconds of each; for a line `peak` it prints its peak memory in bytes.
`expe bench … --serve` is a candidate, and so are the rivals in this folder. Only one candidate works at a time; the
others sleep in `read`. Idle threads of PyTorch spin for some milliseconds before they sleep. That makes its
steps a sixth faster and is allowed, so the next candidate's turn begins after a PAUSE.
"""

import dataclasses
import json
import os
import pathlib
import platform
import shlex
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Seconds between two turns: ten times the spin time of a thread.
PAUSE = 0.05


def program():
    """Return the `expe` program: $EXPE_PROGRAM, or the release build of this repository."""
    if path := os.environ.get("EXPE_PROGRAM"):
        return path
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    return str(pathlib.Path(target, "release", "expe"))


class Ended(SystemExit):
    """A candidate's process ended or did not become ready."""


class Candidate:
    # Peak memory on a GPU in bytes, if it is measured.
    device_memory = None

    def __init__(self, name, command, environment=()):
        self.name = name
        self.command = command
        self.milliseconds = []
        environment = {**os.environ, **dict(environment)}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        if self.answer() != "ready":
            raise Ended(f"{name}: {shlex.join(command)} did not become ready")

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Ended(f"{self.name}: {shlex.join(self.command)} ended")
        return line.strip()

    def order(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.answer()

    def run(self, units):
        return [float(milliseconds) for milliseconds in self.order(units).split()]

    def close(self):
        self.peak = int(self.order("peak"))
        self.process.stdin.close()
        self.process.wait()


def alternate(candidates, rounds, seconds, warm_up=3):
    """Fill `milliseconds` of every candidate: one value per round, the mean per unit of work."""
    for candidate in candidates:
        candidate.run(warm_up)
        # The number of units per turn follows from the candidate's share of the time.
        unit = statistics.median(candidate.run(1)) / 1e3
        candidate.units = max(1, round(seconds / rounds / len(candidates) / unit))
    for number in range(rounds):
        for candidate in candidates if number % 2 == 0 else reversed(candidates):
            candidate.milliseconds.append(statistics.fmean(candidate.run(candidate.units)))
            time.sleep(PAUSE)
    for candidate in candidates:
        candidate.close()


@dataclasses.dataclass
class Spread:
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values):
        values = sorted(values)
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


def report(title, candidates, ours, tokens=None):
    """Print a table with every candidate's time divided by that of the candidate `ours`, round by round (above 1,
    ours is faster), and return the rows."""
    reference = next(candidate for candidate in candidates if candidate.name == ours)
    rows = []
    for candidate in candidates:
        pairs = zip(candidate.milliseconds, reference.milliseconds)
        rows.append(
            {
                "candidate": candidate.name,
                "milliseconds": vars(Spread.of(candidate.milliseconds)),
                "over_ours": vars(Spread.of([rival / own for rival, own in pairs])),
                "tokens_per_second": tokens and tokens * 1e3 / statistics.median(candidate.milliseconds),
                "peak_memory": candidate.peak,
                "device_memory": candidate.device_memory,
                "command": shlex.join(candidate.command),
            }
        )
    on_gpu = any(row["device_memory"] is not None for row in rows)
    print(f"\n{title}")
    print(
        f"{'':24} {'ms':>9} {'quartiles':>19} {'tokens/s':>9} {'time/ours':>9} {'quartiles':>13} {'peak MB':>8}"
        + (f" {'GPU MB':>8}" if on_gpu else "")
    )
    for row in rows:
        ms, ratio = row["milliseconds"], row["over_ours"]
        speed = f"{row['tokens_per_second']:.0f}" if tokens else ""
        print(
            f"{row['candidate']:24} {ms['median']:9.2f} {ms['low']:9.2f}–{ms['high']:<9.2f} {speed:>9}"
            f" {ratio['median']:9.3f} {ratio['low']:6.3f}–{ratio['high']:.3f} {row['peak_memory'] / 1e6:8.0f}"
            + (f" {row['device_memory'] / 1e6:8.0f}" if on_gpu else "")
        )
    sys.stdout.flush()
    return {"title": title, "rows": rows}


def machine():
    """Return one line: processor, cores, commit."""
    names = [
        line.split(":", 1)[1].strip()
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith(("model name", "cpu family", "model\t"))
    ]
    commit = subprocess.run(
        ["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True
    ).stdout.strip()
    about = f"{' / '.join(dict.fromkeys(names))}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    return f"{about}, expe {commit}, {time.strftime('%Y-%m-%d %H:%M')}"


def write_json(path, reports, versions):
    if path:
        content = {"machine": machine(), "versions": versions, "reports": reports}
        pathlib.Path(path).write_text(json.dumps(content, indent=1) + "\n")
