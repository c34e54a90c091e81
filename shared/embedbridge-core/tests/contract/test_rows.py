"""Base64 of floats is taken strictly, whichever library decodes it."""

from __future__ import annotations

import base64
import binascii

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import InvalidResponseError
from embedbridge.contract.remote.rows import decode_base64, in_order, matrix, usage_at

number = st.one_of(
    st.floats(width=32, allow_nan=False), st.integers(-(2**24), 2**24), st.just(1e300)
)
SPOILERS = st.text("Aa09+/-_= \n.é", min_size=1, max_size=3)


@st.composite
def spoiled(draw: st.DrawFn) -> str:
    """Base64 with something in it that may not be there, or without a piece of it."""
    text = base64.b64encode(draw(st.binary(max_size=40))).decode()
    start = draw(st.integers(0, len(text)))
    stop = draw(st.integers(start, min(start + 3, len(text))))
    return text[:start] + draw(st.one_of(st.just(""), SPOILERS)) + text[stop:]


@given(spoiled())
def test_nothing_is_taken_that_the_standard_library_refuses(text: str) -> None:
    """And what is taken is the same, bit for bit."""
    try:
        data = decode_base64(text)
    except ValueError:
        return

    assert data == binascii.a2b_base64(text, strict_mode=True)


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=9))
def test_base64_and_numbers_are_the_same_vectors(values: list[float]) -> None:
    """They may stand side by side in one answer."""
    vector = np.array(values, dtype="<f4")
    text = base64.b64encode(vector.tobytes()).decode()

    assert np.array_equal(matrix([text, values]), [vector, vector])


def test_a_programs_error_state_has_no_say() -> None:
    """An answer is paid for: with `np.seterr(all="raise")` too, a number near 0 becomes 0."""
    row = [1.0, 1e-46, 1e-42]
    packed = base64.b64encode(np.array(row, "<f8").tobytes()).decode()
    with np.errstate(all="raise"):
        found = [matrix([row]), matrix([row, [1.0, None, 2.0]])[:1], matrix([packed], "<f8")]

    assert all(np.array_equal(each, np.array([row], np.float32)) for each in found)


@given(st.lists(st.lists(number, min_size=3, max_size=3), min_size=1, max_size=5), st.data())
def test_all_rows_at_once_are_the_rows_one_by_one(
    rows: list[list[float]], data: st.DataObject
) -> None:
    """A row that is packed or wrapped has all of them read one by one: the vectors are the same."""
    row = data.draw(st.integers(0, len(rows) - 1))
    wrapped = [[values] if number == row else values for number, values in enumerate(rows)]

    assert np.array_equal(matrix(list(rows)), matrix([*wrapped]), equal_nan=True)


@pytest.mark.parametrize(
    ("missing", "row"),
    [(None, [np.nan, np.nan]), ([], [np.nan, np.nan]), ([1.0, None], [1, np.nan])],
    ids=repr,
)
def test_a_row_that_a_server_leaves_out_is_nan(missing: object, row: list[float]) -> None:
    """The engine then knows which input has no vector, and keeps those of the others."""
    for rows in ([missing, [1.0, 2.0]], [[1.0, 2.0], missing]):
        found = matrix(rows)
        assert np.array_equal(found[rows.index(missing)], np.array(row, np.float32), equal_nan=True)
        assert found[rows.index([1.0, 2.0])].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("missing", [None, []], ids=repr)
def test_rows_that_are_all_left_out_are_no_answer(missing: object) -> None:
    """There is nothing to keep, and no width."""
    with pytest.raises(InvalidResponseError, match="input 0 of the batch is neither"):
        matrix([missing, missing])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.sampled_from(["<f4", "i1", "u1"]))
