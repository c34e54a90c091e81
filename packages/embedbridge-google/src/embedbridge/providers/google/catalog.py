"""Google's embedding models, as data: the Gemini API's, and Vertex AI's.

Sources: https://ai.google.dev/gemini-api/docs/embeddings for widths, tokens, task types, prompts and
images; https://docs.cloud.google.com/vertex-ai/generative-ai/docs/embeddings/get-text-embeddings for
Vertex AI's limits; google-genai 3.6.1 (`_api_client.py`, `models.py`) for addresses and variables.
"""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType

from embedbridge.contract.card import Limits, ModelCard
from embedbridge.contract.remote import Vendor

VENDOR = Vendor(
    name="Google",
    url="https://generativelanguage.googleapis.com",
    hosts=("googleapis.com",),
    keys=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    url_variable="GOOGLE_GEMINI_BASE_URL",
    header="x-goog-api-key",
    scheme="",
)
VERTEX = Vendor(
    name="Google Vertex AI",
    hosts=("googleapis.com",),
    url_variable="GOOGLE_VERTEX_BASE_URL",
)

MAX_REQUEST_BYTES = 4_194_304
"""Of a request to the Gemini API: "Request payload size exceeds the limit: 4194304 bytes."

Source: quarkiverse/quarkus-langchain4j#1705."""
MAX_IMAGE_BYTES = (MAX_REQUEST_BYTES - 65_536) * 3 // 4
"""Of one image, before it becomes base64: all that such a request has room for, beside some text."""
MAX_IMAGES = 6
"""Of one input of gemini-embedding-2."""
LIMITS = Limits(
    # Google says "BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch"
    max_items=100,
    max_tokens_per_input=2048,
    max_bytes_per_request=MAX_REQUEST_BYTES * 3 // 4,  # of files, before they become base64
)
ALONE = Limits(max_items=1, max_tokens_per_input=2048)
"""Of Gemini models in Vertex AI: its documentation limits online requests to one input. The newest
SDK has a `batchEmbedContents` there, with limits that are not documented."""
PREDICT = Limits(max_items=250, max_tokens_per_request=20_000, max_tokens_per_input=2048)
"""Of the older models in Vertex AI: "250 instance(s) is allowed per prediction"."""

PROMPTS = MappingProxyType(
    {
        "query": "task: search result | query: ",
        "document": "title: none | text: ",
        "classification": "task: classification | query: ",
        "clustering": "task: clustering | query: ",
        "similarity": "task: sentence similarity | query: ",
        "code": "task: code retrieval | query: ",
        "qa": "task: question answering | query: ",
        "fact": "task: fact checking | query: ",
    }
)
"""Of gemini-embedding-2, which ignores task types."""
FOR_QUERIES = frozenset({"code", "qa", "fact"})
"""Tasks that concern queries only; the documents that are searched are documents as ever."""


def _first(name: str, dimensions: int = 3072) -> ModelCard:
    """A model that is told role and task in a field."""
    return ModelCard(
        name=name,
        roles="field",
        dimensions=dimensions,
        allowed_dimensions=None,
        requests_dimensions=True,
        normalized=True,
        limits=LIMITS,
        space=f"google:{name}",
    )


def _second(name: str) -> ModelCard:
    """A model that is told role and task in the text, and embeds images."""
    return replace(
        _first(name),
        modalities=("text", "image", "mixed"),
        roles="prefix",
        prompts=PROMPTS,
        limits=replace(LIMITS, max_tokens_per_input=8192),
    )


GEMINI = (
    _second("gemini-embedding-2"),
    _second("gemini-embedding-2-preview"),
    _first("gemini-embedding-001"),
)
RETIRED = tuple(
    ModelCard(name=name, dimensions=dimensions, retired=date, successor="gemini-embedding-001")
    for name, dimensions, date in (
        ("text-embedding-004", 768, "2026-01-14"),
        ("embedding-001", 768, "2025-08-14"),
        ("gemini-embedding-exp-03-07", 3072, "2025-08-14"),
    )
)
"""Source: https://developers.googleblog.com/en/gemini-embedding-available-gemini-api/."""
CARDS = (*GEMINI, *RETIRED)
"""The Gemini API's models."""


def in_vertex(card: ModelCard) -> ModelCard:
    """The same model in Vertex AI, which refuses a text that is too long if it is told to."""
    tokens = card.limits.max_tokens_per_input
    limits = ALONE if takes_content(card.name) else PREDICT
    return replace(card, truncates=False, limits=replace(limits, max_tokens_per_input=tokens))


def is_open(name: str) -> bool:
    """Whether it is a model of somebody else's in Vertex AI, as `PUBLISHER/NAME` or `NAME-maas`."""
    return "/" in name or name.endswith("-maas")


def takes_content(name: str) -> bool:
    """Whether Vertex AI serves a model by `:embedContent`, as the SDK decides it; else `:predict`."""
    return bool(re.search(r"gemini|maas", name.rpartition("/")[2]))


def takes_task_types(name: str) -> bool:
    """Whether a model that has no card is told role and task in a field, as Google's older ones are."""
    return not takes_content(name) or re.search(r"-0\d\d(-|$)|-exp-", name) is not None


VERTEX_CARDS = tuple(
    map(
        in_vertex,
        (
            *GEMINI,
            _first("text-embedding-005", 768),
            _first("text-multilingual-embedding-002", 768),
        ),
    )
)
"""Vertex AI's models."""


OPEN = ModelCard(
    name="unknown",
    allowed_dimensions=None,
    # The engine shortens: Google's SDK has a recorded answer of E5 with all 1,024 values, of 10 asked for.
    limits=Limits(max_tokens_per_input=512),
)
"""Of somebody else's models in Vertex AI: Google documents E5, for texts of 512 tokens. It documents no
prompts and no roles, so that none are sent; users know what their model's author wants.

Sources: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/maas/e5/multilingual-e5-small, and
`testEmbedContentGemini2MaaS` of Google's SDK for Kotlin."""


def unknown_in_vertex(name: str) -> ModelCard:
    """The card of a name that is in no card of Vertex AI's."""
    return in_vertex(replace(OPEN, name=name) if is_open(name) else unknown(name))


def unknown(name: str) -> ModelCard:
    """The card of a name that is in no card: like the older models where the name says so."""
    like = _first(name) if takes_task_types(name) else _second(name)
    return replace(like, dimensions=None, space=None)
