"""Files of vectors know what they are, and are whole, right and of this space – or refused."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import (
    ConfigurationError,
    InvalidInputError,
    SpaceMismatchError,
    quantize,
)
from embedbridge.core import (
    Embedder,
    load_embedding,
    load_vectors,
    save_embedding,
    save_vectors,
)
from embedbridge.testing import FakeModel

pytest.importorskip("safetensors")

EMBEDDER = Embedder(FakeModel("small"))
RESULT = EMBEDDER.embed(["a", "b", "c"], role="document")
IDS = ["one", "zwei", "三"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "vectors.safetensors"


@pytest.mark.parametrize(
    ("vectors", "embedder"),
    [
        pytest.param(RESULT, None, id="result"),
        pytest.param(RESULT.vectors, EMBEDDER, id="array"),
        pytest.param(RESULT.vectors.astype(np.float64), EMBEDDER, id="array of float64"),
        pytest.param(np.asfortranarray(RESULT.vectors), EMBEDDER, id="array by columns"),
        pytest.param(RESULT.tolist(), EMBEDDER, id="lists"),
    ],
)
@pytest.mark.parametrize("ids", [None, IDS], ids=["no ids", "ids"])
def test_vectors_come_back_bit_for_bit(file: Path, vectors: Any, embedder: Any, ids: Any) -> None:
    """With their space, their fingerprint and their names."""
    save_vectors(file, vectors, embedder=embedder, ids=ids)
    stored = load_vectors(file, embedder=EMBEDDER)

    assert np.array_equal(stored.vectors, RESULT.vectors)
    assert stored.vectors.dtype == np.float32
    assert (stored.space, stored.fingerprint) == (EMBEDDER.space, EMBEDDER.fingerprint)
    assert stored.ids == ids


def test_stored_vectors_can_be_stored_again(file: Path) -> None:
    """Nothing is lost on the way, the names included; new names replace the old ones."""
    save_vectors(file, RESULT, ids=IDS)
    stored = load_vectors(file)
    save_vectors(file, stored)
    again = load_vectors(file)
    save_vectors(file, again, ids=["x", "y", "z"])

    assert (again.ids, again.fingerprint) == (stored.ids, stored.fingerprint)
    assert load_vectors(file).ids == ["x", "y", "z"]


def test_no_vectors_are_vectors_too(file: Path) -> None:
    """An empty index has a width and a space."""
    save_vectors(file, EMBEDDER.embed([], role="document"), ids=[])

    assert load_vectors(file).vectors.shape == (0, 8)
    assert load_vectors(file).ids == []


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Embedder(FakeModel("text")), id="another model"),
        pytest.param(Embedder(FakeModel("small", dimensions=4)), id="another width"),
        pytest.param("fake:text", id="another name"),
    ],
)
def test_vectors_of_another_space_are_refused(file: Path, other: Any) -> None:
    """Before anybody compares what cannot be compared."""
    save_vectors(file, RESULT)

    with pytest.raises(SpaceMismatchError, match="fake:small"):
        load_vectors(file, embedder=other)


def test_vectors_made_differently_are_a_warning(file: Path) -> None:
    """The same space, another fingerprint."""
    save_vectors(file, RESULT)

    with pytest.warns(UserWarning, match="made differently"):
        load_vectors(file, embedder=Embedder(FakeModel("small", seed=1)))


@pytest.mark.parametrize(
    ("vectors", "options", "piece"),
    [
        pytest.param(RESULT.vectors, {}, "embedder=", id="array without an embedder"),
        pytest.param(RESULT.vectors[0], {"embedder": EMBEDDER}, "(8,)", id="one vector"),
        pytest.param(RESULT, {"ids": ["one"]}, "3 vectors have 1 ids", id="too few names"),
        pytest.param(RESULT.vectors * np.nan, {"embedder": EMBEDDER}, "Input 0", id="NaN"),
        pytest.param(RESULT.vectors * np.inf, {"embedder": EMBEDDER}, "Input 0", id="infinite"),
        pytest.param(
            EMBEDDER.using(errors="collect").embed(["a", ""], role="query"),
            {},
            "Input 1",
            id="a result with errors",
        ),
    ],
)
def test_what_is_no_set_of_vectors_is_not_written(
    file: Path, vectors: Any, options: Any, piece: str
) -> None:
    """The message names what is wrong, and the old file stays."""
    save_vectors(file, RESULT)
    before = file.read_bytes()
    with pytest.raises(InvalidInputError) as caught:
        save_vectors(file, vectors, **options)

    assert piece in str(caught.value)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("vectors", "piece"),
    [
        (quantize(RESULT.vectors, "int8"), "not int8. Save the floats that were quantized"),
        (quantize(RESULT.vectors, "ubinary"), "not uint8. Save the floats"),
        (RESULT.vectors > 0, "not bool"),
        (RESULT.vectors.astype(complex), "not complex128"),
        (iter(RESULT.vectors), r"not list_iterator|not iterator|np.stack"),
        ([["x"] * 8], "not <U1"),
        ([[1.0] * 8, [1.0]], "list is no array of shape"),
        ([[1.0] * 7 + [None]], "not list"),
        (None, "not NoneType"),
        (EMBEDDER, "not Embedder"),
        ([[1e300] * 8], "Input 0: The vector is not finite"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_only_floats_are_vectors_of_a_space(file: Path, vectors: Any, piece: str) -> None:
    """Codes had the space and the fingerprint of the floats that they stand for, and wrong cosines."""
    with np.errstate(all="raise"), pytest.raises(InvalidInputError, match=piece):
        save_vectors(file, vectors, embedder=EMBEDDER)

    assert not file.exists()


def test_an_embedder_is_no_name(file: Path) -> None:
    """`load_vectors` takes the name of a space; to save takes the fingerprint as well."""
    by_name: Any = "fake:small"
    for vectors in (RESULT, RESULT.vectors):
        with pytest.raises(InvalidInputError, match="embedder is str, not an Embedder"):
            save_vectors(file, vectors, embedder=by_name)
    save_vectors(file, RESULT)
    neither: Any = 5
    with pytest.raises(InvalidInputError, match="embedder is int, not an Embedder"):
        load_vectors(file, embedder=neither)


@pytest.mark.parametrize("stored", [False, True], ids=["result", "stored"])
@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Embedder(FakeModel("small", space="another")), id="the same width"),
        pytest.param(Embedder(FakeModel("text")), id="another width"),
    ],
)
def test_an_embedder_does_not_rename_what_knows_its_space(
    file: Path, other: Embedder, stored: bool
) -> None:
    """Vectors of one model must not be read as another's; nothing is written."""
    vectors: Any = RESULT
    if stored:
        save_vectors(file, RESULT, embedder=EMBEDDER)
        vectors = load_vectors(file)
        file.unlink()

    with pytest.raises(SpaceMismatchError, match=f"'fake:small', .* {other.space!r}"):
        save_vectors(file, vectors, embedder=other)
    assert not file.exists()


