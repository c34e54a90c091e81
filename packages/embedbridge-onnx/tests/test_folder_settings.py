"""What a folder leaves open or says twice: the same choice and the same warning in both providers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import ConfigurationError, InvalidOptionError
from embedbridge.core import load_embedder

torch = pytest.importorskip("torch", reason="the reference takes it")
pytest.importorskip("embedbridge.providers.huggingface")

Change = Callable[[dict[str, Any]], Path]
PROVIDERS = ["onnx", "huggingface"]
TEXTS = ["short", "a longer one of several words"]
OWN = "config_sentence_transformers.json"
MODULES = "modules.json"
END = {"__type": "AddedToken", "content": "[SEP]", "special": True}
"""An end mark with its properties, as transformers before 5 wrote it."""


@pytest.fixture
def changed(change: Change, tiny_weights: dict[str, Any]) -> Change:
    """A function that makes a changed folder which both providers can load."""
    from safetensors.numpy import save_file

    def make(files: dict[str, Any]) -> Path:
        folder = change(files)
        save_file(tiny_weights, folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return make


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_folder_without_pooling_warns_once(changed: Change, provider: str) -> None:
    """The warning names what was taken, and the option; with the option there is none."""
    folder = changed({MODULES: None})
    embedder = load_embedder(f"{provider}:{folder}")
    with pytest.warns(UserWarning, match='pooling="mean" is taken.*cls, mean'):
        silent = embedder.embed_documents(TEXTS)
    embedder.embed_documents(TEXTS)  # a second warning would be an error here

    chosen = load_embedder(f"{provider}:{folder}", pooling="mean")
    np.testing.assert_array_equal(chosen.embed_documents(TEXTS), silent)
    assert (chosen.fingerprint, chosen.space) == (embedder.fingerprint, embedder.space)


@pytest.mark.filterwarnings("ignore:.*has no modules.json:UserWarning")
@pytest.mark.parametrize("is_causal", [True, False])
def test_a_plain_decoder_is_pooled_by_its_last_token(change: Change, is_causal: bool) -> None:
    """As sentence-transformers does it for causal language models, and for them alone."""
    import json

    folder = change({MODULES: None})
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"architectures": ["SomeForCausalLM"], "is_causal": is_causal}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    expected = load_embedder(f"onnx:{folder}", pooling="last" if is_causal else "mean")

    found = load_embedder(f"onnx:{folder}")
    np.testing.assert_array_equal(found.embed_documents(TEXTS), expected.embed_documents(TEXTS))


@pytest.mark.parametrize("pooling", ["cls", "max", "last"])
def test_another_pooling_is_another_space(changed: Change, pooling: str) -> None:
    """The option wins over the folder, with the same vectors and space in both providers."""
    folder = changed({})
    ours, theirs = (load_embedder(f"{name}:{folder}", pooling=pooling) for name in PROVIDERS)
    own = load_embedder(f"onnx:{folder}")

    np.testing.assert_allclose(
        ours.embed_documents(TEXTS), theirs.embed_documents(TEXTS), rtol=0, atol=1e-5
    )
    assert ours.space == theirs.space != own.space
    assert ours.fingerprint != own.fingerprint
    assert np.abs(ours.embed_documents(TEXTS) - own.embed_documents(TEXTS)).max() > 1e-3


def test_another_pooling_of_the_bundled_model() -> None:
    """Its space is no longer that of the original."""
    own, other = load_embedder("default"), load_embedder("default", pooling="cls")

    assert other.space == f"{own.space}:cls"
    assert other.fingerprint != own.fingerprint


def test_a_pooling_that_does_not_exist() -> None:
    """An unknown word is an error that lists the known ones."""
    with pytest.raises(InvalidOptionError, match="last"):
        load_embedder("default", pooling="median")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_users_width_wins(changed: Change, provider: str) -> None:
    """A saved `truncate_dim` is the default; `dimensions` may be less, or more."""
    folder = changed({OWN: {"truncate_dim": 8}})
    whole = load_embedder(f"{provider}:{changed_back(folder)}").embed_documents(TEXTS)
    saved = load_embedder(f"{provider}:{folder}")
    np.testing.assert_array_equal(saved.embed_documents(TEXTS), whole[:, :8])
    assert saved.dimensions == 8

    for width in (4, 16):
        wanted = load_embedder(f"{provider}:{folder}", dimensions=width)
        np.testing.assert_array_equal(wanted.embed_documents(TEXTS), whole[:, :width])


def changed_back(folder: Path) -> Path:
    """A copy of a folder without its settings."""
    import shutil

    twin = Path(shutil.copytree(folder, folder.with_name("whole")))
    (twin / OWN).unlink()
    return twin


def tokenizer_config(**config: Any) -> dict[str, Any]:
    """A tokenizer with the bundled one's marks as those of begin and end."""
    marks = {"bos_token": "[CLS]", "eos_token": END, "pad_token": "[PAD]"}
    own = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]", **marks}
    return {"tokenizer_config.json": own | config}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("splits", [True, False])
