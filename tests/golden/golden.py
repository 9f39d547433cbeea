"""Write golden vectors, or compare the stored ones with freshly computed ones."""

import json
import sys
from pathlib import Path


def text(value, depth=0):
    """Return JSON with one case per line, and within a case one row per line."""
    if isinstance(value, dict) and depth < 3:
        inner = (f"{json.dumps(key)}: {text(item, depth + 1)}" for key, item in value.items())
        return "{\n" + ",\n".join(inner) + "\n}"
    if isinstance(value, list) and value and isinstance(value[0], (list, dict)) and depth < 4:
        return "[\n" + ",\n".join(text(item, depth + 1) for item in value) + "\n]"
    return json.dumps(value)


def difference(kept, fresh, tolerance, at=""):
    """Return the first place where two values differ by more than `tolerance` times max(1, |fresh|)."""
    if isinstance(kept, float) and isinstance(fresh, float):
        near = abs(kept - fresh) <= tolerance * max(1.0, abs(fresh))
        return None if near else f"{at}: stored {kept}, computed {fresh}"
    if type(kept) is not type(fresh):
        return f"{at}: stored {kept!r}, computed {fresh!r}"
    if isinstance(kept, dict):
        if kept.keys() != fresh.keys():
            return f"{at}: stored {list(kept)}, computed {list(fresh)}"
        kept, fresh = list(kept.items()), list(fresh.items())
        pairs = [(f"{at}.{name}", a, b) for (name, a), (_, b) in zip(kept, fresh)]
    elif isinstance(kept, list):
        if len(kept) != len(fresh):
            return f"{at}: stored {len(kept)} items, computed {len(fresh)}"
        pairs = [(f"{at}[{i}]", a, b) for i, (a, b) in enumerate(zip(kept, fresh))]
    else:
        return None if kept == fresh else f"{at}: stored {kept!r}, computed {fresh!r}"
    return next((found for name, a, b in pairs if (found := difference(a, b, tolerance, name))), None)


def main(files):
    """Write `files` (a path for each function that computes JSON, text or bytes), or check them with --check.

    C libraries differ in the last digits of sines, hence the tolerance of 1e-10 for JSON; text and
    bytes must be equal.
    """
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        print(f"usage: {sys.argv[0]} [--check]", file=sys.stderr)
        return 2
    failures = 0
    for path, compute in files.items():
        fresh = compute()
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            content = fresh if isinstance(fresh, (str, bytes)) else text(fresh) + "\n"
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            continue
        if isinstance(fresh, bytes):
            found = None if path.read_bytes() == fresh else "bytes differ"
        elif isinstance(fresh, str):
            found = None if path.read_text() == fresh else "text differs"
        else:
            found = difference(json.loads(path.read_text()), json.loads(json.dumps(fresh)), 1e-10)
        failures += found is not None
        print(f"{path.relative_to(Path(__file__).parent)}: {found or 'as computed'}")
    return 1 if failures else 0
