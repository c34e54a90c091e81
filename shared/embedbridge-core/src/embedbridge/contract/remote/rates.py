"""What servers say of rates, credentials and seconds: words that are easily taken for those of sizes.

A gateway may pass a vendor's refusal on with a status of its own, such as 400, 500 or 502. "Too many
tokens" per minute is then no text that is too long, and a text that is cut for it has another vector.

Sources: the servers' source code, and public bug reports.
"""

from __future__ import annotations

from functools import partial

from embedbridge.contract.errors import (
    AuthenticationError,
    QuotaExhaustedError,
    RateLimitedError,
    RequestTimeoutError,
)
from embedbridge.contract.remote.sentences import IN_ONE_BATCH, Sentences

RATE_CODES = frozenset(
    {
        "429",  # LiteLLM and OpenRouter, of the server behind them
        "RateLimitError",
        "ThrottlingException",
        "rate_limit_error",
        "rate_limit_exceeded",
        "throttling_error",  # LiteLLM
        "too_many_requests",
    }
)
"""`code` or `type` of an error that is about a rate, with any status."""

PERIOD = r"(?:min(?:ute)?s?|sec(?:ond)?s?|hours?|days?|months?)"
TOO_MANY = r"(?:too many|maximum|max\.?|limit\S{0,10}|exceed\S{0,20})"
OF_THEM = r"(?: (?:\d[\d,]{0,20}|number|amount|count|of|the|allowed|your|api|http|concurrent|parallel|embeddings?)){0,5}"
"""What stands between `maximum` and `requests`; a "maximum of 512 tokens for such requests" is a size."""
AT_ONCE = r"(?:concurrent|concurrency|in[ -]flight|simultaneous)"

RATES: Sentences = (
    # LiteLLM "Budget has been exceeded! Current cost: 12.1, Max budget: 12.0": waiting does not help
    (
        r"\bbudget\b.{0,30}(?:exceed|exhausted|reached|used up)|(?:exceed\S{0,20}|max(?:imum)?)\b.{0,30}\bbudget\b",
        QuotaExhaustedError,
    ),
    # OpenAI "Rate limit reached for text-embedding-3-small"; Azure "have exceeded token rate limit of
    # your current OpenAI S0 pricing tier"; Cohere "trial token rate limit exceeded"; `RateLimitError`
    (r"\brate limit|rate[_-]?limit|\brequest rate\b|throttl(?:ed|ing)", RateLimitedError),
    # OpenAI "on tokens per min (TPM): Limit 1000000"; LiteLLM "user-defined tpm limit"; Google
    # "online_prediction_input_tokens_per_minute_per_base_model"
    (
        rf"(?:\bper|(?<=[a-z])[ _-]per)[ _-]{PERIOD}(?![a-z])|\b(?:requests|tokens|inputs|calls) ?/ ?{PERIOD}\b|\b[rt]p[mds]\b",
        RateLimitedError,
    ),
    # "429 Too Many Requests"; "maximum number of requests exceeded". Google's "at most 100 requests can
    # be in one batch" is a size, and `requests[3]` is the name of an input.
    (
        rf"(?:{TOO_MANY}|at most|up to){OF_THEM} requests\b(?!\s?[\[.]\s?\w|{IN_ONE_BATCH})",
        RateLimitedError,
    ),
    # AWS "Request limit exceeded."; LiteLLM "Max parallel request limit reached"
    (r"\brequests? (?:limit|quota) (?:exceeded|reached)", RateLimitedError),
    (rf"\b{AT_ONCE}\b.{{0,40}}(?:exceed|limit|reached)", RateLimitedError),
    (rf"{TOO_MANY} .{{0,40}}\b{AT_ONCE}\b", RateLimitedError),
    # Gateways "Token quota exceeded", "token limit reached for key"
    (
        r"\bquota\b.{0,40}(?:exceed|exhausted|reached)|exceed\S{0,20} .{0,40}\bquota\b",
        RateLimitedError,
    ),
    (
        r"\blimit\b.{0,30}\bfor (?:this |your |the )?(?:api[ -]?)?key\b",
        RateLimitedError,
    ),
    # Bedrock "Too many tokens, please wait before trying again."; Azure "Please retry after 2 seconds."
    (
        r"\bwait before\b|\bplease wait\b|\bslow down\b|\b(?:try|trying|retry) again (?:later|(?:after|in) \d)|\bretry (?:after|in) \d",
        RateLimitedError,
    ),
)
"""Rates, with any status that does not itself say what is meant. They come before all sizes, except
`OVER_THE_RATE`, of one request that is too large for any minute."""

_unaccepted = partial(AuthenticationError, hint="Check the key, and whether it has expired.")
OTHERS: Sentences = (
    (r"\boverloaded\b", RateLimitedError),
    # Go "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    (
        r"\b(?:gateway|upstream|request|connection|client)\W{0,3}time-?out|\btimed[ -]out\b|deadline exceeded",
        RequestTimeoutError,
    ),
    # "access token limit exceeded"; "The security token included in the request is expired"
    (
        r"\b(?:access|api|auth\w{0,16}|bearer|id|jwt|refresh|security|session)[ -]token\b(?! count)",
        _unaccepted,
    ),
    # "invalid token: longer than expected"; never `input[3]: invalid token id`
    (r"\binvalid token(?=[.:;,!]|\s?$)", _unaccepted),
    # "JWT token has exceeded its max age"; "The provided token exceeded its lifetime"
    (
        r"\btoken\b.{0,40}\b(?:expired|expiry|lifetime|(?:max|maximum) age|too old)\b",
        _unaccepted,
    ),
)
"""Load, seconds, and tokens that are credentials. With a status of 500 or more they are the server's own:
then the status says enough."""
