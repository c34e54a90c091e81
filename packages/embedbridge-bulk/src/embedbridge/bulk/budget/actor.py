"""Rate limiter for a Ray cluster: its ledger is one named actor.

The actor is detached: one that belongs to a worker or a job would end with it, and so would the
knowledge of what went out in the last minute. It has a namespace of its own, so that all jobs of the
cluster find it, takes no CPU of those that Ray plans with, and stays until `remove`.
"""

from __future__ import annotations

import time
import warnings
from typing import Any, Unpack

from embedbridge.bulk.budget.leasing import LeasingRateLimiter, RateLimits
from embedbridge.bulk.budget.ledger import LONGEST, TRANSIT, Grant, Ledger, Message
from embedbridge.bulk.optional import import_extra
from embedbridge.contract.errors import ConfigurationError, ProviderUnavailableError

ANSWER_SECONDS = 60.0
"""How long to wait for an answer: Ray may have to start the actor on another machine."""


class RayRateLimiter(LeasingRateLimiter):
    """Requests and tokens per minute, over all workers of a Ray cluster that use the same name.

    Example:
        limiter = RayRateLimiter("openai", requests_per_minute=500)
        stage = EmbedStage("openai:text-embedding-3-small", columns, limiter=limiter)

    Args:
        name: Of the account; whoever asks first makes its actor.
        namespace: Ray's, where the actor is.
        limits: `requests_per_minute`, `tokens_per_minute`, `requests_per_second`. They need not be
            the same everywhere: a worker with lower ones leaves the rest to the others.
    """

    def __init__(
        self, name: str, *, namespace: str = "embedbridge", **limits: Unpack[RateLimits]
    ) -> None:
        self.name = name
        self.namespace = namespace
        self._actor: Any = None
        super().__init__(f"ray:{namespace}/{name}", **limits)

    def exchange(self, message: Message) -> Grant | None:
        """One call of the actor.

        Raises:
            MissingDependencyError: Ray is not installed.
            ConfigurationError: This process has no Ray.
            ProviderUnavailableError: The actor does not answer.
        """
        ray = _ray()
        for attempt in (1, 2):
            try:
                self._actor = self._actor or self._find(ray)
                answer: Grant | None = ray.get(
                    self._actor.exchange.remote(message), timeout=ANSWER_SECONDS
                )
            except (ray.exceptions.RayActorError, ray.exceptions.GetTimeoutError) as error:
                self._actor = None  # somebody may have removed it: then it is made anew
                if attempt == 2:
                    raise ProviderUnavailableError(
                        f"The actor {self.name!r} of the rate limit does not answer.",
                        hint="Look for it with `ray list actors`.",
                    ) from error
            else:
                return answer
        raise AssertionError  # the second attempt returns or raises

    def remove(self) -> None:
        """End the actor, for all who use it; a limiter that is used later makes a new one."""
        ray = _ray()
        ray.kill(self._actor or self._find(ray))
        self._actor = None
        self.forget()

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.name, self.namespace, self.limits)

    def _find(self, ray: Any) -> Any:
        """The actor of this name, made where there is none."""
        options = {
            "name": self.name,
            "namespace": self.namespace,
            "get_if_exists": True,
            "lifetime": "detached",
            "num_cpus": 0,
            "max_restarts": -1,
            "max_task_retries": -1,  # a message that comes twice counts once
        }
        return ray.remote(LedgerActor).options(**options).remote()


class LedgerActor:
    """The ledger in a process of its own, where messages come one at a time."""

    def __init__(self) -> None:
        self._ledger = Ledger()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ray warns of how it finds that out itself
            died_before = _ray().get_runtime_context().was_current_actor_reconstructed
        if died_before:  # what went out is not known any more: nothing for the rest of its minute
            self._ledger.opens = time.monotonic() + LONGEST + TRANSIT

    def exchange(self, message: Message) -> Grant | None:
        """Take note of a message; the answer to its booking, if it has one."""
        return self._ledger.exchange(message, time.monotonic())


def _ray() -> Any:
    ray = import_extra("ray", "ray")
    if not ray.is_initialized():  # else the first call would start a cluster of one's own
        raise ConfigurationError(
            "Ray does not run in this process.", hint="Call ray.init() before the first request."
        )
    return ray


def _restore(name: str, namespace: str, limits: RateLimits) -> RayRateLimiter:
    return RayRateLimiter(name, namespace=namespace, **limits)
