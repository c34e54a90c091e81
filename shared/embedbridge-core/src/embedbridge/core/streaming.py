"""Streaming: an iterable of any length is cut into windows, and memory stays bounded.

The next window is read only when the consumer is done with the one before (backpressure).
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from embedbridge.contract.errors import EmbedBridgeError, InvalidInputError
from embedbridge.contract.inputs import refuse_single
from embedbridge.core.threads import in_new_thread, running_loop

if TYPE_CHECKING:
    from embedbridge.contract.inputs import Input
    from embedbridge.core.result import EmbeddingResult, OnBatch

T = TypeVar("T")


def windows_of(inputs: Iterable[Input], size: int) -> Iterator[list[Input]]:
    """The inputs, `size` at a time.

    Raises:
        InvalidInputError: A single input stands where many are due.
    """
    refuse_single(inputs)
    source = iter(inputs)
    while window := list(itertools.islice(source, size)):
        yield window


async def awindows_of(
    inputs: Iterable[Input] | AsyncIterable[Input], size: int
) -> AsyncGenerator[list[Input]]:
    """The same for an async stream as well; what is not in memory yet is read in a thread.

    An iterable may read files or a database, and would block the event loop. Each window is read
    with the caller's context variables; never by two threads at once. An async generator is closed
    with this one.
    """
    if isinstance(inputs, list | tuple):
        for window in windows_of(inputs, size):
            yield window
        return
    if not isinstance(inputs, AsyncIterable):
        windows = windows_of(inputs, size)
        while read := await in_new_thread(next, windows, None):
            yield read
        return
    async with closing(aiter(inputs)) as source:
        window = []
        async for value in source:
            window.append(value)
            if len(window) == size:
                yield window
                window = []
        if window:
            yield window


@asynccontextmanager
async def closing(source: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close an async generator on the way out, here and now; any other stream stays open.

    Python itself would close it later, in another task: too late for who waits for the end, and an
    error in a source with a timeout or a session, which belong to the task that reads.
    """
    try:
        yield source
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()


async def read(inputs: Iterable[Input]) -> Iterable[Input]:
    """All inputs, in memory; those that are not yet are read in a thread, which they may block.

    Raises:
        InvalidInputError: A single input stands where many are due.
        ConfigurationError: The caller runs on another library than asyncio.
    """
    running_loop()
    if isinstance(inputs, list | tuple):
        return inputs
    refuse_single(inputs)
    return await in_new_thread(list, inputs)


def in_stream(result: EmbeddingResult, start: int) -> EmbeddingResult:
    """The result of a window that begins at `start`: its errors name positions in the stream."""
    _shift(result.errors.values(), start)
    return replace(result, start=start)


@contextmanager
def shifted_positions(by: int) -> Iterator[None]:
    """An error raised inside, and the partial result on it, name positions in the stream."""
    try:
        yield
    except EmbedBridgeError as error:
        errors = [error]
        if error.partial is not None:
            error.partial = replace(error.partial, start=by)
            errors += error.partial.errors.values()
        _shift(errors, by)
        raise
    except Warning as raised:  # which a filter made an error, see `Notices`
        if (partial := vars(raised).get("partial")) is not None:
            vars(raised).update(partial=in_stream(partial, by))
        raise


def on_batch_from(on_batch: OnBatch | None, start: int) -> OnBatch | None:
    """The same callback for a window that begins at `start`: it gets positions in the stream."""
    if on_batch is None or not start:
        return on_batch
    return lambda positions, vectors, truncated: on_batch(positions + start, vectors, truncated)


def _shift(errors: Iterable[EmbedBridgeError], by: int) -> None:
    for error in {id(error): error for error in errors}.values():  # some stand there twice
        if isinstance(error, InvalidInputError) and error.index is not None:
            error.index += by
