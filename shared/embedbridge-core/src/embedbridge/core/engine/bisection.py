"""Bisection: a refusal that names no input is searched in halves, and stops where all are refused.

A server may refuse a batch without saying which input it means, or in words that no table knows. A
bad input then costs ⌈log2 n⌉ + 1 refusals at most. Of a large batch two inputs go out alone first:
where they and a third one are refused in the same words and nothing is accepted, the inputs are not
to blame, but an option, the model or the account; what is left is not sent.

So it is with whole batches: where one after the other is refused for the key, the account or the model,
and nothing is accepted, the rest of the job is not sent.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field

from embedbridge.contract.errors import (
    AuthenticationError,
    ConfigurationError,
    EmbedBridgeError,
    InvalidInputError,
    QuotaExhaustedError,
)

FEW = 8
"""A batch of so many inputs is searched to its end."""
ENOUGH = 3
"""Inputs of a larger batch that are refused alone before all of them are taken for refused."""
ALIKE = 8
"""Batches that are refused alike, one after the other, before the rest of a job is taken for refused;
more where more may be out at once. A firewall refuses single batches with a 403, too."""


@dataclass(slots=True, eq=False)
class Bisection:
    """The search for what one refusal means; all pieces of the refused batch share it."""

    size: int
    """Inputs of the refused batch."""
    of_outage: bool = False
    """Whether the server failed, after all attempts: a piece of the batch is then tried once."""
    refusals: int = 1
    """Requests that were refused, the first one included."""
    accepted: bool = False
    """Whether some piece was embedded: then the server takes inputs, and some are bad."""
    words: list[str] = field(default_factory=list)
    """How each input was refused that was alone."""
    verdict: EmbedBridgeError | None = None
    """Set when the search is over because everything is refused: the error of all its inputs."""

    @property
    def decided(self) -> bool:
        """Whether it is known what to do with the inputs that were refused alone."""
        return self.accepted or self.verdict is not None or len(set(self.words)) > 1

    def note(self, error: EmbedBridgeError) -> None:
        """An input was refused alone."""
        self.words.append(re.sub(r"\d+", "#", error.message))  # numbers may be about one input
        enough = len(self.words) >= min(self.size, ENOUGH if self.size > FEW else FEW)
        if not enough or self.decided:
            return
        self.verdict = error
        if isinstance(error, InvalidInputError):
            kind = ConfigurationError if self.size > FEW else InvalidInputError
            self.verdict = kind(
                f"Each input is refused in the same words: {error.message}",
                hint="If the inputs are sound, an option is to blame, the model or the account.",
                attempts=self.refusals,
            )


@dataclass(slots=True)
class Refusals:
    """Whole batches of one modality that a server refused for what all of them have in common.

    A server that is down is none of these: it may come back within the job.
    """

    count: int = 0
    """One after the other, with errors of one class."""
    last: EmbedBridgeError | None = None
    verdict: EmbedBridgeError | None = None
    """Set when there were enough: the error of all that is not sent."""

    def note(self, failure: Exception, *, at_once: int) -> None:
        """A batch failed.

        Args:
            failure: Its error.
            at_once: Batches that may be out at once: they were sent before anything was known.
        """
        final = AuthenticationError | ConfigurationError | QuotaExhaustedError
        if not isinstance(failure, final) or failure.never_sent:
            return
        self.count = self.count + 1 if type(failure) is type(self.last) else 1
        self.last = failure
        if self.verdict is None and self.count >= max(ALIKE, at_once):
            self.verdict = copy.copy(failure)
            self.verdict.attempts = None
            self.verdict.__cause__ = failure
            told = f"Not sent: {self.count} batches before it were refused alike."
            self.verdict.hint = f"{told} {failure.hint or ''}".rstrip()
