"""Spans say what was done, and never what was embedded."""

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from embedbridge.contract import ProviderUnavailableError
from embedbridge.core import Embedder, OpenTelemetryListener, Settings
from embedbridge.testing import FakeModel, FlakyModel, RemoteFakeModel


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


@pytest.fixture
def listener(provider: TracerProvider) -> OpenTelemetryListener:
    return OpenTelemetryListener(provider)


def named(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


@pytest.mark.parametrize("model", [FakeModel("small"), RemoteFakeModel("small")], ids=type)
def test_a_job_is_one_span_with_one_for_each_request(
    model: FakeModel | RemoteFakeModel,
    exporter: InMemorySpanExporter,
    listener: OpenTelemetryListener,
) -> None:
    """The requests are children of the job, and their tokens add up to the job's, counted once."""
    embedder = Embedder(model, listeners=[listener])
    result = embedder.embed([f"secret text {number}" for number in range(70)], role="document")
    (job,) = named(exporter, "embed small")
    requests = named(exporter, "embeddings small")

    assert len(requests) == 3
    assert {span.parent.span_id for span in requests if span.parent} == {job.context.span_id}
    spent = [(span.attributes or {})["gen_ai.usage.input_tokens"] for span in requests]
    assert sum(int(str(tokens)) for tokens in spent) == result.usage.tokens
    assert "gen_ai.usage.input_tokens" not in (job.attributes or {})


def test_requests_have_the_attributes_of_the_conventions(
    exporter: InMemorySpanExporter, listener: OpenTelemetryListener
) -> None:
    """Operation, provider, model and width, as a client's span."""
    Embedder(RemoteFakeModel("small"), listeners=[listener]).embed_query("a")
    (request,) = named(exporter, "embeddings small")

    assert request.kind is trace.SpanKind.CLIENT
    attributes = dict(request.attributes or {})
    assert attributes["gen_ai.operation.name"] == "embeddings"
    assert attributes["gen_ai.provider.name"] == "fake"
    assert attributes["gen_ai.request.model"] == "small"
    assert attributes["gen_ai.embeddings.dimension.count"] == 8


def test_no_text_and_no_vector_is_recorded(
    exporter: InMemorySpanExporter, listener: OpenTelemetryListener
) -> None:
    """Whatever a tracing backend stores, the inputs are not in it."""
    Embedder(FakeModel("small"), listeners=[listener]).embed_query("a secret text")

    assert "secret" not in "".join(span.to_json() for span in exporter.get_finished_spans())


def test_errors_are_marked(exporter: InMemorySpanExporter, listener: OpenTelemetryListener) -> None:
    """A failed job and its failed request say which error it was."""
    model = FlakyModel("small", failures=[ProviderUnavailableError("down")])
    embedder = Embedder(model, listeners=[listener], settings=Settings(max_attempts=1))
    with pytest.raises(ProviderUnavailableError):
        embedder.embed_query("a")

    for span in exporter.get_finished_spans():
        assert not span.status.is_ok
        assert (span.attributes or {})["error.type"] == "ProviderUnavailableError"
    assert len(exporter.get_finished_spans()) == 2


async def test_a_job_is_a_child_of_the_callers_span(
    exporter: InMemorySpanExporter, provider: TracerProvider, listener: OpenTelemetryListener
) -> None:
    """The caller's context reaches the background loop."""
    embedder = Embedder(RemoteFakeModel("small"), listeners=[listener])
    with trace.get_tracer("test", tracer_provider=provider).start_as_current_span("request"):
        await embedder.aembed_query("a")
    (job,) = named(exporter, "embed small")
    (caller,) = named(exporter, "request")

    assert job.parent is not None
    assert job.parent.span_id == caller.context.span_id
