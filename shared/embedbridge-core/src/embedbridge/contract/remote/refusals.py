"""Refusals: what a server says when it refuses a request, as one of our errors.

A code of the vendor's decides first, then a sentence, then the field that is named, then the status.
Servers word the same refusal in many ways, so a table of sentences is never complete. What no row
knows becomes an `InvalidInputError` without a position, and the engine searches in halves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

from embedbridge.contract.errors import (
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    InvalidOptionError,
    QuotaExhaustedError,
    RateLimitedError,
    RequestTooLargeError,
    UnknownModelError,
    short_repr,
)
from embedbridge.contract.remote.failures import redirect_error
from embedbridge.contract.remote.numbers import whole_number
from embedbridge.contract.remote.redaction import Secrets
from embedbridge.contract.remote.refusal_body import RefusalBody, read_refusal
from embedbridge.contract.remote.status import retry_after, shortened, status_error

Make: TypeAlias = Callable[[str], EmbedBridgeError]
"""Makes an error from its message."""
Sentences: TypeAlias = Sequence[tuple[str, Make]]
"""Regular expressions, looked for without regard to case; the first that is found counts."""

too_many_items = partial(RequestTooLargeError, limit="items")
"""More inputs than one request may hold."""
too_many_tokens = partial(RequestTooLargeError, limit="tokens")
"""More tokens than one request may hold, all inputs together."""
too_many_bytes = partial(RequestTooLargeError, limit="bytes")
"""More bytes than one request may hold."""

CODES: Mapping[str, Make] = {
    "billing_hard_limit_reached": QuotaExhaustedError,
    "billing_not_active": QuotaExhaustedError,
    "context_length_exceeded": InputTooLongError,  # OpenAI
    "exceed_context_size_error": InputTooLongError,  # llama.cpp, as 400 and as 500
    "insufficient_quota": QuotaExhaustedError,
    "max_tokens_per_request": too_many_tokens,  # OpenAI
    "model_not_found": UnknownModelError,
}
"""By `code` or `type` of an error, for all servers that speak OpenAI's format."""

