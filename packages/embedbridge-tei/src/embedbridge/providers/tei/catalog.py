"""A TEI server and its limits, as data; the server itself knows them better, see `card_of`.

Sources: `router/src/main.rs` (defaults), `router/src/http/server.rs` and `core/src/infer.rs` in
https://github.com/huggingface/text-embeddings-inference (version 1.9).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from embedbridge.contract.card import Limits, ModelCard
from embedbridge.contract.remote import Vendor

VENDOR = Vendor(
    name="Text Embeddings Inference",
    keys=("TEI_API_KEY",),
    url_variable="TEI_BASE_URL",
    needs_key=False,
    endings=("/embed", "/embeddings", "/v1", "/info"),
    start_hint="Start the server (`text-embeddings-router`, or its container), or correct base_url.",
)

UNKNOWN = ModelCard(
    name="unknown",
    allowed_dimensions=None,
    requests_dimensions=True,
    normalized=True,
    truncates=False,
    limits=Limits(
        max_items=32,  # --max-client-batch-size
        # --payload-limit, which /info does not say: 2 MB, and JSON escapes some characters
        max_bytes_per_request=1_500_000,
        max_concurrency=512 // 32,  # --max-concurrent-requests counts inputs
    ),
)
"""What a server takes that was started without options."""


def card_of(card: ModelCard, info: Mapping[str, Any]) -> ModelCard:
    """The card with the limits of `/info`; what it does not say stays.

    `max_batch_tokens` is no limit of a request: the server cuts requests into batches itself.
    """
    limits = card.limits
    most = _positive(info.get("max_client_batch_size")) or limits.max_items or 1
    at_once = _positive(info.get("max_concurrent_requests"))
    if at_once is None:
        concurrency = limits.max_concurrency
    else:  # each input takes one of these places, and a request without all of its places is refused
        most = min(most, at_once)
        concurrency = max(1, at_once // most)
    limits = replace(
        limits,
        max_items=most,
        max_concurrency=concurrency,
        max_tokens_per_input=_positive(info.get("max_input_length")),
    )
    return replace(card, limits=limits)


def _positive(value: object) -> int | None:
    return value if type(value) is int and value > 0 else None
