"""A key is nowhere: not in what is written down, not in what listeners are shown."""

from __future__ import annotations

import base64
import copy
import pickle
import traceback
from typing import Any, ClassVar

import pytest
from llama_index.core.callbacks import CallbackManager
from pydantic import SecretStr

from embedbridge.contract import Batch, BatchResult, EmbedBridgeError, ModelOptions
from embedbridge.testing import FakeModel
from embedbridge.testing.fakes import FakeOptions
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

CANARY = "sk-canary-0123456789"
FORMS = [CANARY, base64.b64encode(CANARY.encode()).decode(), CANARY[:12], CANARY.encode().hex()]


class SecretOptions(FakeOptions):
    api_key: SecretStr | None = None


class SecretModel(FakeModel):
    """A model with a key."""

    Options: ClassVar[type[ModelOptions]] = SecretOptions
    options: SecretOptions

    def embed_batch(self, batch: Batch) -> BatchResult:
        assert self.options.api_key is not None
        assert self.options.api_key.get_secret_value() == CANARY
        if batch.texts == ["fail"]:
            raise EmbedBridgeError("The server said no.")
        return super().embed_batch(batch)


@pytest.fixture
def embedding(callbacks: Any) -> EmbedBridgeEmbedding:
    return EmbedBridgeEmbedding(
        embedder=SecretModel("small", api_key=CANARY), callback_manager=CallbackManager([callbacks])
    )


def assert_clean(*shown: object) -> None:
    for text in map(str, shown):
        assert not [form for form in FORMS if form in text]


def test_written_down(embedding: EmbedBridgeEmbedding) -> None:
    """No written form of the component holds the key, and none of its copies."""
    assert_clean(
        repr(embedding),
        str(embedding),
        f"{embedding!r:>100}",
        embedding.to_dict(),
        embedding.to_json(),
        embedding.dict(),
        embedding.json(),
        embedding.model_dump(),
        embedding.model_dump_json(),
        embedding.to_payload(),
        embedding.model_json_schema(),
        vars(embedding),
        list(embedding),
        embedding.__getstate__(),
        pickle.dumps(embedding),
        pickle.dumps(embedding, protocol=0).decode("latin1"),
        repr(copy.deepcopy(embedding)),
        repr(pickle.loads(pickle.dumps(embedding)).embedder.model.options),
    )


async def test_shown_to_listeners(
    embedding: EmbedBridgeEmbedding, callbacks: Any, events: Any, spans: Any
) -> None:
    """Events, spans and callbacks do not show it, whether the job succeeds or fails."""
    embedding.get_text_embedding_batch(["a", "b"])
    await embedding.aget_query_embedding("a")
    with pytest.raises(EmbedBridgeError):
        embedding.get_text_embedding("fail")

    assert len(events.seen) == 6  # the failed one has a start, and LlamaIndex's SpanDropEvent
    assert spans.dropped
    assert_clean(events.seen, spans.shown, callbacks.seen)
    assert_clean(*[event.model_dump_json() for event in events.seen])


def test_in_exceptions(embedding: EmbedBridgeEmbedding) -> None:
    """No exception and no traceback shows it, also where the option itself is wrong."""
    with pytest.raises(EmbedBridgeError) as failed:
        embedding.get_text_embedding("fail")
    with pytest.raises(EmbedBridgeError) as wrong:
        SecretModel("small", api_key=[CANARY])
    with pytest.raises(EmbedBridgeError) as unknown:
        EmbedBridgeEmbedding("fake:small", api_key=CANARY)

    for caught in (failed, wrong, unknown):
        assert_clean(*traceback.format_exception(caught.value))
