"""LlamaIndex's `rate_limiter` as the engine's limiter."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from embedbridge.core import Ticket
from embedbridge.core.adapting import run_sync


class RateLimiterBridge:
    """Asks a LlamaIndex rate limiter before each request, with the tokens that it will cost.

    LlamaIndex asks once per slice of a job, for texts that the cache answers too, and never says
    how many tokens. The engine asks after the cache and the removal of duplicates.

    Args:
        rate_limiter: A `BaseRateLimiter`, or any object with `acquire()` or `async_acquire()`,
            with or without `num_tokens`. Remote models await it on the engine's background loop.
    """

    def __init__(self, rate_limiter: Any) -> None:
        self._limiter = rate_limiter

    def acquire(self, tokens: int) -> Ticket:
        """Wait until one request of so many tokens may go out."""
        if not hasattr(self._limiter, "acquire"):
            return run_sync(self.acquire_async(tokens))
        self._limiter.acquire(**self._charge(self._limiter.acquire, tokens))
        return Ticket()  # a LlamaIndex limiter takes no tokens back

    async def acquire_async(self, tokens: int) -> Ticket:
        """The same for an event loop, which is not blocked."""
        if not hasattr(self._limiter, "async_acquire"):
            return await asyncio.to_thread(self.acquire, tokens)
        await self._limiter.async_acquire(**self._charge(self._limiter.async_acquire, tokens))
        return Ticket()

    def _charge(self, acquire: Any, tokens: int) -> dict[str, int]:
        if not _takes_tokens(acquire):
            return {}
        # A token bucket never holds more than its size: a larger request would wait for ever.
        most = getattr(self._limiter, "tokens_per_minute", None)
        return {"num_tokens": tokens if most is None else min(tokens, int(most))}


def _takes_tokens(acquire: Any) -> bool:
    parameters = inspect.signature(acquire).parameters.values()
    return any(
        parameter.name == "num_tokens" or parameter.kind is parameter.VAR_KEYWORD
        for parameter in parameters
    )