NOUNS = r"(?:inputs?|texts?|items|images|documents|instances|contents|sentences|strings|requests)"
SENTENCES: Sentences = (
    # TEI "batch size 33 > maximum allowed batch size 32"; DashScope "batch size is invalid, it
    # should not be larger than 10"; SiliconFlow "input batch size 25 > maximum allowed batch size";
    # Triton "inference request batch-size must be <= 30 for 'NV-Embed-QA_ensemble'"
    (
        r"(?<!physical )batch.?size.{0,200}(?:invalid|larger|greater|exceed|limit|maximum|at most|>|<=)",
        too_many_items,
    ),
    (
        r"(?:exceed\S{0,20}|maximum|max\.?|limit)[^.]{0,40}\bbatch.?size(?! \(tokens)",
        too_many_items,
    ),
    # Databricks "Input embeddings size is too large, exceeding 150 limit for databricks-gte-large-en"
    (r"embeddings size is too large", too_many_items),
    # OpenAI "Invalid 'input': array too long. Expected an array with maximum length 2048"
    (r"array too long", too_many_items),
    # Azure "Too many inputs. The max number of inputs is 16."; Mistral "Too many inputs in request,
    # split into more batches."
    (rf"too many {NOUNS}\b(?! tokens)|item count", too_many_items),
    # Mistral "Too many tokens overall, split into more batches"; Cohere "Try using shorter or fewer inputs"
    (
        r"tokens (?:overall|in (?:the |this )?(?:batch|request))|more batches|fewer inputs",
        too_many_tokens,
    ),
    # OpenAI "Requested 300500 tokens, max 300000 tokens per request"; Voyage "The max allowed tokens
    # per submitted batch is 120000"
    (
        r"(?:max\S{0,20}|limit|exceed\S{0,20}) .{0,100}tokens per (?:\w{1,20} )?(?:request|batch)",
        too_many_tokens,
    ),
    # Cohere "total number of texts must be at most 96"; Google "at most 100 requests can be in one batch"
    (
        rf"(?:number|count|amount) of {NOUNS}\b.{{0,40}}(?:at most|exceed|greater|larger|more than|max|limit)",
        too_many_items,
    ),
    (
        rf"(?:exceed\S{{0,20}}|max\S{{0,20}}|limit\S{{0,20}}) .{{0,30}}(?:number|count|amount) of {NOUNS}\b",
        too_many_items,
    ),
    (
        rf"(?:at most|no more than|up to|maximum(?: of)?|max) \d[\d,]{{0,20}} {NOUNS}\b",
        too_many_items,
    ),
    (
        r"(?:payload|request body|request entity|content length|body size).{0,30}(?:large|exceed|limit)",
        too_many_bytes,
    ),
    # OpenAI and vLLM "This model's maximum context length is 8192 tokens"; Ollama "the input length
    # exceeds the context length"; llama.cpp "exceeds the available context size"; llama-box "exceed n_ctx"
    (r"context[ _](?:length|size|window)|n_ctx", InputTooLongError),
    # OpenAI "Invalid 'input[3]': maximum input length is 8192 tokens."; SGLang "Input length (1084
    # tokens) exceeds the maximum allowed length"; DashScope "Range of input length should be [1, 8192]"
    (
        r"(?:input|sequence|prompt|text) (?:length|size)|(?:input|text|sequence|prompt)s? (?:is|are) too (?:long|large)",
        InputTooLongError,
    ),
    # TEI "`inputs` must have less than 512 tokens. Given: 600"
    (r"(?:less than|at most) \d{1,20} (?:tokens|characters)", InputTooLongError),
    # llama.cpp "input is too large to process. increase the physical batch size"
    (r"too large to process|physical batch size", InputTooLongError),
    (
        r"(?:too many|maximum|max|exceed\S{0,20}|limit\S{0,20}|longer than) .{0,60}\b(?:tokens?|characters|chars)\b",
        InputTooLongError,
    ),
    (
        r"\b(?:tokens?|characters|chars)\b.{0,60}(?:exceed|maximum|max\b|limit|too long|longer|at most)",
        InputTooLongError,
    ),
    (r"\btoo long\b|token limit", InputTooLongError),
    # Go's and Python's JSON, of a vector that holds NaN, as a status 500: Ollama "failed to encode
    # response: json: unsupported value: NaN"; Starlette "Out of range float values are not JSON compliant"
    (
        r"unsupported value: [+-]?(?:NaN|Inf)|float values are not JSON compliant",
        partial(InvalidInputError, hint="The model has no finite vector for it: change the text."),
    ),
)
"""What known servers say of sizes, and of vectors that they cannot send. Sources: their source code
and public bug reports. No part of a row is unbounded (`.*`, `\\d+`): a server's text must not hold up the
event loop."""

POSITION = re.compile(
    r"(?:\b(?:inputs?|texts?|images?|contents?|examples?|instances|requests|documents)"
    r"(?:\s*\[|\.|\s+(?:at\s+)?(?:index|position|number|id|input|#)\s*)"
    r"|#/(?:inputs|texts|images)/)(\d+)",
    re.IGNORECASE,
)
"""How messages name the one input that is refused: `input[3]`, `image at index 3`, `#/texts/3`."""
NOT_BY_SENTENCE = frozenset({401, 402, 403, 408, 429, 503, 504})
"""Statuses that mean what they say, whatever the message mentions."""
INPUT_FIELDS = frozenset(
    {
        "input",
        "inputs",
        "texts",
        "text",
        "images",
        "image",
        "content",
        "contents",
        "instances",
        "requests",
    }
)
"""Fields of a request that hold inputs; any other field is an option's."""

