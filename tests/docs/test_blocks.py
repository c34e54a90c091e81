"""What our pages show works, word for word; see `stand_ins.py` for what is not here."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from embedbridge.core import Embedder

from .pages import ANY_FENCE, ON_AN_ENGINE, PAGES, WITH_A_STORE, Block, blocks_of, text_of
from .reader import Reader
from .said import SAID

LANGUAGES = {"python", "sh", "console", "toml", "text"}
CODE = [page for page in PAGES if any(block.language for block in blocks_of(page))]
ELSEWHERE = [*WITH_A_STORE, *ON_AN_ENGINE]
HERE = [page for page in CODE if page not in ELSEWHERE]


@pytest.mark.parametrize("page", HERE)
def test_a_page_does_what_it_says(page: str, reader: Reader) -> None:
    """A reader who copies every block of a page, in order, sees what the page shows."""
    reader.read(blocks_of(page))


@pytest.mark.parametrize("page", ELSEWHERE)
def test_a_page_that_is_done_elsewhere_pins_what_it_was_run_with(page: str) -> None:
    """`nox -s stores` and `engines` make its environment from the line that it tells its reader."""
    commands = [block.body for block in blocks_of(page) if block.language == "sh"]
    words = shlex.split(commands[0])

    assert words[:5] == ["nox", "-s", "install", "--", ".venv"]
    assert words[5].partition("[")[0] == "bulk"
    assert len(words) > 6
    assert all("==" in word for word in words[6:])


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_kind_that_is_run_or_checked(page: str) -> None:
    """No block gets past the test above: not by its language, a flag, or its indentation."""
    blocks = blocks_of(page)
    strange = [block.place for block in blocks if _is_strange(block)]

    assert not strange
    assert len(ANY_FENCE.findall(text_of(page))) == 2 * len(blocks)


def _is_strange(block: Block) -> bool:
    if not block.language:
        return False
    return block.language not in LANGUAGES or bool(block.flags)


def test_there_is_something_to_run() -> None:
    """A change of the Markdown's style does not switch these checks off."""
    run = [block for page in PAGES for block in blocks_of(page) if block.language == "python"]
    compared = [block for page in PAGES for block in blocks_of(page) if block.title in SAID]

    assert len(run) >= 140
    assert len(compared) >= 100


def test_the_provider_on_one_screen_works() -> None:
    """The class that the README shows is a whole provider."""
    (source,) = (block.body for block in blocks_of("README.md") if "LetterModel" in block.body)
    names: dict[str, Any] = {}
    exec(source, names)

    vectors = Embedder(names["LetterModel"]("latin")).embed_documents(["abba", "cab"])

    assert vectors[:, :3].tolist() == [[2, 2, 0], [1, 1, 1]]


def test_what_is_wrong_is_noticed(reader: Reader) -> None:
    """A page that shows another output, no error, or an unknown command fails."""
    for body, said, title in (
        ("print(1)", "2", "Output"),
        ("print(1)", "ValueError: …", "Error"),
        ("1 / 0", "ValueError: …", "Error"),
        ("1 / 0", "…", "Output"),
    ):
        with pytest.raises(AssertionError, match="made-up"):
            reader.read([_made_up("python", body), _made_up("text", said, title)])
    for command in ("rm -r docs", "pip install no-such-package-of-ours", "nox -s nothing"):
        with pytest.raises(AssertionError, match="made-up"):
            reader.read([_made_up("sh", command)])


def _made_up(language: str, body: str, title: str = "") -> Block:
    return Block(page="made-up", line=1, language=language, title=title, flags=(), body=f"{body}\n")
