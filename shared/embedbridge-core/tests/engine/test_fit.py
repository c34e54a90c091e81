"""Texts that are too long: cut, refused or left to the model, and always reported."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import InputTooLongError, InvalidOptionError, Mixed
from embedbridge.core import Embedder

LONG, SHORT = "x" * 100, "y" * 10
any_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


def test_a_model_that_cuts_gets_the_whole_text(any_model: Any) -> None:
    """It knows its own tokens best; the input is reported as cut."""
    model = any_model(max_tokens_per_input=50, truncates=True, count=len)
    result = Embedder(model).embed([SHORT, LONG, SHORT], role="document")

    assert sorted(model.batches[0].texts) == [LONG, SHORT]
    assert result.truncated.tolist() == [False, True, False]


def test_a_model_that_does_not_cut_gets_a_text_that_fits(any_model: Any) -> None:
    """The beginning of the text, as long as it may be; the input is reported as cut."""
    model = any_model(max_tokens_per_input=50, truncates=False, count=len)
    result = Embedder(model).embed([SHORT, LONG], role="document")

    assert sorted(model.batches[0].texts) == ["x" * 50, SHORT]
    assert result.truncated.tolist() == [False, True]


def test_the_prompt_counts_and_stays(local_model: Any) -> None:
    """The rendered text is what must fit, and its beginning is the prompt."""
    model = local_model(max_tokens_per_input=50, truncates=False, count=len, document_prompt="D: ")
    Embedder(model).embed(["x" * 48], role="document")

    assert model.batches[0].texts == ["D: " + "x" * 47]


@given(any_text, st.integers(1, 30), st.booleans())
def test_a_cut_text_fits_and_is_a_beginning(
    local_model: Any, text: str, limit: int, by_bytes: bool
) -> None:
    """Whatever the tokenizer makes of it, unless a single character is already too much."""

    def count(text: str) -> int:
        return len(text.encode()) if by_bytes else len(text.split()) + 2

    model = local_model(max_tokens_per_input=limit, truncates=False, count=count)
    result = Embedder(model).embed([text], role="document")
    ((sent,),) = [batch.texts for batch in model.batches]

    assert text.startswith(sent)
    assert count(sent) <= limit or len(sent) == 1
    assert result.truncated.tolist() == [count(text) > limit]


def test_characters_can_be_limited(any_model: Any) -> None:
    """Some servers count characters."""
    model = any_model(max_chars_per_input=50, truncates=False, count=len)
    result = Embedder(model).embed([SHORT, LONG], role="document")

    assert sorted(model.batches[0].texts) == ["x" * 50, SHORT]
    assert result.truncated.tolist() == [False, True]


@pytest.mark.parametrize(("tokens", "chars"), [(50, 20), (20, 50)])
def test_both_limits_hold_at_once(local_model: Any, tokens: int, chars: int) -> None:
    """A text over both is cut to the tighter one."""
    model = local_model(
        max_tokens_per_input=tokens, max_chars_per_input=chars, truncates=False, count=len
    )
    Embedder(model).embed([LONG], role="document")

    assert model.batches[0].texts == ["x" * 20]


@pytest.mark.parametrize("truncates", [True, False])
def test_characters_are_certain_where_tokens_are_a_guess(any_model: Any, truncates: bool) -> None:
    """A text over both is cut to the characters, which no server takes more of, and not further."""
    model = any_model(max_tokens_per_input=50, max_chars_per_input=400, truncates=truncates)
    result = Embedder(model).embed([SHORT, "word " * 100], role="document")

    assert sorted(text for batch in model.batches for text in batch.texts) == ["word " * 80, SHORT]
    assert result.truncated.tolist() == [False, True]


@pytest.mark.parametrize("truncates", [True, False])
@pytest.mark.parametrize(
    ("limits", "piece"),
    [
        ({"max_tokens_per_input": 50}, "100 tokens; the model takes 50 tokens"),
        ({"max_chars_per_input": 50}, "100 characters; the model takes 50"),
    ],
    ids=["tokens", "characters"],
)
def test_too_long_can_be_an_error(
    any_model: Any, truncates: bool, limits: dict[str, int], piece: str
) -> None:
    """With `on_too_long="error"`, by position and with both numbers; nothing is sent."""
    model = any_model(**limits, truncates=truncates, count=len)
    with pytest.raises(InputTooLongError) as caught:
        Embedder(model).using(on_too_long="error").embed_documents([SHORT, SHORT, LONG])

    assert caught.value.index == 2
    assert piece in str(caught.value)
    assert model.batches == []


def test_too_long_can_be_an_error_per_input(any_model: Any) -> None:
    """Collected, it costs only those inputs, the repeated ones each."""
    model = any_model(max_tokens_per_input=50, count=len)
    embedder = Embedder(model).using(on_too_long="error", errors="collect")
    result = embedder.embed([LONG, SHORT, LONG, "z" * 60], role="document")

    assert {place: error.index for place, error in result.errors.items()} == {0: 0, 2: 2, 3: 3}  # type: ignore[attr-defined]
    assert np.array_equal(result[1], Embedder(model).embed_documents([SHORT])[0])
    assert [batch.texts for batch in model.batches] == [[SHORT], [SHORT]]


def test_a_mixed_input_is_cut_by_nobody(local_model: Any) -> None:
    """Which of its parts should go is not for the engine to say: it is an error."""
    model = local_model(max_tokens_per_input=50, truncates=False, count=len)

    with pytest.raises(InputTooLongError, match="Input 1"):
        Embedder(model).embed([SHORT, Mixed(LONG)], role="document")


def test_texts_that_are_equal_once_cut_still_have_their_places(any_model: Any) -> None:
    """Different texts with the same beginning get the same vector, each at its place."""
    model = any_model(max_tokens_per_input=50, truncates=False, count=len)
    result = Embedder(model).embed([LONG + "a", SHORT, LONG + "b"], role="document")

    assert np.array_equal(result[0], result[2])
    assert result.truncated.tolist() == [True, False, True]


def test_what_the_model_reports_as_cut_is_reported(any_model: Any) -> None:
    """Also where the engine itself did not expect it, and for every equal input."""
    from dataclasses import replace

    model = any_model()
    inner = model.make_up
    model.make_up = lambda batch: replace(
        inner(batch), truncated=[text == SHORT for text in batch.texts]
    )
    result = Embedder(model).embed([SHORT, "a", SHORT], role="document")

    assert result.truncated.tolist() == [True, False, True]


@pytest.mark.parametrize("role", ["query", "document"])
def test_a_prompt_that_leaves_no_room_is_refused(any_model: Any, role: Any) -> None:
    """All texts would be cut to the same tokens, and have the same vector."""
    prompt = {f"{role}_prompt": "p" * 50}
    model = any_model(max_tokens_per_input=50, truncates=True, count=len, **prompt)
    with pytest.raises(InvalidOptionError, match=f"prompt of a {role} has 50 tokens"):
        Embedder(model).embed([SHORT], role=role)

    assert model.batches == []
    other: Any = "document" if role == "query" else "query"
    assert Embedder(model).embed([SHORT], role=other).ok.all()
