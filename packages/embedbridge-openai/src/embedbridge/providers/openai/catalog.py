"""OpenAI's embedding models, as data.

Sources: https://platform.openai.com/docs/guides/embeddings for widths, the API reference of
`POST /embeddings` for limits, https://platform.openai.com/docs/deprecations for retired models.
"""

from __future__ import annotations

from embedbridge.contract.card import Limits, ModelCard
from embedbridge.contract.remote import Vendor

OPENAI = Vendor(
    name="OpenAI",
    url="https://api.openai.com/v1",
    keys=("OPENAI_API_KEY",),
    url_variable="OPENAI_BASE_URL",
)
AZURE = Vendor(
    name="Azure OpenAI",
    keys=("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"),
    url_variable="AZURE_OPENAI_ENDPOINT",
)
# Not OPENAI_API_KEY: a key of OpenAI's is nothing to send to anybody else's server.
COMPATIBLE = Vendor(name="the server", keys=("OPENAI_COMPATIBLE_API_KEY",), needs_key=False)

FIRST_ITEMS = 32
"""Texts per request that about every server takes."""
LIMITS = Limits(max_items=2048, max_tokens_per_request=300_000, max_tokens_per_input=8192)
"""Of the API, whatever the model."""


def _card(name: str, dimensions: int, *, shortens: bool) -> ModelCard:
    return ModelCard(
        name=name,
        dimensions=dimensions,
        allowed_dimensions=None if shortens else (),
        requests_dimensions=shortens,
        limits=LIMITS,
        normalized=True,
        truncates=False,  # a text that is too long is refused, so the engine cuts it
        space=f"openai:{name}",
    )


CURRENT = (
    _card("text-embedding-3-small", 1536, shortens=True),
    _card("text-embedding-3-large", 3072, shortens=True),
    _card("text-embedding-ada-002", 1536, shortens=False),
)

FIRST_GENERATION = {"ada": 1024, "babbage": 2048, "curie": 4096, "davinci": 12288}
"""Widths of the models of 2022, which all had one successor."""

RETIRED = tuple(
    ModelCard(
        name=name,
        dimensions=FIRST_GENERATION[family],
        retired="2024-01-04",
        successor="text-embedding-3-small",
    )
    for family in FIRST_GENERATION
    for name in (
        f"text-similarity-{family}-001",
        f"text-search-{family}-doc-001",
        f"text-search-{family}-query-001",
        *([f"code-search-{family}-code-001"] if family in ("ada", "babbage") else []),
        *([f"code-search-{family}-text-001"] if family in ("ada", "babbage") else []),
    )
)

CARDS = (*CURRENT, *RETIRED)
"""All models known by name; any other name is allowed."""


def openai_card(name: str) -> ModelCard:
    """The card of one of OpenAI's models.

    One that is newer than this file has the API's limits; its width is seen in the first answer.
    """
    for card in CARDS:
        if card.name == name:
            return card
    return ModelCard(
        name=name,
        allowed_dimensions=None,
        requests_dimensions=True,
        limits=LIMITS,
        truncates=False,
    )


def is_current(name: str) -> bool:
    """Whether it is one of OpenAI's models of today."""
    return any(card.name == name for card in CURRENT)


def compatible_card(name: str, *, max_items: int | None = None) -> ModelCard:
    """For a model of somebody's server: nothing is known but what its user says."""
    return ModelCard(
        name=name,
        allowed_dimensions=None,
        requests_dimensions=True,
        limits=Limits(max_items=max_items)
        if max_items
        else Limits(max_items=LIMITS.max_items, first_items=FIRST_ITEMS),
    )