def test_packed_rows_are_the_same_at_once_and_one_by_one(widths: list[int], dtype: str) -> None:
    """Rows of one width are read together; others, and rows with a rest, are refused as ever."""
    random = np.random.default_rng(len(widths))
    packed = [random.integers(0, 100, width).astype(dtype) for width in widths]
    texts = [base64.b64encode(row.tobytes()).decode() for row in packed]
    if len(set(widths)) > 1 or 0 in widths:
        with pytest.raises(InvalidResponseError):
            matrix(texts, dtype)
        return
    found = matrix(texts, dtype)

    assert found.dtype == np.float32
    assert found.flags.writeable
    assert np.array_equal(found, packed)
    assert np.array_equal(found, matrix([*texts, packed[0].tolist()], dtype)[:-1])


@pytest.mark.parametrize("spoiled", ["AAAAA", "AAAA", "é", "", 3])
def test_one_packed_row_that_is_no_vector_is_named(spoiled: object) -> None:
    """Whatever the others are."""
    sound = base64.b64encode(np.ones(2, "<f4").tobytes()).decode()
    with pytest.raises(InvalidResponseError, match="input 1 of the batch is neither"):
        matrix([sound, spoiled, sound])


@pytest.mark.parametrize("given", [[0, True, 2], [0, 1, 1], [0, 1, 2.5], [0, 1, None], [1, 2, 3]])
def test_rows_that_are_not_numbered_each_once_are_refused(given: list[object]) -> None:
    """Whatever Python counts as equal: `True` is no 1."""
    rows = [{"index": number, "embedding": [1.0]} for number in given]
    with pytest.raises(InvalidResponseError):
        in_order(rows, 3)


@pytest.mark.parametrize(
    "spoiled", [[1.0], [1.0, "2"], [True, True], [None, None], [1.0, [2.0]], {}, 3, [None, True]]
)
def test_a_row_that_is_no_vector_is_refused(spoiled: object) -> None:
    """Also where all others are plain numbers, wherever it stands."""
    for rows in ([spoiled, [1.0, 2.0]], [[1.0, 2.0], spoiled]):
        with pytest.raises(InvalidResponseError):
            matrix(rows)


def test_rows_have_the_fields_that_the_provider_names() -> None:
    """Other names than OpenAI's are arguments."""
    rows = [{"n": 1, "vector": "b"}, {"n": 0, "vector": "a"}]

    assert in_order(rows, 2, key="vector", index="n") == ["a", "b"]


@pytest.mark.parametrize(
    ("row", "there"), [({"n": 0, "vector": [1.0]}, "'n', 'vector'"), ({}, "none")]
)
def test_a_field_that_no_row_has_is_named(row: dict[str, object], there: str) -> None:
    """With the fields that are there, and not as a vector that is no vector."""
    with pytest.raises(
        InvalidResponseError, match=rf"no field 'embedding'.*has: {there}\.\n?.*key="
    ):
        in_order([row], 1)


def test_a_vector_of_null_is_no_missing_field() -> None:
    """It is refused where vectors are read, by its position."""
    assert in_order([{"index": 0, "embedding": None}], 1) == [None]


@pytest.mark.parametrize("others", [[1.0], [1], [None, 2]], ids=repr)
def test_a_number_of_thousands_of_digits_is_infinite(others: list[float | None]) -> None:
    """Like every other that is too large: its row is refused by the engine, and those beside it stay."""
    vectors = matrix([[10**4_000, *others], [1.0] * (1 + len(others))])

    assert np.isinf(vectors[0, 0])
    assert vectors[1].tolist() == [1.0] * (1 + len(others))


@pytest.mark.parametrize("number", ["9" * 5_000, 10**4_000, "\u00b2", -1, 0.5, float("inf"), True])
def test_a_number_that_cannot_be_is_no_place(number: object) -> None:
    """A typed error, and no crash of Python's own."""
    with pytest.raises(InvalidResponseError, match="not numbered 0 to 0"):
        in_order([{"index": number, "embedding": [1.0]}], 1)
    tokens = usage_at({"tokens": number}, "tokens")
    assert tokens is None
