"""Cohere's embedding models, as data.

Sources: https://docs.cohere.com/docs/cohere-embed for widths and tokens,
https://docs.cohere.com/reference/embed and the docstring of `cohere.v2.client.V2Client.embed` for
limits, https://docs.cohere.com/docs/deprecations for retired models.
"""

from __future__ import annotations

import re

from embedbridge.contract.card import Limits, ModelCard
from embedbridge.contract.remote import Vendor

VENDOR = Vendor(
    name="Cohere",
    url="https://api.cohere.com",
    hosts=("api.cohere.ai",),
    keys=("CO_API_KEY", "COHERE_API_KEY"),
    url_variable="CO_API_URL",
    # Ours is v2, in the path; Cohere also has OpenAI's API, below `/compatibility`.
    endings=("/embed", "/embeddings", "/v2", "/v1", "/compatibility"),
)

MEGABYTE = 1_000_000
"""Not a mebibyte: where Cohere does not say which it means, the smaller one is right in any case."""
MAX_BASE64 = 20 * MEGABYTE
"""Characters of base64 that the images of one request may have together.

Cohere says 20 MB without saying of what; base64 is a third longer than the file, so counting it
keeps both."""

V3_LIMITS = Limits(
    max_items=96,
    max_items_by_modality={"image": 1},
    max_tokens_per_input=512,
    max_bytes_per_image=5 * MEGABYTE,
)
LIMITS = Limits(
    max_items=96,
    max_tokens_per_request=128_000,  # nowhere documented; more than one text of full length is rare
    max_tokens_per_input=128_000,
    max_bytes_per_request=MAX_BASE64 * 3 // 4,  # of files, before they become base64
    max_bytes_per_image=MAX_BASE64,
)
"""Of v4 and what follows it."""

OLD_NAME = re.compile(r"-v[0-3](\.|$)")
"""Of models before v4, fine-tuned ones included."""


def _v3(name: str, dimensions: int) -> ModelCard:
    return ModelCard(
        name=name,
        modalities=("text", "image"),
        roles="field",
        dimensions=dimensions,
        limits=V3_LIMITS,
        space=f"cohere:{name}",
    )


def _current(name: str, *dimensions: int, space: str) -> ModelCard:
    native, *others = dimensions
    return ModelCard(
        name=name,
        modalities=("text", "image", "mixed"),
        roles="field",
        dimensions=native,
        allowed_dimensions=tuple(others),
        requests_dimensions=True,
        limits=LIMITS,
        truncates=False,  # what is too long is refused, so that it can be told; then it is cut
        space=f"cohere:{space}",
    )


V5_DIMENSIONS = (2048, 1536, 1024, 768, 512, 256)

CURRENT = (
    # Of one space: documents by the better one, queries by the faster one.
    _current("embed-v5.0-pro", *V5_DIMENSIONS, space="embed-v5.0"),
    _current("embed-v5.0-fast", *V5_DIMENSIONS, space="embed-v5.0"),
    _current("embed-v4.0", 1536, 1024, 512, 256, space="embed-v4.0"),
    _v3("embed-english-v3.0", 1024),
    _v3("embed-multilingual-v3.0", 1024),
    _v3("embed-english-light-v3.0", 384),
    _v3("embed-multilingual-light-v3.0", 384),
)

RETIRED = tuple(
    ModelCard(name=name, dimensions=dimensions, retired="2026-04-04", successor=successor)
    for name, dimensions, successor in (
        ("embed-english-v2.0", 4096, "embed-english-v3.0"),
        ("embed-english-light-v2.0", 1024, "embed-english-light-v3.0"),
        ("embed-multilingual-v2.0", 768, "embed-multilingual-v3.0"),
    )
)

CARDS = (*CURRENT, *RETIRED)
"""All models known by name; any other name is allowed."""


UNKNOWN_V3 = ModelCard(
    name="unknown", modalities=("text", "image"), roles="field", limits=V3_LIMITS
)
UNKNOWN = ModelCard(
    name="unknown",
    modalities=("text", "image", "mixed"),
    roles="field",
    allowed_dimensions=None,
    requests_dimensions=True,
    limits=LIMITS,
    truncates=False,
)
"""Of names that are in no card: like v3 where the name says so, else like v4."""


def takes_inputs(name: str) -> bool:
    """Whether images go in the field `inputs`, as from v4 on; before it was `images`, one each."""
    return not OLD_NAME.search(name)
