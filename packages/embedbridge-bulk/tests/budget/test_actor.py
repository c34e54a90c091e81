"""The limiter in a Ray actor, on a stand-in for Ray; the real one is in `engines/`."""

import pickle
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from embedbridge.bulk.budget import RayRateLimiter
from embedbridge.bulk.budget.leasing import _Request
from embedbridge.bulk.budget.ledger import LONGEST
from embedbridge.contract import (
    ConfigurationError,
    MissingDependencyError,
    ProviderUnavailableError,
)
from embedbridge.core import Ticket


class DiedError(Exception):
    """Ray's `RayActorError`."""


class TooLateError(Exception):
    """Ray's `GetTimeoutError`."""


class Actor:
    """An actor and its handle, by which it is called."""

    def __init__(self, made: Any) -> None:
        self.made, self.actor = made, made()
        self.exchange = SimpleNamespace(remote=self.call)
        self.is_gone = self.is_silent = False
        self.calls = 0

    def call(self, message: Any) -> Any:
        self.calls += 1
        message = pickle.loads(pickle.dumps(message))
        if self.is_gone:
            return DiedError()
        if self.is_silent:
            return TooLateError()
        return self.actor.exchange(message)


class Ray:
    """As much of Ray as the limiter takes."""

    exceptions = SimpleNamespace(RayActorError=DiedError, GetTimeoutError=TooLateError)

    def __init__(self) -> None:
        self.actors: dict[tuple[str, str], Actor] = {}
        self.options: dict[str, Any] = {}
        self.is_running = True
        self.died_before = False

    def is_initialized(self) -> bool:
        return self.is_running

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(was_current_actor_reconstructed=self.died_before)

    def remote(self, made: Any) -> Any:
        def options(*, name: str, namespace: str, get_if_exists: bool, **others: Any) -> Any:
            assert get_if_exists
            self.options = others

            def find() -> Actor:
                if (name, namespace) not in self.actors:
                    self.actors[name, namespace] = Actor(made)
                return self.actors[name, namespace]

            return SimpleNamespace(remote=find)

        return SimpleNamespace(options=options)

    def get(self, answer: Any, timeout: float) -> Any:
        assert timeout > 0
        if isinstance(answer, Exception):
            raise answer
        return answer

    def kill(self, actor: Actor) -> None:
        actor.is_gone = True
        self.actors = {name: one for name, one in self.actors.items() if one is not actor}


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Ray:
    stand_in = Ray()
    monkeypatch.setitem(sys.modules, "ray", stand_in)
    return stand_in


def admits(limiter: RayRateLimiter, count: int) -> int:
    """How many of so many requests may go out now."""
    limiter._seconds = 0.0  # no leases
    return sum(isinstance(limiter._ask(_Request(1)), Ticket) for _ in range(count))


def test_all_who_name_it_have_one_budget(ray: Ray) -> None:
    """Also by pickle; another name or namespace is another budget."""
    first = RayRateLimiter("account", requests_per_minute=5)
    second = pickle.loads(pickle.dumps(first))
    others = [
        RayRateLimiter("another", requests_per_minute=5),
        RayRateLimiter("account", namespace="a tenant", requests_per_minute=5),
    ]

    assert admits(first, 3) == 3
    assert admits(second, 5) == 2
    assert [admits(other, 9) for other in others] == [5, 5]
    assert repr(second) == repr(first)


def test_its_actor_outlives_who_made_it(ray: Ray) -> None:
    """It takes no CPU of others, is made anew where it dies, and answers a message that comes twice."""
    admits(RayRateLimiter("account"), 1)

    assert ray.options == {
        "lifetime": "detached",
        "num_cpus": 0,
        "max_restarts": -1,
        "max_task_retries": -1,
    }


def test_most_requests_need_no_call(ray: Ray) -> None:
    """They go out on a lease."""
    limiter = RayRateLimiter("account", requests_per_minute=10_000)
    for _ in range(300):
        limiter.acquire(1)
    limiter.close()

    (actor,) = ray.actors.values()
    assert actor.calls < 30
    assert sum(lease.requests for lease in actor.actor._ledger.leases) == 300


def test_a_message_that_comes_twice_counts_once(ray: Ray) -> None:
    """Ray sends it again where the actor died before its answer."""
    limiter = RayRateLimiter("account", requests_per_minute=2)
    request = _Request(1)
    limiter._ask(request)
    limiter._ask(request)

    assert admits(limiter, 5) == 1


def test_an_actor_that_died_admits_nothing_for_a_minute(ray: Ray) -> None:
    """What it knew of the last one is lost."""
    ray.died_before = True
    limiter = RayRateLimiter("account", requests_per_minute=5)

    assert admits(limiter, 1) == 0
    (actor,) = ray.actors.values()
    assert actor.actor._ledger.opens - actor.actor._ledger.seen > LONGEST - 1


def test_an_actor_that_was_removed_is_made_anew(ray: Ray) -> None:
    """By whoever asks next, also if another one removed it."""
    first, second = (RayRateLimiter("account", requests_per_minute=2) for _ in range(2))
    assert (admits(first, 1), admits(second, 1)) == (1, 1)
    first.remove()

    assert (admits(second, 1), admits(first, 1)) == (1, 1)


def test_an_actor_that_does_not_answer_is_an_error(ray: Ray) -> None:
    """One that the engine tries again, as if the vendor were not there."""
    limiter = RayRateLimiter("account")
    admits(limiter, 1)
    (actor,) = ray.actors.values()
    actor.is_silent = True

    with pytest.raises(ProviderUnavailableError, match="'account' of the rate limit"):
        limiter.acquire(1)
    actor.is_silent = False
    limiter.acquire(1)


def test_a_report_that_fails_is_told_the_next_time(ray: Ray, monkeypatch: Any) -> None:
    """In the background nobody would see the error, whatever it is."""
    limiter = RayRateLimiter("account", requests_per_minute=10_000)
    for _ in range(20):
        limiter.acquire(1)
    monkeypatch.delattr(Ray, "get")
    assert limiter._lease is not None
    limiter._lease.until = 0.0  # it is over
    limiter._tend()
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "ray", ray)
    limiter._tend()

    (actor,) = ray.actors.values()
    assert sum(lease.requests for lease in actor.actor._ledger.leases) == 20


def test_a_closed_limiter_has_nothing_to_tell(ray: Ray) -> None:
    """Its timer ends; a further request begins anew."""
    limiter = RayRateLimiter("account", requests_per_minute=10_000)
    for _ in range(2):  # the second one's answer is a lease
        limiter.acquire(1)
    assert limiter._timer is not None
    limiter.close()

    assert limiter._timer is None
    limiter.acquire(1)
    assert limiter._timer is not None


def test_no_cluster_is_started(ray: Ray) -> None:
    """A process without Ray would have one of its own, and a budget of its own."""
    ray.is_running = False

    with pytest.raises(ConfigurationError, match=r"Ray does not run.*ray\.init"):
        RayRateLimiter("account").acquire(1)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not a module."""
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(MissingDependencyError, match=r"embedbridge-bulk\[ray\]"):
        RayRateLimiter("account").acquire(1)
