"""Each planted fault is caught by the check that is meant for it, in words about the matter.

The models here are fakes with one fault each. Faults in copies of a real local model and of a real
client stand beside those providers, in tests of the same name.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import ConfigDict, Field, SecretBytes, SecretStr

from embedbridge.contract import (
    Batch,
    BatchResult,
    EmbeddingModel,
    InvalidInputError,
    Limits,
    LoadedMixed,
    ModelCard,
    ModelOptions,
    RequestTooLargeError,
    Usage,
)
from embedbridge.core import Embedder
from embedbridge.testing import EmbeddingModelContract, FakeModel, RemoteFakeModel
from embedbridge.testing.contract import CHECKS
from embedbridge.testing.contract.by_hand import failure_of
from embedbridge.testing.fake_cards import CARDS
from embedbridge.testing.fakes import FakeOptions

CANARY = "sk-canary-0123456789abcdef"
SHORT = replace(CARDS[0], limits=Limits(max_items=32, max_tokens_per_input=64))


class Fault(FakeModel):
    """A fake whose answers are spoilt by a function."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        raise NotImplementedError

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        return replace(result, vectors=self.spoil(result.vectors, batch))


class Asks(FakeModel):
    """A fake that is asked for something else than what it was given."""

    def other(self, batch: Batch) -> Batch:
        raise NotImplementedError

    def embed_batch(self, batch: Batch) -> BatchResult:
        return super().embed_batch(self.other(batch))


class Counting(FakeModel):
    """No fault: the fake with an exact count of tokens, two of them special."""

    cards: ClassVar[Sequence[ModelCard]] = (SHORT,)

    def count_tokens(self, texts: Sequence[str]) -> Sequence[int] | None:
        return [len(text.split()) + 2 for text in texts]


class KeyOptions(FakeOptions):
    api_key: SecretStr = SecretStr(CANARY)


class HidesItsKey(FakeModel):
    """No fault: the fake with a key."""

    Options: ClassVar[type[ModelOptions]] = KeyOptions
    options: KeyOptions

    @property
    def key(self) -> str:
        return self.options.api_key.get_secret_value()


# Vectors.


class Shuffles(Fault):
    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors[::-1]


class ShiftsByOne(Fault):
    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return np.roll(vectors, 1, axis=0)


class SortsByLength(Fault):
    """Sorts texts for less padding, and forgets to undo it."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        order = sorted(range(len(batch)), key=lambda place: str(batch.inputs[place]))
        return vectors[order]


class DropsTheLast(Fault):
    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors[:-1] if len(batch) > 1 else vectors


class RepeatsTheFirst(Fault):
    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return np.repeat(vectors[:1], len(vectors), axis=0)


class DependsOnTheBatch(Fault):
    """Like a pooling that forgets the attention mask."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors + 1e-3 * max(len(str(each)) for each in batch.inputs)


class IsRandom(Fault):
    """Like a model that was never set to eval()."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors + np.random.default_rng().normal(0, 1e-3, vectors.shape).astype(np.float32)


class Drifts(Fault):
    """Like a running mean that is updated when it should not be."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        self.calls = getattr(self, "calls", 0) + 1
        return vectors * np.float32(1 + 1e-3 * self.calls)


class NormalisesSometimes(Fault):
    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors * 3 if any(len(str(each)) > 100 for each in batch.inputs) else vectors


class NeverNormalises(Fault):
    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors * np.float32(5)


class HalvesQueries(Fault):
    """Normalises documents only."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors * np.float32(0.5) if batch.role == "query" else vectors


class HalvesImages(Fault):
    """Normalises behind the tower of texts only."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors * np.float32(0.5) if batch.modality == "image" else vectors


class HalvesMixedInputs(Fault):
    """Takes the mean of the parts, and leaves it as it is."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors * np.float32(0.5) if batch.modality == "mixed" else vectors


class AnswersDoubles(Fault):
    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors.astype(np.float64)


class AnswersLists(Fault):
    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors.tolist()


class AnswersAnotherWidth(Fault):
    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors[:, :-1]


class AnswersNaN(Fault):
    def spoil(self, vectors: Any, batch: Batch) -> Any:
        vectors = vectors.copy()
        vectors[-1, 0] = np.nan
        return vectors


class AnswersZeros(Fault):
    """For texts that its vocabulary does not know."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        unknown = [str(each).isdigit() for each in batch.inputs]
        return np.where(np.array(unknown)[:, None], np.float32(0), vectors)


class LiesAboutItsWidth(FakeModel):
    """Its card says nine dimensions, its vectors have eight."""

    @property
    def card(self) -> ModelCard:
        return replace(super().card, dimensions=9)

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        return replace(result, vectors=result.vectors[:, :8])


class ReusesItsBuffer(FakeModel):
    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        if not hasattr(self, "buffer"):
            self.buffer = np.zeros((64, result.vectors.shape[1]), np.float32)
        self.buffer[: len(batch)] = result.vectors
        return replace(result, vectors=self.buffer[: len(batch)])


