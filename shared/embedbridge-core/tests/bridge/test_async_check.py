"""Async methods that only look like it are told from native ones, by their code."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest

from embedbridge.core.bridge import is_outdated, is_truly_async


async def ask(texts: list[str]) -> list[str]:
    return texts


def compute(texts: list[str]) -> list[str]:
    return texts


def tried_twice(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def wrapper(*arguments: Any) -> Any:
        try:
            return await function(*arguments)
        except OSError:
            return await function(*arguments)

    return wrapper


class Methods:
    client: Any = None

    async def waits(self, texts: list[str]) -> Any:
        return await self.client.embed(texts)

    async def waits_within(self, texts: list[str]) -> Any:
        async def once() -> Any:
            return await ask(texts)

        return await once()

    async def waits_for_a_connection(self, texts: list[str]) -> Any:
        async with self.client.connection() as connection:
            return connection.read(texts)

    async def waits_for_another(self, texts: list[str]) -> Any:
        return await self.waits(texts)

    @tried_twice
    async def waits_again(self, texts: list[str]) -> Any:
        return await self.client.embed(texts)

    async def counts_in_a_thread_and_waits(self, texts: list[str]) -> Any:
        counts = await asyncio.to_thread(compute, texts)
        return await self.client.embed(texts, counts)

    async def waits_for_its_namesake(self, texts: list[str]) -> Any:
        return await self.client.waits_for_its_namesake(texts)

    async def blocks(self, texts: list[str]) -> Any:
        return compute(texts)

    async def hands_to_a_thread(self, texts: list[str]) -> Any:
        return await asyncio.to_thread(compute, texts)

    async def hands_to_an_executor(self, texts: list[str]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, compute, texts)

    async def hands_to_threads(self, texts: list[str]) -> Any:
        return await asyncio.gather(*[asyncio.to_thread(compute, [text]) for text in texts])

    async def waits_for_one_that_blocks(self, texts: list[str]) -> Any:
        await asyncio.sleep(0)
        return await self.blocks(texts)

    def is_sync(self, texts: list[str]) -> Any:
        return compute(texts)

    is_builtin = len


@pytest.mark.parametrize(
    "name",
    [
        "waits",
        "waits_within",
        "waits_for_a_connection",
        "waits_for_another",
        "waits_again",
        "counts_in_a_thread_and_waits",
        "waits_for_its_namesake",
    ],
)
def test_native(name: str) -> None:
    """What awaits more than threads is native, through decorators and helpers too."""
    assert is_truly_async(Methods, name)


@pytest.mark.parametrize(
    "name",
    [
        "blocks",
        "hands_to_a_thread",
        "hands_to_an_executor",
        "hands_to_threads",
        "waits_for_one_that_blocks",
        "is_sync",
        "is_builtin",
        "is_not_there",
    ],
)
def test_not_native(name: str) -> None:
    """What blocks, or is a thread in disguise, or cannot be read, is not."""
    assert not is_truly_async(Methods, name)


class Twins:
    client: Any = None

    def embed(self, texts: list[str]) -> Any:
        return compute(texts)

    async def aembed(self, texts: list[str]) -> Any:
        return await self.client.embed(texts)

    def _get(self, texts: list[str]) -> Any:
        return compute(texts)

    async def _aget(self, texts: list[str]) -> Any:
        return await self.aembed(texts)


class TwinsAnd(Twins):
    """An async method beside a sync one that it calls, or seems to."""

    inner: Any = None
    limits: Any = None

    async def aready(self) -> None:
        await self.client.connect()

    def search(self, texts: list[str]) -> Any:
        return self.embed(texts)


class CallsItsTwin(TwinsAnd):
    async def asearch(self, texts: list[str]) -> Any:
        await self.aready()
        return self.search(texts)


class CallsAnotherTwin(TwinsAnd):
    async def asearch(self, texts: list[str]) -> Any:
        await self.aready()
        return [self.embed([text]) for text in texts]


class CallsTheTwinOfWhatItWraps(TwinsAnd):
    async def asearch(self, texts: list[str]) -> Any:
        async with self.limits:
            return self.inner.search(texts if self.limits else [""], role="document")


class CallsTheTwinOfItsBase(TwinsAnd):
    async def asearch(self, texts: list[str]) -> Any:
        await self.aready()
        return super().search(texts)


class AwaitsItsNamesake(TwinsAnd):
    async def asearch(self, texts: list[str]) -> Any:
        await self.aready()
        counts = compute([text.strip() for text in texts])
        return await self.client.search(counts, roles=[*texts, len(texts)], **self.limits)


class AwaitsItBeneathAnotherCall(TwinsAnd):
    async def asearch(self, texts: list[str]) -> Any:
        return compute((await self.client.search(*texts)).rows)


@pytest.mark.parametrize(
    "kind",
    [CallsItsTwin, CallsAnotherTwin, CallsTheTwinOfWhatItWraps, CallsTheTwinOfItsBase],
)
def test_one_that_calls_sync_code_is_not_native(kind: type) -> None:
    """It awaits something first, and then computes on the event loop."""
    assert not is_truly_async(kind, "asearch")


@pytest.mark.parametrize("kind", [AwaitsItsNamesake, AwaitsItBeneathAnotherCall])
def test_one_that_awaits_what_is_called_alike_is_native(kind: type) -> None:
    """A client's coroutine may have the name of the class's own sync method."""
    assert is_truly_async(kind, "asearch")


class OverridesSync(Twins):
    def embed(self, texts: list[str]) -> Any:
        return compute([*texts, "more"])


class OverridesBoth(OverridesSync):
    def embed(self, texts: list[str]) -> Any:
        return compute(texts)

    async def aembed(self, texts: list[str]) -> Any:
        return await ask(texts)


class OverridesPrivate(Twins):
    def _get(self, texts: list[str]) -> Any:
        return compute([*texts, "more"])


@pytest.mark.parametrize(
    ("kind", "name", "outdated", "native"),
    [
        (Twins, "aembed", False, True),
        (Twins, "_aget", False, True),
        (OverridesSync, "aembed", True, False),
        (OverridesSync, "_aget", False, False),  # it calls the one that is outdated
        (OverridesBoth, "aembed", False, True),
        (OverridesPrivate, "_aget", True, False),
        (OverridesPrivate, "aembed", False, True),
        (Methods, "waits", False, True),
    ],
)
def test_an_async_method_that_a_subclass_left_behind_is_not_used(
    kind: type, name: str, outdated: bool, native: bool
) -> None:
    """The sync method is newer: it does something that the async one, however native, does not."""
    assert is_outdated(kind, name) is outdated
    assert is_truly_async(kind, name) is native
