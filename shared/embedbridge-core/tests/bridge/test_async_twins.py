"""A subclass of an adapter that overrides a sync method only has the async method that it expects."""

import asyncio
import inspect
import threading
from contextvars import ContextVar
from typing import Any

import pytest

from embedbridge.contract import ConfigurationError
from embedbridge.core.adapting import add_async_twins, is_truly_async
from embedbridge.core.threads import one_call_at_a_time


class Adapter:
    """Its methods say which way a text went."""

    def __init_subclass__(cls) -> None:
        add_async_twins(cls, Adapter)

    def embed(self, text: str) -> str:
        return self.embed_one(f"{text} engine")

    async def aembed(self, text: str) -> str:
        return await self.aembed_one(f"{text} engine")

    def embed_one(self, text: str) -> str:
        return text

    async def aembed_one(self, text: str) -> str:
        await asyncio.sleep(0)
        return text

    def shown(self) -> str:
        return "shown"


class OverridesSync(Adapter):
    def embed(self, text: str) -> str:
        return super().embed(f"{text} low")


class OverridesInner(Adapter):
    def embed_one(self, text: str) -> str:
        return super().embed_one(f"{text} inner")


class Mixin:
    def embed(self, text: str) -> str:
        return super().embed(f"{text} mixin")  # type: ignore[misc,no-any-return]  # of the other base


class WithMixin(Mixin, Adapter):
    pass


class OverridesAgain(OverridesSync):
    def embed(self, text: str) -> str:
        return super().embed(f"{text} again")


class OverridesBothBelow(OverridesSync):
    """Its async method calls `super()`, where the twin is."""

    def embed(self, text: str) -> str:
        return super().embed(f"{text} both")

    async def aembed(self, text: str) -> str:
        return await super().aembed(f"{text} both")


class OverridesBothThenSync(OverridesBothBelow):
    def embed(self, text: str) -> str:
        return super().embed(f"{text} last")


class LaterMixin(Mixin):
    def embed(self, text: str) -> str:
        return super().embed(f"{text} later")


class Diamond(WithMixin, LaterMixin):
    """The later mixin stands between the class with the twin and what that took for its own."""


class CallsAnotherAsyncMethod(Adapter):
    def embed(self, text: str) -> str:
        return asyncio.run(self.aembed_one(f"{text} another"))


class CallsTheAsyncMethodAbove(Adapter):
    def embed(self, text: str) -> str:
        return asyncio.run(super().aembed(f"{text} above"))


class CallsTheTwinAbove(OverridesSync):
    def embed(self, text: str) -> str:
        return asyncio.run(super().aembed(f"{text} twin"))


class Static(Adapter):
    @staticmethod
    def embed(text: str) -> str:
        return f"{text} static"


@pytest.mark.parametrize(
    "kind",
    [
        Adapter,
        OverridesSync,
        OverridesInner,
        WithMixin,
        OverridesAgain,
        OverridesBothBelow,
        OverridesBothThenSync,
        Diamond,
        CallsAnotherAsyncMethod,
        CallsTheAsyncMethodAbove,
        CallsTheTwinAbove,
        Static,
    ],
)
def test_async_does_what_sync_does(kind: type[Adapter]) -> None:
    """However deep the subclass is, and whichever of its methods call `super()`."""
    adapter = kind()

    assert asyncio.run(adapter.aembed("a")) == adapter.embed("a")
    assert asyncio.run(adapter.aembed_one("a")) == adapter.embed_one("a")


def test_what_nobody_overrides_stays_native() -> None:
    """Only the twins of overridden methods run in threads, and the bridge sees which do."""
    native = {
        (kind.__name__, name): is_truly_async(kind, name)
        for kind in (Adapter, OverridesSync, OverridesInner)
        for name in ("aembed", "aembed_one")
    }

    assert native == {
        ("Adapter", "aembed"): True,
        ("Adapter", "aembed_one"): True,
        ("OverridesSync", "aembed"): False,
        ("OverridesSync", "aembed_one"): True,
        ("OverridesInner", "aembed"): False,
        ("OverridesInner", "aembed_one"): False,
    }


def test_what_overrides_async_only_keeps_it() -> None:
    """As in the frameworks: the sync method does not change."""

    class OverridesAsync(Adapter):
        async def aembed(self, text: str) -> str:
            return f"{text} mine"

    assert asyncio.run(OverridesAsync().aembed("a")) == "a mine"
    assert OverridesAsync().embed("a") == "a engine"


def test_a_pair_of_methods_of_the_users_own_is_left_alone() -> None:
    """Only async methods of the adapter itself are looked at: a name that begins with an a is no mark."""

    class Base(Adapter):
        async def amend(self) -> str:
            return "amended"

        async def ashown(self) -> str:
            return "mine"

    class Sub(Base):
        def mend(self) -> str:
            return "mended"

        def shown(self) -> str:
            return "other"

    assert asyncio.run(Sub().amend()) == "amended"
    assert asyncio.run(Sub().ashown()) == "mine"


def test_the_twin_looks_like_what_it_runs() -> None:
    """Frameworks read names and parameters; the ones of the override count."""

    class More(Adapter):
        def embed(self, text: str, times: int = 1) -> str:
            """Mine."""
            return text * times

    twin: Any = More.aembed

    assert inspect.iscoroutinefunction(twin)
    assert (twin.__name__, twin.__doc__) == ("aembed", "Mine.")
    assert list(inspect.signature(twin).parameters) == ["self", "text", "times"]
    assert asyncio.run(twin(More(), "a", times=3)) == "aaa"


async def test_the_loop_is_free_and_the_context_is_the_callers() -> None:
    """The sync method runs in a thread of its own, with the caller's context variables."""
    who = ContextVar("who", default="nobody")
    go = threading.Event()

    class Waits(Adapter):
        def embed(self, text: str) -> str:
            go.wait()
            return f"{text} {who.get()}"

    who.set("me")
    job = asyncio.create_task(Waits().aembed("a"))
    await asyncio.sleep(0)
    go.set()

    assert await job == "a me"


async def test_many_calls_wait_for_none_of_each_other() -> None:
    """They are no reentry of each other, and no pool can be full: each has its thread."""
    together = threading.Barrier(40)

    class Meets(Adapter):
        def embed(self, text: str) -> str:
            together.wait()
            return text

    adapter = Meets()
    texts = [str(number) for number in range(together.parties)]

    assert await asyncio.gather(*map(adapter.aembed, texts)) == texts


async def test_calls_take_turns_where_that_is_promised() -> None:
    """Beneath a wrapper that is bridged, one thread at a time; a twin within a twin has its turn."""
    lock, calls = threading.Lock(), list[bool]()

    class Inner(Adapter):
        def embed(self, text: str) -> str:
            calls.append(lock.locked())
            return super().embed(text)

    class Outer(Inner):
        def embed(self, text: str) -> str:
            return asyncio.run(super().aembed(text))

    with one_call_at_a_time(lock):
        await asyncio.gather(*[Outer().aembed("a") for _ in range(8)])
    await Outer().aembed("a")

    assert calls == [True] * 8 + [False]


async def test_a_circle_is_an_error() -> None:
    """The sync method calls the twin that runs it: that would start threads for ever."""

    class Circle(Adapter):
        def embed(self, text: str) -> str:
            return asyncio.run(self.aembed(f"{text} round"))

    with pytest.raises(ConfigurationError, match=r"embed of Circle calls aembed.*super"):
        await Circle().aembed("a")
    with pytest.raises(ConfigurationError, match="neither would end"):
        await asyncio.to_thread(Circle().embed, "a")
