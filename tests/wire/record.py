"""Record what a vendor's own SDK sends, and what it makes of the answers. Runs in the SDK's environment.

    python -m tests.wire.record cohere              fails if recordings/cohere.json says something else
    python -m tests.wire.record --write cohere      stores it
    python -m tests.wire.record --pins cohere       prints what pip has to install before

`nox -s wire` does all of it. Standard library only, beside the SDK.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from typing import Any

from .server import Recorder
from .short import Json, in_short
from .vendor import Case, Vendor, recording_of, vendor_named

LINE = 100


def main() -> int:
    """Record one vendor's SDK; 1 if it sends something else than was stored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vendor", help="the name of a file in vendors/")
    parser.add_argument("--write", action="store_true", help="store the recording")
    parser.add_argument("--pins", action="store_true", help="only print what pip has to install")
    given = parser.parse_args()
    vendor, file = vendor_named(given.vendor), recording_of(given.vendor)
    if given.pins:
        print(vendor.sdk)
        return 0
    found = laid_out(recorded(vendor)) + "\n"
    if given.write:
        file.write_text(found, encoding="utf-8")
        return 0
    stored = file.read_text(encoding="utf-8") if file.exists() else ""
    changes = difflib.unified_diff(
        stored.splitlines(), found.splitlines(), "stored", "sent today", lineterm=""
    )
    for line in changes:
        print(line)
    return 0 if stored == found else 1


def recorded(vendor: Vendor) -> Json:
    """All cases of a vendor."""
    cases = {name: exchange(vendor, case) for name, case in vendor.cases.items()}
    return {"sdk": vendor.sdk, "cases": cases}


def exchange(vendor: Vendor, case: Case) -> Json:
    """One call of the SDK: its request, the answer that it got, and the vectors that it gave back."""
    with Recorder(case.answer) as server:
        vectors = case.theirs(vendor.client(server.url))
    (request,) = server.requests
    return {
        "request": request,
        "answer": case.answer,
        "vectors": list(map(in_short, rows(vectors))),
    }


def rows(vectors: Any) -> list[list[float]]:
    """What an SDK gives back, as plain lists: one vector or several, arrays or lists."""
    plain = vectors.tolist() if hasattr(vectors, "tolist") else list(vectors)
    if plain and isinstance(plain[0], (int, float)):
        return [plain]
    return [row.tolist() if hasattr(row, "tolist") else list(row) for row in plain]


def laid_out(value: Json, depth: int = 0) -> str:
    """JSON in which all that fits into a line stands in one."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + depth <= LINE or not value or not isinstance(value, (dict, list)):
        return line
    inner = (
        [f"{json.dumps(name)}: {laid_out(part, depth + 2)}" for name, part in value.items()]
        if isinstance(value, dict)
        else [laid_out(part, depth + 2) for part in value]
    )
    (first, last), indent = ("{}" if isinstance(value, dict) else "[]"), " " * (depth + 2)
    return f"{first}\n{indent}" + f",\n{indent}".join(inner) + f"\n{' ' * depth}{last}"


if __name__ == "__main__":
    sys.exit(main())
