"""Our Markdown: the READMEs and the guide, cut into their code blocks."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs"
PAGES = tuple(
    path.relative_to(ROOT).as_posix()
    for pattern in ("README.md", "CONTRIBUTING.md", "*/*/README.md", "docs/**/*.md")
    for path in sorted(ROOT.glob(pattern))
    if path.parts[len(ROOT.parts)] in ("README.md", "CONTRIBUTING.md", "shared", "packages", "docs")
)
"""Every page that a reader may copy from, by its path from the root."""

WITH_A_STORE = tuple(page for page in PAGES if page.startswith("docs/bulk/index-"))
"""Pages that need a vector store: `nox -s stores` does each in an environment of its own."""
ON_AN_ENGINE = ("docs/bulk/daft.md", "docs/bulk/ray.md", "docs/bulk/spark.md")
"""Pages that need an engine: `nox -s engines` does each in an environment of its own."""

FENCE = re.compile(
    r"^(?P<ticks>`{3,})(?P<info>[^\n]*)\n(?P<body>.*?)^(?P=ticks) *$", re.MULTILINE | re.DOTALL
)
ANY_FENCE = re.compile(r"^\s*(`{3,}|~{3,})", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block."""

    page: str
    line: int
    """Of its first fence, from 1."""
    language: str
    title: str
    """A file's name, or `Output` or `Error` for what the block before it does."""
    flags: tuple[str, ...]
    """What else stands behind the fence."""
    body: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def blocks_of(page: str) -> tuple[Block, ...]:
    return tuple(_block(page, found) for found in FENCE.finditer(text_of(page)))


def _block(page: str, found: re.Match[str]) -> Block:
    language, *more = shlex.split(found["info"]) or [""]
    options = dict(word.split("=", 1) for word in more if "=" in word)
    return Block(
        page=page,
        line=text_of(page).count("\n", 0, found.start()) + 1,
        language=language,
        title=options.get("title", ""),
        flags=tuple(word for word in more if "=" not in word),
        body=found["body"],
    )
