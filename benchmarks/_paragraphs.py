"""Real paragraphs: the documentation of Python, its standard library and some packages, cut at blank lines."""

from __future__ import annotations

import ast
import random
import re
import sysconfig
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from pydoc_data.topics import topics

PARAGRAPH = re.compile(r"\n\s*\n")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
PACKAGES = ("numpy", "llama_index.core", "langchain_core", "pydantic")
"""Whose docstrings are read beside those of the standard library."""
SHORTEST, LONGEST = 66, 2000
"""Characters: paragraphs between them are about 190 long on average."""


def paragraphs(count: int, *, seed: int = 0) -> list[str]:
    """Different paragraphs in a random order, always the same for the same Python.

    Raises:
        ValueError: There are not as many.
    """
    documented = (text for folder in _folders() for text in _docstrings(folder))
    found = dict.fromkeys(
        part.strip() for text in (*topics.values(), *documented) for part in PARAGRAPH.split(text)
    )
    fitting = [text for text in found if SHORTEST <= len(text) <= LONGEST]
    if len(fitting) < count:
        raise ValueError(f"There are only {len(fitting)} paragraphs.")
    return random.Random(seed).sample(fitting, count)


def _folders() -> Iterator[Path]:
    yield Path(sysconfig.get_paths()["stdlib"])
    for package in PACKAGES:
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            yield Path(spec.origin).parent


def _docstrings(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*.py")):
        inner = path.relative_to(folder).parts
        if {"site-packages", "test", "tests"} & {*inner}:
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError):  # files that the tests of Python itself need to be wrong
            continue
        for node in ast.walk(tree):
            if isinstance(node, DOCUMENTED):
                yield ast.get_docstring(node) or ""
