"""Arithmetic on vectors against slow references and against sentence-transformers itself."""

import re
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from embedbridge.contract import (
    InvalidInputError,
    InvalidOptionError,
    normalize,
    quantize,
    similarity,
    truncate_dimensions,
)
from embedbridge.contract.vectors import zero_rows

Floats = NDArray[np.float32]
VECTORS: Floats = np.random.default_rng(1).standard_normal((20, 13)).astype(np.float32)
OTHERS: Floats = np.random.default_rng(2).standard_normal((7, 13)).astype(np.float32)
METRICS: list[Literal["cosine", "dot", "euclidean"]] = ["cosine", "dot", "euclidean"]

rows = st.integers(0, 6).flatmap(
    lambda n: st.lists(
        st.lists(
            st.floats(-1000, 1000, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3),
            min_size=3,
            max_size=3,
        ),
        min_size=n,
        max_size=n,
    )
)


@given(rows)
def test_normalized_vectors_have_length_1_and_their_direction(values: list[list[float]]) -> None:
    """A zero vector stays zero; all others only change their length."""
    vectors = np.array(values, np.float32).reshape(-1, 3)
    normal = normalize(vectors)
    for before, after in zip(vectors, normal, strict=True):
        length = float(np.linalg.norm(before.astype(np.float64)))
        expected = before / length if length else before

        assert np.allclose(after, expected, atol=1e-6)


@given(
    st.lists(
        st.lists(st.sampled_from([0.0, -0.0, 1e-40, -2.0, np.nan]), min_size=3, max_size=3),
        max_size=6,
    )
)
def test_zeros_are_found_wherever_other_numbers_stand(values: list[list[float]]) -> None:
    """A first number that is zero proves nothing; the smallest number and NaN are none."""
    vectors = np.array(values, np.float32).reshape(-1, 3)

    assert zero_rows(vectors).tolist() == [all(x == 0 for x in row) for row in vectors.tolist()]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([3.0, 4.0], id="list of floats"),
        pytest.param([3, 4], id="list of ints"),
        pytest.param(np.array([3, 4], np.float64), id="float64"),
        pytest.param(np.array([3, 4], np.float16), id="float16"),
    ],
)
def test_vectors_are_float32_whatever_comes(values: Any) -> None:
    """One vector or many, of any number type: float32 comes out, and the input is not changed."""
    before = np.array(values)
    normal = normalize(values)

    assert normal.dtype == np.float32
    assert np.allclose(normal, [0.6, 0.8])
    assert np.array_equal(values, before)


@pytest.mark.parametrize("size", [1e-44, 1e-25, 1e-19, 1e-15, 1.0, 1e18, 1e25, 3e38])
def test_a_vector_of_any_size_has_a_length(size: float) -> None:
    """Its square is 0 or infinite in float32, and such a vector became zeros or kept its length."""
    others = [[0.0, 0.0], [3.0, 4.0], [0.0, size]]
    found = normalize([[size, size], *others])

    assert np.allclose(found[0], [0.5**0.5] * 2, rtol=1e-6)
    assert np.array_equal(found[1:], np.array([[0, 0], [0.6, 0.8], [0, 1]], np.float32))
    assert np.array_equal(normalize([size, size]), found[0])
    assert similarity([size, 0], [size, 0]) == 1
    assert similarity([size, 0], [0, 0], "euclidean") == -np.float32(size)


@given(st.lists(st.floats(2**-40, 2**40, width=32), min_size=1, max_size=40))
def test_usual_vectors_keep_each_bit(values: list[float]) -> None:
    """Caches and indexes hold them: the numbers are those of float32, as they always were."""
    vectors = np.array([values, values[::-1]], np.float32)

    assert np.array_equal(
        normalize(vectors), vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    )


def test_a_programs_error_state_has_no_say() -> None:
    """`np.seterr(all="raise")` is for a program's own numbers; vectors are paid for."""
    tiny = np.array([[1, 1e-30], [1e-30, 1e-320], [0, 0], [3e38, 1e300]])

    def results() -> list[NDArray[Any]]:
        return [
            normalize(tiny),
            truncate_dimensions(tiny, 1),
            quantize(tiny, "int8", ranges=[[0.0, 0.0], [1e-40, 1.0]]),
            *(similarity(tiny, tiny[:3], metric) for metric in METRICS),
        ]

    with np.errstate(all="raise"):
        found = results()
    with np.errstate(all="ignore"):
        expected = results()

    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other, equal_nan=True)


