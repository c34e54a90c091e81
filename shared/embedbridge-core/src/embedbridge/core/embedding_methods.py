"""Methods of an `Embedder` besides `embed` and its twin: made of them, by role, kind and stream; its end.

No `from __future__ import annotations` here: steps of a chain and tools of an agent take their
schema from these annotations, and frameworks do not resolve one that is text.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from contextlib import aclosing
from typing import Self

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.batch import Vectors
from embedbridge.contract.image import Image
from embedbridge.contract.inputs import Input, Text, without_texts
from embedbridge.contract.model import EmbeddingModel, LocalEmbeddingModel
from embedbridge.contract.vocabulary import Role, Task
from embedbridge.core import remote
from embedbridge.core.listeners.progress import Progress
from embedbridge.core.result import EmbeddingResult, OnBatch
from embedbridge.core.settings import Settings
from embedbridge.core.streaming import (
    awindows_of,
    in_stream,
    on_batch_from,
    shifted_positions,
    windows_of,
)
from embedbridge.core.threads import in_new_thread


class EmbeddingMethods(ABC):
    """What an `Embedder` offers besides `embed` and `aembed`."""

    model: EmbeddingModel
    settings: Settings

    @abstractmethod
    def embed(
        self,
        inputs: Iterable[Input],
        *,
        role: Role,
        task: Task | None = None,
        show_progress: Progress = None,
        on_batch: OnBatch | None = None,
    ) -> EmbeddingResult:
        """Embed all inputs as one job."""

    @abstractmethod
    async def aembed(
        self,
        inputs: Iterable[Input],
        *,
        role: Role,
        task: Task | None = None,
        show_progress: Progress = None,
        on_batch: OnBatch | None = None,
    ) -> EmbeddingResult:
        """The async twin of `embed`."""

    def close(self) -> None:
        """Release the model's memory, worker processes and clients."""
        if isinstance(self.model, LocalEmbeddingModel):
            self.model.close()
        else:
            remote.background_loop().run(self.model.aclose())

    async def aclose(self) -> None:
        """The async twin of `close`; never blocks the event loop."""
        if isinstance(self.model, LocalEmbeddingModel):
            await in_new_thread(self.model.close)
        else:
            await remote.background_loop().run_async(self.model.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def embed_documents(
        self,
        texts: Iterable[str | Text],
        *,
        task: Task | None = None,
        show_progress: Progress = None,
    ) -> Vectors:
        """Vectors of texts that are searched in: float32, shape (n, dimensions).

        With `errors="collect"` or `on_empty="skip"`, rows of inputs that have an error or are
        skipped are NaN; the errors are in what `embed` returns.
        """
        return self.embed(texts, role="document", task=task, show_progress=show_progress).vectors

    async def aembed_documents(
        self,
        texts: Iterable[str | Text],
        *,
        task: Task | None = None,
        show_progress: Progress = None,
    ) -> Vectors:
        """The async twin of `embed_documents`."""
        return (
            await self.aembed(texts, role="document", task=task, show_progress=show_progress)
        ).vectors

    def embed_query(self, text: str | Text, *, task: Task | None = None) -> NDArray[np.float32]:
        """Vector of a text that is searched for: float32, shape (dimensions,).

        Raises:
            InvalidInputError: It cannot be embedded, whatever `errors` says.
        """
        return self.embed([text], role="query", task=task)[0]

    async def aembed_query(
        self, text: str | Text, *, task: Task | None = None
    ) -> NDArray[np.float32]:
        """The async twin of `embed_query`."""
        return (await self.aembed([text], role="query", task=task))[0]

    def embed_queries(
        self,
        texts: Iterable[str | Text],
        *,
        task: Task | None = None,
        show_progress: Progress = None,
    ) -> Vectors:
        """Vectors of many queries: float32, shape (n, dimensions); NaN as in `embed_documents`."""
        return self.embed(texts, role="query", task=task, show_progress=show_progress).vectors

    async def aembed_queries(
        self,
        texts: Iterable[str | Text],
        *,
        task: Task | None = None,
        show_progress: Progress = None,
    ) -> Vectors:
        """The async twin of `embed_queries`."""
        return (
            await self.aembed(texts, role="query", task=task, show_progress=show_progress)
        ).vectors

    def embed_images(
        self,
        images: Iterable[Image],
        *,
        role: Role = "document",
        task: Task | None = None,
        show_progress: Progress = None,
    ) -> Vectors:
        """Vectors of images: float32, shape (n, dimensions); NaN as in `embed_documents`.

        Raises:
            InvalidInputError: One is a text, which may be meant as a path: `Image.from_path`.
        """
        inputs = without_texts(images)
        return self.embed(inputs, role=role, task=task, show_progress=show_progress).vectors

    async def aembed_images(
        self,
        images: Iterable[Image],
        *,
        role: Role = "document",
        task: Task | None = None,
        show_progress: Progress = None,
    ) -> Vectors:
        """The async twin of `embed_images`."""
        inputs = without_texts(images)
        return (
            await self.aembed(inputs, role=role, task=task, show_progress=show_progress)
        ).vectors

    def embed_windows(
        self,
        inputs: Iterable[Input],
        *,
        role: Role = "document",
        task: Task | None = None,
        on_batch: OnBatch | None = None,
    ) -> Iterator[EmbeddingResult]:
        """Results of a stream, one per `settings.window` inputs; no more inputs are held at once.

        Takes the next inputs only when the consumer asks for their result. `start` of a result is
        the position of its first input in the stream; the errors in it, and those that are raised,
        name positions in the stream; so does `on_batch`, see `embed`.

        Raises:
            InvalidInputError: An input is bad. Its `partial` is the window's result, which begins
                at `partial.start`.
            EmbedBridgeError: The model failed.
        """
        start = 0
        for window in windows_of(inputs, self.settings.window):
            with shifted_positions(start):
                result = self.embed(
                    window, role=role, task=task, on_batch=on_batch_from(on_batch, start)
                )
            yield in_stream(result, start)
            start += len(window)

    async def aembed_windows(
        self,
        inputs: Iterable[Input] | AsyncIterable[Input],
        *,
        role: Role = "document",
        task: Task | None = None,
        on_batch: OnBatch | None = None,
    ) -> AsyncGenerator[EmbeddingResult]:
        """The async twin of `embed_windows`; also takes an async stream.

        An async generator is closed with this one, by the same task. Any other stream is read in
        threads, one after the other: of an object that belongs to the thread that made it, such as
        a cursor of sqlite3, pass a list.
        """
        start = 0
        async with aclosing(awindows_of(inputs, self.settings.window)) as windows:
            async for window in windows:
                with shifted_positions(start):
                    result = await self.aembed(
                        window, role=role, task=task, on_batch=on_batch_from(on_batch, start)
                    )
                yield in_stream(result, start)
                start += len(window)

    def embed_iter(
        self, inputs: Iterable[Input], *, role: Role = "document", task: Task | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Vectors of a stream, in order, one by one; holds `settings.window` inputs at once.

        Takes the next inputs only when the consumer wants their vectors. With
        `errors="collect"`, an input that cannot be embedded yields NaN; so does one that is skipped.

        Raises:
            InvalidInputError: With the position in the whole stream. Its `partial` is the window's
                result, which begins at `partial.start`.
        """
        for result in self.embed_windows(inputs, role=role, task=task):
            yield from result.vectors

    async def aembed_iter(
        self,
        inputs: Iterable[Input] | AsyncIterable[Input],
        *,
        role: Role = "document",
        task: Task | None = None,
    ) -> AsyncGenerator[NDArray[np.float32]]:
        """The async twin of `embed_iter`; also takes an async stream."""
        async with aclosing(self.aembed_windows(inputs, role=role, task=task)) as results:
            async for result in results:
                for vector in result.vectors:
                    yield vector
