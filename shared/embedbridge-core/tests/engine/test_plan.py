"""A plan holds every input exactly once and never breaks a limit that can be kept."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from embedbridge.contract import Image, Limits
from embedbridge.core import Embedder, Ticket
from embedbridge.core.engine.plan import ANSWER_BYTES, plan
from embedbridge.core.engine.planned import Planned
from embedbridge.testing import tiny_png

Case = tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64], Limits, int | None]

maybe = st.one_of(st.none(), st.integers(1, 60))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Places, tokens and bytes of each, the limits, and the user's batch size."""
    places = draw(st.lists(st.integers(0, 1000), unique=True, max_size=40))
    numbers = st.lists(st.integers(0, 70), min_size=len(places), max_size=len(places))
    tokens, sizes = draw(numbers), draw(numbers)
    limits = Limits(
        max_items=draw(st.one_of(st.none(), st.integers(1, 10))),
        max_tokens_per_request=draw(maybe),
        max_bytes_per_request=draw(maybe),
        pads=draw(st.booleans()),
    )
    return (
        np.array(places, np.intp),
        np.array(tokens, np.int64),
        np.array(sizes, np.int64),
        limits,
        draw(st.one_of(st.none(), st.integers(1, 10))),
    )


def made(case: Case) -> list[Planned]:
    places, tokens, sizes, limits, batch_size = case
    return plan(places, tokens, sizes, "text", limits, batch_size)


@given(cases())
def test_every_place_is_planned_exactly_once(case: Case) -> None:
    """Nothing is lost and nothing is sent twice."""
    planned = [place for batch in made(case) for place in batch.places.tolist()]

    assert sorted(planned) == sorted(case[0].tolist())


@given(cases())
def test_no_limit_is_exceeded_unless_one_input_alone_does(case: Case) -> None:
    """Items, tokens (with padding, where the model pads) and bytes, all at once."""
    places, tokens, sizes, limits, batch_size = case
    tokens_of = dict(zip(places.tolist(), tokens.tolist(), strict=True))
    sizes_of = dict(zip(places.tolist(), sizes.tolist(), strict=True))
    for batch in made(case):
        counts = [tokens_of[place] for place in batch.places.tolist()]
        cost = max(counts) * len(counts) if limits.pads else sum(counts)

        assert len(batch.places) <= (limits.max_items or 1000)
        assert len(batch.places) <= (batch_size or 1000)
        if len(batch.places) > 1:
            assert cost <= (limits.max_tokens_per_request or 10**6)
            assert sum(map(sizes_of.__getitem__, batch.places.tolist())) <= (
                limits.max_bytes_per_request or 10**6
            )


@given(cases())
def test_the_longest_come_first(case: Case) -> None:
    """Over the whole job, so that neighbours need little padding and memory fails early."""
    tokens_of = dict(zip(case[0].tolist(), case[1].tolist(), strict=True))
    order = [tokens_of[place] for batch in made(case) for place in batch.places.tolist()]

    assert order == sorted(order, reverse=True)


@given(cases())
def test_no_two_neighbours_would_fit_in_one_batch(case: Case) -> None:
    """Batches are as full as the limits allow: the next one's first input would break a limit."""
    places, tokens, sizes, limits, batch_size = case
    tokens_of = dict(zip(places.tolist(), tokens.tolist(), strict=True))
    sizes_of = dict(zip(places.tolist(), sizes.tolist(), strict=True))
    batches = made(case)
    for batch, following in itertools.pairwise(batches):
        both = [*batch.places.tolist(), int(following.places[0])]
        counts = [tokens_of[place] for place in both]
        cost = max(*counts, 1) * len(counts) if limits.pads else sum(counts)
        assert (
            len(both) > min(limits.max_items or 10**6, batch_size or 10**6)
            or cost > (limits.max_tokens_per_request or 10**6)
            or sum(map(sizes_of.__getitem__, both)) > (limits.max_bytes_per_request or 10**6)
        )


@given(cases())
def test_a_batch_knows_its_tokens(case: Case) -> None:
    """The sum that limits and bills are made of."""
    tokens_of = dict(zip(case[0].tolist(), case[1].tolist(), strict=True))
    for batch in made(case):
        assert batch.tokens == sum(tokens_of[place] for place in batch.places.tolist())


@pytest.mark.parametrize(
    ("settings", "limits", "sizes"),
    [
        ({}, {"max_items": 4}, [4, 4, 2]),
        ({"batch_size": 3}, {"max_items": 4}, [3, 3, 3, 1]),
        ({"batch_size": 99}, {"max_items": 4}, [4, 4, 2]),
        ({"batch_size": 1}, {}, [1] * 10),
        ({}, {"max_items": None}, [10]),
    ],
    ids=["limit", "user below the limit", "user above the limit", "one by one", "no limit"],
)
def test_the_smaller_of_limit_and_wish_counts(
    any_model: Any, settings: dict[str, Any], limits: dict[str, Any], sizes: list[int]
) -> None:
    """The user's batch size never lifts what the model takes."""
    model = any_model(**limits)
    Embedder(model).using(**settings, max_concurrency=1).embed_documents(map(str, range(10)))

    assert [len(batch) for batch in model.batches] == sizes