class EmptiesItsBatch(FakeModel):
    """Sorts the caller's list in place."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        batch.inputs.sort(key=str)  # type: ignore[attr-defined]  # that is the fault
        return result


class IgnoresDimensions(FakeModel):
    """Claims that the server shortens vectors, and does not ask it to."""

    @property
    def card(self) -> ModelCard:
        return replace(super().card, requests_dimensions=True)


class ForgetsToNormaliseShort(FakeModel):
    """Shortens vectors itself, and leaves them at their length."""

    @property
    def card(self) -> ModelCard:
        return replace(super().card, requests_dimensions=True)

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        return replace(result, vectors=result.vectors[:, : batch.dimensions])


# Roles and prompts.


class ForgetsTheRole(Asks):
    def other(self, batch: Batch) -> Batch:
        return replace(batch, role="document")


class HalfTheRole(Asks):
    """Queries that come in batches are embedded as documents."""

    def other(self, batch: Batch) -> Batch:
        return replace(batch, role=batch.role if len(batch) == 1 else "document")


class MakesRolesUp(Fault):
    """Its card says that it knows no roles."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return -vectors if batch.role == "query" else vectors

    @property
    def card(self) -> ModelCard:
        return replace(super().card, roles="none")


class StripsThePrompt(Asks):
    def other(self, batch: Batch) -> Batch:
        inputs = [
            each[len(batch.prompt) :] if isinstance(each, str) else each for each in batch.inputs
        ]
        return replace(batch, inputs=inputs)


class StripsThePromptOfDocuments(StripsThePrompt):
    """Only queries have their prompt."""

    def other(self, batch: Batch) -> Batch:
        return super().other(batch) if batch.role == "document" else batch


class ForgetsTheTask(Asks):
    """Has a prompt for clustering on its card, and puts the usual one there itself."""

    @property
    def card(self) -> ModelCard:
        prompts = {"query": "query: ", "document": "passage: ", "clustering": "cluster: "}
        return replace(super().card, prompts=prompts)

    def other(self, batch: Batch) -> Batch:
        inputs = [str(each).replace("cluster: ", "passage: ") for each in batch.inputs]
        return replace(batch, inputs=inputs)


class KnowsFewTasks(FakeModel):
    """Looks each task up, and has not all of them."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        _ = {None: 0, "clustering": 1, "code": 2}[batch.task]
        return super().embed_batch(batch)


class TasksOfDocuments(Asks):
    """A task takes the place of the role."""

    def other(self, batch: Batch) -> Batch:
        return replace(batch, role="document") if batch.task else batch


class ForgetsTheCardsPrompt(FakeModel):
    """Only the user's own prompt stands in front of queries."""

    def prompt(self, role: Any, task: Any = None) -> str:
        return super().prompt(role, task) if role == "document" else self.options.query_prompt or ""


class StripsTheCardsPrompt(Asks):
    """Takes the usual prompt off, for a library that is to put it there."""

    def other(self, batch: Batch) -> Batch:
        return replace(batch, inputs=[text.removeprefix("passage: ") for text in batch.texts])


class PromptsTwice(Asks):
    """Puts the card's prompt in front of texts that have it."""

    def other(self, batch: Batch) -> Batch:
        prompt = self.card.prompts[batch.role]
        return replace(batch, inputs=[prompt + text for text in batch.texts])


# Texts.


class ReadsOnlyAscii(Asks):
    def other(self, batch: Batch) -> Batch:
        texts = [text.encode("ascii", "ignore").decode() or str(len(batch)) for text in batch.texts]
        return replace(batch, inputs=texts)


class LowersTexts(Fault):
    """Fails on what its tokenizer cannot take."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        if any("\x00" in text for text in batch.texts):
            raise ValueError("embedded null character")
        return vectors


class JoinsItsTexts(Fault):
    """Special tokens in one text change the vectors of its neighbours."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        joined = any("</s>" in text for text in batch.texts) and len(batch) > 1
        return vectors * np.float32(2) if joined else vectors


class TruncatesSilently(Counting):
    """Reads 40 tokens, and its card says 64."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        cut = [" ".join(text.split()[:38]) for text in batch.texts]
        return super().embed_batch(replace(batch, inputs=cut))


class CountsNothing(Counting):
    """Has a limit, and counts every text as short."""

    def count_tokens(self, texts: Sequence[str]) -> Sequence[int] | None:
        return [1 for _ in texts]


class CountsWithPadding(Counting):
    """Counts after padding, so that each text is as long as the longest."""

    def count_tokens(self, texts: Sequence[str]) -> Sequence[int] | None:
        counts = super().count_tokens(texts) or [0]
        return [max(counts)] * len(counts)


class ForgetsSpecialTokens(Counting):
    """Reports what was cut by a count that the engine's does not agree with."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        cut = [len(text.split()) > 60 for text in batch.texts]
        return replace(result, truncated=cut)


class DividesByTheTokens(FakeModel):
    """Takes the mean over the words of a text, and finds none."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        for text in batch.texts:
            1 / len(text.split())
        return super().embed_batch(batch)


class OpensTexts(Asks):
    """Guesses that a text is a file, as some libraries do."""

    def other(self, batch: Batch) -> Batch:
        for text in batch.texts:
            if "\x00" not in text and len(text) < 200 and Path(text).is_file():
                Path(text).read_bytes()
        return batch


class ReportsNoUsage(FakeModel):
    """Reports the usage of its last text instead of the sum."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        return replace(super().embed_batch(batch), usage=Usage(tokens=1))


# Limits.


class TakesOneLess(FakeModel):
    """Off by one: the server refuses a batch that is as full as the card says."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        if len(batch) >= 32:
            raise RequestTooLargeError("at most 31 inputs", limit="items")
        return super().embed_batch(batch)


class TakesTwenty(FakeModel):
    """Its card says 32. What the engine learns of it hides that from all later jobs."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        Embedder(self).embed_documents([f"text number {number}" for number in range(40)])

    def embed_batch(self, batch: Batch) -> BatchResult:
        if len(batch) > 20:
            raise RequestTooLargeError("at most 20 inputs", limit="items")
        return super().embed_batch(batch)


