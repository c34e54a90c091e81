"""Tiny static models made in code, as both libraries write them."""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import real_texts

WIDTH = 24
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
TYPES = "sentence_transformers.models."
Write = Callable[..., Path]


def vocabulary() -> dict[str, int]:
    """Special tokens, characters, endings, and some frequent words; no emoji and no Chinese."""
    letters = f"{string.ascii_letters}{string.digits}ß"
    words = {word.lower() for text in real_texts(60, max_words=100) for word in text.split()}
    known = [word for word in sorted(words) if word.isalpha()]
    tokens = [*SPECIAL, *letters, *(f"##{one}" for one in letters), *string.punctuation, *known]
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """A WordPiece tokenizer as BERT has it."""
    made = Tokenizer(models.WordPiece(vocabulary(), unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(list(SPECIAL))
    return made


@pytest.fixture(scope="session")
def table(tokenizer: Tokenizer) -> NDArray[np.float32]:
    """A random row for each token."""
    shape = (tokenizer.get_vocab_size(), WIDTH)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.fixture
def write(tmp_path: Path, tokenizer: Tokenizer, table: NDArray[np.float32]) -> Write:
    """A function that writes a folder.

    `tensors` replace the table, `config` is that of model2vec, `files` are written last: JSON values,
    bytes, or `None` to remove one. `truncation` is the tokenizer's own.
    """

    def make(
        kind: str = "model2vec",
        *,
        tensors: Mapping[str, NDArray[Any]] | None = None,
        config: Mapping[str, object] | None = None,
        normalize: bool = True,
        truncation: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
    ) -> Path:
        folder = tmp_path / f"model{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        ours = kind == "model2vec"
        name = "embeddings" if ours else "embedding.weight"
        save_file(dict(tensors or {name: table}), folder / "model.safetensors")
        copy = Tokenizer.from_str(tokenizer.to_str())
        if truncation is not None:
            copy.enable_truncation(**truncation)
        copy.save(str(folder / "tokenizer.json"))
        modules = ["StaticEmbedding", *(["Normalize"] if normalize else [])]
        written: dict[str, Any] = {
            "modules.json": [
                {"idx": n, "name": str(n), "path": "." if n == 0 else "1_N", "type": TYPES + module}
                for n, module in enumerate(modules)
            ],
            **({} if ours else {"config_sentence_transformers.json": {}}),
        }
        if ours:
            written["config.json"] = {"model_type": "model2vec", "normalize": normalize} | dict(
                config or {}
            )
        for path, content in (written | dict(files or {})).items():
            place = folder / path
            place.unlink(missing_ok=True)
            place.parent.mkdir(exist_ok=True)
            if isinstance(content, bytes):
                place.write_bytes(content)
            elif content is not None:
                place.write_text(json.dumps(content), encoding="utf-8")
        return folder

    return make


@pytest.fixture
def sentence(write: Write) -> Embedder:
    """A model in the format of sentence-transformers that does not normalise.

    A text of control characters alone has no tokens: its vector is zeros, as it is there.
    """
    folder = write("sentence-transformers", normalize=False)
    return load_embedder(f"static:{folder}", on_zero_vector="allow")


@pytest.fixture
def model2vec(write: Write) -> Embedder:
    """A model in the format of model2vec that cuts after 32 tokens.

    A text of unknown tokens alone has none that count: its vector is zeros, as it is there.
    """
    folder = write(config={"max_length": 32})
    return load_embedder(f"static:{folder}", on_zero_vector="allow")
