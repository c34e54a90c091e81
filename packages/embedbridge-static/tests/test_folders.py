"""Folders as they come: whole ones say what they hold, and broken ones say what is broken."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers

from embedbridge.contract import ConfigurationError, EmbedBridgeError, UnknownModelError
from embedbridge.core import load_embedder
from embedbridge.testing import real_texts

Write = Callable[..., Path]
Table = NDArray[np.float32]
ST = "sentence-transformers"
WEIGHTS, TOKENIZER, MODULES = "model.safetensors", "tokenizer.json", "modules.json"
SAVED = "config_sentence_transformers.json"

BROKEN: dict[str, tuple[dict[str, Any], type[EmbedBridgeError], str]] = {
    "no table": ({WEIGHTS: None}, UnknownModelError, WEIGHTS),
    "an empty table": ({WEIGHTS: b""}, ConfigurationError, "cannot be read"),
    "a damaged table": ({WEIGHTS: b"\x08\x09" * 99}, ConfigurationError, "cannot be read"),
    "no tokenizer": ({TOKENIZER: None}, UnknownModelError, TOKENIZER),
    "an empty tokenizer": ({TOKENIZER: {}}, ConfigurationError, "cannot be used"),
    "a damaged tokenizer": ({TOKENIZER: b"{"}, ConfigurationError, "JSONDecodeError"),
    "a damaged configuration": ({"config.json": b"\xff"}, ConfigurationError, "UnicodeDecodeError"),
    "damaged settings": ({SAVED: []}, ConfigurationError, "no JSON object"),
    "modules are no list": ({MODULES: {"0": 1}}, ConfigurationError, "no list"),
    "no modules": ({MODULES: []}, UnknownModelError, "nothing"),
    "a transformer": ({MODULES: [{"type": "x.Transformer"}]}, UnknownModelError, "huggingface:"),
    "a dense layer": (
        {MODULES: [{"type": "x.StaticEmbedding"}, {"type": "x.Dense"}]},
        ConfigurationError,
        "Dense.*huggingface:",
    ),
    "a path outside": (
        {MODULES: [{"type": "x.StaticEmbedding", "path": "../.."}]},
        ConfigurationError,
        "outside",
    ),
    "a length that is no number": (
        {"config.json": {"max_length": "long"}},
        ConfigurationError,
        "max_length is 'long'",
    ),
}


@pytest.mark.parametrize(("files", "error", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_folder(
    write: Write, files: dict[str, Any], error: type[EmbedBridgeError], said: str
) -> None:
    """The error is typed, names what is wrong, and is short."""
    embedder = load_embedder(f"static:{write(files=files)}")
    with pytest.raises(error, match=rf"(?s){said}") as caught:
        embedder.embed_query("text")

    assert len(str(caught.value)) < 600


def nan_in(table: Table, row: int) -> Table:
    spoilt = table.copy()
    spoilt[row, 3] = np.nan
    return spoilt


BAD_TABLES: dict[str, tuple[Callable[[Table], dict[str, Any]], str]] = {
    "other names": (lambda table: {"weight": table}, "no embeddings or embedding.weight"),
    "one dimension": (lambda table: {"embeddings": table[0]}, r"shape \(24,\)"),
    "no dimensions": (lambda table: {"embeddings": table[:, :0]}, "shape"),
    "whole numbers": (lambda table: {"embeddings": table.astype(np.int64)}, "int64"),
    "fewer rows than tokens": (lambda table: {"embeddings": table[:9]}, "9 tokens, the tokenizer"),
    "a short mapping": (
        lambda table: {"embeddings": table, "mapping": np.arange(9)},
        "9 tokens, the tokenizer",
    ),
    "a mapping out of the table": (
        lambda table: {"embeddings": table[:9], "mapping": np.arange(len(table))},
        "outside of the 9 rows",
    ),
    "a negative mapping": (
        lambda table: {"embeddings": table, "mapping": np.arange(len(table)) - 1},
        "outside",
    ),
    "a mapping of fractions": (
        lambda table: {"embeddings": table, "mapping": table[:, 0]},
        "mapping is float32",
    ),
    "few weights": (lambda table: {"embeddings": table, "weights": table[:9, 0]}, "weights"),
    "NaN": (lambda table: {"embeddings": nan_in(table, 70)}, "row 70 of embeddings is not finite"),
    "NaN in a weight": (
        lambda table: {"embeddings": table, "weights": nan_in(table, 71)[:, 3]},
        "row 71 of weights",
    ),
    "infinity": (
        lambda table: {"embedding.weight": np.where(table > 2, np.inf, table)},
        "of embedding.weight is not finite",
    ),
}


@pytest.mark.parametrize(("tensors", "said"), BAD_TABLES.values(), ids=BAD_TABLES.keys())
def test_a_bad_table(
    write: Write, table: Table, tensors: Callable[[Table], dict[str, Any]], said: str
) -> None:
    """What cannot be right is found when the model is loaded, not in the vector of some text."""
    made = {name: np.ascontiguousarray(value) for name, value in tensors(table).items()}
    with pytest.raises(ConfigurationError, match=said):
        load_embedder(f"static:{write(tensors=made)}").embed_query("text")


@pytest.mark.parametrize("name", ["./nowhere", "~/nowhere", "a/b/c", "no-such-model", "x\\y"])
def test_a_folder_that_is_not_there(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    """It is never looked up on the Hub."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownModelError, match="no folder"):
        load_embedder(f"static:{name}").embed_query("text")