def test_the_name_of_a_special_token_in_a_text(
    changed: Change, provider: str, *, splits: bool
) -> None:
    """Whether it is text like any other, the tokenizer's configuration says and no tokenizer.json."""
    from sentence_transformers import SentenceTransformer

    texts = ["plain", "a [SEP] b", "[CLS] and [PAD]"]
    folder = changed(tokenizer_config(split_special_tokens=splits))
    raw: Any = SentenceTransformer(str(folder), device="cpu")
    embedder = load_embedder(f"{provider}:{folder}")

    np.testing.assert_allclose(
        embedder.embed_documents(texts), raw.encode_document(texts), rtol=0, atol=1e-5
    )
    assert embedder.model.count_tokens(texts) == [
        len(raw.tokenizer(text).input_ids) for text in texts
    ]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_files_that_contradict_each_other_about_marks(changed: Change, provider: str) -> None:
    """The warning has both values."""
    folder = changed(tokenizer_config(eos_token="[MASK]", add_eos_token=True))
    with pytest.warns(UserWarning, match=r"add_eos_token=True.*'\[SEP\]'.*'\[MASK\]'"):
        load_embedder(f"{provider}:{folder}").embed_query("text")


@pytest.mark.parametrize("config", [{}, {"add_eos_token": True, "add_bos_token": True}])
def test_files_that_agree_about_marks(changed: Change, config: dict[str, bool]) -> None:
    """No warning, which would be an error here."""
    folder = changed(tokenizer_config(**config))
    for provider in PROVIDERS:
        load_embedder(f"{provider}:{folder}").embed_query("text")


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({MODULES: [{"type": "sentence_transformers.models.Router", "path": ""}]}, "Router"),
        ({"sentence_bert_config.json": {"processing_kwargs": {"text": {}}}}, "processing_kwargs"),
        ({"sentence_bert_config.json": {"modality_config": {"message": {}}}}, "chat template"),
        ({"sentence_bert_config.json": {"module_output_name": "logits"}}, "module_output_name"),
        ({"sentence_bert_config.json": {"transformer_task": "fill-mask"}}, "transformer_task"),
    ],
)
def test_what_is_refused_by_name(change: Change, files: dict[str, Any], named: str) -> None:
    """The message names it, and the provider that takes it."""
    with pytest.raises(ConfigurationError, match=rf"(?s){named}.*huggingface:"):
        load_embedder(f"onnx:{change(files)}").embed_query("text")


@pytest.mark.parametrize(
    ("saved", "named"),
    [
        ({"truncate_dim": -4}, "truncate_dim is -4"),
        ({"truncate_dim": "8"}, "truncate_dim is '8'"),
        ({"prompts": {"query": 7}}, "prompts"),
        ({"default_prompt_name": "other"}, "default_prompt_name is 'other'"),
    ],
)
def test_settings_that_cannot_be_meant(change: Change, saved: dict[str, Any], named: str) -> None:
    """They are an error that names the file, not another vector."""
    with pytest.raises(ConfigurationError, match=rf"{OWN}.*{named}"):
        load_embedder(f"onnx:{change({OWN: saved})}").embed_query("text")
