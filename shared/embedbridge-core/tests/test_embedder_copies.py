"""A copy in the same process: the same model and account, and all that the embedder works with."""

from __future__ import annotations

import copy
import dataclasses
import threading
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import SecretStr

from embedbridge.contract import Batch, BatchResult, ModelOptions
from embedbridge.core import Embedder, MemoryCache, RateLimiter, Settings, UsageMeter
from embedbridge.testing import FakeModel
from embedbridge.testing.fakes import FakeOptions


class AccountOptions(FakeOptions):
    api_key: SecretStr | None = None


class AccountModel(FakeModel):
    """A model whose vectors tell whose account was asked."""

    Options: ClassVar[type[ModelOptions]] = AccountOptions
    options: AccountOptions

    def embed_batch(self, batch: Batch) -> BatchResult:
        key = self.options.api_key
        number = 0 if key is None else len(key.get_secret_value())
        return BatchResult(vectors=np.full((len(batch), 8), number, dtype=np.float32))


@dataclasses.dataclass
class Config:
    """A user's configuration, with an embedder in it."""

    held: Any


def _as_dict(held: Any) -> Any:
    return dataclasses.asdict(Config(held))["held"]


WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "asdict": _as_dict,
    "deepcopy of a list": lambda held: copy.deepcopy([held])[0],
}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@ways
def test_a_copy_asks_the_same_account(way: Callable[[Any], Any]) -> None:
    """A key that was passed is in no pickle; by one, a copy would ask for the environment's account."""
    embedder = Embedder(AccountModel("small", api_key="mine"))

    assert way(embedder).embed_query("a").tolist() == [4.0] * 8
    assert Embedder(way(embedder.model)).embed_query("a").tolist() == [4.0] * 8


@ways
def test_a_copy_works_with_the_same_parts(way: Callable[[Any], Any]) -> None:
    """One model, cache and limiter, and who listened goes on listening; nothing is warned of."""
    meter = UsageMeter()
    embedder = Embedder(
        FakeModel("small"),
        settings=Settings(batch_size=3),
        cache=MemoryCache(),
        limiter=RateLimiter(requests_per_minute=60),
        listeners=[meter],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        twin = way(embedder)
    twin.embed_query("a")

    assert twin is not embedder
    assert twin.model is embedder.model
    assert (twin.settings, twin.cache, twin.limiter) == (
        embedder.settings,
        embedder.cache,
        embedder.limiter,
    )
    assert meter.totals.jobs == 1
    assert embedder.embed(["a"], role="query").cached == 1


class Keeping(Embedder):
    """A user's subclass, with a list of its own."""

    def __init__(self, name: str) -> None:
        super().__init__(FakeModel(name))
        self.kept: list[object] = [self]


def test_what_a_subclass_keeps_is_copied_as_python_does() -> None:
    """Shared by a copy, its own in a deep copy, which may hold itself."""
    embedder = Keeping("small")
    shallow, deep = copy.copy(embedder), copy.deepcopy(embedder)

    assert shallow.kept is embedder.kept
    assert deep.kept is not embedder.kept
    assert deep.kept == [deep]


def test_a_model_is_there_once() -> None:
    """It never changes: a copy of it is itself, with what it has open and loaded."""
    model = FakeModel("small")
    model.lock = threading.Lock()  # type: ignore[attr-defined]  # as a model of a user's own may have

    assert copy.copy(model) is model
    assert copy.deepcopy({"model": model})["model"] is model
