"""Rivals that take turns.

Each candidate is a process that waits for orders on its standard input: for a line `N` it does N units of
work and prints the milliseconds of each, for a line `peak` it prints the most memory it has had, in bytes.
`expe bench … --serve` is one, and so are the rivals here. Only one has an order at a time; the others are
asleep in `read`. Threads of PyTorch's that have run out of work spin for some milliseconds before they sleep,
which makes its steps a sixth faster, so they may; but the next candidate's turn begins after a PAUSE.
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

# Seconds between two turns: ten times as long as a thread spins.
PAUSE = 0.05


def program():
    """The `expe` program: $EXPE_PROGRAM, or the release build of this folder."""
    if path := os.environ.get("EXPE_PROGRAM"):
        return path
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    return str(pathlib.Path(target, "release", "expe"))


class Ended(SystemExit):
    """A candidate whose process ended, or did not get ready."""


class Candidate:
    # The most memory that it has had on a GPU, in bytes, where that is measured.
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
            raise Ended(f"{name}: {shlex.join(command)} did not get ready")

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
    """Fill `milliseconds` of every candidate: one figure a round, its mean per unit of work."""
    for candidate in candidates:
        candidate.run(warm_up)
        # As many units a turn as its share of the time allows.
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
    """A table: every rival's time over that of ours (the candidate called `ours`), round by round; above 1
    we are faster. Gives the rows."""
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
    """One line: processor, cores, commit."""
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
