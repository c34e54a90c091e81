"""The write-ahead journal: what is whole stays, what is torn goes."""

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.bulk.errors import TargetError
from embedbridge.bulk.journal import Journal
from embedbridge.contract import SpaceMismatchError

MADE = {"space": "fake:small", "fingerprint": "f" * 64}
RNG = np.random.default_rng(3)


def records(count: Any, width: Any = 3) -> Any:
    digests = RNG.integers(0, 2**64, (count, 2), np.uint64)
    return digests, RNG.random((count, width), np.float32), RNG.random(count) < 0.5


def filled(path: Any, counts: Any, width: Any = 3) -> Any:
    journal = Journal(path, MADE)
    parts = [records(count, width) for count in counts]
    for part in parts:
        journal.append(*part)
    journal.close()
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


@given(counts=st.lists(st.integers(1, 5), min_size=1), width=st.integers(1, 4), data=st.data())
def test_what_was_appended_is_read_again(
    tmp_path_factory: Any, counts: Any, width: Any, data: Any
) -> None:
    """By number, in any order and repeated, also by another process."""
    path = tmp_path_factory.mktemp("journal") / "vectors"
    digests, vectors, truncated = filled(path, counts, width)
    numbers = data.draw(st.lists(st.integers(0, len(digests) - 1)))
    journal = Journal(path, MADE)

    found, cut = journal.gather(np.array(numbers, np.int64))

    said, told, zeros = zip(*journal.digests(), strict=True)
    assert np.array_equal(np.concatenate(said), digests)
    assert np.array_equal(np.concatenate(told), truncated)
    assert np.array_equal(np.concatenate(zeros), (vectors == 0).all(axis=1))
    assert np.array_equal(found, vectors[numbers])
    assert np.array_equal(cut, truncated[numbers])
    journal.close()


@pytest.mark.parametrize("lost", [1, 4, 17, 40, 41])
def test_a_torn_record_is_cut_off(tmp_path: Any, lost: Any) -> None:
    """A kill in the middle of a write leaves the records before it, and new ones follow them."""
    path = tmp_path / "vectors"
    _, vectors, _ = filled(path, [4])
    path.write_bytes(path.read_bytes()[:-lost])
    journal = Journal(path, MADE)
    whole = len(journal)
    later = records(2)
    first = journal.append(*later)
    found, _ = journal.gather(np.arange(len(journal)))
    journal.close()

    assert whole == first == (3 if lost <= 40 else 2)
    assert np.array_equal(found, np.concatenate([vectors[:whole], later[1]]))


@pytest.mark.parametrize("garbage", [b"\0" * 400, b"\xff" * 400])
def test_records_that_were_never_written_are_cut_off(tmp_path: Any, garbage: Any) -> None:
    """A power failure may leave a file that is longer than what reached the disk."""
    path = tmp_path / "vectors"
    filled(path, [4])
    path.write_bytes(path.read_bytes() + garbage)

    with closing(Journal(path, MADE)) as journal:
        assert len(journal) == 4


@pytest.mark.parametrize("content", [b"", b"{", b"x" * 5000])
def test_a_file_without_a_header_is_begun_anew(tmp_path: Any, content: Any) -> None:
    """It was killed before it held anything."""
    path = tmp_path / "vectors"
    path.write_bytes(content)
    journal = Journal(path, MADE)
    before = len(journal)
    journal.append(*records(1))
    journal.close()

    assert before == 0
    with closing(Journal(path, MADE)) as again:
        assert len(again) == 1


def test_another_recipe_is_begun_anew(tmp_path: Any) -> None:
    """Its vectors are not those that were asked for."""
    path = tmp_path / "vectors"
    filled(path, [4])

    with closing(Journal(path, {**MADE, "fingerprint": "0" * 64})) as journal:
        assert len(journal) == 0


def test_another_width_is_refused(tmp_path: Any) -> None:
    """Nothing is appended: a record has the length of the first, or of what lies beside it."""
    path = tmp_path / "vectors"
    filled(path, [4])
    with closing(Journal(path, MADE)) as journal, pytest.raises(SpaceMismatchError, match=r"3.*5"):
        journal.append(*records(2, width=5))
    with closing(Journal(path, MADE)) as journal:
        assert len(journal) == 4
        journal.expect(5, tmp_path)
        with pytest.raises(SpaceMismatchError, match=r"5.*3"):
            journal.append(*records(2))
        assert journal.append(*records(2, width=5)) == 0


def test_a_place_that_cannot_be_written_is_named(tmp_path: Any) -> None:
    """With what to do."""
    journal = Journal(tmp_path / "nowhere" / "vectors", MADE)

    with pytest.raises(TargetError, match="cannot be written"):
        journal.append(*records(1))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_says_what_to_do() -> None:
    """The journal is the first that meets it."""
    with (
        closing(Journal(Path("/dev/full"), MADE)) as journal,
        pytest.raises(TargetError, match="disk is full: free some space"),
    ):
        journal.append(*records(3))
