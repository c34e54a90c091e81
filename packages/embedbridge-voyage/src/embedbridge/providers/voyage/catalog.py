"""Voyage's embedding models, as data.

Sources: https://docs.voyageai.com/docs/embeddings and
https://docs.voyageai.com/docs/multimodal-embeddings and
https://docs.voyageai.com/docs/contextualized-chunk-embeddings for widths and tokens per input,
https://docs.voyageai.com/reference/embeddings-api,
https://docs.voyageai.com/reference/multimodal-embeddings-api and
https://docs.voyageai.com/reference/contextualized-embeddings-api for limits per request. `voyage-code-4`
is not on these pages yet: its limits are those of `VOYAGE_TOTAL_TOKEN_LIMITS` in langchain-voyageai
0.4.1.
"""

from __future__ import annotations

from dataclasses import replace

from embedbridge.contract.card import Limits, ModelCard
from embedbridge.contract.remote import Vendor

ATLAS_KEY = "al-"
"""How keys begin that MongoDB Atlas gives out, which owns Voyage."""
ATLAS_URL = "https://ai.mongodb.com/v1"
"""The address for such keys. Source: `voyageai.util.get_default_base_url` of the SDK 0.5.0."""

TEXTS, PARTS, CHUNKS = "/embeddings", "/multimodalembeddings", "/contextualizedembeddings"
"""Endpoints: for texts, for inputs of texts and images, and for documents of several chunks."""

VOYAGE_HOST = "api.voyageai.com"
"""For all other keys."""
VENDOR = Vendor(
    name="Voyage",
    url=f"https://{VOYAGE_HOST}/v1",
    hosts=("ai.mongodb.com",),
    keys=("VOYAGE_API_KEY",),
    url_variable="VOYAGE_BASE_URL",
    endings=(TEXTS, PARTS, CHUNKS),
)

MAX_ITEMS = 1000
"""Inputs per request. Older clients plan 128, the limit of 2024; the API reference says 1,000."""
MEGABYTE = 1_000_000
"""Not a mebibyte: Voyage does not say which it means, and the smaller one is right in any case."""
PIXELS_PER_TOKEN = 560
MULTIMODAL_TOKENS = 320_000
"""Tokens per request, those of images included."""

MULTIMODAL_LIMITS = Limits(
    max_items=MAX_ITEMS,
    max_tokens_per_request=MULTIMODAL_TOKENS,
    max_tokens_per_input=32_000,
    max_bytes_per_image=20 * MEGABYTE,
    max_pixels_per_image=16_000_000,
    max_pixels_per_request=MULTIMODAL_TOKENS * PIXELS_PER_TOKEN,
    # Of no document: a batch of files that is held in memory, and then once more in base64.
    max_bytes_per_request=60 * MEGABYTE,
)

FLEXIBLE = (1024, 2048, 512, 256)
"""Widths of models that shorten their vectors (Matryoshka), the usual one first."""


def _card(
    name: str, dimensions: tuple[int, ...], limits: Limits, *, space: str | None = None
) -> ModelCard:
    usual, *others = dimensions
    return ModelCard(
        name=name,
        roles="field",
        dimensions=usual,
        allowed_dimensions=tuple(others),
        requests_dimensions=bool(others),
        normalized=True,
        truncates=False,  # what is too long is refused; the engine cuts it and reports that
        limits=limits,
        space=f"voyage:{space or name}",
    )


def _text(
    name: str,
    *dimensions: int,
    per_request: int,
    per_input: int = 32_000,
    space: str | None = None,
) -> ModelCard:
    limits = Limits(
        max_items=MAX_ITEMS, max_tokens_per_request=per_request, max_tokens_per_input=per_input
    )
    return _card(name, dimensions, limits, space=space)


def _multimodal(name: str, *dimensions: int) -> ModelCard:
    return replace(
        _card(name, dimensions, MULTIMODAL_LIMITS), modalities=("text", "image", "mixed")
    )


CARDS = (
    # One space: documents by the large one, queries by a smaller one.
    _text("voyage-4-large", *FLEXIBLE, per_request=120_000, space="voyage-4"),
    _text("voyage-4", *FLEXIBLE, per_request=320_000, space="voyage-4"),
    _text("voyage-4-lite", *FLEXIBLE, per_request=1_000_000, space="voyage-4"),
    _text("voyage-code-4", *FLEXIBLE, per_request=120_000),
    _text("voyage-3.5", *FLEXIBLE, per_request=320_000),
    _text("voyage-3.5-lite", *FLEXIBLE, per_request=1_000_000),
    _text("voyage-3-large", *FLEXIBLE, per_request=120_000),
    _text("voyage-code-3", *FLEXIBLE, per_request=120_000),
    _text("voyage-3", 1024, per_request=120_000),
    _text("voyage-3-lite", 512, per_request=120_000),
    _text("voyage-finance-2", 1024, per_request=120_000),
    _text("voyage-multilingual-2", 1024, per_request=120_000),
    _text("voyage-law-2", 1024, per_request=120_000, per_input=16_000),
    _text("voyage-code-2", 1536, per_request=120_000, per_input=16_000),
    _text("voyage-large-2", 1536, per_request=120_000, per_input=16_000),
    _text("voyage-large-2-instruct", 1024, per_request=120_000, per_input=16_000),
    _text("voyage-2", 1024, per_request=320_000, per_input=4_000),
    # 120,000 only where Voyage makes the chunks (the documentation's table, and llama-index's class).
    _text("voyage-context-4", *FLEXIBLE, per_request=32_000),
    _text("voyage-context-3", *FLEXIBLE, per_request=32_000),
    _multimodal("voyage-multimodal-3.5", *FLEXIBLE),
    _multimodal("voyage-multimodal-3", 1024),
)
"""All models known by name; any other name is allowed."""

_UNKNOWN = ModelCard(
    name="unknown",
    roles="field",
    allowed_dimensions=None,
    requests_dimensions=True,
    truncates=False,
    limits=Limits(max_items=MAX_ITEMS, max_tokens_per_request=120_000, max_tokens_per_input=32_000),
)
UNKNOWN = {
    TEXTS: _UNKNOWN,
    PARTS: replace(_UNKNOWN, modalities=("text", "image", "mixed"), limits=MULTIMODAL_LIMITS),
    CHUNKS: replace(_UNKNOWN, limits=replace(_UNKNOWN.limits, max_tokens_per_request=32_000)),
}
"""By endpoint, the card of a name that is in no card."""


def endpoint_of(name: str) -> str:
    """Where a model is asked, by its name; one for inputs of several parts for its texts too."""
    if "multimodal" in name:
        return PARTS
    return CHUNKS if "context" in name else TEXTS
