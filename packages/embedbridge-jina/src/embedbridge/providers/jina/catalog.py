"""Jina's embedding models, as data.

Sources, read in November 2026: the OpenAPI document of https://api.jina.ai/openapi.json (fields, tasks,
widths, sizes of images); Jina's own server for on-premises use, https://github.com/jina-ai/jina-on-prem,
`models/catalog.json` (tokens, widths) and `server/` (formats, refusals, each compared with the hosted API).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedbridge.contract.card import Limits, ModelCard
from embedbridge.contract.remote import Vendor

if TYPE_CHECKING:
    from embedbridge.contract.vocabulary import Modality

VENDOR = Vendor(
    name="Jina",
    url="https://api.jina.ai",
    # As Jina, llama-index-embeddings-jinaai, LiteLLM and langchain-community call it.
    keys=("JINA_API_KEY", "JINAAI_API_KEY", "JINA_AI_API_KEY", "JINA_AUTH_TOKEN"),
    url_variable="JINA_BASE_URL",
    self_hosted=True,
    endings=("/embeddings", "/v1"),  # the version is in our path
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What a generation of models takes beside the inputs."""

    tasks: tuple[str, ...] = ()
    """Its values of the field `task`; without one, there is no such field."""
    takes_normalized: bool = True
    """Whether it has the field `normalized`."""


RETRIEVAL = ("retrieval.query", "retrieval.passage")
V5 = Family(tasks=(*RETRIEVAL, "text-matching", "clustering", "classification"))
CODE_TASKS = ("nl2code", "qa", "code2code", "code2nl", "code2completion")
FAMILIES = {
    "jina-embeddings-v2": Family(),
    "jina-embeddings-v3": Family(
        tasks=(*RETRIEVAL, "text-matching", "classification", "separation")
    ),
    "jina-embeddings-v4": Family(
        tasks=(*RETRIEVAL, "text-matching", "code.query", "code.passage"), takes_normalized=False
    ),
    "jina-code-embeddings": Family(
        tasks=tuple(f"{task}.{side}" for task in CODE_TASKS for side in ("query", "passage")),
        takes_normalized=False,
    ),
    "jina-clip-v1": Family(),
    "jina-clip-v2": Family(tasks=("retrieval.query",)),
}
"""By how a model's name begins; all other names are like v5."""


def family_of(name: str) -> Family:
    """The generation of a model, by its name."""
    return next((family for start, family in FAMILIES.items() if name.startswith(start)), V5)


MEGABYTE = 1_000_000
"""Not a mebibyte: the smaller of the two is right whichever is meant."""


def _limits(tokens: int, *, items: int = 512) -> Limits:
    return Limits(
        # 2,048 where the server has said so (v2, v3, clip: refly-ai/refly#831, and the tests of
        # Elasticsearch's JinaAIErrorResponseEntity). v4 says 512 (langgenius/dify-official-plugins#1997);
        # for v5 and code nothing is known, and 512 is the safer number.
        max_items=items,
        max_tokens_per_input=tokens,
        # Nowhere documented: a quarter of what the free tier has per minute.
        max_tokens_per_request=250_000,
        # Documented for v4 and clip; for omni nothing is known.
        max_bytes_per_image=8 * MEGABYTE,
        # Nowhere documented: keeps a job of photographs from being one request of gigabytes.
        max_bytes_per_request=20 * MEGABYTE,
    )


def _card(
    name: str,
    width: int | None,
    limits: Limits,
    *,
    kinds: tuple[Modality, ...] = ("text",),
    space: str | None = None,
) -> ModelCard:
    return ModelCard(
        name=name,
        modalities=kinds,
        roles="field",
        dimensions=width,
        allowed_dimensions=None,  # the field takes any number from 1 on
        requests_dimensions=True,
        normalized=True,
        truncates=False,
        limits=limits,
        space=space and f"jina:{space}",
    )


def _v2(name: str, *, kinds: tuple[Modality, ...] = ("text",)) -> ModelCard:
    """Neither task nor width."""
    return ModelCard(
        name=name,
        modalities=kinds,
        dimensions=768,
        normalized=True,
        truncates=False,
        limits=OLD,
        space=f"jina:{name}",
    )


SHORT, LONG, OLD = _limits(8_192), _limits(32_768), _limits(8_192, items=2_048)
IMAGES: tuple[Modality, ...] = ("text", "image")
ALL: tuple[Modality, ...] = ("text", "image", "mixed")
V5_SMALL, V5_NANO = "jina-embeddings-v5-small", "jina-embeddings-v5-nano"
"""Spaces: omni makes the same vectors of texts as text (model card of v5-omni)."""

CARDS = (
    _card("jina-embeddings-v5-omni-small", 1024, LONG, kinds=ALL, space=V5_SMALL),
    # 32,768 tokens in the announcement; 8,192 in Jina's catalogue, the safer number.
    _card("jina-embeddings-v5-omni-nano", 768, SHORT, kinds=ALL, space=V5_NANO),
    _card("jina-embeddings-v5-text-small", 1024, LONG, space=V5_SMALL),
    _card("jina-embeddings-v5-text-nano", 768, SHORT, space=V5_NANO),
    _card("jina-embeddings-v4", 2048, LONG, kinds=IMAGES, space="jina-embeddings-v4"),
    _card("jina-embeddings-v3", 1024, OLD, space="jina-embeddings-v3"),
    _card("jina-clip-v2", 1024, OLD, kinds=IMAGES, space="jina-clip-v2"),
    _card("jina-code-embeddings-1.5b", 1536, LONG, space="jina-code-embeddings-1.5b"),
    _card("jina-code-embeddings-0.5b", 896, LONG, space="jina-code-embeddings-0.5b"),
    _v2("jina-clip-v1", kinds=IMAGES),
    *(_v2(f"jina-embeddings-v2-base-{what}") for what in ("en", "de", "es", "zh", "code")),
)
"""All models known by name; any other name is allowed."""

UNKNOWN = _card("unknown", None, SHORT, kinds=ALL)
"""Of names that are in no card: like v5-omni."""