def test_a_model_that_was_never_downloaded(tmp_path: Path) -> None:
    """A Hub id that is not on this disk says what to do, also without a network."""
    pytest.importorskip("huggingface_hub")
    embedder = load_embedder("static:nobody/nothing", cache_folder=str(tmp_path), offline=True)
    with pytest.raises(UnknownModelError, match="could not be fetched"):
        embedder.embed_query("text")


def test_a_model_of_the_hub(write: Write, tmp_path: Path) -> None:
    """One that lies in the Hub's cache has its id as space, and its commit in the fingerprint."""
    pytest.importorskip("huggingface_hub")
    made = write()
    prints = []
    for commit in ("a" * 40, "b" * 40):
        repository = tmp_path / f"hub{commit}" / "models--Owner--Tiny"
        shutil.copytree(made, repository / "snapshots" / commit)
        (repository / "refs").mkdir()
        (repository / "refs/main").write_text(commit, encoding="utf-8")
        place = str(tmp_path / f"hub{commit}")
        with load_embedder("static:Owner/Tiny", cache_folder=place, offline=True) as embedder:
            assert embedder.embed_query("text").shape == (24,)
            assert embedder.space == "owner/tiny"
            prints.append(embedder.fingerprint)

    assert prints[0] != prints[1]


@pytest.mark.parametrize("listed", [True, False])
def test_files_below_the_top(write: Write, listed: bool) -> None:
    """`0_StaticEmbedding` is where older versions put them, with a list of modules or without."""
    folder = write(ST, normalize=False)
    before = load_embedder(f"static:{folder}").embed_query("text")
    nested = folder / "0_StaticEmbedding"
    nested.mkdir()
    for name in (WEIGHTS, TOKENIZER):
        (folder / name).rename(nested / name)
    (folder / MODULES).unlink()
    if listed:
        text = '[{"type": "x.StaticEmbedding", "path": "0_StaticEmbedding"}]'
        (folder / MODULES).write_text(text, encoding="utf-8")

    np.testing.assert_array_equal(load_embedder(f"static:{folder}").embed_query("text"), before)


def test_a_folder_that_moved_is_the_same_model(write: Write, table: Table) -> None:
    """A folder's path does not count, its weights do."""
    first, moved = (load_embedder(f"static:{write()}") for _ in range(2))
    changed = load_embedder(f"static:{write(tensors={'embeddings': table * 2})}")

    assert (first.space, first.fingerprint) == (moved.space, moved.fingerprint)
    assert first.space != changed.space
    assert first.fingerprint != changed.fingerprint


