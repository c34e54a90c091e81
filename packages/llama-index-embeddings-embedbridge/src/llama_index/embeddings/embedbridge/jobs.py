"""Jobs: announced to whoever listens, and made by the engine or by what a subclass overrides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from llama_index.core.base.embeddings.base import Embedding

from embedbridge.contract import Input, Role
from embedbridge.core.adapting import in_new_thread, refuse_single
from llama_index.embeddings.embedbridge.engine_hooks import EngineHooks
from llama_index.embeddings.embedbridge.events import announced
from llama_index.embeddings.embedbridge.images import ImageLike, shown
from llama_index.embeddings.embedbridge.overriding import acall_hook, call_hook


class EngineJobs(EngineHooks):
    """One job of a public method, which names the hook beneath it."""

    _overridden: ClassVar[frozenset[str]] = frozenset()
    """Methods of LlamaIndex's that a subclass overrides."""

    def _most_per_call(self) -> int | None:
        """Inputs of one call to the model, if that was set."""
        raise NotImplementedError

    def _run(
        self, inputs: Sequence[Input], role: Role, hook: str | None, progress: str | None = None
    ) -> list[Embedding]:
        with announced(self, inputs) as finish:
            if hook in self._overridden:
                vectors = call_hook(self, hook, inputs, progress)
            else:
                vectors = self._embed(inputs, role, progress)
            finish(vectors)
        return vectors

    async def _arun(
        self, inputs: Sequence[Input], role: Role, hook: str | None, progress: str | None = None
    ) -> list[Embedding]:
        with announced(self, inputs) as finish:
            if hook in self._overridden:
                vectors = await acall_hook(self, hook, inputs, progress)
            else:
                vectors = await self._aembed(inputs, role, progress)
            finish(vectors)
        return vectors

    def _run_images(
        self, images: Iterable[ImageLike], hook: str, progress: str | None = None
    ) -> list[Embedding]:
        if hook not in self._overridden:
            return self._run(self._to_images(images), "document", hook, progress)
        given = listed(images)  # a hook of a subclass takes them as they are
        with announced(self, list(map(shown, given))) as finish:
            vectors = call_hook(self, hook, given, progress)
            finish(vectors)
        return vectors

    async def _arun_images(
        self, images: Iterable[ImageLike], hook: str, progress: str | None = None
    ) -> list[Embedding]:
        if hook not in self._overridden:
            inputs = await in_new_thread(self._to_images, images)
            return await self._arun(inputs, "document", hook, progress)
        given = await alisted(images)
        with announced(self, list(map(shown, given))) as finish:
            vectors = await acall_hook(self, hook, given, progress)
            finish(vectors)
        return vectors


def listed(texts: Iterable[Any]) -> list[Any]:
    """The texts of a job, which are looked at more than once; a generator cannot be."""
    refuse_single(texts)
    return list(texts)


async def alisted(texts: Iterable[Any]) -> list[Any]:
    """The same; what is no list yet is read in a thread, as the engine reads it."""
    return listed(texts) if isinstance(texts, list | tuple) else await in_new_thread(listed, texts)
