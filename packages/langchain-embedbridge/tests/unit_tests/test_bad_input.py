"""Bad input is a typed error that names the position, and nothing reaches the model."""

from typing import Any

import pytest
from langchain_core.vectorstores import InMemoryVectorStore

from embedbridge.contract import EmbedBridgeError, InvalidInputError, InvalidOptionError
from embedbridge.core import load_embedder
from embedbridge.testing import RecordingModel
from langchain_embedbridge import EmbedBridgeEmbeddings

NOT_A_LIST = {
    "a single str": "not a list",
    "None": None,
    "bytes": b"bytes",
    "a number": 7,
    "a mapping": {"text": 1},
    "a set": {"text"},
}
NOT_A_TEXT = {
    "None": None,
    "bytes": b"bytes",
    "a number": 7,
    "a list": ["nested"],
    "empty": "",
    "white space": " \n\t",
    "a lone surrogate": "half \ud83d",
}


@pytest.fixture
def model() -> RecordingModel:
    return RecordingModel("text")


@pytest.fixture
def embeddings(model: RecordingModel) -> EmbedBridgeEmbeddings:
    return EmbedBridgeEmbeddings(embedder=model)


@pytest.mark.parametrize("texts", NOT_A_LIST.values(), ids=NOT_A_LIST)
def test_what_is_no_list_is_refused(
    model: RecordingModel, embeddings: EmbedBridgeEmbeddings, texts: Any
) -> None:
    """A `str` is never embedded character by character, nor bytes number by number."""
    with pytest.raises(InvalidInputError, match="Expected a list"):
        embeddings.embed_documents(texts)

    assert not model.batches


async def test_empty_texts_can_be_embedded(model: RecordingModel) -> None:
    """With `on_empty="embed"` an empty text has the vector that the model gives it."""
    embeddings = EmbedBridgeEmbeddings(embedder=model, on_empty="embed")
    vectors = embeddings.embed_documents(["a", "", " "])

    assert vectors == await embeddings.aembed_documents(["a", "", " "])
    assert embeddings.embed_query("") == await embeddings.aembed_query("")
    assert {"passage: ", "passage:  ", "query: "} <= set(model.seen)
    store = InMemoryVectorStore(embeddings)
    store.add_texts(["a", "", " "])
    assert store.similarity_search("", k=3)


def test_nothing_can_be_skipped() -> None:
    """LangChain zips texts and vectors: a text without one would move all that come after."""
    with pytest.raises(InvalidOptionError, match="LangChain wants a vector for each text"):
        EmbedBridgeEmbeddings(model="fake:text", on_empty="skip")
    with pytest.raises(InvalidOptionError, match='on_empty="embed"'):
        EmbedBridgeEmbeddings(embedder=load_embedder("fake:text", on_empty="skip"))


@pytest.mark.parametrize("text", NOT_A_TEXT.values(), ids=NOT_A_TEXT)
def test_what_is_no_text_is_refused_with_its_position(
    model: RecordingModel, embeddings: EmbedBridgeEmbeddings, text: Any
) -> None:
    """All texts are checked before the first one is embedded."""
    with pytest.raises(InvalidInputError) as caught:
        embeddings.embed_documents(["good", "good too", text])

    assert caught.value.index == 2
    assert not model.batches


@pytest.mark.parametrize("text", NOT_A_TEXT.values(), ids=NOT_A_TEXT)
async def test_a_bad_query_is_refused(
    model: RecordingModel, embeddings: EmbedBridgeEmbeddings, text: Any
) -> None:
    """Sync and async alike."""
    with pytest.raises(InvalidInputError):
        embeddings.embed_query(text)
    with pytest.raises(InvalidInputError):
        await embeddings.aembed_query(text)

    assert not model.batches


async def test_async_documents_are_checked_like_sync_ones(
    embeddings: EmbedBridgeEmbeddings,
) -> None:
    """The twin has no gentler door."""
    with pytest.raises(InvalidInputError) as caught:
        await embeddings.aembed_documents(["good", None])  # type: ignore[list-item]  # that is it

    assert caught.value.index == 1


def test_a_model_that_fails_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a model raises, callers need to know one tree of errors."""

    class BrokenModel(RecordingModel):
        def embed_batch(self, batch: object) -> Any:
            raise RuntimeError("the model's own trouble")

    with pytest.raises(EmbedBridgeError, match="the model's own trouble") as caught:
        EmbedBridgeEmbeddings(embedder=BrokenModel()).embed_documents(["a"])

    assert isinstance(caught.value.__cause__, RuntimeError)