NUMBER = r"(\d[\d,_]*)"
MOST = re.compile(
    r"(?:max(?:imum|\.)?|exceeding|limit(?! exceeded by)|at most|less than|up to|(?:larger|greater|longer|more) than|window of|n_ctx|<="
    rf"|\[\s*\d+\s*,)[^\d.]{{0,48}}?{NUMBER}",
    re.IGNORECASE,
)
"""The number that a size must not exceed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """A vendor's own words for refusals, beside those that all servers share.

    Example:
        Refusals(sentences=[(r"truncation is set to false", InputTooLongError)])
    """

    codes: Mapping[str, Make] = field(default_factory=dict)
    """By `code`, `type` or `status` in the body."""
    sentences: Sentences = ()
    """By what the message says; of a status below 500 that is not 401, 402, 403 or 429."""
    statuses: Mapping[int, Make] = field(default_factory=dict)
    """By the status, where it means something else than in `status_error`."""
    exhausted: str | None = None
    """How a 429 says that waiting does not help, as a regular expression."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Fields of a request and the options that set them, where their names differ."""
    code_header: str | None = None
    """For a server that says the code in a header, in lower case; what follows a colon is no part."""
    position_field: str | None = None
    """Field of an error with the position of the refused input in the request, counted from 0."""

    def error(
        self,
        status: int,
        body: bytes | bytearray | object,
        headers: Mapping[str, str],
        secrets: Secrets,
    ) -> EmbedBridgeError:
        """Our error for an answer that is no success.

        Args:
            status: Of the answer.
            body: Its body or the beginning of it; or what a library has already parsed.
            headers: Of the answer; names in lower case.
            secrets: Hidden in all that is quoted.
        """
        if 300 <= status < 400:
            return redirect_error(status, headers.get("location", ""), secrets)
        said = read_refusal(body, position_field=self.position_field)
        if code := headers.get(self.code_header or "", "").partition(":")[0]:
            said = replace(said, codes=(code, *said.codes))
        said = replace(said, field=said.field and secrets.hide(said.field))  # a hint quotes it
        message = shortened(secrets.hide(said.message))
        make = self._make(status, said)
        if make is None:
            error = status_error(status, message, headers=headers)
        else:
            error = make(
                f"The server answered {status}: {message}"
                if message
                else f"The server answered {status}."
            )
        _add_sizes(error, said)
        if isinstance(error, RateLimitedError) and error.retry_after is None:
            # A row of a vendor's table makes its error from the message alone.
            wait = retry_after(headers)
            wait = said.wait if wait is None else wait
            if wait is not None:
                error.set_wait(wait)
        if isinstance(error, InvalidInputError) and error.index is None:
            error.index = position(said)
        return error

    def _make(self, status: int, said: RefusalBody) -> Make | None:
        for code in said.codes:
            if make := self.codes.get(code) or CODES.get(code):
                return make
        if (
            status == 429
            and self.exhausted
            and re.search(self.exhausted, said.message, re.IGNORECASE)
        ):
            return QuotaExhaustedError
        if make := self.statuses.get(status):
            return make
        if status in NOT_BY_SENTENCE:
            return None
        if status < 500:  # else only sizes: some servers refuse them as a failure of their own
            if make := _by_sentence(self.sentences, said.message):
                return make
            if option := self._blamed_option(said):
                hint = f"Change or leave out the option {short_repr(option)}."
                return partial(InvalidOptionError, hint=hint)
        return _by_sentence(SENTENCES, said.message)

    def _blamed_option(self, said: RefusalBody) -> str | None:
        """The option that set the field which the server names."""
        if said.field is None or said.field in INPUT_FIELDS:
            return None
        return self.options.get(said.field, said.field)


def position(said: RefusalBody) -> int | None:
    """The position in the batch of the one input that is refused, if the server names it."""
    if said.index is not None:
        return said.index
    found = POSITION.search(said.message)
    return whole_number(found[1]) if found else None


def _by_sentence(sentences: Sentences, message: str) -> Make | None:
    found = (make for pattern, make in sentences if re.search(pattern, message, re.IGNORECASE))
    return next(found, None)


def _add_sizes(error: EmbedBridgeError, said: RefusalBody) -> None:
    """What the server takes, and what it counted, where it says so."""
    if not isinstance(error, RequestTooLargeError | InputTooLongError):
        return
    numbers = filter(None, map(_number, re.findall(NUMBER, said.message)))
    found = MOST.search(said.message)
    error.most = said.most or (_number(found[1]) if found else None) or None
    if error.most is not None:
        error.size = said.size or max((n for n in numbers if n > error.most), default=None)


def _number(text: str) -> int | None:
    return whole_number(re.sub(r"\D", "", text))
