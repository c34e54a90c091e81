"""Bodies of answers, as servers write them."""

import json

import numpy as np
import pytest

from embedbridge.contract.remote import limit_for, parse_object


def test_a_byte_order_mark_is_no_part_of_json() -> None:
    """Some servers put one in front (RFC 8259 lets a reader skip it)."""
    assert parse_object(b"\xef\xbb\xbf" + b'{"data": []}') == {"data": []}


@pytest.mark.parametrize("indent", [None, 1, 2, 4, 8, "\t"])
def test_an_answer_that_is_set_out_in_lines_is_within_the_limit(indent: int | str | None) -> None:
    """A server may write each number on a line of its own, behind the spaces of four levels."""
    count, width = 4096, 3072
    row = (np.random.default_rng(0).standard_normal(width) * 1e-5).tolist()
    answer = {"data": [{"object": "embedding", "index": 0, "embedding": row}]}

    assert len(json.dumps(answer, indent=indent)) * count < limit_for(count, width)
