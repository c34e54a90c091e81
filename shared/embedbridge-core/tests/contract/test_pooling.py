"""Pooling gives the same vector for NumPy and torch, and never sees what a mask hides."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from embedbridge.contract import Pooling

Floats = NDArray[np.float32]

KINDS = ["numpy", pytest.param("torch", marks=pytest.mark.heavy)]  # its import takes seconds

TOKENS: Floats = np.random.default_rng(0).standard_normal((4, 5, 3)).astype(np.float32)
MASK = np.array(
    [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 0]], dtype=np.int64
)


def slowly(pooling: Pooling, tokens: Floats, mask: NDArray[Any]) -> Floats:
    """One row at a time, as one would explain it."""
    rows = []
    for row, seen in zip(tokens, mask, strict=True):
        visible = [token for token, show in zip(row, seen, strict=True) if show]
        if not visible:
            rows.append(np.zeros(tokens.shape[2], np.float32))
        elif pooling == "cls":
            rows.append(visible[0])
        elif pooling == "last":
            rows.append(visible[-1])
        elif pooling == "max":
            rows.append(np.max(visible, axis=0))
        elif pooling == "weightedmean":
            begin = list(map(bool, seen)).index(True)
            weights = (np.arange(len(seen)) - begin + 1)[seen.astype(bool)]
            rows.append(np.average(visible, axis=0, weights=weights))
        elif pooling == "mean_sqrt_len_tokens":
            rows.append(np.sum(visible, axis=0, dtype=np.float32) / np.sqrt(len(visible)))
        else:
            rows.append(np.mean(visible, axis=0, dtype=np.float32))
    return np.array(rows, np.float32).reshape(len(tokens), tokens.shape[2])


@st.composite
def masked_tokens(draw: st.DrawFn) -> tuple[Floats, NDArray[np.int64]]:
    n, count, width = draw(st.integers(1, 4)), draw(st.integers(1, 6)), draw(st.integers(1, 4))
    values = st.floats(-100, 100, width=32)
    flat = draw(st.lists(values, min_size=n * count * width, max_size=n * count * width))
    mask = draw(st.lists(st.integers(0, 1), min_size=n * count, max_size=n * count))
    tokens = np.array(flat, np.float32).reshape(n, count, width)
    return tokens, np.array(mask, np.int64).reshape(n, count)


@pytest.mark.parametrize("pooling", list(Pooling))
@given(case=masked_tokens())
def test_pooling_equals_the_slow_explanation(
    pooling: Pooling, case: tuple[Floats, NDArray[np.int64]]
) -> None:
    """For any mask – on the left, on the right, with holes, hiding everything."""
    tokens, mask = case

    assert np.allclose(pooling(tokens, mask), slowly(pooling, tokens, mask), atol=1e-4)


@pytest.mark.heavy
@pytest.mark.parametrize("pooling", list(Pooling))
@given(case=masked_tokens())
@settings(max_examples=30)
def test_torch_gives_the_same_numbers(
    pooling: Pooling, case: tuple[Floats, NDArray[np.int64]]
) -> None:
    """A tensor in, a tensor out, of the same values as for arrays."""
    torch = pytest.importorskip("torch")
    tokens, mask = case
    pooled = pooling(torch.tensor(tokens), torch.tensor(mask))

    assert isinstance(pooled, torch.Tensor)
    assert np.allclose(pooled.numpy(), pooling(tokens, mask), atol=1e-5)


@pytest.mark.heavy
@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize("left", [0, 2], ids=["padded right", "padded left"])
def test_a_prompt_is_left_out_on_either_side(pooling: Pooling, kind: str, left: int) -> None:
    """Without its tokens; those behind it keep their positions, which `weightedmean` weighs."""
    torch = pytest.importorskip("torch")
    modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
    mask = np.ones((4, 5), np.int64)
    mask[1:3, 0 if left else 3 :][:, : left or 2] = 0
    theirs = modules.Pooling(
        3, {"last": "lasttoken"}.get(pooling, str(pooling)), include_prompt=False
    )
    features = {"token_embeddings": torch.tensor(TOKENS), "attention_mask": torch.tensor(mask)}
    expected = theirs({**features, "prompt_length": 2})["sentence_embedding"]

    found = pooling(*of_kind(kind, TOKENS, mask), prompt_tokens=2)
    assert np.allclose(as_numpy(found), expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rubbish", [np.nan, np.inf, -np.inf])
def test_what_is_hidden_may_hold_anything(pooling: Pooling, kind: str, rubbish: float) -> None:
    """Attention leaves NaN at padded places; it must not reach the vector."""
    spoiled = np.where(MASK[:, :, None] == 1, TOKENS, np.float32(rubbish))
    expected = slowly(pooling, TOKENS, MASK)

    assert np.allclose(as_numpy(pooling(*of_kind(kind, spoiled, MASK))), expected, atol=1e-6)


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_row_that_is_all_hidden_becomes_zeros(pooling: Pooling, kind: str, dtype: str) -> None:
    """In every precision, and without dividing by zero."""
    tokens, mask = of_kind(kind, TOKENS.astype(dtype), np.zeros_like(MASK))

    assert np.array_equal(as_numpy(pooling(tokens, mask)), np.zeros((4, 3)))


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_type_stays(pooling: Pooling, kind: str, dtype: str) -> None:
    """Half precision in, half precision out."""
    tokens, mask = of_kind(kind, TOKENS.astype(dtype), MASK)

    assert pooling(tokens, mask).dtype == tokens.dtype


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mask_type", ["bool", "int32", "int64", "float32"])
def test_a_mask_may_be_of_any_type(pooling: Pooling, kind: str, mask_type: str) -> None:
    """Tokenizers give integers, attention code gives bools or floats."""
    tokens, mask = of_kind(kind, TOKENS, MASK.astype(mask_type))

    assert np.allclose(as_numpy(pooling(tokens, mask)), slowly(pooling, TOKENS, MASK), atol=1e-6)


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("kind", KINDS)
def test_without_a_mask_every_token_is_seen(pooling: Pooling, kind: str) -> None:
    """No mask is a mask of ones."""
    tokens, ones = of_kind(kind, TOKENS, np.ones_like(MASK))

    assert np.array_equal(as_numpy(pooling(tokens)), as_numpy(pooling(tokens, ones)))


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("kind", KINDS)
def test_one_text_is_pooled_like_a_batch_of_one(pooling: Pooling, kind: str) -> None:
    """Shape (tokens, d) gives (d,), with and without a mask."""
    tokens, mask = of_kind(kind, TOKENS[1], MASK[1])
    batch, masks = of_kind(kind, TOKENS[1:2], MASK[1:2])

    assert np.array_equal(as_numpy(pooling(tokens, mask)), as_numpy(pooling(batch, masks))[0])
    assert as_numpy(pooling(tokens)).shape == (3,)


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("shape", "expected"), [((0, 5, 3), (0, 3)), ((2, 0, 3), (2, 3)), ((0, 3), (3,))]
)
def test_nothing_at_all_has_a_shape(
    pooling: Pooling, kind: str, shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    """No rows give no vectors, and no tokens give zeros."""
    (tokens, mask) = of_kind(kind, np.ones(shape, np.float32), np.ones(shape[:-1], np.int64))

    assert np.array_equal(as_numpy(pooling(tokens, mask)), np.zeros(expected))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(), (3,), (1, 2, 3, 4)], ids=str)
def test_any_other_shape_is_not_implemented(kind: str, shape: tuple[int, ...]) -> None:
    """The error names the shape that came."""
    (tokens,) = of_kind(kind, np.zeros(shape, np.float32))

    with pytest.raises(NotImplementedError, match=str(shape).replace("(", r"\(").rstrip(")")):
        Pooling.MEAN(tokens)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(4,), (5, 4), (4, 5, 1), (4, 6)], ids=str)
def test_a_mask_that_does_not_fit_is_refused(kind: str, shape: tuple[int, ...]) -> None:
    """Nothing is broadcast: a mask of another shape is a mistake."""
    tokens, mask = of_kind(kind, TOKENS, np.ones(shape, np.int64))

    with pytest.raises(ValueError, match="attention mask"):
        Pooling.MEAN(tokens, mask)


def test_the_input_is_left_alone() -> None:
    """Pooling changes neither the tokens nor the mask."""
    tokens, mask = TOKENS.copy(), MASK.copy()
    for pooling in Pooling:
        pooling(tokens, mask)

    assert np.array_equal(tokens, TOKENS)
    assert np.array_equal(mask, MASK)


def of_kind(kind: str, *arrays: NDArray[Any]) -> list[Any]:
    if kind == "numpy":
        return list(arrays)
    torch = pytest.importorskip("torch")
    return [torch.tensor(array) for array in arrays]


def as_numpy(values: Any) -> NDArray[Any]:
    return np.asarray(values)
