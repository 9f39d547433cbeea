#!/usr/bin/env python3
"""Golden vectors of every position encoding, implemented from the papers, independently of the Rust code.

    python positions.py            write positions.json next to this script
    python positions.py --check    fail if positions.json differs from what the script computes

Values of ExPE and ExQPE are exact rationals (`fractions`), rounded once to the number format with
integer arithmetic and checked against NumPy's conversions. Angles are products in 50-digit decimal
arithmetic, reduced modulo one turn before the sine, so they are exact at every position.
"""

import sys
from decimal import Decimal, getcontext
from fractions import Fraction
from pathlib import Path

import numpy as np

from golden import main

getcontext().prec = 50

LAST = 2**32 - 1
POSITIONS = [0, 1, 2, 3, 7, 63, 64, 1000, 4095, 65535, 2**20 + 1, 2**24 + 1, 2**31 - 1, LAST]

# ---------------------------------------------------------------- number formats

# Significant binary digits, exponent of the smallest spacing, largest finite value.
FORMATS = {
    "f32": (24, -149, Fraction((2**24 - 1) * 2**104)),
    "f16": (11, -24, Fraction((2**11 - 1) * 2**5)),
    "bf16": (8, -133, Fraction((2**8 - 1) * 2**120)),
}


def f32(value):
    """Return the nearest f32 to `value`, which is what a configuration stores, as a rational."""
    return Fraction(float(np.float32(value)))


def log2_floor(value):
    """Return the largest e with 2^e <= value, for a positive rational."""
    e = value.numerator.bit_length() - value.denominator.bit_length()
    return e if Fraction(2) ** e <= value else e - 1


def rounded(value, name):
    """Round a rational to the format, ties to even; None beyond the largest finite value."""
    digits, quantum, largest = FORMATS[name]
    if value == 0:
        return Fraction(0)
    spacing = Fraction(2) ** max(log2_floor(abs(value)) - digits + 1, quantum)
    result = round(value / spacing) * spacing  # Fraction.__round__ rounds ties to even
    return None if abs(result) > largest else result


def rounded_array(values, name):
    """Round an array of f64 to the format with NumPy (bf16 by its bits)."""
    if name == "f32":
        return values.astype(np.float32).astype(np.float64)
    if name == "f16":
        with np.errstate(over="ignore"):
            return values.astype(np.float16).astype(np.float64)
    bits = values.view(np.uint64)
    lost = np.uint64(52 - 7)  # an f64 stores 52 mantissa bits, a bf16 stores 7
    half = (np.uint64(1) << (lost - np.uint64(1))) - np.uint64(1)
    bits = bits + half + ((bits >> lost) & np.uint64(1))
    return ((bits >> lost) << lost).view(np.float64)