def test_what_was_made_differently_keeps_its_fingerprint(file: Path) -> None:
    """The caller hears of it, in their own line."""
    other = Embedder(FakeModel("small", seed=1))
    with pytest.warns(UserWarning, match="made differently") as caught:
        save_vectors(file, RESULT, embedder=other)

    assert caught[0].filename == __file__
    assert load_vectors(file).fingerprint == RESULT.fingerprint


def test_an_array_of_another_width_is_not_of_this_space(file: Path) -> None:
    """A plain array may come from anywhere; at least its width must be the embedder's."""
    with pytest.raises(SpaceMismatchError, match="5 dimensions"):
        save_vectors(file, np.ones((2, 5), np.float32), embedder=EMBEDDER)


def test_every_flipped_byte_is_detected(file: Path) -> None:
    """In the vectors as in their names, their space and their fingerprint."""
    save_vectors(file, RESULT, ids=IDS)
    good = file.read_bytes()
    missed = []
    for place in range(len(good)):
        for mask in (0x01, 0x20):
            file.write_bytes(good[:place] + bytes([good[place] ^ mask]) + good[place + 1 :])
            try:
                stored = load_vectors(file)
            except ConfigurationError:
                continue
            same = np.array_equal(stored.vectors, RESULT.vectors) and stored.ids == IDS
            if not same or (stored.space, stored.fingerprint) != (
                EMBEDDER.space,
                EMBEDDER.fingerprint,
            ):
                missed.append((place, mask, good[max(0, place - 20) : place + 5]))

    assert missed == []