@pytest.mark.parametrize("shapes", [(3, 700), (700, 3), (1, 1), (0, 3), (3, 0), (40, 40)], ids=str)
@pytest.mark.parametrize("width", [1, 384, 100_000])
def test_distances_are_taken_in_parts(
    shapes: tuple[int, int], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The differences of all pairs would take n × m × d numbers; the distances are no others."""
    monkeypatch.setattr("embedbridge.contract.vectors.GAPS_AT_ONCE", 1000)
    width = min(width, 100_000 // max(1, *shapes))
    draw = np.random.default_rng(3).standard_normal
    left, right = (draw((count, width)).astype(np.float32) for count in shapes)
    if 0 not in shapes:
        right[0] = left[0]  # the same vector, and one that differs in the last bit
        right[-1] = np.nextafter(left[-1], np.float32(9))
    whole = -np.linalg.norm(left[:, None] - right, axis=-1)

    assert np.array_equal(similarity(left, right, "euclidean"), whole)


@pytest.mark.parametrize("dimensions", [1, 8, 13])
def test_shortened_vectors_are_normalised_anew(dimensions: int) -> None:
    """The first dimensions, at length 1; one vector like many."""
    short = truncate_dimensions(VECTORS, dimensions)
    head = VECTORS[:, :dimensions]

    assert np.allclose(short, head / np.linalg.norm(head, axis=1, keepdims=True), atol=1e-6)
    assert np.array_equal(truncate_dimensions(VECTORS[3], dimensions), short[3])


@pytest.mark.parametrize("dimensions", [0, -1, 14])
def test_a_width_that_is_not_there_is_refused(dimensions: int) -> None:
    """Vectors are never padded, and -1 does not count from the end."""
    with pytest.raises(InvalidOptionError, match="of 13 dimensions"):
        truncate_dimensions(VECTORS, dimensions)


@pytest.mark.heavy  # torch
@pytest.mark.parametrize("precision", ["int8", "ubinary"])
@pytest.mark.parametrize("with_ranges", [False, True], ids=["own ranges", "given ranges"])
@pytest.mark.parametrize("width", [8, 13])
def test_quantized_bit_for_bit_like_sentence_transformers(
    precision: Literal["int8", "ubinary"], with_ranges: bool, width: int
) -> None:
    """Indexes built with sentence-transformers' `quantize_embeddings` can be searched with ours."""
    util = pytest.importorskip("sentence_transformers.util")
    vectors = np.ascontiguousarray(VECTORS[:, :width])
    vectors[:, 2] = 0.25  # a dimension without any spread
    ranges = np.array([[-1.0] * width, [0.5] * width]) if with_ranges else None
    theirs = util.quantize_embeddings(vectors, precision, ranges=ranges)
    ours = quantize(vectors, precision, ranges=ranges)

    assert ours.dtype == theirs.dtype
    assert np.array_equal(ours, theirs)


@pytest.mark.heavy  # torch
@pytest.mark.parametrize("precision", ["int8", "ubinary"])
def test_quantizing_nothing_gives_nothing(precision: Literal["int8", "ubinary"]) -> None:
    """No vectors have no ranges, and need none."""
    util = pytest.importorskip("sentence_transformers.util")
    nothing = np.zeros((0, 13), np.float32)
    theirs = util.quantize_embeddings(nothing, precision)
    ours = quantize(nothing, precision)

    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)


@pytest.mark.parametrize("precision", ["int8", "ubinary"])
@pytest.mark.parametrize("with_ranges", [False, True], ids=["own ranges", "given ranges"])
@given(
    count=st.integers(1, 6),
    row=st.integers(0, 5),
    column=st.integers(0, 12),
    value=st.sampled_from([np.nan, np.inf, -np.inf]),
)
def test_a_vector_that_is_not_finite_is_named(
    precision: Literal["int8", "ubinary"],
    with_ranges: bool,
    count: int,
    row: int,
    column: int,
    value: float,
) -> None:
    """One failed row would make every row of int8 zero, and is a valid code of bits: it is refused."""
    vectors = VECTORS[:count].copy()
    vectors[row % count, column] = value
    ranges = np.array([[-1.0] * 13, [1.0] * 13]) if with_ranges else None
    with pytest.raises(InvalidInputError, match=f"Input {row % count}: .*result.ok"):
        quantize(vectors, precision, ranges=ranges)


@pytest.mark.parametrize("precision", ["int8", "ubinary"])
def test_one_vector_alone_is_looked_at_too(precision: Literal["int8", "ubinary"]) -> None:
    """A single vector of shape (d,) has no position, but is no less refused."""
    with pytest.raises(InvalidInputError, match="not finite"):
        quantize([1.0, np.nan], precision, ranges=[[-1, -1], [1, 1]])


@pytest.mark.parametrize(
    "vectors",
    [
        pytest.param([[1.0, 2.0], None], id="null of a line of JSON"),
        pytest.param([[1.0, 2.0], [1.0]], id="two widths"),
        pytest.param([["1", "2"]], id="texts"),
        pytest.param([[1.0, None]], id="null in a vector"),
    ],
)
@pytest.mark.parametrize("precision", ["int8", "ubinary"])
def test_what_is_no_table_of_numbers_is_refused(
    precision: Literal["int8", "ubinary"], vectors: Any
) -> None:
    """Vectors that were read from a file with failed lines are a typed error, not numpy's."""
    with pytest.raises(InvalidInputError, match="Leave out the inputs that have errors"):
        quantize(vectors, precision)