def test_bytes_are_those_of_the_encoded_text(local_model: Any) -> None:
    """Characters outside ASCII have several bytes."""
    model = local_model(max_bytes_per_request=6)
    Embedder(model).embed_documents(["äö", "é", "abc", "xyz", "ж"])
    sent = [sum(len(text.encode()) for text in batch.texts) for batch in model.batches]

    assert max(sent) <= 6
    assert len(sent) == 3


def test_a_modality_is_planned_by_its_own_limit(local_model: Any) -> None:
    """Fewer images than texts per request."""
    model = local_model(max_items=8, max_items_by_modality={"image": 2})
    images = [Image.from_bytes(tiny_png(number)) for number in range(1, 6)]
    Embedder(model).embed([*images, "a", "b", "c"], role="document")

    assert [(batch.modality, len(batch)) for batch in model.batches] == [
        ("text", 3),
        ("image", 2),
        ("image", 2),
        ("image", 1),
    ]


def test_a_text_that_the_model_cuts_counts_as_long_as_it_is_read(local_model: Any) -> None:
    """What is over the model's length costs its length: such texts share a batch, too."""
    model = local_model(
        max_items=8, max_tokens_per_input=10, max_tokens_per_request=40, pads=True, count=len
    )
    result = Embedder(model).embed([f"{number}" * 500 for number in range(4)], role="document")

    assert [len(batch) for batch in model.batches] == [4]
    assert result.usage.tokens == 40


@pytest.mark.parametrize(
    ("kind", "card", "settings", "most"),
    [
        ("remote", {}, {}, 8),
        ("remote", {"max_items": 5}, {}, 5),
        ("remote", {}, {"batch_size": 16}, 16),
        ("remote", {}, {"requests_per_minute": 600}, 20),
        ("remote", {"dimensions": None}, {}, 20),
        ("local", {}, {}, 20),
    ],
    ids=["wide", "limit", "user's wish", "rationed requests", "unknown width", "local"],
)
def test_answers_are_of_a_size_to_hold_several_at_once(
    request: pytest.FixtureRequest,
    kind: str,
    card: dict[str, Any],
    settings: dict[str, Any],
    most: int,
) -> None:
    """Wide vectors travel in more requests, unless something else is known or wished."""
    make = request.getfixturevalue(f"{kind}_model")
    model = make(**{"max_items": None, "dimensions": ANSWER_BYTES // 4 // 8, **card})
    Embedder(model).using(**settings).embed_documents(map(str, range(20)))

    assert max(map(len, model.batches)) == most


class Minute:
    """A limiter that says how many tokens it admits per minute, and admits at once."""

    def __init__(self, tokens_per_minute: Any) -> None:
        self.tokens_per_minute = tokens_per_minute
        self.asked: list[int] = []

    def acquire(self, tokens: int) -> Ticket:
        self.asked.append(tokens)
        return Ticket()

    async def acquire_async(self, tokens: int) -> Ticket:
        return self.acquire(tokens)


@given(
    lengths=st.lists(st.integers(1, 90), min_size=1, max_size=40),
    card=st.none() | st.integers(10, 200),
    per_minute=st.integers(10, 60),
)
def test_no_request_has_more_tokens_than_a_minute_may_have(
    remote_model: Any, lengths: list[int], card: int | None, per_minute: int
) -> None:
    """A server refuses it for ever, however empty the minute is; one text alone may be over."""
    texts = [f"{number} {'word ' * (length - 1)}" for number, length in enumerate(lengths)]
    model = remote_model(max_tokens_per_request=card, count=lambda text: len(text.split()))
    limiter = Minute(per_minute)
    Embedder(model, limiter=limiter).embed_documents(texts)

    allowed = min(per_minute, card or per_minute)
    assert all(tokens <= allowed or tokens in lengths for tokens in limiter.asked)
    assert sum(limiter.asked) == sum(lengths)


@pytest.mark.parametrize("said", [None, 0, "many", 1.5, True])
def test_a_limiter_need_not_say_what_a_minute_may_have(remote_model: Any, said: Any) -> None:
    """One of a user's own may have anything by that name."""
    model = remote_model(max_items=None)
    limiter = Minute(said)
    Embedder(model, limiter=limiter).embed_documents([f"text {number}" for number in range(20)])

    assert len(limiter.asked) == 1