class LosesTheEnd(Fault):
    """Off by one: the last of a full batch is overwritten."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        vectors = vectors.copy()
        vectors[31:] = vectors[:1]
        return vectors


class TakesFewerImages(FakeModel):
    def embed_batch(self, batch: Batch) -> BatchResult:
        if batch.modality == "image" and len(batch) >= 32:
            raise InvalidInputError("too many images")
        return super().embed_batch(batch)


# Images.


class MixesUpImages(Fault):
    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors[::-1] if batch.modality == "image" else vectors


class ReadsTheFile(Fault):
    """Decodes by itself, so that a picture from memory is another one."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        from_file = [image.described.startswith("file") for image in batch.images]
        return vectors + np.array(from_file)[:, None] * np.float32(0.1) if from_file else vectors


class CropsToNothing(Fault):
    """Resizes without keeping a pixel of what is very narrow."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        for image in batch.images:
            if min(image.size) * 100 < max(image.size):
                raise ZeroDivisionError("height is 0")
        return vectors


class IgnoresTheImage(Asks):
    """Reads the texts of a mixed input only."""

    def other(self, batch: Batch) -> Batch:
        inputs: list[Any] = [
            LoadedMixed(tuple(part for part in each.parts if isinstance(part, str)))
            if isinstance(each, LoadedMixed)
            else each
            for each in batch.inputs
        ]
        return replace(batch, inputs=inputs)


class TakesImagesForTexts(FakeModel):
    """Its card has no images, and its own coercion lets them through."""

    cards: ClassVar[Sequence[ModelCard]] = (replace(CARDS[1], name="small"),)

    @property
    def card(self) -> ModelCard:
        card = super().card
        self.looks = getattr(self, "looks", 0) + 1
        return card if self.looks <= 1 else replace(card, modalities=("text", "image"))


# Errors.


class ChokesOnBatches(FakeModel):
    def embed_batch(self, batch: Batch) -> BatchResult:
        if len(batch) != 1:
            raise ValueError("only one at a time, please")
        return super().embed_batch(batch)


class StaysBroken(FakeModel):
    """Takes a lock, and does not give it back after an error."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        if getattr(self, "broken", False):
            raise RuntimeError("still locked")
        return super().embed_batch(batch)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "embed_batch" and "fails_late" in repr(value):
            object.__setattr__(self, "broken", True)
        object.__setattr__(self, name, value)


class LaxOptions(FakeOptions):
    model_config = ConfigDict(extra="allow")


class SwallowsOptions(FakeModel):
    """Takes any option without a word."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(
            name, **{key: options[key] for key in options if key in FakeOptions.model_fields}
        )


# Concurrency.


class SharesABuffer(FakeModel):
    """Answers another thread's question when it is asked from one."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        if len(batch) > 1 and threading.current_thread() is not threading.main_thread():
            return replace(result, vectors=result.vectors[::-1])
        return result


class KeepsStateBetweenAwaits(RemoteFakeModel):
    """Keeps the batch on the model while it waits, where the next task overwrites it."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.now = batch
        await asyncio.sleep(0.002)
        now = self.now if len(self.now) == len(batch) else batch
        return await super().embed_batch(now)


class ComputesInItsClass(FakeModel):
    """All models of the class compute in one buffer, step by step."""

    buffer: ClassVar[dict[int, Any]] = {}

    def embed_batch(self, batch: Batch) -> BatchResult:
        for number, row in enumerate(super().embed_batch(batch).vectors):
            self.buffer[number] = row
            time.sleep(0)  # another thread may have its turn, as in any long computation
        return BatchResult(vectors=np.stack([self.buffer[number] for number in range(len(batch))]))


class BlocksTheLoop(RemoteFakeModel):
    """Waits in place, as a blocking client does."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        time.sleep(0.001)  # noqa: ASYNC251  # that is the fault
        return await super().embed_batch(batch)


