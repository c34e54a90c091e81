"""Requests to servers: the background event loop, rate limits, concurrency, retries, coalescing."""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.core.remote.both_limiters import BothLimiters as BothLimiters
    from embedbridge.core.remote.loop import background_loop as background_loop
    from embedbridge.core.remote.rate_limiter import RateLimiter as RateLimiter
    from embedbridge.core.remote.retry import full_jitter as full_jitter
    from embedbridge.core.remote.shared_requests import SharedRequests as SharedRequests
    from embedbridge.core.remote.slots import Slots as Slots

# Lazy: what needs asyncio. A local model has an endpoint too, and uses none of these.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "both_limiters": ["BothLimiters"],
        "loop": ["background_loop"],
        "rate_limiter": ["RateLimiter"],
        "retry": ["full_jitter"],
        "shared_requests": ["SharedRequests"],
        "slots": ["Slots"],
    },
)
