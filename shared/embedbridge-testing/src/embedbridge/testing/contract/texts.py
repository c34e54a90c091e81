"""Texts: any of them can be embedded, all of it is read, and none of it is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from embedbridge.contract import InputTooLongError, LocalEmbeddingModel
from embedbridge.core import Embedder
from embedbridge.testing.audit import audited
from embedbridge.testing.contract.applies import DoesNotApply, Need, asked_where
from embedbridge.testing.contract.base import ContractBase
from embedbridge.testing.contract.comparing import assert_same, gap_between
from embedbridge.testing.contract.material import PLANES, TEXTS, words
from embedbridge.testing.samples import tiny_png

MAX_TOKENS = 1024
"""Tokens of the longest text that is made to be read to its end."""


def _counts(embedder: Embedder) -> bool:
    """Whether the model counts tokens; a first call may load its tokenizer."""
    return embedder.model.count_tokens([TEXTS[0]]) is not None


A_LIMIT = Need(
    "the card has no limit", "card", lambda card: card.limits.max_tokens_per_input is not None
)
A_LIMIT_NEARBY = Need(
    "the limit of tokens is far away",
    "card",
    lambda card: (card.limits.max_tokens_per_input or 4 * MAX_TOKENS + 1) <= 4 * MAX_TOKENS,
)
COUNTED = Need("the model does not count tokens offline", "embedder", _counts)


class TextChecks(ContractBase):
    """Any text."""

    def test_no_inputs_give_no_vectors(self, embedder: Embedder) -> None:
        """An empty list is a job of nothing, not an error, and costs no request.

        If this fails, something asks the model although there is nothing to ask.
        """
        result = embedder.embed([], role="document")

        assert result.vectors.shape == (0, embedder.dimensions or 0), "No inputs give vectors"
        assert result.requests == 0, "No inputs cost a request"

    @pytest.mark.parametrize("text", PLANES.values(), ids=PLANES.keys())
    def test_unicode_of_every_plane(self, embedder: Embedder, text: str) -> None:
        """Any valid text can be embedded, and is the same alone and among others.

        If this fails, look at how text is encoded on its way to the model.
        """
        among = embedder.embed_documents([TEXTS[0], text, TEXTS[1]])

        assert bool(np.isfinite(among).all()), f"No finite vector for {text!r}"
        alone = embedder.embed_documents([text])[0]
        assert_same(among[1], alone, self.tolerance, f"{text!r} differs alone and among others")

    def test_an_empty_text_costs_only_itself(self, embedder: Embedder) -> None:
        """With `on_empty="embed"`, an empty text has a vector or an error, and its neighbours theirs.

        If this fails, look at what divides by the number of tokens, and at how a server's refusal
        is translated: it must be an `InvalidInputError`.
        """
        taken = embedder.using(on_empty="embed", errors="collect", on_zero_vector="allow")
        result = taken.embed([TEXTS[0], "", TEXTS[1], " "], role="document")

        assert set(result.errors) <= {1, 3}, f"An empty text costs its neighbours: {result.errors}"
        expected = embedder.embed_documents(TEXTS[:2])
        assert_same(result.vectors[[0, 2]], expected, self.tolerance, "Neighbours of an empty text")
        if result.ok[1]:
            alone = taken.embed([""], role="document")[0]
            assert_same(result[1], alone, self.tolerance, "'' differs alone and among others")

    def test_texts_are_never_opened_or_fetched(self, embedder: Embedder, tmp_path: Path) -> None:
        """A text that looks like a path or a URL is embedded as the text that it is.

        If this fails, a library guesses what a string is; hand it over as text explicitly.
        """
        path = tmp_path / "picture.png"
        path.write_bytes(tiny_png())
        hostile = [str(path), "http://127.0.0.1:9/picture.png", f"file://{path}"]
        embedder.embed_documents(TEXTS[:1])  # a first call may load the model from files
        with audited() as seen:
            embedder.embed_documents(hostile)

        opened = [event for event in seen if str(path) in str(event)]
        assert not opened, f"A text was opened as a file: {opened}"
        if isinstance(embedder.model, LocalEmbeddingModel):
            reached = [event for event in seen if event[0].startswith("socket.")]
            assert not reached, f"A text was fetched from the network: {reached}"

    def test_all_of_a_text_is_read(self, embedder: Embedder) -> None:
        """Two long texts that differ in their last word only have two vectors, or are reported cut.

        If this fails, the model cuts texts below the limit on its card: look at the tokenizer's
        maximum, and report what is cut in `BatchResult.truncated`.
        """
        text, other = (_longest(embedder, last) for last in ("yes", "sad"))
        result = embedder.embed([text, other], role="document")

        if not result.truncated.any():
            gap = gap_between(result.vectors[0], result.vectors[1])
            assert gap > self.tolerance, (
                f"The end of a text of {len(text.split())} words was truncated silently"
            )

    @asked_where(A_LIMIT)
    def test_long_texts_are_reported(self, embedder: Embedder) -> None:
        """A text over the limit is cut and reported, or refused where that is asked for.

        If this fails, look at `max_tokens_per_input` on the card, and at `count_tokens`.
        """
        limit = embedder.card.limits.max_tokens_per_input
        assert limit is not None
        long = "word and " * (4 * limit)  # so long that even an estimate is sure
        result = embedder.embed([TEXTS[0], long], role="document")

        assert result.truncated.tolist() == [False, True], (
            f"A text of {8 * limit} words was truncated without a report"
        )
        with pytest.raises(InputTooLongError) as caught:
            embedder.using(on_too_long="error").embed_documents([TEXTS[0], long])
        assert caught.value.index == 1, "InputTooLongError does not name the input"

    @asked_where(A_LIMIT_NEARBY, COUNTED)
    def test_a_text_of_just_the_limit_is_whole(self, embedder: Embedder) -> None:
        """A text of as many tokens as the model takes is not cut, one more word and it is.

        If this fails, `count_tokens` forgets special tokens or the prompt, or counts them twice.
        """
        limit = embedder.card.limits.max_tokens_per_input
        assert limit is not None
        count = _counter(embedder)
        most = _most_words(lambda size: count(words(size)) <= limit, 2 * limit)
        result = embedder.embed([words(most), words(most + 1)], role="document")

        assert result.truncated.tolist() == [False, True], (
            f"The token limit of {limit} is off: texts of {count(words(most))} and "
            f"{count(words(most + 1))} tokens are reported as cut: {result.truncated.tolist()}"
        )

    def test_tokens_are_counted(self, embedder: Embedder) -> None:
        """`count_tokens` answers one number per text, in order, more for more, offline.

        If this fails, look at padding (count before it), special tokens, and the order.
        """
        model = embedder.model
        embedder.embed_documents(TEXTS[:1])  # loads the tokenizer
        with audited() as seen:
            counts = model.count_tokens(TEXTS)
        if counts is None:
            raise DoesNotApply(COUNTED.without)
        alone = [(model.count_tokens([text]) or [0])[0] for text in TEXTS]
        reached = [event for event in seen if event[0] == "socket.connect"]

        assert not reached, f"count_tokens goes to the network: {reached}"
        assert list(counts) == alone, f"count_tokens depends on the batch: {counts} and {alone}"
        assert min(counts) >= 1, f"count_tokens says that a text has no token: {list(counts)}"
        longer = (model.count_tokens([words(40)]) or [0])[0]
        shorter = (model.count_tokens([words(4)]) or [0])[0]
        assert longer > shorter, f"count_tokens: 40 words have {longer}, 4 words {shorter} tokens"

    def test_usage_is_told(self, embedder: Embedder) -> None:
        """A job tells the tokens it cost: at least one for each text, and more for more texts.

        If this fails, look at `BatchResult.usage`; leave it out where the server reports none.
        """
        few = embedder.embed(TEXTS[:2], role="document").usage.tokens
        many = embedder.embed(TEXTS, role="document").usage.tokens

        assert few >= 2, f"The usage of two texts is {few} tokens"
        assert many > few, f"The usage is {many} tokens for {len(TEXTS)} texts and {few} for 2"


def _longest(embedder: Embedder, last: str) -> str:
    """About the longest text that fits, up to `MAX_TOKENS`, with that last word."""
    limits = embedder.card.limits
    limit = min(limits.max_tokens_per_input or MAX_TOKENS, MAX_TOKENS)
    chars = limits.max_chars_per_input or np.inf
    if not _counts(embedder):  # even a word of which each letter is a token then fits
        return words(max(2, int(min(limit // 6, chars // 8))), last)
    count = _counter(embedder)
    most = _most_words(
        lambda size: count(words(size, last)) <= limit and len(words(size, last)) <= chars,
        2 * limit,
    )
    return words(most, last)


def _counter(embedder: Embedder) -> Callable[[str], int]:
    """Tokens of a document as it is sent, with its prompt."""
    model, prompt = embedder.model, embedder.model.prompt("document")
    return lambda text: (model.count_tokens([prompt + text]) or [0])[0]


def _most_words(fits: Callable[[int], bool], most: int) -> int:
    """The largest number of words that fits, by bisection; at least 2."""
    low, high = 2, max(3, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
