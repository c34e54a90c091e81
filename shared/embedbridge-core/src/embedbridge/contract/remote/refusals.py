"""Refusals: what a server says when it refuses a request, as one of our errors.

A code of the vendor's decides first, then a sentence of its own, an option's field that is named, a
sentence that all servers share, and the status. Servers word the same refusal in many ways, so a table of
sentences is never complete. What no row knows becomes an `InvalidInputError` without a position, and the
engine searches in halves.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from embedbridge.contract.errors import (
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    InvalidOptionError,
    QuotaExhaustedError,
    RateLimitedError,
    RequestTooLargeError,
    short_repr,
)
from embedbridge.contract.remote.failures import redirect_error
from embedbridge.contract.remote.numbers import whole_number
from embedbridge.contract.remote.rates import OTHERS, RATE_CODES, RATES
from embedbridge.contract.remote.redaction import Secrets
from embedbridge.contract.remote.refusal_body import RefusalBody, read_refusal
from embedbridge.contract.remote.sentences import (
    CODES,
    LOOSE,
    OVER_THE_RATE,
    SENTENCES,
    Make,
    Sentences,
)
from embedbridge.contract.remote.status import shortened, status_error, tell_of_retries

POSITION = re.compile(
    r"(?:\b(?:inputs?|texts?|images?|contents?|examples?|instances|requests|documents)"
    r"(?:\s*\[|\.|\s+(?:at\s+)?(?:index|position|number|id|input|#)\s*)"
    r"|#/(?:inputs|texts|images)/)(\d+)",
    re.IGNORECASE,
)
"""How messages name the one input that is refused: `input[3]`, `image at index 3`, `#/texts/3`."""
NOT_BY_SENTENCE = frozenset(
    {401, 402, 403, 405, 407, 408, 410, 425, 426, 429, 431, 494, 497, 499, 503, 504, 511}
)
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
        "input_tokens",  # vLLM's own names for what it has made of `input`
        "input_text",
    }
)
"""Fields of a request that hold inputs; any other field is an option's."""

NUMBER = r"(?<![a-z_-])(?<!\d\.)(\d[\d,_]*+)(?!\s?(?:[kmg]|[kmg]i?b|ms|s|sec|seconds|minutes)\b)"
"""A number that counts: no part of a name (`text-embedding-3-small`), nor in thousands, megabytes or seconds."""
MOST = re.compile(
    r"(?:max(?:imum|\.)?|exceeding|limit(?! exceeded by)|at most|less than|up to|(?:larger|greater|longer|more) than|window of|n_ctx|<="
    rf"|\[\s*\d+\s*,)[^\d.]{{0,48}}?{NUMBER}",
    re.IGNORECASE,
)
"""The number that a size must not exceed."""
MOST_CHARACTERS = re.compile(rf"(?:at most|more than) {NUMBER} characters", re.IGNORECASE)
"""The same in characters, of a server that counts those before it makes tokens of them, and names both:
vLLM "You passed 90000 input characters … a maximum input length of 512 tokens (at most 8192 characters)"."""


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
        *,
        sent: Collection[str] = (),
    ) -> EmbedBridgeError:
        """Our error for an answer that is no success.

        Args:
            status: Of the answer.
            body: Its body or the beginning of it; or what a library has already parsed.
            headers: Of the answer; names in lower case.
            secrets: Hidden in all that is quoted.
            sent: Names of the fields of the request: what the server says of such a field is about an
                option, unless the field holds the inputs.
        """
        if 300 <= status < 400:
            return redirect_error(status, headers.get("location", ""), secrets)
        said = read_refusal(body, position_field=self.position_field)
        if code := headers.get(self.code_header or "", "").partition(":")[0]:
            said = replace(said, codes=(code, *said.codes))
        said = replace(said, field=said.field and secrets.hide(said.field))  # a hint quotes it
        message = shortened(secrets.hide(said.message))
        make = self._make(status, said, sent)
        if make is None:
            error = status_error(status, message, headers=headers, wait=said.wait)
        else:
            error = make(
                f"The server answered {status}: {message}"
                if message
                else f"The server answered {status}."
            )
        _add_sizes(error, said)
        # A row of a table makes its error from the message alone.
        tell_of_retries(error, headers, wait=said.wait)
        if isinstance(error, InvalidInputError) and error.index is None:
            error.index = position(said)
        return error

    def _make(self, status: int, said: RefusalBody, sent: Collection[str]) -> Make | None:
        for code in said.codes:
            if make := self.codes.get(code) or CODES.get(code):
                return make
        if status == 429:
            if self.exhausted and re.search(self.exhausted, said.message, re.IGNORECASE):
                return QuotaExhaustedError
            if make := _by_sentence(OVER_THE_RATE, said.message):
                return make
        if make := self.statuses.get(status):
            return make
        if status in NOT_BY_SENTENCE:
            return None
        if make := self._of_a_rate(said):
            return make
        other = _by_sentence(OTHERS, said.message)
        if status >= 500:  # only sizes: some servers refuse them as a failure of their own
            return None if other else _by_sentence(SENTENCES, said.message)
        option = self._blamed_option(said)
        is_known = said.field in self.options or said.field in sent
        return (
            _by_sentence(self.sentences, said.message)
            or other
            or (option if is_known else None)
            # Before a field that nobody has sent: a server may have names of its own for an input.
            or _by_sentence(SENTENCES, said.message)
            or option
            or _by_sentence(LOOSE, said.message)
        )

    def _of_a_rate(self, said: RefusalBody) -> Make | None:
        """The error about a rate that a gateway passes on with a status of its own."""
        if make := _by_sentence(OVER_THE_RATE, said.message):
            return make
        make = _by_sentence(RATES, said.message)
        if make is None and not RATE_CODES.isdisjoint(said.codes):
            make = RateLimitedError
        if make and self.exhausted and re.search(self.exhausted, said.message, re.IGNORECASE):
            return QuotaExhaustedError
        return make

    def _blamed_option(self, said: RefusalBody) -> Make | None:
        """The error about the option that set the field which the server names."""
        if said.field is None or said.field in INPUT_FIELDS:
            return None
        option = self.options.get(said.field, said.field)
        hint = f"Change or leave out the option {short_repr(option)}."
        return partial(InvalidOptionError, hint=hint)


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
    message = POSITION.sub(" ", said.message)  # that number is no size
    numbers = filter(None, map(_number, re.findall(NUMBER, message, re.IGNORECASE)))
    found = MOST_CHARACTERS.search(message) or MOST.search(message)
    error.most = said.most or (_number(found[1]) if found else None) or None
    if error.most is not None:
        error.size = said.size or max((n for n in numbers if n > error.most), default=None)
        if error.size == error.most + 1 and isinstance(error, InputTooLongError):
            error.size = None  # vLLM stops counting there: the text may be of any length


def _number(text: str) -> int | None:
    return whole_number(re.sub(r"\D", "", text))
