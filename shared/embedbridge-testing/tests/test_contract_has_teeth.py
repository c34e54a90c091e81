"""Each planted fault is caught by the check that is meant for it."""

import asyncio
import inspect
import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import SecretStr

from embedbridge.contract import (
    Batch,
    BatchResult,
    EmbedBridgeError,
    EmbeddingModel,
    ModelCard,
    ModelOptions,
)
from embedbridge.core import Embedder
from embedbridge.testing import EmbeddingModelContract, FakeModel, RemoteFakeModel, contract
from embedbridge.testing.fakes import FakeOptions

CANARY = "sk-canary-0123456789abcdef"


class Fault(FakeModel):
    """A fake whose answers are spoilt by a function."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        raise NotImplementedError

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        return replace(result, vectors=self.spoil(result.vectors, batch))


class Shuffles(Fault):
    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors[::-1]


class ShiftsByOne(Fault):
    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return np.roll(vectors, 1, axis=0)


class RepeatsTheFirst(Fault):
    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return np.repeat(vectors[:1], len(vectors), axis=0)


class DependsOnTheBatch(Fault):
    """Like a pooling that forgets the attention mask."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        longest = max(len(text) for text in batch.texts) if batch.texts else 1
        return vectors + 1e-3 * longest


class IsRandom(Fault):
    """Like a model that was never set to eval()."""

    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors + np.random.default_rng().normal(scale=1e-3, size=vectors.shape)


class NormalisesSometimes(Fault):
    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors * 3 if any(len(text) > 100 for text in batch.texts) else vectors


class AnswersAnotherWidth(Fault):
    def spoil(self, vectors: Any, batch: Batch) -> Any:
        return vectors[:, :-1]


class ForgetsTheRole(FakeModel):
    def embed_batch(self, batch: Batch) -> BatchResult:
        return super().embed_batch(replace(batch, role="document"))


class HalfTheRole(FakeModel):
    """Queries that come in batches are embedded as documents."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        role = batch.role if len(batch) == 1 else "document"
        return super().embed_batch(replace(batch, role=role))


class IgnoresDimensions(FakeModel):
    """Claims that the server shortens vectors, and does not ask it to."""

    @property
    def card(self) -> ModelCard:
        return replace(super().card, requests_dimensions=True)


class ReadsOnlyAscii(FakeModel):
    """Embeds what is left after an ASCII encoding."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        texts = [text.encode("ascii", "ignore").decode() or str(len(batch)) for text in batch.texts]
        return super().embed_batch(replace(batch, inputs=texts))


class TruncatesSilently(FakeModel):
    """Has a limit, and counts every text as short."""

    def count_tokens(self, texts: Any) -> list[int]:
        return [1 for _ in texts]


