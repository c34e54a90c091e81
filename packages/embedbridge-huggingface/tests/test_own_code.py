"""Models with code of their own in front of the first layer: it gets every text, as the library does it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling

from embedbridge.core import load_embedder

TEXTS = ["HELLO THERE", "hello there", "STOP", "go on", "Subject: the city", "a naïve idea"]
PROMPTS = {"query": "query: ", "document": "of: "}
HEAD = """
import torch
from sentence_transformers.base.modules import Transformer


class Own(Transformer):
"""
MODULES = {
    "a value for each text": """
    def preprocess(self, inputs, prompt=None, **options):
        features = super().preprocess(inputs, prompt=prompt, **options)
        features["shouts"] = [text.isupper() for text in inputs]
        return features

    def forward(self, features, **options):
        signs = torch.tensor([-1.0 if loud else 1.0 for loud in features.pop("shouts")])
        made = super().forward(features, **options)
        made["token_embeddings"] = made["token_embeddings"] * signs[:, None, None]
        return made
""",
    "a value for each batch": """
    def preprocess(self, inputs, prompt=None, **options):
        features = super().preprocess(inputs, prompt=prompt, **options)
        features["longest"] = max(map(len, inputs))
        return features

    def forward(self, features, **options):
        longest = features.pop("longest")
        made = super().forward(features, **options)
        made["token_embeddings"] = made["token_embeddings"] + longest * torch.arange(32)
        return made
""",
    "a cleaned text behind its prompt": """
    def preprocess(self, inputs, prompt=None, **options):
        texts = [text.partition(":")[2] or text for text in inputs]
        return super().preprocess(texts, prompt=prompt, **options)
""",
}
OWN_TOKENIZER = """
from transformers import PreTrainedTokenizerFast


class Own(PreTrainedTokenizerFast):
    def {entrance}(self, text, *others, **options):
        texts = [text] if isinstance(text, str) else text
        texts = [one.replace("naïve", "simple") for one in texts]
        text = texts[0] if isinstance(text, str) else texts
        return super().{entrance}(text, *others, **options)
"""


def change(folder: str, name: str, made: Callable[[Any], Any]) -> None:
    path = Path(folder, name)
    path.write_text(json.dumps(made(json.loads(path.read_text("utf-8")))), encoding="utf-8")


def assert_vectors_of_the_library(folder: str) -> None:
    raw: Any = SentenceTransformer(folder, device="cpu", trust_remote_code=True)
    with load_embedder(f"huggingface:{folder}", device="cpu", trust_remote_code=True) as embedder:
        queries, documents = embedder.embed_queries(TEXTS), embedder.embed_documents(TEXTS)

    np.testing.assert_allclose(queries, raw.encode_query(TEXTS), rtol=0, atol=1e-5)
    np.testing.assert_allclose(documents, raw.encode_document(TEXTS), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("prompts", [{}, PROMPTS], ids=["no prompts", "prompts"])
def test_a_first_module_of_the_models_own(
    own_folder: str, kind: str, prompts: dict[str, str]
) -> None:
    """It may take anything from a text, whatever it does with the few that are tried while loading."""
    Path(own_folder, "own_module.py").write_text(HEAD + MODULES[kind], encoding="utf-8")
    change(own_folder, "modules.json", lambda c: [c[0] | {"type": "own_module.Own"}, *c[1:]])
    change(own_folder, "config_sentence_transformers.json", lambda c: c | {"prompts": prompts})

    assert_vectors_of_the_library(own_folder)


@pytest.mark.parametrize("entrance", ["__call__", "_encode_plus"])
def test_a_tokenizer_of_the_models_own(own_folder: str, entrance: str) -> None:
    """Python in front of the tokenizer in Rust is not skipped."""
    code = OWN_TOKENIZER.format(entrance=entrance)
    Path(own_folder, "own_tokenizer.py").write_text(code, encoding="utf-8")
    own = {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": [None, "own_tokenizer.Own"]}}
    change(own_folder, "tokenizer_config.json", lambda config: config | own)

    assert_vectors_of_the_library(own_folder)


def test_a_module_of_the_models_own_behind_a_router(tiny_folder: str, tmp_path: Path) -> None:
    """A router finds its way by a table as well as by the name of a role."""

    class Loud(Transformer):
        pass

    from embedbridge.providers.huggingface._inputs import first_module
    from embedbridge.providers.huggingface._own_code import reads_by_itself

    plain, loud = ([kind(tiny_folder), Pooling(32)] for kind in (Transformer, Loud))
    routes: dict[Any, str] = {("query", "text"): "plain", ("document", None): "loud"}
    make: Any = Router
    router = make({"plain": plain, "loud": loud}, route_mappings=routes)
    model = SentenceTransformer(modules=[router], device="cpu")

    assert first_module(model, "query") is plain[0]
    assert first_module(model, "document") is loud[0]
    assert not reads_by_itself(plain[0])
    assert reads_by_itself(loud[0])


@pytest.mark.parametrize(
    "value", [lambda texts: [text.isupper() for text in texts], lambda texts: max(map(len, texts))]
)
def test_features_that_are_no_tensors_are_used_for_all_texts_or_none(
    own_folder: str, monkeypatch: pytest.MonkeyPatch, value: Callable[[list[str]], object]
) -> None:
    """Also where a library makes them: one for each text, or of another value, would be another text's."""
    own = SentenceTransformer.preprocess

    def other(self: Any, inputs: Any, *args: Any, **options: Any) -> Any:
        texts = [text["text"] for text in inputs]
        return {**own(self, inputs, *args, **options), "other": value(texts)}

    monkeypatch.setattr(SentenceTransformer, "preprocess", other)
    with load_embedder(f"huggingface:{own_folder}", device="cpu") as embedder:
        prepared = embedder.model.prepare(TEXTS, role="query", prompt="")

    assert prepared is not None
    assert not prepared.payloads