class BoundToItsFirstLoop(FakeModel):
    """Keeps something of the first thread that it has met."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        self.home = getattr(self, "home", threading.get_ident())
        if self.home != threading.get_ident():
            raise RuntimeError("attached to a different loop")
        return super().embed_batch(batch)


class ClosesWhenCancelled(RemoteFakeModel):
    """Throws its client away when one request is cancelled, under the feet of the others."""

    closed = False

    async def embed_batch(self, batch: Batch) -> BatchResult:
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            self.closed = True
            raise
        if self.closed:
            raise RuntimeError("the client has been closed")
        return await super().embed_batch(batch)

    @property
    def endpoint(self) -> Any:
        return object()  # shares nothing, so that each waiter has a request of its own


# Secrets.


class ShowsItsKey(HidesItsKey):
    def __repr__(self) -> str:
        return f"ShowsItsKey({self.key})"


class ManyKeysOptions(FakeOptions):
    keys: Any = Field(default=None, exclude=True, repr=False)


class ShowsOneOfItsKeys(FakeModel):
    """Its keys are in a container; where it shows one, the container says where they are."""

    Options: ClassVar[type[ModelOptions]] = ManyKeysOptions

    def __repr__(self) -> str:
        return f"ShowsOneOfItsKeys({CANARY})"


class PutsItsKeyIntoTheIdentity(HidesItsKey):
    def identity(self) -> dict[str, object]:
        return {"url": f"https://example.test/?key={self.key[:14]}"}


class PutsItsKeyIntoTheEndpoint(HidesItsKey):
    @property
    def endpoint(self) -> Any:
        return ("fake", self.key)


class LogsItsKey(HidesItsKey):
    def embed_batch(self, batch: Batch) -> BatchResult:
        import logging

        logging.getLogger("acme").debug("Authorization: Bearer %s", self.key)
        return super().embed_batch(batch)


class PickleWithKey(HidesItsKey):
    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.name,), {"key": self.key})


class PlainKeyOptions(FakeOptions):
    api_key: SecretStr = SecretStr(CANARY)

    def __repr__(self) -> str:
        return f"PlainKeyOptions(api_key={self.api_key.get_secret_value()!r})"


class RaisesItsKey(HidesItsKey):
    """Its options show the key, and so does every error that shows the options."""

    Options: ClassVar[type[ModelOptions]] = PlainKeyOptions


# Identity.


class NeedsMoreThanOptions(FakeModel):
    """Does not survive a pickle, because it holds what is no option."""

    def __init__(self, name: str, secret_sauce: int = 0, **options: Any) -> None:
        super().__init__(name, **options)
        self.sauce = secret_sauce

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        return replace(result, vectors=np.roll(result.vectors, self.sauce, axis=1))


class HidesAnOption(FakeModel):
    """An option that changes every vector is not in the fingerprint."""

    class Options(FakeOptions):
        not_in_identity: ClassVar[frozenset[str]] = FakeOptions.not_in_identity | {"seed"}


class ForgetsAnOption(FakeModel):
    """Writes its identity by hand, and forgets a switch."""

    class Options(FakeOptions):
        upside_down: bool = False

    def identity(self) -> dict[str, object]:
        told = dict(super().identity())
        told.pop("upside_down", None)
        return told

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        flipped = getattr(self.options, "upside_down", False)
        return replace(result, vectors=-result.vectors if flipped else result.vectors)


class HasATimeInItsIdentity(FakeModel):
    def identity(self) -> dict[str, object]:
        return {**super().identity(), "loaded": time.time_ns()}


class CachesByTextOnly(RemoteFakeModel):
    """Keeps its answers by text, whatever the role and the width."""

    kept: ClassVar[dict[str, Any]] = {}

    async def embed_batch(self, batch: Batch) -> BatchResult:
        result = await super().embed_batch(batch)
        rows = [
            self.kept.setdefault(str(each), row)
            for each, row in zip(batch.inputs, result.vectors, strict=True)
        ]
        return replace(result, vectors=np.stack(rows))


class KeepsAnswers(FakeModel):
    """Keeps its answers by text and role, whatever its options are."""

    kept: ClassVar[dict[Any, Any]] = {}

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        rows = [
            self.kept.setdefault((str(each), batch.role, len(row)), row)
            for each, row in zip(batch.inputs, result.vectors, strict=True)
        ]
        return replace(result, vectors=np.stack(rows))


class VainOptions(FakeOptions):
    loud: bool = False


class HasAVainOption(FakeModel):
    """An option costs the cache what it holds, and changes no vector."""

    Options: ClassVar[type[ModelOptions]] = VainOptions


class ConfigOptions(FakeOptions):
    words: tuple[str, ...] = ()


class ConfigIsNoJson(FakeModel):
    """An option that JSON gives back as something else."""

    Options: ClassVar[type[ModelOptions]] = ConfigOptions


# Opening and closing.


class OpensInInit(FakeModel):
    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        import socket

        with socket.socket() as probe:
            probe.settimeout(0.5)
            probe.connect_ex(("127.0.0.1", 9))


class StaysClosed(FakeModel):
    weights = True

    def close(self) -> None:
        self.weights = False

    def embed_batch(self, batch: Batch) -> BatchResult:
        if not self.weights:
            raise RuntimeError("the weights are gone")
        return super().embed_batch(batch)


class ClosesForAll(FakeModel):
    users: ClassVar[int] = 0
    opened = False

    def embed_batch(self, batch: Batch) -> BatchResult:
        if self.opened and not ClosesForAll.users:
            raise RuntimeError("Session is closed")
        ClosesForAll.users = 1
        self.opened = True
        return super().embed_batch(batch)

    def close(self) -> None:
        ClosesForAll.users = 0
        self.opened = False


class KeepsItsThreads(FakeModel):
    """Computes in a pool that nobody shuts down."""

    pool: ThreadPoolExecutor | None = None

    def embed_batch(self, batch: Batch) -> BatchResult:
        self.pool = self.pool or ThreadPoolExecutor(1, "acme")
        return self.pool.submit(super().embed_batch, batch).result()


class SeedsPython(FakeModel):
    def embed_batch(self, batch: Batch) -> BatchResult:
        random.seed(7)
        return super().embed_batch(batch)


class SeedsNumpy(FakeModel):
    """Makes its random projection in the program's own generator."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        np.random.seed(7)  # noqa: NPY002  # that is the fault
        np.random.standard_normal(3)  # noqa: NPY002
        return super().embed_batch(batch)


class SilencesNumpy(FakeModel):
    def embed_batch(self, batch: Batch) -> BatchResult:
        np.seterr(all="ignore")
        return super().embed_batch(batch)


class AnnouncesLess(FakeModel):
    """A card of the class is not in the plugin."""

    cards: ClassVar[Sequence[ModelCard]] = (*CARDS, replace(CARDS[0], name="large"))


