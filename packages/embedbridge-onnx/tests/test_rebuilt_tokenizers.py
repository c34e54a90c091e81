"""Settings of `tokenizer_config.json`: those that transformers obeys count, whatever `tokenizer.json` says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from embedbridge.contract.local import Tokens, read_sentence_folder
from embedbridge.core import load_embedder
from embedbridge.providers.onnx._rebuilt import BERT, BYTES
from embedbridge.providers.onnx._tokens import load_tokens
from embedbridge.testing import real_texts

transformers = pytest.importorskip("transformers", reason="the reference takes it")

TEXTS = [
    *real_texts(3, max_words=40),
    "ICE and Snöw Ünïcödé",
    "日本語 text",
    " leading",
    "a\x00b\tc  d",
]
NAMES = "tokenizer_config.json"
MARKS = {
    **{f"{name}_token": f"[{name.upper()}]" for name in ("cls", "sep", "pad", "unk", "mask")},
    "bos_token": "[CLS]",
    "eos_token": "[SEP]",
}


def words(folder: Path) -> None:
    """A tokenizer of BERT, of letters with accents and without."""
    letters = "".join(map(chr, range(33, 256))) + "日本語"
    tokens = [*sorted(set(MARKS.values())), *letters, *(f"##{one}" for one in letters)]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(
        ("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"])
    )
    made.add_special_tokens(sorted(set(MARKS.values())))
    made.save(str(folder / "tokenizer.json"))


def letters(folder: Path) -> None:
    """A byte-level one, with the same special tokens."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=sorted(set(MARKS.values())),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(real_texts(20, max_words=100), trainer)
    made.save(str(folder / "tokenizer.json"))


CASES = [
    (kind, words, setting)
    for kind in sorted(BERT)
    for setting in (
        {},
        {"do_lower_case": False},
        {"strip_accents": False},
        {"do_lower_case": False, "strip_accents": True},
        {"tokenize_chinese_chars": False, "strip_accents": None},
    )
] + [
    (kind, letters, {"add_prefix_space": wanted})
    for kind in sorted(BYTES)
    for wanted in (True, False)
]


def say(folder: Path, kind: str, **settings: Any) -> None:
    """Write what a folder says about its tokenizer."""
    named = {"tokenizer_class": kind, **MARKS, **settings}
    (folder / NAMES).write_text(json.dumps(named), encoding="utf-8")


def read(tokens: Tokens) -> list[list[int]]:
    """The numbers of each text's tokens."""
    rows: Any = tokens.prepare(TEXTS).payloads
    return [tokens.unpack(row).tolist() for row in rows]


@pytest.mark.parametrize(("kind", "save", "settings"), CASES)
def test_tokens_are_those_of_transformers(
    kind: str, save: Callable[[Path], None], settings: dict[str, Any], tmp_path: Path
) -> None:
    """For each class that makes what stands before the vocabulary anew, and each of its settings."""
    save(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    say(tmp_path, kind)
    saved = transformers.AutoTokenizer.from_pretrained(tmp_path)
    saved.save_pretrained(tmp_path)
    say(tmp_path, kind, **settings)
    expected = transformers.AutoTokenizer.from_pretrained(tmp_path)(TEXTS)["input_ids"]

    tokens, _, changed = load_tokens(read_sentence_folder(tmp_path), None)
    assert read(tokens) == expected
    assert bool(changed) == (saved(TEXTS)["input_ids"] != expected)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "bert"}, {"tokenizer_class": "PreTrainedTokenizerFast"}),
        ({"model_type": "modernbert"}, {"tokenizer_class": "BertTokenizer"}),
        ({"model_type": "bert"}, {"tokenizer_class": None}),
        ({"model_type": "bert", "tokenizer_class": "BertTokenizerFast"}, {"tokenizer_class": None}),
        (
            {"model_type": "roberta", "tokenizer_class": "DistilBertTokenizer"},
            {"tokenizer_class": None},
        ),
    ],
)
def test_the_class_is_the_one_that_transformers_takes(
    config: dict[str, str], said: dict[str, Any], tmp_path: Path
) -> None:
    """From either file, or from the architecture; some take the tokenizer as it was saved."""
    words(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / NAMES).write_text(
        json.dumps({**MARKS, **said, "do_lower_case": False}), encoding="utf-8"
    )
    expected = transformers.AutoTokenizer.from_pretrained(tmp_path)(TEXTS)["input_ids"]

    tokens, _, _ = load_tokens(read_sentence_folder(tmp_path), None)
    assert read(tokens) == expected


def test_the_vectors_are_those_of_the_other_provider(
    change: Callable[[dict[str, Any]], Path], tiny_weights: dict[str, Any]
) -> None:
    """They are in one space; and a cache does not hand out what was made before the settings counted."""
    pytest.importorskip("embedbridge.providers.huggingface")
    from safetensors.numpy import save_file

    folder = change({NAMES: {"tokenizer_class": "BertTokenizer", **MARKS, "do_lower_case": False}})
    save_file(tiny_weights, folder / "model.safetensors", metadata={"format": "pt"})
    ours, theirs = load_embedder(f"onnx:{folder}"), load_embedder(f"huggingface:{folder}")

    found, expected = ours.embed_documents(TEXTS), theirs.embed_documents(TEXTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert ours.space == theirs.space
    assert ours.model.identity()["tokenizer"] == {
        "do_lower_case": False,
        "strip_accents": None,
        "tokenize_chinese_chars": True,
    }


@pytest.mark.parametrize(
    ("kind", "setting"),
    [("AlbertTokenizer", "do_lower_case"), ("LlamaTokenizerFast", "add_prefix_space")],
)
def test_a_setting_that_is_not_obeyed_is_a_warning(
    kind: str, setting: str, change: Callable[[dict[str, Any]], Path]
) -> None:
    """Of a class that obeys it in its own way; the file counts that holds the tokens."""
    does = setting == "do_lower_case"  # the tokenizer of BERT
    embedder = load_embedder(
        f"onnx:{change({NAMES: {'tokenizer_class': kind, setting: not does}})}"
    )
    with pytest.warns(UserWarning, match=f"contradict each other.*{setting}={not does}"):
        embedder.embed_query("text")


@pytest.mark.parametrize("said", [{"do_lower_case": True}, {"do_lower_case": None}, {}])
def test_no_warning_where_both_files_say_the_same(
    said: dict[str, Any], change: Callable[[dict[str, Any]], Path]
) -> None:
    """Nor where one says nothing."""
    folder = change({NAMES: {"tokenizer_class": "AlbertTokenizer", **said}})

    load_embedder(f"onnx:{folder}").embed_query("text")
