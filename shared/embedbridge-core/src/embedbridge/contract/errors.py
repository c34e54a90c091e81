"""The exception hierarchy: everything that embedbridge raises.

    EmbedBridgeError
    ├── ConfigurationError                nothing was sent; change the code or the environment
    │   ├── UnknownProviderError          (LookupError)
    │   ├── UnknownModelError             (LookupError)
    │   ├── MissingDependencyError        (ImportError)
    │   └── InvalidOptionError            (ValueError)
    ├── AuthenticationError               the key is missing, malformed or refused
    │   └── InvalidKeyError               (ValueError, ConfigurationError) nothing was sent
    ├── RateLimitedError(retry_after)     retryable
    ├── QuotaExhaustedError               no credit left: retrying cannot help
    ├── ProviderUnavailableError          retryable: the server or the way to it fails
    ├── RequestTimeoutError               retryable (TimeoutError)
    ├── InvalidResponseError              retryable: the answer is not what was asked for
    ├── RequestTooLargeError(limit)       the engine halves the batch; callers see it only if it
    │                                     cannot be halved any more
    ├── InvalidInputError(index)          (ValueError)
    │   ├── InputTooLongError
    │   ├── UnsupportedModalityError
    │   └── InvalidImageError         may be retryable: a server or a disk failed
    │       └── ImageNotFoundError        (FileNotFoundError)
    └── SpaceMismatchError                (ValueError) the vectors may not be compared

Every error says what happened, where, and what to do next. All of them pickle, because people use
worker processes. None of them ever holds a key, a header or a whole input.
"""

import copy
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypedDict, TypeVar, Unpack

T = TypeVar("T")
Converted = TypeVar("Converted")
Error = TypeVar("Error", bound=BaseException)

MAX_SHOWN = 80
"""Characters of a caller's value that a message shows at most."""