class AnnouncesAnother(RemoteFakeModel):
    """The plugin of its provider leads to another class."""


# The frameworks.


class ChokesOnRunningLoops(FakeModel):
    """Looks whether a loop runs somewhere, and answers otherwise."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        if threading.current_thread().name.startswith("embedbridge"):
            return replace(result, vectors=result.vectors * np.float32(0.5))
        return result


class TellsFrameworksApart(FakeModel):
    """Embeds another way where it is called by a framework."""

    framework: ClassVar[str] = ""

    def embed_batch(self, batch: Batch) -> BatchResult:
        import sys

        result = super().embed_batch(batch)
        frame: Any = sys._getframe()
        while frame is not None:
            if self.framework in frame.f_code.co_filename:
                return replace(result, vectors=result.vectors[:, ::-1].copy())
            frame = frame.f_back
        return result


class OtherInLlamaIndex(TellsFrameworksApart):
    framework = "llama_index/embeddings/embedbridge"


class OtherInLangChain(TellsFrameworksApart):
    framework = "langchain_embedbridge"


@dataclass(frozen=True)
class Planted:
    """One fault, the check that is meant for it, and a word that its message must hold."""

    make: Callable[[], EmbeddingModel]
    check: str
    says: str


def small(model: type[Any], **options: Any) -> Callable[[], EmbeddingModel]:
    return lambda: model("small", **options)


def text(model: type[Any]) -> Callable[[], EmbeddingModel]:
    return lambda: model("text")


ORDER = "test_each_input_gets_its_own_vector"
TYPE = "test_count_width_and_type"
TWICE = "test_the_same_text_twice_is_the_same_vector"
SECRET = "test_secrets_stay_secret"
UNIT_IMAGES = "test_a_normalized_model_makes_unit_vectors_of_images"
TASK = "test_every_task_can_be_named"
CARD_PROMPT = "test_prompts_of_the_card_are_used"
PROGRAM = "test_the_program_is_left_as_it_is"
IN_VAIN = "test_options_that_change_no_vector_keep_the_fingerprint"

PLANTED = {
    "shuffles a batch": Planted(small(Shuffles), ORDER, "order of the inputs"),
    "shifts by one": Planted(small(ShiftsByOne), ORDER, "order of the inputs"),
    "sorts and does not undo it": Planted(small(SortsByLength), ORDER, "order of the inputs"),
    "drops the last vector": Planted(small(DropsTheLast), TYPE, "vectors came back"),
    "repeats the first": Planted(
        small(RepeatsTheFirst), "test_different_texts_have_different_vectors", "one vector"
    ),
    "forgets the attention mask": Planted(
        small(DependsOnTheBatch), "test_batch_size_does_not_matter", "Batches of"
    ),
    "is random": Planted(small(IsRandom), TWICE, "again gives other vectors"),
    "drifts": Planted(small(Drifts), TWICE, "again gives other vectors"),
    "normalises sometimes": Planted(
        small(NormalisesSometimes), "test_a_normalized_model_makes_unit_vectors", "unit length"
    ),
    "never normalises": Planted(
        small(NeverNormalises), "test_a_normalized_model_makes_unit_vectors", "unit length"
    ),
    "normalises no queries": Planted(
        small(HalvesQueries), "test_a_normalized_model_makes_unit_vectors", "vectors of queries"
    ),
    "normalises no images": Planted(
        small(HalvesImages), UNIT_IMAGES, "unit length, the vectors of images"
    ),
    "normalises no mixed inputs": Planted(
        small(HalvesMixedInputs), UNIT_IMAGES, "vectors of mixed inputs"
    ),
    "wrong dtype": Planted(small(AnswersDoubles), TYPE, "float64"),
    "lists for arrays": Planted(small(AnswersLists), TYPE, "list"),
    "another width": Planted(small(AnswersAnotherWidth), TYPE, "dimensions"),
    "NaN": Planted(small(AnswersNaN), TYPE, "not finite"),
    "lies about its width": Planted(small(LiesAboutItsWidth), TYPE, "9 dimensions"),
    "uses its buffer again": Planted(
        small(ReusesItsBuffer), "test_an_answer_is_left_alone", "overwritten"
    ),
    "changes its batch": Planted(
        small(EmptiesItsBatch), "test_a_batch_is_left_alone", "changed its batch"
    ),
    "ignores dimensions": Planted(small(IgnoresDimensions), "test_fewer_dimensions", "dimensions"),
    "shortens without normalising": Planted(
        small(ForgetsToNormaliseShort), "test_fewer_dimensions", "unit length"
    ),
    "ignores the role": Planted(small(ForgetsTheRole), "test_roles_are_told_apart", "roles apart"),
    "ignores the role in batches": Planted(
        small(HalfTheRole), "test_many_queries_are_each_a_query", "role of a query"
    ),
    "makes roles up": Planted(small(MakesRolesUp), "test_roles_are_told_apart", "no roles"),
    "strips the prompt": Planted(
        text(StripsThePrompt), "test_prompts_reach_the_model", "query_prompt"
    ),
    "strips the prompt of documents": Planted(
        text(StripsThePromptOfDocuments),
        "test_prompts_reach_the_model",
        "document_prompt does not reach the model",
    ),
    "ignores the task": Planted(
        text(ForgetsTheTask), "test_tasks_of_the_card_are_taken", "clustering"
    ),
    "knows few tasks": Planted(small(KnowsFewTasks), TASK, "KeyError"),
    "a task makes documents": Planted(
        small(TasksOfDocuments), TASK, "'classification' turns a query into a document"
    ),
    "forgets the card's prompt": Planted(
        text(ForgetsTheCardsPrompt), CARD_PROMPT, "prompt for a query changes nothing"
    ),
    "strips the card's prompt": Planted(
        text(StripsTheCardsPrompt), CARD_PROMPT, "prompt for a document changes nothing"
    ),
    "prompts twice": Planted(
        text(PromptsTwice), "test_a_prompt_is_all_that_tells_roles_apart", "two vectors"
    ),
    "reads only ASCII": Planted(
        small(ReadsOnlyAscii), "test_different_texts_have_different_vectors", "one vector"
    ),
    "fails on NUL": Planted(small(LowersTexts), "test_unicode_of_every_plane", "null character"),
    "special tokens reach the neighbours": Planted(
        small(JoinsItsTexts), "test_unicode_of_every_plane", "</s>"
    ),
    "truncates silently": Planted(
        small(TruncatesSilently), "test_all_of_a_text_is_read", "truncated silently"
    ),
    "counts every text as short": Planted(
        small(CountsNothing), "test_long_texts_are_reported", "without a report"
    ),
    "counts with padding": Planted(
        small(CountsWithPadding), "test_tokens_are_counted", "depends on the batch"
    ),
    "forgets special tokens": Planted(
        small(ForgetsSpecialTokens), "test_a_text_of_just_the_limit_is_whole", "limit of 64 is off"
    ),
    "reports usage wrongly": Planted(small(ReportsNoUsage), "test_usage_is_told", "usage"),
    "divides by the tokens": Planted(
        small(DividesByTheTokens), "test_an_empty_text_costs_only_itself", "neighbours"
    ),
    "opens texts": Planted(
        small(OpensTexts), "test_texts_are_never_opened_or_fetched", "opened as a file"
    ),
    "off by one on the batch limit": Planted(
        small(TakesOneLess), "test_a_full_batch_and_one_more", "refused a batch of 32"
    ),
    "takes fewer than it says, which is known": Planted(
        small(TakesTwenty), "test_a_full_batch_and_one_more", "no batch held more than"
    ),
    "loses the end of a full batch": Planted(
        small(LosesTheEnd), "test_a_full_batch_and_one_more", "Input 31"
    ),
    "takes fewer images than it says": Planted(
        small(TakesFewerImages), "test_a_full_batch_of_images_and_one_more", "images per request"
    ),
    "mixes up images": Planted(
        small(MixesUpImages), "test_each_image_gets_its_own_vector", "Images are not in the order"
    ),
    "decodes by itself": Planted(
        small(ReadsTheFile), "test_the_same_picture_by_every_route", "by path"
    ),
    "fails on narrow pictures": Planted(small(CropsToNothing), "test_odd_pictures", "height is 0"),
    "reads only the texts of mixed inputs": Planted(
        small(IgnoresTheImage), "test_mixed_inputs_are_one_vector_each", "Another image"
    ),
    "lets images through": Planted(
        small(TakesImagesForTexts), "test_images_are_refused_where_the_card_has_none", "RAISE"
    ),
    "chokes on batches": Planted(
        small(ChokesOnBatches), "test_one_bad_input_never_costs_the_rest", "have errors"
    ),
    "stays broken after an error": Planted(
        small(StaysBroken), "test_a_failure_does_not_last", "still locked"
    ),
    "swallows options": Planted(
        small(SwallowsOptions), "test_unknown_options_are_refused", "RAISE"
    ),
    "shares state between threads": Planted(
        small(SharesABuffer), "test_async_equals_sync", "Async and sync"
    ),
    "keeps state between awaits": Planted(
        small(KeepsStateBetweenAwaits), "test_tasks_do_not_mix_up_answers", "another one"
    ),
    "mixes up threads": Planted(
        small(KeepsStateBetweenAwaits), "test_threads_do_not_mix_up_answers", "another one"
    ),
    "computes in its class": Planted(
        small(ComputesInItsClass), "test_equal_models_do_not_mix_up_answers", "an equal one"
    ),
    "blocks the loop": Planted(
        small(BlocksTheLoop), "test_the_event_loop_is_not_blocked", "time.sleep"
    ),
    "is bound to its first loop": Planted(
        small(BoundToItsFirstLoop), "test_event_loops_come_and_go", "different loop"
    ),
    "a cancelled task closes the client": Planted(
        small(ClosesWhenCancelled), "test_a_cancelled_waiter_costs_nobody_else", "has been closed"
    ),
    "leaks the key in repr": Planted(small(ShowsItsKey), SECRET, "repr"),
    **{
        f"leaks a key in {kind}": Planted(small(ShowsOneOfItsKeys, keys=keys), SECRET, "repr")
        for kind, keys in {
            "a list": [SecretStr(CANARY)],
            "a tuple": (SecretStr(CANARY),),
            "a set": frozenset({SecretStr(CANARY)}),
            "a mapping of lists": {"keys": [SecretStr(CANARY)]},
            "bytes": SecretBytes(CANARY.encode()),
            "a list of bytes": [SecretBytes(CANARY.encode())],
        }.items()
    },
    "leaks the key in the identity": Planted(small(PutsItsKeyIntoTheIdentity), SECRET, "identity"),
    "leaks the key in the endpoint": Planted(small(PutsItsKeyIntoTheEndpoint), SECRET, "endpoint"),
    "leaks the key in a pickle": Planted(small(PickleWithKey), SECRET, "pickle"),
    "leaks the key in a log": Planted(
        small(LogsItsKey), "test_secrets_stay_out_of_events_and_logs", "logs"
    ),
    "leaks the key in an error": Planted(
        small(RaisesItsKey), "test_secrets_stay_out_of_errors", "error"
    ),
    "holds what is no option": Planted(
        small(NeedsMoreThanOptions, secret_sauce=3), "test_a_pickled_embedder_is_the_same", "pickle"
    ),
    "an option is not in the fingerprint": Planted(
        small(HidesAnOption),
        "test_options_that_change_vectors_change_the_fingerprint",
        "seed=1 changes vectors",
    ),
    "an identity written by hand": Planted(
        small(ForgetsAnOption),
        "test_options_that_change_vectors_change_the_fingerprint",
        "upside_down=True changes vectors",
    ),
    "a time in the identity": Planted(
        small(HasATimeInItsIdentity), "test_the_fingerprint_is_stable", "two fingerprints"
    ),
    "a cache that never answers": Planted(
        small(HasATimeInItsIdentity), "test_the_cache_answers", "cache was not used"
    ),
    "caches by text only": Planted(
        small(CachesByTextOnly), "test_roles_are_told_apart", "roles apart"
    ),
    "keeps answers whatever its options are": Planted(small(KeepsAnswers), IN_VAIN, "seed=1"),
    "an option in vain": Planted(small(HasAVainOption), IN_VAIN, "changes with loud=True, and no"),
    "a configuration that is no JSON": Planted(
        small(ConfigIsNoJson, words=("a",)), "test_configuration_round_trip", "JSON"
    ),
    "opens a connection when it is made": Planted(
        small(OpensInInit), "test_making_a_model_reaches_nothing", "socket.connect"
    ),
    "stays closed": Planted(small(StaysClosed), "test_closing_is_not_the_end", "weights are gone"),
    "closes for all": Planted(
        small(ClosesForAll), "test_closing_one_leaves_the_others_alone", "Session is closed"
    ),
    "keeps its threads": Planted(
        small(KeepsItsThreads), "test_closing_ends_the_models_threads", "a thread behind: acme_0"
    ),
    "seeds Python": Planted(small(SeedsPython), PROGRAM, "random numbers (`random`)"),
    "seeds NumPy": Planted(small(SeedsNumpy), PROGRAM, "random numbers (`numpy.random`)"),
    "silences NumPy": Planted(small(SilencesNumpy), PROGRAM, "`numpy.seterr`"),
    "announces less than it has": Planted(
        small(AnnouncesLess), "test_the_plugin_leads_to_this_model", "class's cards for: ['large']"
    ),
    "is announced as another": Planted(
        small(AnnouncesAnother), "test_the_plugin_leads_to_this_model", "is not the class"
    ),
    "other vectors in LlamaIndex": Planted(
        small(OtherInLlamaIndex), "test_llama_index_gets_the_same_vectors", "LlamaIndex"
    ),
    "other vectors in LangChain": Planted(
        small(OtherInLangChain), "test_langchain_gets_the_same_vectors", "LangChain"
    ),
    "other vectors in async LlamaIndex": Planted(
        small(ChokesOnRunningLoops), "test_llama_index_async_gets_the_same_vectors", "async"
    ),
    "other vectors in async LangChain": Planted(
        small(ChokesOnRunningLoops), "test_langchain_async_gets_the_same_vectors", "async"
    ),
}


# Not in mind when the checks were written: these were invented after the checks were final, and no
# check was changed for them.


class CentresTheBatch(Fault):
    """Subtracts the mean of the batch, like a whitening that was fitted on the fly."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors - vectors.mean(axis=0) if len(batch) > 1 else vectors


