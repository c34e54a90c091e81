"""Endpoint: limits and shared requests of one server and one account there.

All embedders, jobs and threads with that endpoint share it. A job finds it once, see `JobSpec`.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from embedbridge.contract.by_identity import ByIdentity
from embedbridge.contract.forks import ForkSafeLock, in_forked_child
from embedbridge.contract.model import EmbeddingModel
from embedbridge.core import remote
from embedbridge.core.remote.size_limits import SizeLimits

if TYPE_CHECKING:
    from embedbridge.core.remote.both_limiters import BothLimiters
    from embedbridge.core.remote.limit import Limiter
    from embedbridge.core.remote.rate_limiter import RateLimiter
    from embedbridge.core.remote.shared_requests import SharedRequests
    from embedbridge.core.remote.slots import Slots


class Endpoint:
    """The limits of one server and account, and the requests that are on their way there."""

    def __init__(self) -> None:
        self.size_limits = SizeLimits()
        """How much one request may hold."""
        self._limiters: dict[tuple[int | None, int | None], RateLimiter] = {}
        # By both ids: as long as a job has it, both of them are there.
        self._both: WeakValueDictionary[tuple[int, int], BothLimiters] = WeakValueDictionary()

    @property
    def matters(self) -> bool:
        """Whether something would be sent too early if it were forgotten now."""
        return bool(self._limiters) or ("slots" in self.__dict__ and self.slots.opens > 0)

    # Made when a remote model's first request asks for them, on the background loop: hence no lock.

    @cached_property
    def slots(self) -> Slots:
        """Semaphore and congestion window: how many requests are in flight."""
        return remote.Slots()

    @cached_property
    def requests(self) -> SharedRequests[Any]:
        """Requests that other jobs can join."""
        return remote.SharedRequests()

    def backoff(self, failures: int) -> float:
        """Seconds to wait after so many failures; `embedbridge.testing.no_backoff` makes it none."""
        return remote.full_jitter(failures)

    def limiter(
        self,
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        given: Limiter | None = None,
    ) -> Limiter | None:
        """What admits requests: the rates of the settings and the limiter that was given.

        There is one object for what is the same. Other rates have books of their own: with one queue
        for all, whoever may send little would hold up those who may send much.
        """
        if requests_per_minute is None and tokens_per_minute is None:
            return given
        rates = self._rate_limiter(requests_per_minute, tokens_per_minute)
        if given is None:
            return rates
        key = id(given), id(rates)
        return self._both.get(key) or self._both.setdefault(key, remote.BothLimiters(given, rates))

    def _rate_limiter(
        self, requests_per_minute: int | None, tokens_per_minute: int | None
    ) -> RateLimiter:
        rates = requests_per_minute, tokens_per_minute
        known = self._limiters.get(rates)
        return known or self._limiters.setdefault(
            rates,
            remote.RateLimiter(
                requests_per_minute=requests_per_minute, tokens_per_minute=tokens_per_minute
            ),
        )


KEPT = 64
"""Endpoints that are remembered although no model has them: the next one may be made soon."""
SECONDS_KEPT = 120.0
"""For so long at least those are that have a rate limit or were told to pause: nobody sends too much."""

_endpoints: WeakValueDictionary[Hashable, Endpoint] = WeakValueDictionary()
_holders: ByIdentity[Endpoint] = ByIdentity()  # by the model
# By id, with when it was asked for.
_latest: OrderedDict[int, tuple[float, Endpoint]] = OrderedDict()
_lock = ForkSafeLock(reentrant=True)


@in_forked_child
def _forget_all() -> None:
    """They belong to the parent's event loop."""
    _endpoints.clear()
    _holders.clear()
    _latest.clear()


def endpoint_of(model: EmbeddingModel, *, now: float | None = None) -> Endpoint:
    """The endpoint that a model talks to; the same object for all models with that endpoint.

    It lives as long as one of them, and for a while after.

    Args:
        model: The model.
        now: The moment, in seconds of the monotonic clock.
    """
    if type(model).endpoint is EmbeddingModel.endpoint:  # of this object alone
        return _holders.get(model, Endpoint)
    name = model.endpoint
    with _lock:
        found = _endpoints.get(name)
        if found is None:
            found = _endpoints[name] = Endpoint()
        _holders.put(model, found)
        _keep(found, time.monotonic() if now is None else now)
    return found


def _keep(endpoint: Endpoint, now: float) -> None:
    _latest.pop(id(endpoint), None)
    _latest[id(endpoint)] = now, endpoint
    while len(_latest) > KEPT:
        key, (asked_for, oldest) = next(iter(_latest.items()))
        if asked_for > now - SECONDS_KEPT and oldest.matters:
            break  # those after it go with it, in two minutes at most
        del _latest[key]


def forget_endpoints(netloc: str) -> None:
    """Forget what was learned of a server: a test server's port may have been another one's before.

    Args:
        netloc: Its host and port, `"127.0.0.1:8080"`.
    """
    for name in list(_endpoints):
        server = name[0] if isinstance(name, tuple) and name else None
        if isinstance(server, str) and server.partition("/")[0] == netloc:
            _endpoints.pop(name, None)
