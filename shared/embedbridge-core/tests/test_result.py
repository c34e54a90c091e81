"""A result where some inputs have an error."""

from __future__ import annotations

import asyncio
import pickle

import pytest

from embedbridge.contract import InvalidInputError
from embedbridge.testing import fake_embedder


def test_a_complete_result_is_itself() -> None:
    """Nothing is copied where nothing is missing."""
    result = fake_embedder().embed(["a"], role="document")

    assert result.complete() is result


def test_an_incomplete_result_raises_its_first_error() -> None:
    """The error names the others and holds the vectors that were paid for, also after a pickle."""
    result = fake_embedder(errors="collect").embed(["a", "", "b", " "], role="document")
    with pytest.raises(InvalidInputError, match="Input 1") as caught:
        result.complete()
    copy = pickle.loads(pickle.dumps(caught.value))

    assert caught.value.partial is result
    assert caught.value.__notes__ == ["Further inputs with errors: 3."]
    assert copy.partial.ok.tolist() == [True, False, True, False]


def test_errors_of_a_later_window_are_counted_in_the_stream() -> None:
    """The first one and those that are listed alike."""
    embedder = fake_embedder(errors="collect", on_empty="skip", window=3)
    _, later = embedder.embed_windows(["a", "b", "c", "d", "", " "])
    with pytest.raises(InvalidInputError, match="Input 4") as caught:
        later.complete()

    assert caught.value.__notes__ == ["Further inputs with errors: 5."]


def test_it_is_said_once() -> None:
    """Asking twice does not lengthen the message."""
    result = fake_embedder(errors="collect").embed([""] * 20, role="document")
    for _ in range(2):
        with pytest.raises(InvalidInputError) as caught:
            result.complete()

    assert caught.value.__notes__ == [
        "Further inputs with errors: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …."
    ]


async def test_other_tasks_have_their_turn_while_lists_are_made() -> None:
    """Turning a large job's arrays into lists does not hold the loop in one piece."""
    turns, done = 0, False

    async def tick() -> None:
        nonlocal turns
        while not done:
            turns += 1
            await asyncio.sleep(0)

    embedder = fake_embedder(4096)
    result = await embedder.aembed([f"text {n}" for n in range(100)], role="document")
    ticking = asyncio.create_task(tick())
    lists = await result.atolist()
    during, done = turns, True
    await ticking

    assert lists == result.tolist()
    assert during >= 4