class WarmsUp(Fault):
    """The first call computes with weights that are still being loaded."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        first = not hasattr(self, "warm")
        self.warm = True
        return vectors * np.float32(0.9) if first else vectors


class RoundsToBytes(Fault):
    """Quantises so coarsely that vectors have no length 1 any more."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return np.round(vectors * 4).astype(np.float32) / 4


class CollapsesWhiteSpace(Asks):
    """Cleans texts by habit: what differs in white space only becomes one."""

    def other(self, batch: Batch) -> Batch:
        inputs = [
            " ".join(each.split()[:6]) if isinstance(each, str) else each for each in batch.inputs
        ]
        return replace(batch, inputs=inputs)


class RemembersTheLastRole(FakeModel):
    """Sets the role once, and again only when a single query comes."""

    role = "document"

    def embed_batch(self, batch: Batch) -> BatchResult:
        if len(batch) == 1:
            self.role = batch.role
        return super().embed_batch(replace(batch, role=self.role))  # type: ignore[arg-type]


class CutsWithoutSaying(FakeModel):
    """Has no limit on its card, and a tokenizer whose maximum is 100."""

    cards: ClassVar[Sequence[ModelCard]] = (replace(CARDS[0], limits=Limits()),)

    def embed_batch(self, batch: Batch) -> BatchResult:
        cut: list[Any] = [
            " ".join(each.split()[:100]) if isinstance(each, str) else each for each in batch.inputs
        ]
        return super().embed_batch(replace(batch, inputs=cut))


