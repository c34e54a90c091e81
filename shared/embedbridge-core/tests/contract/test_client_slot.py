"""The client of a model: whoever closes it takes it from nobody, and it is closed once and in time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract.remote.client_slot import ClientHandle, ClientSlot
from embedbridge.contract.remote.redaction import Secrets


@dataclass(kw_only=True)
class Client:
    """Counts how often it is closed; closing takes one turn of the loop, as with a network."""

    closed: int = 0
    fails: bool = False
    handle: ClientHandle = field(init=False)

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1
        if self.fails:
            raise OSError("reset by peer")


def slot_of(made: list[Client], *, fails: bool = False) -> ClientSlot[ClientHandle]:
    """A slot, and the clients that it opens."""

    def open_client() -> ClientHandle:
        client = Client(fails=fails)
        made.append(client)
        client.handle = ClientHandle(url="", secrets=Secrets(), close=client.close, owns_http=True)
        return client.handle

    return ClientSlot(open_client, "asyncio")


STEPS = st.lists(st.one_of(st.just("begin"), st.just("close"), st.integers(0, 9)), max_size=24)
"""Begin a request, close the slot, or end the n-th of the requests that are on their way."""


@given(STEPS)
def test_a_client_is_closed_by_its_last_user(steps: list[str | int]) -> None:
    """In every order of requests and closings: never under a request, and never twice."""

    async def play() -> None:
        made: list[Client] = []
        slot = slot_of(made)
        under_way: list[tuple[ClientHandle, AsyncExitStack]] = []

        def check() -> None:
            held = [id(handle) for handle, _ in under_way]
            for client in made:
                is_open = id(client.handle) in held or client.handle is slot._opened
                assert client.closed == (0 if is_open else 1)

        for step in [*steps, "close", *[0] * len(steps)]:
            if step == "begin":
                client, stack = await slot.get(), AsyncExitStack()
                await stack.enter_async_context(slot.holding(client))
                under_way.append((client, stack))
            elif step == "close":
                await slot.close()
            elif under_way:
                _, stack = under_way.pop(int(step) % len(under_way))
                await stack.aclose()
            check()
        assert all(client.closed == 1 for client in made)

    asyncio.run(play())


async def test_a_cancelled_request_closes_what_it_held_last() -> None:
    """Cancelling ends the request, and leaves no connection open."""
    made: list[Client] = []
    slot, holds = slot_of(made), asyncio.Event()

    async def request() -> None:
        async with slot.holding(await slot.get()):
            holds.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(request())
    await holds.wait()
    await slot.close()
    assert made[0].closed == 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert made[0].closed == 1


async def test_an_answer_is_worth_more_than_a_goodbye(caplog: pytest.LogCaptureFixture) -> None:
    """A client that cannot be closed costs its last user nothing; who closes it himself hears of it."""
    made: list[Client] = []
    slot = slot_of(made, fails=True)
    async with slot.holding(await slot.get()):
        await slot.close()
    assert "A client was not closed: OSError" in caplog.text

    await slot.get()
    with pytest.raises(OSError, match="reset"):
        await slot.close()