class OpensTexts(FakeModel):
    """Guesses that a text is a file, as some libraries do."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        for text in batch.texts:
            if "\x00" not in text and len(text) < 200 and Path(text).is_file():
                Path(text).read_bytes()
        return super().embed_batch(batch)


class SharesABuffer(FakeModel):
    """Keeps its last answer where any thread overwrites it, and lies about the order."""

    calls: ClassVar[Any] = itertools.count()

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        if len(batch) > 1 and threading.current_thread() is not threading.main_thread():
            return replace(result, vectors=result.vectors[::-1])
        return result


class NeedsMoreThanOptions(FakeModel):
    """Does not survive a pickle, because it holds what is no option."""

    def __init__(self, name: str, secret_sauce: int = 0) -> None:
        super().__init__(name, seed=secret_sauce)
        self.sauce = secret_sauce

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        return replace(result, vectors=np.roll(result.vectors, self.sauce, axis=1))

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.name,))


class KeyOptions(FakeOptions):
    api_key: SecretStr = SecretStr(CANARY)


class HidesItsKey(FakeModel):
    """No fault at all: the fake with a key."""

    Options: ClassVar[type[ModelOptions]] = KeyOptions


class ShowsItsKey(FakeModel):
    Options: ClassVar[type[ModelOptions]] = KeyOptions

    def __repr__(self) -> str:
        key = getattr(self.options, "api_key").get_secret_value()  # noqa: B009
        return f"ShowsItsKey({key})"


class PutsItsKeyIntoTheIdentity(FakeModel):
    Options: ClassVar[type[ModelOptions]] = KeyOptions

    def identity(self) -> dict[str, object]:
        key = getattr(self.options, "api_key").get_secret_value()  # noqa: B009
        return {"url": f"https://example.test/?key={key[:14]}"}


class ChokesOnOneInput(FakeModel):
    """Lets one text spoil the batch of the others."""

    def embed_batch(self, batch: Batch) -> BatchResult:
        if len(batch) != 1:
            raise ValueError("only one at a time, please")
        return super().embed_batch(batch)


class LiesAboutItsWidth(FakeModel):
    """Its card says nine dimensions, its vectors have eight."""

    @property
    def card(self) -> ModelCard:
        return replace(super().card, dimensions=9)

    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        return replace(result, vectors=result.vectors[:, :8])


class MixesUpImages(FakeModel):
    def embed_batch(self, batch: Batch) -> BatchResult:
        result = super().embed_batch(batch)
        if batch.modality == "image":
            return replace(result, vectors=result.vectors[::-1])
        return result


suite = EmbeddingModelContract()

PLANTED: dict[str, tuple[Callable[[], EmbeddingModel], str]] = {
    "shuffles a batch": (lambda: Shuffles("small"), "test_each_input_gets_its_own_vector"),
    "shifts by one": (lambda: ShiftsByOne("small"), "test_each_input_gets_its_own_vector"),
    "repeats the first": (
        lambda: RepeatsTheFirst("small"),
        "test_different_texts_have_different_vectors",
    ),
    "forgets the attention mask": (
        lambda: DependsOnTheBatch("small"),
        "test_batch_size_does_not_matter",
    ),
    "is random": (lambda: IsRandom("small"), "test_the_same_text_twice_is_the_same_vector"),
    "normalises sometimes": (
        lambda: NormalisesSometimes("small"),
        "test_a_normalized_model_makes_unit_vectors",
    ),
    "answers another width": (lambda: AnswersAnotherWidth("small"), "test_count_width_and_type"),
    "forgets the role": (lambda: ForgetsTheRole("small"), "test_roles_are_told_apart"),
    "forgets the role in batches": (
        lambda: HalfTheRole("small"),
        "test_many_queries_are_each_a_query",
    ),
    "ignores dimensions": (lambda: IgnoresDimensions("small"), "test_fewer_dimensions"),
    "drops what is not ASCII": (
        lambda: ReadsOnlyAscii("small"),
        "test_different_texts_have_different_vectors",
    ),
    "truncates silently": (lambda: TruncatesSilently("small"), "test_long_texts_are_reported"),
    "opens texts": (lambda: OpensTexts("small"), "test_texts_are_never_opened_or_fetched"),
    "shares a buffer between threads": (
        lambda: SharesABuffer("small"),
        "test_async_equals_sync",
    ),
    "holds what is no option": (
        lambda: NeedsMoreThanOptions("small", 3),
        "test_a_pickled_embedder_is_the_same",
    ),
    "shows its key": (lambda: ShowsItsKey("small"), "test_secrets_stay_secret"),
    "puts its key into the identity": (
        lambda: PutsItsKeyIntoTheIdentity("small"),
        "test_secrets_stay_secret",
    ),
    "chokes on batches": (
        lambda: ChokesOnOneInput("small"),
        "test_one_bad_input_never_costs_the_rest",
    ),
    "lies about its width": (lambda: LiesAboutItsWidth("small"), "test_count_width_and_type"),
    "mixes up images": (lambda: MixesUpImages("small"), "test_each_image_gets_its_own_vector"),
}


def run_check(name: str, embedder: Embedder, tmp_path: Path) -> None:
    """Run one check of the suite by hand, with what it asks for."""
    check = getattr(suite, name)
    wanted = inspect.signature(check).parameters
    offered: dict[str, Any] = {
        "embedder": embedder,
        "tmp_path": tmp_path,
        "batch_size": 2,
        "text": contract.PLANES["emoji with joiners (plane 1)"],
    }
    outcome = check(**{key: value for key, value in offered.items() if key in wanted})
    if inspect.iscoroutine(outcome):
        asyncio.run(outcome)


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_caught(fault: str, tmp_path: Path) -> None:
    """The check that is meant for a fault fails on it, or the engine refuses the answer."""
    make, check = PLANTED[fault]

    with pytest.raises((AssertionError, EmbedBridgeError)):
        run_check(check, Embedder(make()), tmp_path)


@pytest.mark.parametrize("check", sorted({check for _, check in PLANTED.values()}))
def test_a_check_that_catches_faults_passes_on_the_fake(check: str, tmp_path: Path) -> None:
    """What catches a fault is not simply always red."""
    run_check(check, Embedder(HidesItsKey("small")), tmp_path)


async def test_a_blocked_event_loop_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Computing in the thread of the caller's loop fails the check for it."""

    class Blocking(Embedder):
        async def aembed_documents(self, *args: Any, **options: Any) -> Any:
            return self.embed_documents(*args, **options)

    with pytest.raises(AssertionError):
        await suite.test_the_event_loop_is_not_blocked(Blocking(FakeModel("small")), monkeypatch)


async def test_a_remote_model_does_not_run_on_the_callers_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Remote models pass the same check, because they live on the background loop."""
    await suite.test_the_event_loop_is_not_blocked(Embedder(RemoteFakeModel()), monkeypatch)


def test_a_check_cannot_vanish() -> None:
    """Replacing a check without a reason is an error where the class is defined."""
    with pytest.raises(TypeError, match="xfail"):

        class Cheating(EmbeddingModelContract):
            test_roles_are_told_apart = None  # type: ignore[assignment]  # on purpose


def test_a_check_may_be_excused_with_a_reason() -> None:
    """An xfail with a reason is the honest way to say that a check cannot hold."""

    class Honest(EmbeddingModelContract):
        @pytest.mark.xfail(reason="the vendor's server ignores roles")
        def test_roles_are_told_apart(self, embedder: Embedder) -> None:
            super().test_roles_are_told_apart(embedder)

    assert "test_roles_are_told_apart" in vars(Honest)


def test_faults_are_really_planted() -> None:
    """Every faulty model differs from the fake it is made of; none is a fake by accident."""
    classes = {type(make()) for make, _ in PLANTED.values()}

    assert len(classes) == len(PLANTED)
    assert FakeModel not in classes