def test_what_changes_vectors_is_in_the_fingerprint(write: Write) -> None:
    """Another length and another way of reading are other vectors of the same space."""
    folder = write()
    embedders = [
        load_embedder(f"static:{folder}", **options)
        for options in (
            {},
            {"max_length": 9},
            {"compatible_with": "model2vec"},
            {"normalize": True},
        )
    ]

    assert len({embedder.fingerprint for embedder in embedders}) == 4
    assert len({embedder.space for embedder in embedders}) == 1


LONG = "word " * 600


@pytest.mark.parametrize(
    ("kind", "made", "options", "limit"),
    [
        ("model2vec", {}, {}, None),
        (ST, {}, {}, None),
        ("model2vec", {"config": {"max_length": 40}}, {}, 40),
        ("model2vec", {"truncation": {"max_length": 30}}, {}, 30),
        ("model2vec", {"truncation": {"max_length": 30}, "config": {"max_length": None}}, {}, None),
        (ST, {"truncation": {"max_length": 30}}, {}, 30),
        (ST, {}, {"max_length": 20}, 20),
        ("model2vec", {}, {"compatible_with": "model2vec"}, 512),
    ],
)
def test_what_is_cut_is_reported(
    write: Write, kind: str, made: dict[str, Any], options: dict[str, Any], limit: int | None
) -> None:
    """Only what a file or the user says cuts a text; the tokens that are read are those in front."""
    with load_embedder(f"static:{write(kind, **made)}", **options) as embedder:
        result = embedder.embed([LONG, "short"], role="document")
        assert result.truncated.tolist() == [limit is not None, False]
        assert embedder.card.limits.max_tokens_per_input == limit
        if limit is not None:
            (read,) = embedder.embed_documents(["word " * limit])
            np.testing.assert_allclose(result.vectors[0], read, atol=1e-6)


def test_characters_are_not_counted_unless_asked(write: Write) -> None:
    """model2vec cuts long words after few tokens; with its option that is reported too."""
    text = f"{'supercalifragilistic ' * 30} end"
    plain = load_embedder(f"static:{write(config={'max_length': None})}")
    theirs = load_embedder(
        f"static:{write(config={'max_length': 200})}", compatible_with="model2vec"
    )

    assert not plain.embed([text], role="document").truncated[0]
    assert theirs.embed([text], role="document").truncated[0]


def test_a_tokenizer_without_a_proof_is_used_as_it_is(write: Write, table: Table) -> None:
    """Its texts are read whole, with the same checks and the same reports."""
    pieces = [("<unk>", 0.0), *((f"▁{letter}", -1.0) for letter in "abcdefgh"), ("▁", -3.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, 0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    folder = write()
    tokenizer.save(str(folder / TOKENIZER))
    with load_embedder(f"static:{folder}", max_length=4, normalize=False) as embedder:
        result = embedder.embed(["a b c", "a b c d e f"], role="document")
        assert result.truncated.tolist() == [False, True]
        mean = table[[1, 2, 3, 4]].mean(axis=0)
        np.testing.assert_allclose(result.vectors[1], mean / np.linalg.norm(mean), atol=1e-6)


def test_a_text_longer_than_a_call(write: Write, monkeypatch: Any) -> None:
    """A single text may have more tokens than a call holds: it travels alone."""
    monkeypatch.setattr("embedbridge.providers.static._loaded.TOKENS_AT_ONCE", 100)
    texts = real_texts(20, max_words=300)
    folder = write()
    small = load_embedder(f"static:{folder}")
    result = small.embed(texts, role="document")
    monkeypatch.undo()

    assert result.requests > 5
    whole = load_embedder(f"static:{folder}", max_length=10**6)  # equal ones would share the limit
    np.testing.assert_array_equal(result.vectors, whole.embed_documents(texts))


def test_a_relative_folder_is_the_one_where_the_model_was_made(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python may stand elsewhere at first use: beside no such folder, or beside another model."""
    shutil.copytree(write(), tmp_path / "here" / "model")
    (tmp_path / "there" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    embedder = load_embedder("static:./model")
    expected = embedder.using().embed_query("text")
    embedder.close()
    monkeypatch.chdir(tmp_path / "there")

    for one in (embedder, pickle.loads(pickle.dumps(embedder))):
        np.testing.assert_allclose(one.embed_query("text"), expected, rtol=0, atol=1e-6)