class AveragesSharedPixels(Fault):
    """Loses the first image of a batch whose images differ in size."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        sizes = {image.size for image in batch.images}
        return vectors * np.float32(0.5) if len(sizes) > 1 else vectors


class WritesTextsDown(FakeModel):
    """Runs a helper process when it is made."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        import subprocess

        subprocess.run(["true"], check=True)


class SpellsItsKeyInBase64(HidesItsKey):
    """Basic authentication, kept where `repr` shows it."""

    def __repr__(self) -> str:
        import base64

        return f"Acme(auth=Basic {base64.b64encode(self.key.encode()).decode()})"


class PicksDimensionsByName(FakeModel):
    """An option of its own chooses the prompt, and the fingerprint does not know it."""

    class Options(FakeOptions):
        not_in_identity: ClassVar[frozenset[str]] = FakeOptions.not_in_identity | {"style"}
        style: int = Field(default=0)

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        return replace(
            result, vectors=np.roll(result.vectors, getattr(self.options, "style", 0), 1)
        )


class ForgetsOnClose(FakeModel):
    """A vocabulary that grows with use begins anew after closing, and numbers words otherwise."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.offset = 0

    def close(self) -> None:
        self.offset += 1

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        return replace(result, vectors=np.roll(result.vectors, self.offset, axis=1))


class HalvesLongBatches(FakeModel):
    """Above 20 inputs its worker processes answer in the order in which they finish."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        if len(batch) <= 20:
            return result
        half = len(batch) // 2
        return replace(
            result, vectors=np.concatenate([result.vectors[half:], result.vectors[:half]])
        )


