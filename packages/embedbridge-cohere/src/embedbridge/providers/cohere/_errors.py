"""From what Cohere answers to our own errors: one table.

What a message says decides before the status does. Sources: https://docs.cohere.com/reference/errors
for statuses and sentences; where it has no example of `embed`, sentences are read broadly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from embedbridge.contract import status_error
from embedbridge.contract.errors import (
    AuthenticationError,
    EmbedBridgeError,
    InputTooLongError,
    InvalidImageError,
    InvalidInputError,
    InvalidOptionError,
    InvalidResponseError,
    ProviderUnavailableError,
    QuotaExhaustedError,
    RequestTooLargeError,
    UnknownModelError,
)
from embedbridge.contract.remote import (
    MAX_MESSAGE,
    Secrets,
    parse_object,
    redirect_error,
)

Make = Callable[[str], EmbedBridgeError]

MONTHLY = re.compile(r"calls\s*/\s*month|per month|monthly", re.IGNORECASE)
"""A trial key's limit that no waiting of ours helps."""

SENTENCES: tuple[tuple[re.Pattern[str], Make], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), make)
    for pattern, make in (
        # Cohere says "invalid request: total number of texts must be at most 96 - received 97"
        (
            r"number of (texts|images|inputs) must be at most|too many (texts|images|inputs)",
            partial(RequestTooLargeError, limit="items"),
        ),
        (r"invalid api token|no api key", AuthenticationError),
        (r"model .*(not found|not supported|retired|removed)", UnknownModelError),
        # Cohere says "too many tokens: size limit exceeded by 11326 tokens. Try using shorter or fewer inputs"
        (r"fewer inputs", partial(RequestTooLargeError, limit="tokens")),
        (r"(too many|maximum|exceed\S*|limit) .*tokens|too long", InputTooLongError),
        # Of all images of a request together, so that fewer of them may do
        (r"(combined|total) .*\d+ ?MB", partial(RequestTooLargeError, limit="bytes")),
        (r"image", InvalidImageError),
        (
            r"output_dimension|embedding_types|input_type|truncate|priority|max_tokens",
            InvalidOptionError,
        ),
    )
)
"""By what a message of a 400, 404, 413 or 422 says."""
BY_SENTENCE = frozenset({400, 404, 413, 422})

POSITION = re.compile(
    r"\b(?:texts?|images?|inputs?)(?:\s*\[|\.|\s+(?:at\s+)?(?:index|position|number)\s+)(\d+)",
    re.IGNORECASE,
)
"""How a message names the one input that is refused: `texts[3]`, `image at index 3`."""

STATUSES: Mapping[int, Make] = {
    498: partial(InvalidInputError, hint="Cohere blocks a word or a token in one of the inputs."),
    499: ProviderUnavailableError,  # Cohere saw us go, and we are still there: a proxy gave up
}
"""Beside those of every server, see `status_error`."""


def refusal(
    status: int, body: bytes | bytearray, headers: Mapping[str, str], secrets: Secrets
) -> EmbedBridgeError:
    """Our error for an answer that is no success.

    Args:
        status: Of the answer.
        body: What came with it, or its beginning.
        headers: Of the answer.
        secrets: Hidden in all that is quoted.
    """
    if 300 <= status < 400:
        return redirect_error(status, headers.get("location", ""))
    said = secrets.hide(_said(body))[:MAX_MESSAGE]
    make = STATUSES.get(status)
    if status == 429 and MONTHLY.search(said):
        make = QuotaExhaustedError
    if status in BY_SENTENCE:
        make = next((found for pattern, found in SENTENCES if pattern.search(said)), None)
    if make is None:
        error = status_error(status, said, headers=headers)
    else:
        error = make(f"The server answered {status}: {said}" if said else _bare(status))
    position = POSITION.search(said)
    if isinstance(error, InvalidInputError) and position:
        error.index = int(position[1])  # of the batch, as the engine expects it
    return error


def _bare(status: int) -> str:
    return f"The server answered {status}."


def _said(body: bytes | bytearray) -> str:
    """Cohere's `{"message": …}`; a gateway's `{"error": …}`; else the text as it is."""
    try:
        said: Any = parse_object(body)
    except InvalidResponseError:
        return body.decode("utf-8", "replace").strip()
    for name in ("message", "data", "error", "detail"):
        if isinstance(said, Mapping) and said.get(name):
            said = said[name]
    return str(said).strip() if said else ""
