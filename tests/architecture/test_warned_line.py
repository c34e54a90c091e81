"""A warning names the line of the caller, however deep below it was found: Python shows it once per line."""

from __future__ import annotations

import ast
from pathlib import Path


def test_no_warning_counts_frames(root: Path) -> None:
    """A number of frames is right for one way to get there, and `level_of_caller` for all."""
    found = [
        f"{path.relative_to(root)}:{call.lineno}"
        for folder in ("shared", "packages")
        for path in sorted((root / folder).glob("*/src/**/*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "warnings.warn"
        if "level_of_caller()" not in [ast.unparse(named.value) for named in call.keywords]
    ]

    assert not found, "\n".join(["", *found])
