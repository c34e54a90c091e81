"""From bytes to a matrix: strict, because nothing in the answer says whose a vector is."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import Batch, BatchResult, InvalidResponseError, Usage
from embedbridge.contract.remote import parse_object
from embedbridge.providers.cohere import CohereModel
from embedbridge.providers.cohere.options import OutputTypeName

TEXTS = Batch(inputs=["first", "second"], modality="text", role="document")


def body(rows: object, *, kind: str = "float", **fields: object) -> bytes:
    return json.dumps({"id": "1", "embeddings": {kind: rows}, **fields}).encode()


def read_answer(data: bytes, batch: Batch, kind: OutputTypeName) -> BatchResult:
    return CohereModel("embed-v4.0", output_type=kind).read(parse_object(data), batch)


def batch_of(count: int) -> Batch:
    return Batch(inputs=[str(n) for n in range(count)], modality="text", role="document")


@given(st.lists(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3), min_size=1))
def test_rows_keep_their_places(rows: list[list[float]]) -> None:
    """The n-th vector belongs to the n-th input, value for value."""
    found = read_answer(body(rows), batch_of(len(rows)), "float").vectors

    assert found.dtype == np.float32
    assert np.array_equal(found, np.array(rows, dtype=np.float32))


@given(st.permutations(range(5)))
def test_the_same_texts_in_another_order_are_noticed(order: list[int]) -> None:
    """Cohere repeats the texts; where it repeats them in another order, whose a vector is is open."""
    texts, rows = [str(n) for n in order], [[float(n)] for n in order]
    if order == sorted(order):
        assert len(read_answer(body(rows, texts=texts), batch_of(5), "float").vectors) == 5
    else:
        with pytest.raises(InvalidResponseError, match="another order"):
            read_answer(body(rows, texts=texts), batch_of(5), "float")


@pytest.mark.parametrize("texts", [None, [], ["FIRST", "second"], ["first"], [1, 2], "first"])
def test_other_repetitions_say_nothing(texts: object) -> None:
    """They are touched up, or left out; the vectors are what counts."""
    assert len(read_answer(body([[1.0], [2.0]], texts=texts), TEXTS, "float").vectors) == 2


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_count_is_that_of_the_inputs(count: int) -> None:
    """One too few or too many, and nobody knows whose they are."""
    with pytest.raises(InvalidResponseError, match=f"2 inputs were sent and {count} vectors"):
        read_answer(body([[1.0]] * count), TEXTS, "float")


def test_vectors_have_one_width() -> None:
    """Two widths in one answer are an error that names both."""
    with pytest.raises(InvalidResponseError, match="1 dimensions, then 2"):
        read_answer(body([[1.0], [1.0, 2.0]]), TEXTS, "float")


@pytest.mark.parametrize(
    "vector",
    [7, ["0.1"], [None], [[1.0], [2.0]], [True], {"float": [1.0]}, "!!!!"],
    ids=repr,
)
def test_what_is_no_vector(vector: object) -> None:
    """Only a flat list of numbers is one."""
    with pytest.raises(InvalidResponseError, match="input 1 of the batch"):
        read_answer(body([[1.0], vector]), TEXTS, "float")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"embeddings": null}',
        b'{"embeddings": [[1.0], [2.0]]}',  # as v1 answered
        b'{"embeddings": {"int8": [[1], [2]]}}',
        b'{"embeddings": {"float": null}}',
        b'{"embeddings": {"float": {"0": [1.0]}}}',
    ],
)
def test_what_is_no_answer(data: bytes) -> None:
    """A typed error, never an AttributeError from somewhere inside."""
    with pytest.raises(InvalidResponseError):
        read_answer(data, TEXTS, "float")


def test_an_error_with_status_200_is_told() -> None:
    """As gateways answer when the server behind them fails."""
    with pytest.raises(InvalidResponseError, match="upstream is down"):
        read_answer(b'{"message": "upstream is down"}', TEXTS, "float")


def test_base64_is_little_endian_float32() -> None:
    """Bit for bit, without a detour through Python's floats."""
    vector = np.array([0.1, -2.5, 3e38, 1e-45], dtype=np.float32)
    packed = base64.b64encode(vector.astype("<f4").tobytes()).decode()
    found = read_answer(body([packed, packed], kind="base64"), TEXTS, "base64").vectors

    assert np.array_equal(found[1], vector)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("int8", [-128, 127, 0], [-129, 0, 0]),
        ("uint8", [0, 255, 7], [-1, 0, 0]),
        ("binary", [-128, 127, 0], [128, 0, 0]),
        ("ubinary", [0, 255, 7], [256, 0, 0]),
        ("int8", [1.0, 2.0, 3.0], [0.5, 0.0, 0.0]),
    ],
)
def test_whole_numbers_are_in_their_range(
    kind: OutputTypeName, right: list[float], wrong: list[float]
) -> None:
    """They come as float32 of the same value; what is not of the type is an error."""
    found = read_answer(body([right, right], kind=kind), TEXTS, kind).vectors

    assert found.dtype == np.float32
    assert found[0].tolist() == right
    with pytest.raises(InvalidResponseError, match=f"are to be {kind}"):
        read_answer(body([right, wrong], kind=kind), TEXTS, kind)


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({"billed_units": {"input_tokens": 7}}, Usage(tokens=7)),
        ({"billed_units": {"input_tokens": 7.0}}, Usage(tokens=7)),
        ({"billed_units": {"images": 2}}, Usage(images=2)),
        (
            {"billed_units": {"input_tokens": 1, "image_tokens": 30, "images": 2}},
            Usage(tokens=31, images=2),
        ),
        ({"billed_units": {"input_tokens": "7"}}, None),
        ({"billed_units": {"input_tokens": -1}}, None),
        ({"billed_units": {}}, None),
        ({"billed_units": None}, None),
        ({}, None),
        (None, None),
        ("nonsense", None),
    ],
    ids=str,
)
def test_usage_is_what_is_billed(meta: Any, expected: Usage | None) -> None:
    """Tokens of texts and images together; nonsense leaves it to the engine's estimate."""
    assert read_answer(body([[1.0], [2.0]], meta=meta), TEXTS, "float").usage == expected
