"""What known servers say when they refuse a request: codes and sentences, with our errors for them.

Sources: the servers' source code, and public bug reports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from embedbridge.contract.errors import (
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    InvalidOptionError,
    QuotaExhaustedError,
    RequestTooLargeError,
    UnknownModelError,
)

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


def maybe_too_long(message: str) -> InputTooLongError:
    """One input is too long, by words that might mean something else."""
    error = InputTooLongError(message)
    error.certain = False
    return error


CODES: Mapping[str, Make] = {
    "billing_hard_limit_reached": QuotaExhaustedError,
    "billing_not_active": QuotaExhaustedError,
    "context_length_exceeded": InputTooLongError,  # OpenAI
    "exceed_context_size_error": InputTooLongError,  # llama.cpp, as 400 and as 500
    "insufficient_quota": QuotaExhaustedError,
    "max_tokens_per_request": too_many_tokens,  # OpenAI
    "model_not_found": UnknownModelError,
    "tokens_limit_reached": too_many_tokens,  # Azure and GitHub Models, as 413
}
"""By `code` or `type` of an error, for all servers that speak OpenAI's format."""

OVER_THE_RATE: Sentences = ((r"request too large for .{0,200}\brequested\b", too_many_tokens),)
"""Of one request that has more tokens than a whole minute may have: it is refused for ever, also where
the status is that of a rate. OpenAI, as 429: "Request too large for text-embedding-3-small in organization
org-… on tokens per min (TPM): Limit 150000, Requested 159618."; others say the same as 413."""

NOUNS = r"(?:inputs?|texts?|items|images|documents|instances|contents|sentences|strings)"
IN_ONE_BATCH = r".{0,20} (?:in|per) (?:(?:a|an|one|each|the|this|single) ){0,2}(?:batch|request|call)\b(?! queue)"
"""What makes `requests` a size: else they are a rate."""
SENTENCES: Sentences = (
    *OVER_THE_RATE,
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
    # Google "at most 100 requests can be in one batch": its name for inputs
    (
        rf"(?:too many|at most|no more than|up to|maximum|max|limit|number of) .{{0,30}}\brequests{IN_ONE_BATCH}",
        too_many_items,
    ),
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
    # Azure "Request body too large for text-embedding-3-small model. Max size: 64000 tokens."
    (r"(?:payload|request body).{0,30}large.{0,100}\d tokens", too_many_tokens),
    (
        r"(?:payload|request body|request entity|content length|body size).{0,30}(?:large|exceed|limit)",
        too_many_bytes,
    ),
    # OpenAI and vLLM "This model's maximum context length is 8192 tokens"; vLLM of today "the model's
    # context length is only 8192 tokens"; Ollama "the input length exceeds the context length"; llama.cpp
    # "exceeds the available context size"; llama-box "exceed n_ctx"
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
        maybe_too_long,
    ),
    (
        r"\b(?:tokens?|characters|chars)\b.{0,60}(?:exceed|maximum|max\b|limit|too long|longer|at most)",
        maybe_too_long,
    ),
    # Go's and Python's JSON, of a vector that holds NaN, as a status 500: Ollama "failed to encode
    # response: json: unsupported value: NaN"; Starlette "Out of range float values are not JSON compliant"
    (
        r"unsupported value: [+-]?(?:NaN|Inf)|float values are not JSON compliant",
        partial(InvalidInputError, hint="The model has no finite vector for it: change the text."),
    ),
    # vLLM, and NVIDIA's NIMs on it, also for the model's own width: "Model 'x' does not support Matryoshka
    # embeddings; dimensions must be unset"
    (
        r"not support matryoshka",
        partial(InvalidOptionError, hint="Change or leave out the option 'dimensions'."),
    ),
)
"""What known servers say of sizes, and of vectors that they cannot make or send. No part of a row is unbounded
(`.*`, `\\d+`): a server's text must not hold up the event loop."""

LOOSE: Sentences = (
    (
        r"(?<!took )(?<!take )(?<!takes )(?<!taken )(?<!taking )(?<!waited )\btoo long\b|token limit",
        maybe_too_long,
    ),
)
"""Words that are about a text only where nothing else in a refusal says more: `user` may be too long as
well. With a status of 500 or more they are about seconds: "The upstream took too long to respond."."""