def test_older_files_are_read(file: Path) -> None:
    """Their names are in the metadata, and in the checksum with it."""
    from safetensors.numpy import save_file

    metadata = {
        "format": "embedbridge-vectors-1",
        "space": "fake:small",
        "fingerprint": "0" * 64,
        "ids": json.dumps(IDS),
    }
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    checksum = "9ef04a8ab0085e1fe844af0d63559ff92d9d8df03923b50103f4b2778497329d"
    save_file({"vectors": vectors}, file, {**metadata, "sha256": checksum})
    stored = load_vectors(file)

    assert np.array_equal(stored.vectors, vectors)
    assert stored.ids == IDS


def test_names_may_be_as_many_as_there_are(file: Path) -> None:
    """The header of a safetensors file holds 100 MB, and the paid vectors were lost: no name is in it."""
    names = [f"https://example.com/{number}/{'x' * 200}/" for number in range(3)]
    save_vectors(file, RESULT, ids=names)
    header = int.from_bytes(file.read_bytes()[:8], "little")

    assert header < 500
    assert load_vectors(file).ids == names


def test_every_truncated_file_is_refused(file: Path) -> None:
    """However little of it is missing."""
    save_vectors(file, RESULT, ids=IDS)
    good = file.read_bytes()
    for length in range(len(good)):
        file.write_bytes(good[:length])
        with pytest.raises(ConfigurationError, match="damaged"):
            load_vectors(file)


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\xff" * 1000, json.dumps([1, 2]).encode()], ids=repr
)
def test_a_foreign_file_is_refused(file: Path, content: bytes) -> None:
    """With its name."""
    file.write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"vectors\.safetensors"):
        load_vectors(file)


def test_somebody_elses_safetensors_are_refused(file: Path) -> None:
    """They do not say of which space they are."""
    from safetensors.numpy import save_file

    save_file({"vectors": RESULT.vectors}, file)

    with pytest.raises(ConfigurationError, match="not written by save_vectors"):
        load_vectors(file)


def test_a_missing_file_is_a_missing_file(file: Path) -> None:
    """The builtin error, with the name."""
    with pytest.raises(FileNotFoundError, match=r"vectors\.safetensors"):
        load_vectors(file)


def test_a_file_that_cannot_be_opened_is_not_damaged(file: Path, tmp_path: Path) -> None:
    """The builtin errors: nobody should look for a copy of a folder, or of a file that is locked."""
    with pytest.raises((IsADirectoryError, PermissionError)):  # the second one on Windows
        load_vectors(tmp_path)
    save_vectors(file, RESULT)
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(PermissionError):
        load_vectors(file)