FURTHER = {
    "centres the batch": Planted(small(CentresTheBatch), ORDER, "order of the inputs"),
    "warms up": Planted(small(WarmsUp), TWICE, "again gives other vectors"),
    "rounds": Planted(
        small(RoundsToBytes), "test_a_normalized_model_makes_unit_vectors", "unit length"
    ),
    "reads six words": Planted(
        small(CollapsesWhiteSpace), "test_all_of_a_text_is_read", "truncated silently"
    ),
    "remembers the last role": Planted(
        small(RemembersTheLastRole), "test_threads_do_not_mix_up_answers", "another one"
    ),
    "cuts without a limit": Planted(
        small(CutsWithoutSaying), "test_all_of_a_text_is_read", "truncated silently"
    ),
    "fails on images of several sizes": Planted(
        small(AveragesSharedPixels), "test_odd_pictures", "among others"
    ),
    "starts a process when it is made": Planted(
        small(WritesTextsDown), "test_making_a_model_reaches_nothing", "subprocess.Popen"
    ),
    "shows its key in base64": Planted(small(SpellsItsKeyInBase64), SECRET, "repr"),
    "hides another option": Planted(
        small(PicksDimensionsByName),
        "test_options_that_change_vectors_change_the_fingerprint",
        "style=1 changes vectors",
    ),
    "is another after closing": Planted(
        small(ForgetsOnClose), "test_closing_is_not_the_end", "Closing before the first use"
    ),
    "workers finish in any order": Planted(
        small(HalvesLongBatches), "test_a_full_batch_and_one_more", "wrong vector"
    ),
}
EVERY = {**PLANTED, **FURTHER}


class Suite(EmbeddingModelContract):
    """As an author writes it. What never happens is waited for: without patience."""

    patience: ClassVar[float] = 0.5
    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = {"width": [5]}


def assert_caught(fault: Planted, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    embedder = Embedder(fault.make())
    said = failure_of(fault.check, embedder, suite=Suite, tmp_path=tmp_path, caplog=caplog)

    assert said is not None, f"{fault.check} passes"
    assert fault.says in said


@pytest.mark.filterwarnings("ignore:The model answered zeros")
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_caught(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The check that is meant for a fault fails on it, and its message is about the matter."""
    assert_caught(PLANTED[name], tmp_path, caplog)


@pytest.mark.parametrize("name", FURTHER)
def test_a_fault_that_was_not_in_mind_is_caught(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Faults that were invented after the checks were final are caught all the same."""
    assert_caught(FURTHER[name], tmp_path, caplog)


@pytest.mark.parametrize("check", sorted({fault.check for fault in EVERY.values()}))
def test_a_check_that_catches_faults_passes_on_a_good_model(
    check: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What catches a fault is not simply always red: a model without it passes."""
    good: EmbeddingModel = HidesItsKey("small")
    if check == "test_tasks_of_the_card_are_taken":
        good = _with_task()
    elif check == "test_images_are_refused_where_the_card_has_none":
        good = FakeModel("text")
    elif "token" in check or "limit" in check:
        good = Counting("small")
    elif "prompt" in check:
        good = FakeModel("text")
    elif check.startswith("test_the_plugin"):
        good = FakeModel("small")

    given = {"tmp_path": tmp_path, "caplog": caplog}
    assert failure_of(check, Embedder(good), suite=Suite, **given) is None


def _with_task() -> EmbeddingModel:
    class KnowsTheTask(FakeModel):
        @property
        def card(self) -> ModelCard:
            prompts = {"query": "query: ", "document": "passage: ", "clustering": "cluster: "}
            return replace(super().card, prompts=prompts)

    return KnowsTheTask("text")


def test_there_are_enough_faults() -> None:
    """At least forty planted faults and ten further ones; none is a good model by accident."""
    classes = {type(fault.make()) for fault in EVERY.values()}

    assert len(PLANTED) >= 40
    assert len(FURTHER) >= 10
    assert len(classes) >= 75
    assert not classes & {FakeModel, RemoteFakeModel, Counting, HidesItsKey}
    assert {fault.check for fault in EVERY.values()} <= set(CHECKS)