def test_ranges_that_are_not_finite_are_refused() -> None:
    """Ranges of a sample with a failed row would make all later vectors zero."""
    with pytest.raises(InvalidOptionError, match="ranges"):
        quantize(VECTORS, "int8", ranges=[[np.nan] * 13, [1.0] * 13])


def test_bits_are_packed_most_significant_first() -> None:
    """Dimension 0 is bit 7 of the first byte, and only what is greater than 0 is a 1."""
    first_and_last = [[1.0, *[-1.0] * 14, 1.0], [0.0, 1e-30, *[0.0] * 14]]

    assert quantize(first_and_last, "ubinary").tolist() == [[0x80, 0x01], [0x40, 0x00]]


def test_values_outside_given_ranges_are_clipped() -> None:
    """A new vector beyond the sample's ranges goes to the end of the scale, not around it."""
    ranges = [[-1.0, -1.0], [1.0, 1.0]]

    assert quantize([[-9.0, 9.0]], "int8", ranges=ranges).tolist() == [[-128, 127]]


def test_one_vector_has_no_range() -> None:
    """Ranges of a single vector would make every value the lowest."""
    with pytest.raises(InvalidInputError, match="ranges="):
        quantize(VECTORS[:1], "int8")


def test_an_unknown_precision_is_refused() -> None:
    """And the message says what there is."""
    with pytest.raises(InvalidOptionError, match="int8 or ubinary"):
        quantize(VECTORS, "int4")  # type: ignore[call-overload]  # that is the point


def slowly(a: Floats, b: Floats, metric: str) -> float:
    left, right = a.astype(np.float64), b.astype(np.float64)
    if metric == "dot":
        return float(sum(left * right))
    if metric == "euclidean":
        return -float(sum((left - right) ** 2) ** 0.5)
    return float(sum(left * right) / (sum(left**2) ** 0.5 * sum(right**2) ** 0.5))


@pytest.mark.parametrize("metric", METRICS)
def test_similarity_equals_the_slow_formula(
    metric: Literal["cosine", "dot", "euclidean"],
) -> None:
    """Many against many, in every metric."""
    expected = [[slowly(a, b, metric) for b in OTHERS] for a in VECTORS]

    assert np.allclose(similarity(VECTORS, OTHERS, metric), expected, atol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_shapes_of_similarity(metric: Literal["cosine", "dot", "euclidean"]) -> None:
    """One or many on either side: the same numbers in the shape that one expects."""
    full = similarity(VECTORS, OTHERS, metric)
    one = similarity(VECTORS[2], OTHERS[4], metric)

    assert isinstance(one, float)
    assert one == pytest.approx(full[2, 4], abs=1e-5)
    assert np.allclose(similarity(VECTORS[2], OTHERS, metric), full[2], atol=1e-5)
    assert np.allclose(similarity(VECTORS, OTHERS[4], metric), full[:, 4], atol=1e-5)
    assert similarity(VECTORS[:0], OTHERS, metric).shape == (0, 7)


@pytest.mark.parametrize("metric", METRICS)
def test_a_vector_is_most_alike_to_itself(metric: Literal["cosine", "dot", "euclidean"]) -> None:
    """Greater means more alike in every metric, the distance included."""
    unit = normalize(VECTORS)

    assert np.array_equal(np.argmax(similarity(unit, unit, metric), axis=1), np.arange(len(unit)))


@pytest.mark.parametrize("metric", METRICS)
def test_other_widths_cannot_be_compared(metric: Literal["cosine", "dot", "euclidean"]) -> None:
    """Vectors of two models are refused instead of cut or broadcast."""
    with pytest.raises(InvalidInputError, match="13 and of 12"):
        similarity(VECTORS, OTHERS[:, :12], metric)
    with pytest.raises(InvalidInputError, match="13 and of 1 "):
        similarity(VECTORS, OTHERS[:, :1], metric)


def test_an_unknown_metric_is_refused() -> None:
    """And the message says what there is."""
    with pytest.raises(InvalidOptionError, match="cosine, dot or euclidean"):
        similarity(VECTORS, OTHERS, "manhattan")  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        ([[0.0], [1.0]], "of shape (2, 13)"),
        ([[0.0] * 13] * 3, "of shape (2, 13)"),
        ([[0.0] * 13, [1.0]], "of shape (2, 13)"),
        ("low", "of shape (2, 13)"),
        ([[1.0] * 13, [0.0] * 13], "above the highest"),
    ],
    ids=["one for all", "three rows", "ragged", "text", "turned round"],
)
def test_ranges_are_two_rows_of_numbers(ranges: Any, said: str) -> None:
    """Anything else NumPy would stretch over the dimensions, or say in its own words."""
    with pytest.raises(InvalidOptionError, match=re.escape(said)):
        quantize(VECTORS, "int8", ranges=ranges)
