"""Rate limits over processes and machines: one budget for all who share an account.

`FileRateLimiter` is for the processes of one machine, `RayRateLimiter` for a cluster. Both are limiters
like `embedbridge.core.RateLimiter`, and travel to workers.
"""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.bulk.budget.actor import RayRateLimiter as RayRateLimiter
    from embedbridge.bulk.budget.file import FileRateLimiter as FileRateLimiter

__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"actor": ["RayRateLimiter"], "file": ["FileRateLimiter"]}
)
