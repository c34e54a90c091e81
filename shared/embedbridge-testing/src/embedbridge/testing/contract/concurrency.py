"""Threads, tasks and loops: answers are never mixed up, and no event loop ever waits."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest

from embedbridge.contract import LocalEmbeddingModel
from embedbridge.core import Embedder
from embedbridge.testing.contract.base import ContractBase
from embedbridge.testing.contract.comparing import assert_same, twin
from embedbridge.testing.contract.material import TEXTS, numbered
from embedbridge.testing.contract.waiting import waits_of_the_loop
from embedbridge.testing.contract.watching import watched

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDS = 4
"""How often two models are started at the same moment."""


class ConcurrencyChecks(ContractBase):
    """Many callers at once."""

    @pytest.mark.asyncio
    async def test_async_equals_sync(self, embedder: Embedder) -> None:
        """Every async method gives the vectors of its sync twin.

        If this fails, look for state that is kept per thread or per event loop.
        """
        documents = await embedder.aembed_documents(TEXTS)
        query = await embedder.aembed_query(TEXTS[0])

        # The sync twins in this very thread: it is not the one that computed for the async ones.
        matter = "Async and sync give other vectors"
        assert_same(documents, embedder.embed_documents(TEXTS), self.tolerance, matter)
        assert_same(query, embedder.embed_query(TEXTS[0]), self.tolerance, matter)

    @pytest.mark.asyncio
    async def test_the_event_loop_is_not_blocked(self, embedder: Embedder) -> None:
        """No model computes in the thread of the caller's loop, nor waits in the engine's.

        If this fails, an `async def` does blocking work in place: use an async client, or
        `asyncio.to_thread`.
        """
        await embedder.aembed_query(TEXTS[1])  # a first call imports and loads
        with watched(embedder.model) as calls, waits_of_the_loop() as waits:
            await embedder.aembed_documents(TEXTS)

        assert calls, "embed_batch was not called"
        here = threading.current_thread()
        matter = "The caller's event loop is blocked: the model computes in its thread"
        assert all(call.thread is not here for call in calls), matter
        if not isinstance(embedder.model, LocalEmbeddingModel):
            assert not waits, (
                f"The engine's event loop is blocked by {', '.join(sorted(set(waits)))}"
            )

    def test_threads_do_not_mix_up_answers(self, embedder: Embedder) -> None:
        """Eight threads that ask at the same moment get each its own answer, again and again.

        If this fails, look for buffers or clients that are shared without a lock.
        """
        texts = [*TEXTS[:8], *numbered(24)]
        expected = embedder.embed_queries(texts)
        start = threading.Barrier(8)

        def ask(first: int) -> NDArray[np.float32]:
            start.wait()
            return np.stack([embedder.embed_query(text) for text in texts[first::8]])

        with ThreadPoolExecutor(8) as threads:
            for first, answers in enumerate(threads.map(ask, range(8))):
                matter = "A thread got the answer of another one"
                assert_same(answers, expected[first::8], self.tolerance, matter)

    def test_equal_models_do_not_mix_up_answers(self, embedder: Embedder) -> None:
        """Two equal models that compute at the same moment give the vectors that one gives.

        The engine takes turns for one model object, and not for all objects of a class.

        If this fails, look for buffers of the class or of the module; keep them on the object.
        """
        texts = [*TEXTS, *numbered(15)]
        expected = embedder.embed_documents(texts)
        start = threading.Barrier(2)

        def ask(model: Embedder) -> NDArray[np.float32]:
            start.wait()
            return model.embed_documents(texts[:: 1 if model is one else -1])

        with (
            twin(embedder) as one,
            twin(embedder) as other,
            ThreadPoolExecutor(2) as threads,
            many_switches(),
        ):
            for _ in range(ROUNDS):
                first, second = threads.map(ask, (one, other))
                matter = "A model got the answer of an equal one"
                assert_same(first, expected, self.tolerance, matter)
                assert_same(second[::-1], expected, self.tolerance, matter)

    @pytest.mark.asyncio
    async def test_tasks_do_not_mix_up_answers(self, embedder: Embedder) -> None:
        """Tasks that ask at the same moment, as queries and as documents, get each its own answer.

        If this fails, an `async def` keeps state on the model between two awaits.
        """
        queries, documents = await asyncio.gather(
            asyncio.gather(*(embedder.aembed_query(text) for text in TEXTS)),
            asyncio.gather(*(embedder.aembed_documents([text]) for text in TEXTS)),
        )
        matter = "A task got the answer of another one"

        assert_same(np.stack(queries), embedder.embed_queries(TEXTS), self.tolerance, matter)
        assert_same(
            np.concatenate(documents), embedder.embed_documents(TEXTS), self.tolerance, matter
        )

    def test_event_loops_come_and_go(self, embedder: Embedder) -> None:
        """An embedder serves one event loop after the other, and one in another thread.

        If this fails, a client is bound to the first loop it has met.
        """
        expected = embedder.embed_query(TEXTS[0])

        def in_a_new_loop() -> NDArray[np.float32]:
            return asyncio.run(embedder.aembed_query(TEXTS[0]))

        with ThreadPoolExecutor(1) as elsewhere:
            answers = [elsewhere.submit(in_a_new_loop).result() for _ in range(2)]
        answers.append(ThreadPoolExecutor(1).submit(in_a_new_loop).result())

        for answer in answers:
            assert_same(answer, expected, self.tolerance, "Another event loop gets another answer")

    @pytest.mark.asyncio
    async def test_a_cancelled_waiter_costs_nobody_else(self, embedder: Embedder) -> None:
        """Who gives up waiting takes nothing from those who ask for the same at the same time.

        If this fails, the model reacts to a cancelled task by closing what others use.
        """
        expected = await embedder.aembed_documents(TEXTS)
        begun = threading.Event()
        with watched(embedder.model, begun):
            hasty = asyncio.create_task(embedder.aembed_documents(TEXTS))
            await asyncio.to_thread(begun.wait, self.patience)
            patient = asyncio.create_task(embedder.aembed_documents(TEXTS))
            await asyncio.sleep(0)  # it has started
            hasty.cancel()
            await asyncio.gather(hasty, return_exceptions=True)
            found = await patient
        again = await embedder.aembed_documents(TEXTS)

        matter = "A cancelled waiter costs others their answer"
        assert_same(found, expected, self.tolerance, matter)
        assert_same(again, expected, self.tolerance, matter)


@contextmanager
def many_switches() -> Iterator[None]:
    """Threads take turns after some instructions, instead of after milliseconds."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