def short_repr(value: object) -> str:
    """The `repr` of a value, short enough for a message."""
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes"
    text = repr(value[: MAX_SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def short_path(path: object) -> str:
    """A path, short enough for a message: its end, which says most."""
    text = str(path)
    return repr(text if len(text) <= MAX_SHOWN else f"…{text[1 - MAX_SHOWN :]}")


class Where(TypedDict, total=False):
    """The arguments that every error takes, see `EmbedBridgeError`."""

    hint: str | None
    provider: str | None
    model: str | None
    attempts: int | None


class EmbedBridgeError(Exception):
    """The root of the tree.

    Args:
        message: What happened, and where.
        hint: What to do now.
        provider: Name of the provider, for example `"openai"`.
        model: Name of the model.
        attempts: How many times the call was tried.
    """

    retryable: bool = False
    """Whether the same call may succeed when it is made again."""
    retry_after: float | None = None
    """Seconds that the server asks us to wait, where it says so."""
    retry_at: float | None = None
    """Seconds since the epoch at which it will take requests again, where it says so."""
    never_sent: bool = False
    """Whether a remote model failed before it sent anything; a rate limiter charges nothing then."""

    def __init__(
        self,
        message: str = "",
        *,
        hint: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        attempts: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.provider = provider
        self.model = model
        self.attempts = attempts
        self.partial: Any = None
        """The `EmbeddingResult` of a job that was given up: what had its vector by then."""

    def locate(self, *, provider: str, model: str, attempts: int | None = None) -> Self:
        """Fill in where it happened, unless that is known already."""
        self.provider = self.provider or provider
        self.model = self.model or model
        self.attempts = self.attempts or attempts
        return self

    def set_wait(self, seconds: float | None) -> None:
        """Set `retry_after` and `retry_at`, also where the wait is known only after the error is made."""
        self.retry_after = seconds
        self.retry_at = None if seconds is None else time.time() + seconds

    def __str__(self) -> str:
        where = f" [{self.provider}:{self.model}]" if self.provider and self.model else ""
        tries = f" ({self.attempts} attempts)" if self.attempts and self.attempts > 1 else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.message}{where}{tries}{hint}"


class ConfigurationError(EmbedBridgeError):
    """The setup is wrong; nothing was embedded."""


class UnknownProviderError(ConfigurationError, LookupError):
    """No installed package announces this provider."""


class UnknownModelError(ConfigurationError, LookupError):
    """The provider cannot find this model."""


class MissingDependencyError(ConfigurationError, ImportError):
    """A package that this feature needs is not installed."""


class InvalidOptionError(ConfigurationError, ValueError):
    """An option is unknown or has a value that cannot be."""


class AuthenticationError(EmbedBridgeError):
    """The credential is missing, malformed or refused."""


class InvalidKeyError(AuthenticationError, InvalidOptionError):
    """The key is missing or cannot be one; nothing was sent."""


class RateLimitedError(EmbedBridgeError):
    """Too many requests for now.

    Args:
        message: What happened, and where.
        retry_after: Seconds the server asks us to wait, if it said so.
        where: As for `EmbedBridgeError`.
    """

    retryable = True

    def __init__(
        self,
        message: str = "",
        *,
        retry_after: float | None = None,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(message, **where)
        self.set_wait(retry_after)


class QuotaExhaustedError(EmbedBridgeError):
    """The account has no credit left; it is not a rate limit and waiting does not help."""


class ProviderUnavailableError(EmbedBridgeError):
    """The server, or the way to it, does not work at the moment."""

    retryable = True


class RequestTimeoutError(EmbedBridgeError, TimeoutError):
    """No complete answer within the deadline."""

    retryable = True


class InvalidResponseError(EmbedBridgeError):
    """The model answered something that is not one finite vector per input, in order."""

    retryable = True
    rows: tuple[int, ...] = ()
    """Inputs of the batch without a usable vector, by number, where the other vectors are sound."""


class RequestTooLargeError(EmbedBridgeError):
    """One request holds more than the server takes; a smaller one may succeed.

    Args:
        message: What the server said.
        limit: What there was too much of: `"items"`, `"tokens"` or `"bytes"`; `None` if it is
            not known.
        where: As for `EmbedBridgeError`.
    """

    most: int | None = None
    """How much one request may hold, where the server says so."""
    size: int | None = None
    """How much the server counted."""

    def __init__(
        self,
        message: str = "",
        *,
        limit: str | None = None,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(message, **where)
        self.limit = limit


class InvalidInputError(EmbedBridgeError, ValueError):
    """One input cannot be embedded.

    Args:
        message: What is wrong with it.
        index: Position of the input in what the caller handed over.
        source: Where it came from, for example a file's path.
        where: As for `EmbedBridgeError`.
    """

    def __init__(
        self,
        message: str = "",
        *,
        index: int | None = None,
        source: str | None = None,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(message, **where)
        self.index = index
        self.source = source

    def __str__(self) -> str:
        place = "" if self.index is None else f"Input {self.index}: "
        source = f" ({self.source})" if self.source else ""
        return f"{place}{super().__str__()}{source}"


class InputTooLongError(InvalidInputError):
    """The input has more tokens than the model takes, and `on_too_long="error"` was asked for."""

    most: int | None = None
    """Tokens that the server takes, where it says so."""
    size: int | None = None
    """Tokens that it counted."""
    certain: bool = True
    """Whether the server's words can mean nothing else; if not, no text is cut that surely fits."""


class UnsupportedModalityError(InvalidInputError):
    """The model does not embed this kind of input."""


class InvalidImageError(InvalidInputError):
    """The image cannot be read.

    It is `retryable` if that says nothing about the image: its server was down, or the disk failed.
    """

    @classmethod
    def for_now(cls, message: str, *, hint: str | None = None) -> Self:
        """One that is `retryable`.

        Args:
            message: What happened, and where.
            hint: What to do now.
        """
        error = cls(message, hint=hint)
        error.retryable = True
        return error


class ImageNotFoundError(InvalidImageError, FileNotFoundError):
    """There is no such image file."""


class SpaceMismatchError(EmbedBridgeError, ValueError):
    """Vectors of two spaces may not be compared or stored together."""


@contextmanager
def naming_input(index: int) -> Iterator[None]:
    """What is wrong with an input inside has its position.

    Args:
        index: In the batch, or in the user's list.
    """
    try:
        yield
    except InvalidInputError as error:
        error.index = index
        raise


def twin_of(error: Error) -> Error:
    """A copy of an error, with its cause, which `copy` leaves out."""
    twin = copy.copy(error)
    twin.__cause__ = error.__cause__
    return twin


def convert_each(inputs: Iterable[T], convert: Callable[[T], Converted]) -> list[Converted]:
    """What becomes of each input; what is wrong with one has its position."""
    converted = []
    for index, value in enumerate(inputs):
        with naming_input(index):
            converted.append(convert(value))
    return converted


def exception_chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, then what led to it, as a traceback prints them; each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
