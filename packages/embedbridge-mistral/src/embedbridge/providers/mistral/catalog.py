"""Mistral's embedding models, as data.

Sources: https://docs.mistral.ai/capabilities/embeddings/text_embeddings and
https://docs.mistral.ai/capabilities/embeddings/code_embeddings for widths and output types; limits
are on no page of Mistral's, and are known from refusals in public bug reports.
"""

from __future__ import annotations

from embedbridge.contract.card import Limits, ModelCard
from embedbridge.contract.remote import Vendor

VENDOR = Vendor(
    name="Mistral",
    url="https://api.mistral.ai",
    hosts=("api.eu.mistral.ai", "api.us.mistral.ai"),
    keys=("MISTRAL_API_KEY",),
    url_variable="MISTRAL_BASE_URL",
    endings=("/embeddings", "/v1"),  # as LangChain writes it; the SDK's `server_url` ends before
)

LIMITS = Limits(
    # 257 are refused: `MAX_DOCUMENTS` of rig-core's Mistral provider, measured. Others plan 32 or 64.
    max_items=256,
    # "Too many tokens in batch. Max is 16384 got 17555": aurelio-labs/semantic-router#297.
    max_tokens_per_request=16_384,
    # "Input id 0 has 9000 tokens, exceeding max 8192 tokens."
    max_tokens_per_input=8_192,
)
"""Of all models; the engine learns from refusals where they are other ones."""

CODE_WIDTH = 1536
MOST_CODE_WIDTH = 3072
"""Widths of the code model: what it makes unless asked, and the most that may be asked for."""


def _code(name: str) -> ModelCard:
    return ModelCard(
        name=name,
        dimensions=CODE_WIDTH,
        # Any up to the largest; the list keeps what is not possible from being asked for.
        allowed_dimensions=tuple(range(1, MOST_CODE_WIDTH + 1)),
        requests_dimensions=True,
        truncates=False,
        limits=LIMITS,
        space="mistral:codestral-embed-2505",
    )


CARDS = (
    ModelCard(
        name="mistral-embed",
        dimensions=1024,
        truncates=False,  # a text that is too long is refused, so the engine cuts it
        normalized=True,
        limits=LIMITS,
        space="mistral:mistral-embed",
    ),
    _code("codestral-embed-2505"),
    _code("codestral-embed"),  # the newest one, which is that
)
"""All models known by name; any other name is allowed."""

UNKNOWN = ModelCard(
    name="unknown",
    allowed_dimensions=None,
    requests_dimensions=True,
    truncates=False,
    limits=LIMITS,
)
