"""`resolve_embed_model` takes what LlamaIndex's takes, and what is ours."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from llama_index.core import Settings
from llama_index.core.callbacks import CallbackManager
from llama_index.core.embeddings import MockEmbedding

from embedbridge.contract import ConfigurationError, UnknownProviderError
from embedbridge.core import Embedder
from embedbridge.testing import FakeModel
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding, resolve_embed_model


class OursForLangChain(DeterministicFakeEmbedding):
    """Like our LangChain adapter, it hands its embedder to the bridge."""

    embedder: Any

    def __embedbridge__(self) -> Embedder:
        held: Embedder = self.embedder
        return held


class Prefixed(DeterministicFakeEmbedding):
    """A user's class around an embedder of ours."""

    embedder: Any

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        rows: list[list[float]] = self.embedder.embed_documents([f"x: {t}" for t in texts]).tolist()
        return rows


@pytest.fixture(autouse=True)
def no_testing_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IS_TESTING", raising=False)


@pytest.mark.parametrize(
    "ours",
    [
        "fake:small",
        FakeModel("small"),
        Embedder(FakeModel("small")),
        OursForLangChain(size=3, embedder=Embedder(FakeModel("small"))),
    ],
    ids=["name", "model", "embedder", "LangChain"],
)
def test_ours(ours: Any) -> None:
    """A name, a model, an embedder and our own LangChain adapter become our LlamaIndex adapter."""
    resolved = resolve_embed_model(ours)

    assert isinstance(resolved, EmbedBridgeEmbedding)
    assert resolved.get_query_embedding("a") == EmbedBridgeEmbedding(
        "fake:small"
    ).get_query_embedding("a")


def test_an_embedder_is_shared() -> None:
    """Both frameworks use one engine: nothing is loaded twice."""
    embedder = Embedder(FakeModel("small"))
    theirs = OursForLangChain(size=3, embedder=embedder)

    assert resolve_embed_model(theirs).embedder is embedder  # type: ignore[attr-defined]


def test_code_around_an_embedder_is_called() -> None:
    """An attribute named `embedder` is a user's own affair."""
    embedder = Embedder(FakeModel("small"))
    resolved = resolve_embed_model(Prefixed(size=3, embedder=embedder))

    expected = embedder.embed_documents(["x: a"]).tolist()
    assert resolved.get_text_embedding_batch(["a"]) == expected


@pytest.mark.parametrize("given", [MockEmbedding(3), EmbedBridgeEmbedding("fake:small")])
def test_a_model_of_llama_index(given: Any) -> None:
    """It is returned as it is."""
    assert resolve_embed_model(given) is given


def test_none(capsys: pytest.CaptureFixture[str]) -> None:
    """`None` is the mock that LlamaIndex's users know, with its message."""
    resolved = resolve_embed_model(None)

    assert isinstance(resolved, MockEmbedding)
    assert resolved.embed_dim == 1
    assert "explicitly disabled" in capsys.readouterr().out


def test_default_in_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """With IS_TESTING set, `default` is LlamaIndex's mock of eight dimensions."""
    monkeypatch.setenv("IS_TESTING", "1")
    resolved = resolve_embed_model("default")

    assert isinstance(resolved, MockEmbedding)
    assert resolved.embed_dim == 8


@pytest.mark.parametrize("name", ["clip", "clip:ViT-B/32"])
def test_clip_is_ours(name: str) -> None:
    """LlamaIndex's names of CLIP give our provider; nothing is loaded before it is needed."""
    pytest.importorskip("embedbridge.providers.clip", reason="it takes torch")
    model = resolve_embed_model(name)

    assert isinstance(model, EmbedBridgeEmbedding)
    assert model.embedder.model.provider == "clip"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("BAAI/bge-small-en-v1.5", "huggingface:BAAI/bge-small-en-v1.5"),
        ("nobody:model", "nobody"),
    ],
)
def test_what_is_not_installed(name: str, said: str) -> None:
    """The error says what to install or to write; a key is never asked for, nothing is fetched."""
    with pytest.raises(UnknownProviderError, match=said):
        resolve_embed_model(name)


@pytest.mark.parametrize("name", ["default", "local"])
def test_the_bundled_model(name: str) -> None:
    """It answers offline, without a key, where the package that carries it is installed."""
    pytest.importorskip("embedbridge.providers.onnx", reason="embedbridge-onnx carries the model")
    resolved = resolve_embed_model(name)

    assert isinstance(resolved, EmbedBridgeEmbedding)
    assert resolved.model_name == "onnx:all-MiniLM-L6-v2"
    assert len(resolved.get_query_embedding("Where do penguins live?")) == 384


@pytest.mark.parametrize("nonsense", [42, object, ["fake:small"], ""], ids=repr)
def test_nonsense(nonsense: Any) -> None:
    """What is no embedding model is said to be none."""
    with pytest.raises(ConfigurationError):
        resolve_embed_model(nonsense)


@pytest.mark.parametrize(
    "given", ["fake:small", None, MockEmbedding(3)], ids=["ours", "None", "LI"]
)
def test_callback_manager(given: Any) -> None:
    """The caller's is set, else LlamaIndex's global one."""
    manager = CallbackManager([])

    assert resolve_embed_model(given, manager).callback_manager is manager
    assert resolve_embed_model(given).callback_manager is Settings.callback_manager


@pytest.mark.parametrize(
    "ours",
    [
        "fake:small",
        FakeModel("small"),
        Embedder(FakeModel("small")),
        Embedder(FakeModel("small")).to_config(),
        DeterministicFakeEmbedding(size=8),
    ],
    ids=["name", "model", "embedder", "configuration", "LangChain"],
)
def test_options_as_for_the_class_itself(ours: Any) -> None:
    """What stands behind the name is the option's owner: the model, the engine, LlamaIndex."""
    resolved = resolve_embed_model(ours, max_retries=4, embed_batch_size=3)

    assert isinstance(resolved, EmbedBridgeEmbedding)
    assert resolved.embedder.settings.max_attempts == 5
    assert resolved.embed_batch_size == 3


def test_a_model_of_llama_index_takes_no_options_of_ours() -> None:
    """They would be lost in silence."""
    with pytest.raises(ConfigurationError, match="takes no options here: base_url"):
        resolve_embed_model(MockEmbedding(3), base_url="http://127.0.0.1:1")