def test_a_failure_leaves_the_old_file_and_no_rubbish(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash while writing costs the new vectors, never the old ones."""
    save_vectors(file, RESULT)
    before = file.read_bytes()
    monkeypatch.setattr(os, "fsync", _fail)
    with pytest.raises(OSError, match="disk full"):
        save_vectors(file, EMBEDDER.embed(["x"], role="document"))

    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def _fail(_: int) -> None:
    raise OSError("disk full")


@pytest.mark.skipif(os.name == "nt", reason="permissions are different there")
def test_a_file_has_the_usual_permissions(file: Path) -> None:
    """Colleagues may read it, as they may read any other file that one writes."""
    usual = file.with_name("usual")
    usual.touch()
    save_vectors(file, RESULT)

    assert file.stat().st_mode == usual.stat().st_mode


# LlamaIndex's files of one vector.


@pytest.mark.parametrize("vector", [RESULT.vectors[0], RESULT.tolist()[0], [1.0, -2.5e-30, 3e30]])
def test_a_text_file_gives_the_same_numbers(tmp_path: Path, vector: Any) -> None:
    """Every number comes back exactly."""
    path = str(tmp_path / "vector.txt")
    save_embedding(vector, path)

    assert load_embedding(path) == [float(number) for number in vector]


@pytest.mark.parametrize(
    "vector",
    [
        RESULT.vectors,
        [[1.0], [2.0]],
        [[1.0], [2.0, 3.0]],
        1.0,
        [],
        None,
        ["a"],
        [float("nan")],
        [1j],
        [True],
    ],
    ids=repr,
)
def test_what_is_no_vector_leaves_the_file_alone(tmp_path: Path, vector: Any) -> None:
    """Nothing is written that could not be read again."""
    path = str(tmp_path / "vector.txt")
    save_embedding([1.0, 2.0], path)
    with pytest.raises(InvalidInputError, match="one vector"):
        save_embedding(vector, path)

    assert load_embedding(path) == [1.0, 2.0]


def test_llama_index_reads_ours_and_we_read_its(tmp_path: Path) -> None:
    """The format is LlamaIndex's own, both ways."""
    theirs = pytest.importorskip("llama_index.core.embeddings.utils")
    ours_path, theirs_path = str(tmp_path / "ours.txt"), str(tmp_path / "theirs.txt")
    vector = RESULT.tolist()[0]
    save_embedding(vector, ours_path)
    theirs.save_embedding(vector, theirs_path)

    assert theirs.load_embedding(ours_path) == vector
    assert load_embedding(theirs_path) == vector
    assert Path(ours_path).read_bytes() == Path(theirs_path).read_bytes()


@pytest.mark.parametrize("content", [b"", b"\n1,2", b"a,b", b"1,,2", b"\xff\xfe", b"1;2"], ids=repr)
def test_a_file_without_a_vector_is_refused(tmp_path: Path, content: bytes) -> None:
    """With its name."""
    path = tmp_path / "vector.txt"
    path.write_bytes(content)

    with pytest.raises(InvalidInputError, match=r"vector\.txt"):
        load_embedding(str(path))


@pytest.mark.parametrize(
    ("ids", "piece"),
    [
        (np.arange(3), "int64, not str"),
        ([1, 2, 3], "int, not str"),
        (["a", None, "c"], "NoneType, not str"),
        ("abc", "a single str"),
    ],
    ids=repr,
)
def test_ids_are_texts(file: Path, ids: Any, piece: str) -> None:
    """Numbers would come back as something else, or not at all; a text is no list of names."""
    with pytest.raises(InvalidInputError, match=piece):
        save_vectors(file, RESULT, ids=ids)
    save_vectors(file, RESULT, ids=(name for name in IDS))

    assert load_vectors(file).ids == IDS


def test_a_path_may_begin_with_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As everywhere; and a folder that is missing is named."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    save_vectors("~/vectors.safetensors", RESULT)

    assert len(load_vectors("~/vectors.safetensors").vectors) == 3
    with pytest.raises(FileNotFoundError, match=r"no folder .*missing"):
        save_vectors("~/missing/vectors.safetensors", RESULT)


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda file: save_vectors(file, RESULT), id="vectors"),
        pytest.param(lambda file: save_embedding([1.0, 2.0], str(file)), id="text"),
    ],
)
def test_a_file_that_is_replaced_keeps_its_permissions_and_its_links(
    file: Path, write: Any
) -> None:
    """As with a plain `open`: what nobody else may read stays so, and a link leads where it led."""
    write(file)
    file.chmod(0o600)
    link = file.with_name("current")
    link.symlink_to(file.name)
    before = file.stat().st_ino
    write(link)

    assert link.is_symlink()
    assert file.stat().st_ino != before
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(list(file.parent.iterdir())) == 2
