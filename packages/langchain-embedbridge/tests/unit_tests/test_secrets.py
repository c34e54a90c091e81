"""A key never leaves the model: not in any form that is printed, stored or sent."""

import copy
import os
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.load import dumps
from pydantic import SecretStr, TypeAdapter, ValidationError

from embedbridge.contract import AuthenticationError, Batch, BatchResult, EmbedBridgeError
from embedbridge.testing import FakeModel
from embedbridge.testing.fakes import FakeOptions
from langchain_embedbridge import EmbedBridgeEmbeddings

CANARY = "sk-canary-4f7a"


class VaultOptions(FakeOptions):
    api_key: SecretStr | None = None


class VaultModel(FakeModel):
    """Finds its key in an option or in the environment, and needs it."""

    Options = VaultOptions
    options: VaultOptions

    def key(self) -> str:
        if self.options.api_key is not None:
            return self.options.api_key.get_secret_value()
        return os.environ.get("VAULT_API_KEY", "")

    def embed_batch(self, batch: Batch) -> BatchResult:
        if self.key() != CANARY:
            raise AuthenticationError("The key is refused.")
        return super().embed_batch(batch)


@pytest.fixture
def embeddings() -> EmbedBridgeEmbeddings:
    return EmbedBridgeEmbeddings(embedder=VaultModel("small", seed=3, api_key=CANARY))


SURFACES: dict[str, Callable[[EmbedBridgeEmbeddings], object]] = {
    "repr": repr,
    "str": str,
    "model_dump": EmbedBridgeEmbeddings.model_dump,
    "model_dump_json": EmbedBridgeEmbeddings.model_dump_json,
    "dict": dict,
    "pickle": pickle.dumps,
    "LangChain's dumps": dumps,
    "the embedder": lambda embeddings: repr(embeddings.embedder),
}


@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)
def test_no_form_holds_the_key(
    embeddings: EmbedBridgeEmbeddings, surface: Callable[[EmbedBridgeEmbeddings], object]
) -> None:
    """What may land in a log, a file or a queue is free of secrets."""
    assert CANARY not in str(surface(embeddings))


def test_no_error_holds_the_key() -> None:
    """A wrong option beside a key, or a key of the wrong type, does not print it."""
    messages = []
    for options in ({"api_key": CANARY, "sed": 3}, {"api_key": [CANARY]}):
        with pytest.raises(EmbedBridgeError) as caught:
            EmbedBridgeEmbeddings(embedder=VaultModel("small", **options))
        messages.append(f"{caught.value!r} {caught.value} {caught.value.__cause__!r}")

    assert CANARY not in "".join(messages)


@pytest.mark.parametrize("model", ["nobody:small", "fake:small", 7])
def test_no_error_of_pydantic_holds_the_key(model: object) -> None:
    """It shows what it was given, and so do the models around ours, unless we say what that was."""
    values = {"model": model, "api_key": CANARY}
    cases: list[tuple[Any, object]] = [
        (EmbedBridgeEmbeddings, values),
        (list[EmbedBridgeEmbeddings], [values]),
    ]
    for kind, given in cases:
        with pytest.raises(ValidationError) as caught:
            TypeAdapter(kind).validate_python(given)
        assert CANARY not in f"{caught.value} {caught.value!r} {caught.value.errors()}"


def test_a_pickle_finds_its_key_in_the_environment(
    embeddings: EmbedBridgeEmbeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process has the variable; the pickle has the rest of the configuration."""
    restored = pickle.loads(pickle.dumps(embeddings))
    monkeypatch.setenv("VAULT_API_KEY", CANARY)

    assert restored.embed_query("a") == embeddings.embed_query("a")


def test_a_copy_keeps_the_key(embeddings: EmbedBridgeEmbeddings) -> None:
    """Within one process a copy shares the embedder, so that it works like the original."""
    for twin in (copy.copy(embeddings), copy.deepcopy(embeddings), embeddings.model_copy()):
        assert twin.embed_query("a") == embeddings.embed_query("a")