def progression(start, step, name, count, first=0):
    """Return start + step·n for n = first.., exact in f64 (asserted), and the same rounded to the format."""
    n = np.arange(first, first + count, dtype=np.float64)
    values = float(start) + float(step) * n
    for i in (0, count // 2, count - 1):
        assert Fraction(values[i]) == start + step * (first + i), "f64 is too short for this case"
    return values, rounded_array(values, name)


def first_where(start, step, name, condition, limit=2**25, chunk=2**20):
    """Return the first n with condition(exact, value, next value), or `limit`."""
    for first in range(0, limit, chunk):
        exact, values = progression(start, step, name, chunk + 1, first)
        found = np.flatnonzero(condition(exact[:-1], values[:-1], values[1:]))
        if len(found):
            return first + int(found[0])
    return limit


# ---------------------------------------------------------------- ExPE

# An encoding may guarantee a few positions fewer than precede the first collision: once the spacing w
# exceeds the step t, k positions share k·t/w + 1 values, so two of them coincide after at most
# 1/(1 − t/w) + 2 positions. The cases below have t/w <= 0.8.
SLACK = 8


def expe(name, start, step, width, cap=None):
    start, step = f32(start), f32(step)
    # The progression is monotonic, so neighbors collide first; an infinity also ends it.
    collision = first_where(start, step, name, lambda _, value, nxt: (value == nxt) | np.isinf(nxt)) + 1
    safe = collision - SLACK
    positions = sorted({n for n in POSITIONS + [safe // 2, safe - 1] if 0 <= n < safe})
    rows = []
    for n in positions:
        key = rounded(start + step * n, name)
        query = rounded(start + step * (n if cap is None else min(n, cap)), name)
        assert float(key) == rounded_array(np.array([float(start + step * n)]), name)[0]
        rows.append([n, float(query), float(key)])
    config = {"name": "expe", "start": float(start), "step": float(step), "width": width}
    if cap is not None:
        config["query_cap"] = cap
    return {"config": config, "format": name, "collision": collision, "slack": SLACK, "rows": rows}


# ---------------------------------------------------------------- ExQPE


def exqpe(name, start, step, width, base, digits, growth, cap=None):
    start, step = f32(start), f32(step)
    weights = [step * (base**j if growth == "weighted" else 1) for j in range(digits)]
    # Count the values of the top digit that the format represents exactly.
    values = first_where(start, weights[-1], name, lambda exact, value, _: exact != value)
    for weight in weights[:-1]:
        exact, found = progression(start, weight, name, base)
        assert (exact == found).all(), "a low digit is not exact: choose another case"
    length = min(base ** (digits - 1) * values, LAST)

    def values_at(n):
        low = [n // base**j % base for j in range(digits - 1)]
        places = low + [n // base ** (digits - 1)]  # the top digit never wraps
        exact = [start + weight * a for weight, a in zip(weights, places)]
        assert [rounded(value, name) for value in exact] == exact
        return [float(value) for value in exact]

    # An encoding may guarantee one value of the top digit fewer: beyond 2^p only even mantissas are exact,
    # so the first value may be exact, but never two in a row.
    safe = length - base ** (digits - 1)
    picks = POSITIONS + [base - 1, base, base + 1, base**digits - 1, base**digits, safe // 2, safe - 1]
    positions = sorted({n for n in picks if 0 <= n < safe})
    rows = [[n, values_at(n if cap is None else min(n, cap)), values_at(n)] for n in positions]
    config = {
        "name": "exqpe",
        "start": float(start),
        "step": float(step),
        "width": width,
        "base": base,
        "digits": digits,
        "growth": growth,
    }
    if cap is not None:
        config["query_cap"] = cap
    return {"config": config, "format": name, "length": length, "rows": rows}


# ---------------------------------------------------------------- angles


def pi():
    """Compute π with Machin's formula to the working precision."""

    def arctan_of_inverse(x):
        power, total, k = Decimal(1) / x, Decimal(0), 0
        while abs(power) > Decimal(10) ** -55:
            total += power / (2 * k + 1) * (-1) ** k
            power /= x * x
            k += 1
        return total

    return 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))


TURN = 2 * pi()


def decimal(value):
    """Convert an f32 to an exact decimal."""
    return Decimal(float(np.float32(value)))


def frequencies(base, width):
    """Return base^(−2i/width) for i = 0 .. width/2 − 1."""
    log = base.ln()
    return [(-log * 2 * i / width).exp() for i in range(width // 2)]


def waves(n, frequency):
    """Return (cos, sin) of n·frequency."""
    angle = float(n * frequency % TURN)
    return float(np.cos(angle)), float(np.sin(angle))


def digits(row):
    """Round to 11 decimals, far below the precision of an f32."""
    return [round(float(value), 11) + 0.0 for value in row]


def sinusoidal_rows(base, width, at):
    """Return sines in even columns and cosines in odd columns, for every position in `at`."""
    turns = frequencies(decimal(base), width)
    pairs = [[waves(n, frequency) for frequency in turns] for n in at]
    return np.array([[wave for cos, sin in row for wave in (sin, cos)] for row in pairs])


def sinusoidal(base, width):
    rows = sinusoidal_rows(base, width, POSITIONS)
    return {
        "config": {"name": "sinusoidal", "base": float(decimal(base))},
        "width": width,
        "frequencies": [float(frequency) for frequency in frequencies(decimal(base), width)],
        "rows": [[n, digits(row)] for n, row in zip(POSITIONS, rows)],
    }


def rope_frequencies(base, width, scaling):
    """Return radians per position; scalings follow their papers (arXiv 2306.15595, NTK-aware, 2309.00071)."""
    base, factor = decimal(base), decimal(scaling.get("factor", 1))
    if scaling["kind"] == "ntk":
        base *= (factor.ln() * width / (width - 2)).exp()
    turns = frequencies(base, width)
    if scaling["kind"] == "linear":
        return [frequency / factor for frequency in turns]
    if scaling["kind"] == "yarn":
        blended = []
        for frequency in turns:
            rotations = scaling["original"] * frequency / TURN
            keep = min(max((rotations - 1) / (32 - 1), Decimal(0)), Decimal(1))
            blended.append(frequency * keep + frequency / factor * (1 - keep))
        return blended
    return turns


def rope_table(base, width, scaling, at):
    """Return cosines in the first half and sines in the second, for every position in `at`."""
    turns = rope_frequencies(base, width, scaling)
    pairs = [[waves(n, frequency) for frequency in turns] for n in at]
    table = np.array([[cos for cos, _ in row] + [sin for _, sin in row] for row in pairs])
    if scaling["kind"] == "yarn":
        table *= float(decimal(scaling["factor"]).ln() / 10 + 1)
    return table


def rope(base, width, scaling):
    rows = rope_table(base, width, scaling, POSITIONS)
    return {
        "config": {"name": "rope", "base": float(decimal(base)), "scaling": scaling},
        "width": width,
        "frequencies": [float(f) for f in rope_frequencies(base, width, scaling)],
        "rows": [[n, digits(row)] for n, row in zip(POSITIONS, rows)],
    }


# ---------------------------------------------------------------- ALiBi


def alibi(heads):
    """Compute slopes by recursion, as the code of the paper does (Press et al. 2022)."""

    def slopes(count):
        if count & (count - 1) == 0:
            first = 2.0 ** (-8.0 / count)
            return [first ** (h + 1) for h in range(count)]
        below = 1 << (count.bit_length() - 1)
        return slopes(below) + slopes(2 * below)[0::2][: count - below]

    return {"config": {"name": "alibi"}, "heads": heads, "slopes": [float(s) for s in slopes(heads)]}


# ---------------------------------------------------------------- all cases


def cases():
    expe_cases = []
    for name in FORMATS:
        for start, step in [(0, 1), (0, 0.125), (1, 0.5), (-7.25, 3), (100, -0.5), (4, 0.5), (0, 0.75)]:
            expe_cases.append(expe(name, start, step, 4))
    expe_cases += [
        expe("f32", 16, 0.0625, 8),
        expe("f32", 16, 0.1, 1),
        expe("f32", 0, 1 / 3, 2),
        expe("f16", 16, 0.0625, 8),
        expe("f32", 0, 0.125, 8, cap=64),
        expe("f16", 0, 0.125, 8, cap=64),
        expe("bf16", 1, 0.5, 8, cap=10),
        expe("f32", 0, 0.125, 8, cap=0),
    ]
    digit = [
        exqpe("f32", 16, 0.0625, 8, 16, 2, "weighted"),
        exqpe("f32", 16, 0.0625, 8, 16, 2, "equal"),
        exqpe("f32", 0, 0.125, 6, 4, 3, "weighted"),
        exqpe("f32", 0, 1, 4, 256, 4, "equal"),
        exqpe("f32", -2, -0.5, 6, 10, 3, "equal"),
        exqpe("f32", 1, 0.25, 6, 10, 3, "weighted"),
        exqpe("f32", 16, 0.0625, 4, 10, 1, "weighted"),
        exqpe("f32", 16, 0.0625, 8, 16, 2, "weighted", cap=64),
        exqpe("f16", 4, 0.5, 8, 16, 2, "equal"),
        exqpe("f16", 8, 0.125, 8, 16, 2, "weighted"),
        exqpe("f16", 0, 1, 8, 32, 2, "equal", cap=100),
        exqpe("bf16", 4, 0.5, 8, 16, 2, "equal"),
        exqpe("bf16", 0, 1, 6, 8, 3, "equal"),
        exqpe("bf16", 0, 0.25, 6, 4, 3, "weighted"),
        exqpe("bf16", 0, 1, 8, 16, 8, "equal", cap=1000),
    ]
    plain = {"kind": "none"}
    return {
        "expe": expe_cases,
        "exqpe": digit,
        "sinusoidal": [sinusoidal(10_000, 16), sinusoidal(10_000, 6), sinusoidal(100, 8)],
        "rope": [
            rope(10_000, 16, plain),
            rope(10_000, 2, plain),
            rope(500_000, 8, plain),
            rope(10_000, 16, {"kind": "linear", "factor": 4.0}),
            rope(10_000, 8, {"kind": "linear", "factor": 3.0}),
            rope(10_000, 16, {"kind": "ntk", "factor": 8.0}),
            rope(10_000, 4, {"kind": "ntk", "factor": 2.5}),
            rope(10_000, 16, {"kind": "yarn", "factor": 8.0, "original": 2048}),
            rope(10_000, 8, {"kind": "yarn", "factor": 16.0, "original": 64}),
        ],
        "alibi": [alibi(heads) for heads in (1, 2, 3, 4, 6, 8, 12, 16, 20, 33)],
    }


if __name__ == "__main__":
    sys.exit(main({Path(__file__).with_name("positions.json"): cases}))
