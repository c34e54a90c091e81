"""From bytes to a matrix: strict, and in the order of the inputs whatever the server does."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import InvalidResponseError, Usage
from embedbridge.contract.remote import check_content_type
from embedbridge.providers.openai._optional import OptionalFields
from embedbridge.providers.openai._shared import read_answer


def body(rows: object, **fields: object) -> bytes:
    return json.dumps({"object": "list", "data": rows, **fields}).encode()


def packed(*values: float, dtype: str = "<f4") -> str:
    return base64.b64encode(np.array(values, dtype=dtype).tobytes()).decode()


def rows(*embeddings: object) -> list[dict[str, object]]:
    return [{"index": place, "embedding": e} for place, e in enumerate(embeddings)]


@given(st.permutations(range(7)), st.booleans())
def test_any_order_is_put_right(order: list[int], as_base64: bool) -> None:
    """10,000 orders or one: the number of a row says whose it is."""
    data = [
        {"index": n, "embedding": packed(n, 1) if as_base64 else [float(n), 1.0]} for n in order
    ]

    assert read_answer(body(data), 7).vectors[:, 0].tolist() == list(range(7))


@pytest.mark.parametrize(
    "numbers",
    [[0, 0], [1, 2], [-1, 0], [0, None], [0, 2], [False, True], ["0", "x"], [0.0, 1.5]],
    ids=str,
)
def test_numbers_that_do_not_say_whose(numbers: list[Any]) -> None:
    """Twice the same, gaps, out of range, missing for some, or no whole numbers at all."""
    data = [{"index": number, "embedding": [1.0]} for number in numbers]

    with pytest.raises(InvalidResponseError, match="which input each belongs to"):
        read_answer(body(data), 2)


@pytest.mark.parametrize("numbers", [["1", "0"], [1.0, 0.0], ["1", 0]], ids=str)
def test_whole_numbers_of_other_spellings(numbers: list[Any]) -> None:
    """As text or with a point, as JSON of some languages has them."""
    data = [{"index": number, "embedding": [float(number)]} for number in numbers]

    assert read_answer(body(data), 2).vectors.tolist() == [[0.0], [1.0]]


def test_a_vector_that_is_wrapped_once_more() -> None:
    """llama.cpp answers a list with one vector in it."""
    assert read_answer(body(rows([[1.0, 2.0]], [3.0, 4.0])), 2).vectors.tolist() == [[1, 2], [3, 4]]


def test_a_vector_for_each_token_is_refused_for_good() -> None:
    """The server would answer the same again; the remedy is named."""
    with pytest.raises(
        InvalidResponseError, match=r"3 vectors for input 0.*per token.*pooling"
    ) as caught:
        read_answer(body(rows([[1.0], [2.0], [3.0]])), 1)

    assert not caught.value.retryable


def test_a_server_that_embeds_only_the_first_input() -> None:
    """One vector for several inputs; the remedy is named."""
    with pytest.raises(InvalidResponseError, match=r"3 inputs.* 1 vectors.*batch_size=1"):
        read_answer(body(rows([1.0])), 3)


def test_a_server_that_numbers_nothing_means_the_order() -> None:
    """Some leave `index` out altogether."""
    data = [{"embedding": [1.0]}, {"embedding": [2.0]}]

    assert read_answer(body(data), 2).vectors.tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize(
    "embedding",
    [
        "",
        7,
        {"values": [1.0]},
        ["0.1"],
        [None],
        [[1.0, 2.0], "x"],
        [[1.0], [1.0, 2.0]],
        [True, False],
        packed(1, 2)[:-1],
        packed(1, 2) + "=",
        "!!!!" + packed(1, 2)[4:],
        packed(1, 2) + "\n",
        base64.b64encode(b"five!").decode(),
        "äöü=",
    ],
    ids=repr,
)
def test_what_is_no_vector(embedding: object) -> None:
    """Strict base64 of whole floats, or a flat list of numbers; nothing else."""
    with pytest.raises(InvalidResponseError, match="input 1 of the batch"):
        read_answer(body(rows([1.0, 2.0], embedding)), 2)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'"text"', b"null", b"{}", b'{"data": [7]}'])
def test_what_is_no_answer(data: bytes) -> None:
    """A typed error, never an AttributeError from somewhere inside."""
    with pytest.raises(InvalidResponseError):
        read_answer(data, 1)


def test_an_error_with_status_200_is_told() -> None:
    """As gateways answer when the server behind them fails."""
    with pytest.raises(InvalidResponseError, match="upstream is down"):
        read_answer(b'{"error": {"message": "upstream is down", "code": 502}}', 1)


def test_base64_is_little_endian_float32() -> None:
    """Bit for bit, without a detour through Python's floats."""
    vector = np.array([0.1, -2.5, 3e38, 1e-45], dtype=np.float32)
    optional = OptionalFields()
    found = read_answer(body(rows(packed(*vector.tolist()))), 1, optional)

    assert optional == OptionalFields()
    assert found.vectors.dtype == np.float32
    assert np.array_equal(found.vectors[0], vector)


def test_numbers_of_any_kind_are_floats() -> None:
    """JSON does not tell 1 from 1.0; what is too large for float32 becomes infinite."""
    optional = OptionalFields()
    found = read_answer(body(rows([1, 0.5, 1e300, -3])), 1, optional)

    assert optional.format == 1  # base64 is not asked for again
    assert found.vectors.tolist() == [[1.0, 0.5, np.inf, -3.0]]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 7, "total_tokens": 9}, Usage(tokens=7)),
        ({"total_tokens": 9}, Usage(tokens=9)),
        ({"prompt_tokens": 0}, None),
        ({"prompt_tokens": "7"}, None),
        ({"prompt_tokens": "seven", "total_tokens": True}, None),
        ({}, None),
        (None, None),
    ],
    ids=str,
)
def test_usage_is_what_the_server_reports(usage: object, expected: Usage | None) -> None:
    """Nothing, zero or nonsense leaves it to the engine's estimate."""
    assert read_answer(body(rows([1.0]), usage=usage), 1).usage == expected


@pytest.mark.parametrize(
    "content_type",
    [None, "application/json", "application/json; charset=utf-8", "application/problem+json"],
)
def test_json_goes_by_several_names(content_type: str | None) -> None:
    """A header that is not there says nothing against it."""
    check_content_type(content_type)


@pytest.mark.parametrize("content_type", ["text/html", "text/plain; charset=utf-8", "x"])
def test_other_content_is_named(content_type: str) -> None:
    """So that one sees the login page behind it."""
    with pytest.raises(InvalidResponseError, match=content_type.partition(";")[0]):
        check_content_type(content_type)
