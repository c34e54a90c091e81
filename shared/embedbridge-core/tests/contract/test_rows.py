"""Base64 of floats is taken strictly, whichever library decodes it."""

from __future__ import annotations

import base64
import binascii

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract.remote.rows import decode_base64, matrix

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
