"""OpenTelemetry spans from a job's events: one for the job, one for each request.

Attributes follow the GenAI semantic conventions (status: development),
https://opentelemetry.io/docs/specs/semconv/gen-ai/. Texts and vectors are never recorded.
"""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import Any

from embedbridge.contract.errors import MissingDependencyError
from embedbridge.contract.events import BatchFinished, Event, JobFinished, JobStarted
from embedbridge.contract.hooks import hookimpl

PROVIDER_NAMES = MappingProxyType({"azure-openai": "azure.ai.openai"})
"""Where the conventions spell a provider differently than we do."""
NANOSECONDS = 1_000_000_000


class OpenTelemetryListener:
    """Turns events into spans.

    Example:
        embedder = load_embedder("fake:small", listeners=[OpenTelemetryListener()])

    Args:
        tracer_provider: Where spans go; the global one if left out.

    Raises:
        MissingDependencyError: opentelemetry-api is not installed.
    """

    def __init__(self, tracer_provider: Any = None) -> None:
        try:
            from opentelemetry import trace
        except ImportError as error:
            raise MissingDependencyError(
                "Spans take opentelemetry-api.",
                hint="pip install 'embedbridge-core[opentelemetry]'",
            ) from error
        self._trace = trace
        self._tracer = trace.get_tracer("embedbridge", tracer_provider=tracer_provider)
        self._jobs: dict[int, Any] = {}

    @hookimpl
    def embedbridge_event(self, event: Event) -> None:
        """Begin or end the span of the event."""
        if isinstance(event, JobStarted):
            self._jobs[event.job] = self._tracer.start_span(
                f"embed {event.model}",
                attributes={
                    "gen_ai.provider.name": _provider(event),
                    "gen_ai.request.model": event.model,
                    "embedbridge.role": event.role,
                    "embedbridge.inputs": event.inputs,
                    "embedbridge.inputs.unique": event.unique,
                    "embedbridge.inputs.cached": event.cached,
                    "embedbridge.batches": event.batches,
                },
            )
        elif isinstance(event, BatchFinished) and event.attempts:  # 0: no request
            self._record_request(event)
        elif isinstance(event, JobFinished):
            span = self._jobs.pop(event.job)
            span.set_attribute("embedbridge.requests", event.requests)
            span.set_attribute("embedbridge.inputs.failed", event.failed)
            self._end(span, event.error)

    def _record_request(self, event: BatchFinished) -> None:
        # The event comes when the request is over: the span is dated back.
        now = time.time_ns()
        attributes: dict[str, str | int] = {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.provider.name": _provider(event),
            "gen_ai.request.model": event.model,
            "gen_ai.usage.input_tokens": event.usage.tokens,
            "embedbridge.inputs": event.inputs,
            "embedbridge.attempts": event.attempts,
        }
        if event.dimensions is not None:
            attributes["gen_ai.embeddings.dimension.count"] = event.dimensions
        span = self._tracer.start_span(
            f"embeddings {event.model}",
            context=self._trace.set_span_in_context(self._jobs[event.job]),
            kind=self._trace.SpanKind.CLIENT,
            attributes=attributes,
            start_time=now - int(event.seconds * NANOSECONDS),
        )
        self._end(span, event.error, now)

    def _end(self, span: Any, error: str | None, now: int | None = None) -> None:
        if error is not None:
            span.set_attribute("error.type", error)
            span.set_status(self._trace.StatusCode.ERROR)
        span.end(end_time=now)


def _provider(event: Event) -> str:
    return PROVIDER_NAMES.get(event.provider, event.provider)
