"""The hash table of digests, compared with a dictionary."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.bulk.seen import NOWHERE, Seen

# Few values and few low bits, so that rows are equal, and that different ones want one slot.
DIGEST = st.tuples(st.integers(0, 40), st.integers(0, 3))


def as_digests(pairs: Any) -> Any:
    return np.array([(low << 13, high) for low, high in pairs], np.uint64).reshape(-1, 2)


@given(batches=st.lists(st.lists(DIGEST, max_size=60), max_size=6))
def test_equal_contents_have_one_number(batches: Any) -> None:
    """As in a dictionary: the first row of a content is new, within a batch and across batches."""
    seen, expected = Seen(), dict[Any, Any]()
    for batch in batches:
        numbers, new = seen.claim(as_digests(batch))

        for row, pair in enumerate(batch):
            assert bool(new[row]) == (pair not in expected)
            assert expected.setdefault(pair, int(numbers[row])) == numbers[row]
    assert len(seen) == len(expected)
    assert sorted(expected.values()) == list(range(len(expected)))


@pytest.mark.parametrize("step", [1, 4096, 100_000])
def test_growing_loses_nothing(step: Any) -> None:
    """Digests, places and numbers are the same after the arrays have grown many times."""
    digests = np.random.default_rng(7).integers(0, 2**64, (200_000, 2), np.uint64)
    digests = digests[:300] if step == 1 else digests
    seen = Seen()
    for start in range(0, len(digests), step):
        numbers, new = seen.claim(digests[start : start + step])
        assert new.all()
        seen.put(numbers, numbers * 2)

    numbers, new = seen.claim(digests)

    assert not new.any()
    assert np.array_equal(seen.places(numbers), numbers * 2)
    assert np.array_equal(seen.digests(numbers), digests)


def test_a_content_without_a_vector_is_nowhere() -> None:
    """It is known, so that no other chunk pays for it, and its vector is still to come."""
    seen = Seen()
    numbers, _ = seen.claim(as_digests([(1, 1)]))

    assert seen.places(numbers).tolist() == [NOWHERE]
