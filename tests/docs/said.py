"""What a page says that a block prints, compared with what it printed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .pages import Block

SAID = ("Output", "Error")
"""Titles of a `text` block: what the block before it prints, or the error with which it ends."""
ELLIPSIS = "…"
WIDTH = re.compile("([ ─])[ ─]+")


def with_what_is_said(blocks: Sequence[Block]) -> Iterator[tuple[Block, Block | None]]:
    """The blocks to do, each with the block that says what it prints, if there is one."""
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.title not in SAID:
            said = following if following is not None and following.title in SAID else None
            yield block, said if said is not None and said.language == "text" else None


def agree(wanted: str, output: str) -> bool:
    """`…` stands for anything; how wide a table is set does not count."""
    pattern = ".*?".join(map(re.escape, tidy(wanted).split(ELLIPSIS)))
    return re.fullmatch(pattern, tidy(output), re.DOTALL) is not None


def tidy(text: str) -> str:
    lines = [WIDTH.sub(r"\1", line).strip() for line in text.splitlines()]
    return "\n".join(filter(None, lines))
