"""Rewrite the tables of std-runtime/docs/benchmarks.md with the results of the script `all`:

    python3 tests/bench/tables.py FOLDER PAGE

A table lies between `<!-- table NAME -->` and `<!-- end -->`; tables without results stay unchanged.
"""

import json
import pathlib
import re
import sys


def figure(value):
    if value is None:
        return "–"
    size = abs(value)
    return f"{value:.2f}" if size < 9.995 else f"{value:.1f}" if size < 99.95 else f"{value:.0f}"


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(values, factor=1.0, form=figure):
    return f"{form(factor * values['median'])} ({form(factor * values['low'])}–{form(factor * values['high'])})"


def three(value):
    return f"{value:.3f}"


def two(value):
    return f"{value:.2f}"


def percent(share):
    return "–" if share is None else f"{100 * share:.0f} %"


class Results:
    def __init__(self, folder):
        self.found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
        self.texts = {path.stem: path.read_text() for path in sorted(folder.glob("*.md"))}

    def rivals(self, name):
        """Return the rows of a report by turns.py, one position after another."""
        rows = []
        for report in self.found[name]["reports"]:
            for row in report["rows"]:
                label = row["candidate"]
                if ", rope," in report["title"]:
                    label += ", RoPE" if label != "expe" else " with RoPE"
                rows.append([
                    label,
                    spread(row["milliseconds"]),
                    figure(row["tokens_per_second"]),
                    spread(row["over_ours"], form=two),
                    figure(row["peak_memory"] / 1e6),
                ])
        return table(["", "ms (quartiles)", "tokens/s", "time / ours (quartiles)", "peak MB"], rows)

    def over_ours(self, name, candidate, report=0):
        for row in self.found[name]["reports"][report]["rows"]:
            if row["candidate"] == candidate:
                return row["over_ours"]["median"]
        return None

    def row(self, name, candidate, work=None):
        for row in self.found[name]["rows"]:
            if row["candidate"] == candidate and work in (None, row["work"]):
                return row
        return None

    def machine(self):
        about, rivals = self.found["formats"]["machine"], self.found["decode"]
        training = self.found["training-128x4"]
        cpu = f"{about['cpu']}, {about['cores']} cores, {', '.join(about['features'])}"
        versions = {**rivals["versions"], **training["versions"]}
        rows = [
            ["processor", cpu],
            ["system", about["system"]],
            ["expe", f"{about['version']}, commit {rivals['machine'].split(', expe ')[1]}"],
            *[[name, versions[name]] for name in ("rustc", "gcc", "candle", "torch", "python")],
            ["plain read of 256 MiB, one thread", f"{figure(self.found['formats']['read_rate'] / 1e9)} GB/s"],
            ["matrix products, one thread", f"{figure(self.found['prompts']['matmul_rate'] / 1e9)} GFLOP/s"],
            ["matrix products, two threads", f"{figure(self.found['train-256x6']['matmul_rate'] / 1e9)} GFLOP/s"],
        ]
        return table(["", ""], rows).replace("---:", "---")

    def targets(self):
        formats = {row["candidate"]: row for row in self.found["formats"]["rows"]}
        against = lambda name, candidate, report=0: self.over_ours(name, candidate, report)
        costs = {cost["encoding"]: cost for cost in self.found["positions"]["positions"]}
        rows = []

        def target(work, rival, wanted, ratio, most=False):
            met = ratio is not None and (ratio <= wanted if most else ratio >= wanted)
            sign = "≤" if most else "≥"
            rows.append([work, rival, f"{sign} {wanted}", "–" if ratio is None else f"{ratio:.2f}", "yes" if met else "**no**"])

        for shape in ("128x4", "256x6"):
            work = f"training step {shape}, 2 threads: rival's time / ours"
            target(work, "PyTorch eager", 1.7, against(f"training-{shape}", "PyTorch eager"))
            target(work, "PyTorch compiled", 1.5, against(f"training-{shape}", "PyTorch compiled"))
            ours = self.found[f"train-{shape}"]["rows"][0]
            target(f"training step {shape}: share of the rate of matrix products", "–", 0.8, ours["matmul_share"])
            peaks = {row["candidate"]: row["peak_memory"] for row in self.found[f"training-{shape}"]["reports"][0]["rows"]}
            target(f"training {shape}: our peak memory / rival's", "PyTorch eager", 1.0, peaks["expe"] / peaks["PyTorch eager"], most=True)
        work = "decoding, f32, 15 M parameters, 1 thread, RoPE: rival's time / ours"
        target(work, "C, gcc -Ofast", 1.1, against("decode", "C, gcc -Ofast"))
        target(work, "candle", 2.0, against("decode", "candle"))
        target("the same: bandwidth / plain read's", "plain read", 0.95, formats["f32"]["read_share"])
        target("the same, f16: our f32's time / f16's", "our f32", 1.8, 1 / formats["f16"]["ratio"]["median"])
        target("the same, int8: our f32's time / int8's", "our f32", 3.5, 1 / formats["int8"]["ratio"]["median"])
        work = "prompt of 512 tokens, 1 thread, RoPE: rival's time / ours"
        target(work, "candle", 1.5, against("prefill", "candle"))
        target(work, "PyTorch eager", 1.2, against("prefill", "PyTorch eager"))
        target("applying ExPE, one token and layer: its time / RoPE's", "our RoPE", 0.1, costs["expe"]["apply_over_rope"], most=True)
        decode = self.row("positions", "expe", "decode")
        target("decoding with ExPE: its time / without positions", "none", 1.0, decode["ratio"]["median"], most=True)
        return table(["work", "rival", "target", "ratio", "met"], rows)

    def formats(self):
        rows = [
            [
                row["candidate"], spread(row["seconds"], 1e3 / row["tokens"]),
                figure(row["tokens"] / row["seconds"]["median"]), two(1 / row["ratio"]["median"]),
                figure(row["bytes_per_token"] / 1e6), percent(row["read_share"]), percent(row["cached_read_share"]),
            ]
            for row in self.found["formats"]["rows"]
        ]
        head = ["weights", "ms per token (quartiles)", "tokens/s", "f32's time / its", "MB per token", "of a plain read", "of reading as much again and again"]
        return table(head, rows)

    def prompts(self):
        rows = [
            [
                row["candidate"], spread(row["seconds"], 1e3), figure(row["tokens"] / row["seconds"]["median"]),
                two(1 / row["ratio"]["median"]), percent(row["matmul_share"]),
            ]
            for row in self.found["prompts"]["rows"]
        ]
        return table(["weights", "ms (quartiles)", "tokens/s", "f32's time / its", "of f32 matrix products"], rows)

    def shares(self):
        rows = []
        for shape in ("128x4", "256x6"):
            report = self.found[f"train-{shape}"]
            row = report["rows"][0]
            rows.append([
                shape, spread(row["seconds"], 1e3), figure(row["tokens"] / row["seconds"]["median"]),
                figure(row["flops"] / 1e9), figure(row["flops"] / row["seconds"]["median"] / 1e9),
                percent(row["matmul_share"]), figure(report["peak_memory"] / 1e6),
            ])
        head = ["step", "ms (quartiles)", "tokens/s", "GFLOP", "GFLOP/s", "of matrix products", "peak MB"]
        return table(head, rows)

    def profile(self):
        part = lambda share: "–" if share is None else f"{100 * share:.1f} %"
        rows = [
            [
                line["operation"], line.get("pass", "–"), f"{line['calls']:.0f}", figure(1e3 * line["seconds"]),
                part(line["share"]), figure(line["flops"] / 1e9 if line["flops"] else None),
                figure(line["product_rate"] / 1e9 if "product_rate" in line else None), percent(line.get("product_share")),
            ]
            for line in self.found["profile"]["rows"][0]["profile"]
        ]
        head = ["operation", "pass", "calls", "ms of threads", "share", "GFLOP", "GFLOP/s per thread", "in products"]
        return table(head, rows)

    def printed(self, name):
        """Return the table that another script printed."""
        return "\n".join(line for line in self.texts[name].splitlines() if line.startswith("|"))

    def costs(self):
        ns = lambda value: f"{value:.0f}"
        rows = [
            [
                cost["encoding"], spread(cost["apply"], form=ns), two(cost["apply_over_rope"] or 0),
                spread(cost["projections"], form=ns), spread(cost["attention"], form=ns), ns(cost["sum"]),
            ]
            for cost in self.found["positions"]["positions"]
        ]
        return table(["ns per token and layer", "applying", "over RoPE's", "projections", "attention, 256 keys", "sum"], rows)

    def encodings(self):
        names = list(dict.fromkeys(row["candidate"] for row in self.found["positions"]["rows"]))
        rows = []
        for name in names:
            cells = [name]
            for work in ("decode", "prefill", "train"):
                row = self.row("positions", name, work)
                cells += [spread(row["ratio"], form=three), three(row["over_rope"]["median"])]
            rows.append(cells)
        head = ["time", "decode / none", "/ RoPE", "prompt / none", "/ RoPE", "training / none", "/ RoPE"]
        return table(head, rows)

    def cached(self):
        rows = [
            [row["candidate"], spread(row["seconds"], 1e3 / row["tokens"]), spread(row["ratio"], form=two)]
            for row in self.found["cached"]["rows"]
        ]
        return table(["", "ms per token (quartiles)", "time / none (quartiles)"], rows)

    def evaluation(self):
        rows = [
            [
                row["candidate"], spread(row["seconds"], 1e3), figure(row["tokens"] / row["seconds"]["median"]),
                two(row["ratio"]["median"]), figure(row["cache_bytes"] / 1e6), figure(row["peak_memory"] / 1e6),
            ]
            for row in self.found["eval"]["rows"]
        ]
        head = ["length", "ms (quartiles)", "tokens/s", "time / shortest", "cache MB per thread", "peak MB"]
        return table(head, rows)

    def scaling(self):
        rows = [
            [f"{slope['work']} against {slope['against']}", f"{slope['from']}–{slope['to']}", two(slope["slope"]), two(slope["last"])]
            for slope in self.found["scaling"]["slopes"] + self.found["eval"]["slopes"]
        ]
        return table(["", "range", "slope", "between the last two"], rows)

    def growth(self):
        rows = []
        for row in self.found["scaling"]["rows"]:
            factor = 1e3 / (row["tokens"] if row["work"] == "decode" else 1)
            rows.append([
                row["work"], row["candidate"], spread(row["seconds"], factor),
                figure(row["tokens"] / row["seconds"]["median"]),
            ])
        return table(["work", "size", "ms (quartiles)", "tokens/s"], rows)


def main(folder, page):
    results = Results(folder)
    makers = {
        "machine": results.machine, "targets": results.targets, "shares": results.shares,
        "training-128x4": lambda: results.rivals("training-128x4"),
        "training-256x6": lambda: results.rivals("training-256x6"),
        "decode": lambda: results.rivals("decode"), "prefill": lambda: results.rivals("prefill"),
        "formats": results.formats, "prompts": results.prompts, "costs": results.costs,
        "encodings": results.encodings, "scaling": results.scaling, "growth": results.growth,
        "profile": results.profile, "evaluation": results.evaluation, "cached": results.cached,
        "counts": lambda: results.printed("counts"), "board": lambda: results.printed("board"),
    }

    def renew(match):
        try:
            made = makers[match[1]]()
        except KeyError as missing:
            print(f"{match[1]}: {missing} was not measured, left as it was", file=sys.stderr)
            made = match[2].strip()
        return f"<!-- table {match[1]} -->\n\n{made}\n\n<!-- end -->"

    text = page.read_text()
    page.write_text(re.sub(r"<!-- table (\S+) -->\n(.*?)<!-- end -->", renew, text, flags=re.DOTALL))


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
