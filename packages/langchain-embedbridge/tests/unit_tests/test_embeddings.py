"""The adapter gives what the engine gives, as LangChain wants it."""

import asyncio
import threading

import pytest

from embedbridge.contract import Batch, BatchResult, InvalidInputError
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import FakeModel, RecordingModel, RemoteFakeModel, fake_embedder
from langchain_embedbridge import EmbedBridgeEmbeddings

TEXTS = [f"text number {number}{' and more' * (number % 7)}" for number in range(100)]


@pytest.fixture(params=[FakeModel, RemoteFakeModel], ids=["local", "remote"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return Embedder(request.param("text"))


@pytest.fixture
def embeddings(embedder: Embedder) -> EmbedBridgeEmbeddings:
    return EmbedBridgeEmbeddings(embedder=embedder)


def test_documents_have_the_engines_vectors(
    embedder: Embedder, embeddings: EmbedBridgeEmbeddings
) -> None:
    """Not one bit is lost on the way to lists of floats."""
    vectors = embeddings.embed_documents(TEXTS)

    assert vectors == embedder.embed_documents(TEXTS).tolist()


def test_a_query_has_the_engines_vector(
    embedder: Embedder, embeddings: EmbedBridgeEmbeddings
) -> None:
    """A query is embedded as a query, not as a document."""
    vector = embeddings.embed_query("which text?")

    assert vector == embedder.embed_query("which text?").tolist()
    assert vector != embeddings.embed_documents(["which text?"])[0]


async def test_async_documents_are_the_same(embeddings: EmbedBridgeEmbeddings) -> None:
    """`aembed_documents` differs from `embed_documents` in nothing but waiting."""
    assert await embeddings.aembed_documents(TEXTS) == embeddings.embed_documents(TEXTS)


async def test_an_async_query_is_the_same(embeddings: EmbedBridgeEmbeddings) -> None:
    """`aembed_query` differs from `embed_query` in nothing but waiting."""
    assert await embeddings.aembed_query("which text?") == embeddings.embed_query("which text?")


def test_no_texts_give_no_vectors(embeddings: EmbedBridgeEmbeddings) -> None:
    """An empty list is a job of nothing."""
    assert embeddings.embed_documents([]) == []


def test_a_generator_is_a_list_of_texts(embeddings: EmbedBridgeEmbeddings) -> None:
    """Any iterable of texts is embedded, also one that can be read only once."""
    assert embeddings.embed_documents(text for text in TEXTS) == embeddings.embed_documents(TEXTS)


def test_a_text_keeps_its_newlines() -> None:
    """Unlike LangChain's own classes, the adapter changes no character of a text."""
    model = RecordingModel("small")
    EmbedBridgeEmbeddings(embedder=model).embed_documents(["two\nlines"])

    assert model.seen == ["two\nlines"]


def test_a_whole_job_arrives_as_planned_batches() -> None:
    """100 texts of mixed length are four full batches, each sorted by length over the whole job."""
    model = RecordingModel("small")
    EmbedBridgeEmbeddings(embedder=model).embed_documents(TEXTS)
    lengths = [len(text.split()) for batch in model.batches for text in batch.texts]

    assert sorted(map(len, model.batches)) == [4, 32, 32, 32]
    assert lengths in (sorted(lengths), sorted(lengths, reverse=True))


class GatedModel(FakeModel):
    """Computes only after somebody else has opened its gate."""

    def __init__(self) -> None:
        super().__init__("small")
        self.started, self.gate = threading.Event(), threading.Event()

    def embed_batch(self, batch: Batch) -> BatchResult:
        self.started.set()
        self.gate.wait()  # for ever, if the event loop is blocked
        return super().embed_batch(batch)


async def test_the_event_loop_is_free_while_a_model_computes() -> None:
    """The gate is opened on the event loop, which takes a loop that still turns."""
    model = GatedModel()
    job = asyncio.create_task(EmbedBridgeEmbeddings(embedder=model).aembed_documents(["a"]))
    await asyncio.to_thread(model.started.wait, 30)
    model.gate.set()

    assert len(await job) == 1


def test_an_input_without_a_vector_is_never_nan() -> None:
    """LangChain has no place for a per-input error, so an embedder that collects them raises."""
    embeddings = EmbedBridgeEmbeddings(embedder=fake_embedder(errors="collect"))

    with pytest.raises(InvalidInputError, match="Input 1: "):
        embeddings.embed_documents(["good", "", "good too"])


@pytest.mark.parametrize(
    ("field", "setting", "shown"),
    [(True, False, True), (False, True, False), (None, True, True), (None, False, False)],
)
def test_the_field_decides_over_the_settings_whether_a_bar_is_shown(
    capsys: pytest.CaptureFixture[str], field: bool | None, setting: bool, shown: bool
) -> None:
    """`show_progress` is LangChain's habit; left out, the engine's settings decide."""
    embedder = load_embedder("fake:small", show_progress=setting)
    EmbedBridgeEmbeddings(embedder=embedder, show_progress=field).embed_documents(["a"])

    assert ("100%" in capsys.readouterr().err) is shown


@pytest.mark.parametrize(("field", "shown"), [(False, False), (True, True), (None, True)])
async def test_no_bar_is_no_bar_for_a_query(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    field: bool | None,
    shown: bool,
) -> None:
    """`show_progress=False` counts for queries too, whatever the environment says."""
    monkeypatch.setenv("EMBEDBRIDGE_SHOW_PROGRESS", "1")
    embeddings = EmbedBridgeEmbeddings("fake:small", show_progress=field)
    embeddings.embed_query("a")
    sync = capsys.readouterr().err
    await embeddings.aembed_query("a")

    assert ["100%" in bars for bars in (sync, capsys.readouterr().err)] == [shown, shown]
