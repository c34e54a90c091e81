"""Chunking: what the demo searches, ten included texts or the files of a folder cut into passages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import typer

TEXT_FILES = frozenset({".md", ".rst", ".txt"})
PASSAGE_TOKENS = 160
"""Small sentence models read 256 tokens of their own, which are shorter than the splitter's."""
OVERLAP_TOKENS = 20


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text."""

    source: str
    """The file, relative to the folder; or the title of an included text."""
    text: str


def included_texts() -> list[Passage]:
    """The ten texts that come with the demo: a heading and a paragraph each."""
    whole = (files("embedbridge.cli.demo") / "ten_texts.md").read_text("utf-8")
    sections = [section.partition("\n") for section in whole.split("\n## ")[1:]]
    return [Passage(title, " ".join(text.split())) for title, _, text in sections]


def read_passages(folder: Path, paths: Iterable[Path]) -> list[Passage]:
    """All files cut into passages, each different text once: equal ones would tie in a search."""
    passages: dict[str, Passage] = {}
    for path in paths:
        name = str(path.relative_to(folder))
        for text in _split(path, name):
            passages.setdefault(text, Passage(name, text))
    return list(passages.values())


def _split(path: Path, name: str) -> Iterator[str]:
    from llama_index.core.node_parser import SentenceSplitter

    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        typer.echo(f"Skipped {name}: it is not UTF-8", err=True)
        return
    splitter = SentenceSplitter(chunk_size=PASSAGE_TOKENS, chunk_overlap=OVERLAP_TOKENS)
    yield from filter(str.strip, splitter.split_text(text))
