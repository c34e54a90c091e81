"""Copies and pickles of components, and of what users' subclasses keep."""

# Of a subclass, mypy knows a constructor made of its fields, as of a dataclass.
# mypy: disable-error-code="call-arg"

from __future__ import annotations

import copy
import pickle
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode
from llama_index.core.storage.kvstore import SimpleKVStore
from pydantic import BaseModel, ConfigDict, ValidationError, computed_field

from embedbridge.contract import InvalidOptionError
from embedbridge.core import MemoryCache, RateLimiter, UsageMeter, load_embedder
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding


class Style(BaseModel):
    """A field that is a model itself."""

    word: str = "about"


class Prefixing(EmbedBridgeEmbedding):
    """A user's subclass: fields, and private attributes that decide what it does."""

    style: Any = None
    words: list[str] = Field(default_factory=list)
    hidden: str = Field(default="", exclude=True)
    _times: int = PrivateAttr(default=1)
    _seen: list[str] = PrivateAttr(default_factory=list)

    def times(self, times: int) -> Prefixing:
        self._times = times
        return self

    def _get_text_embeddings(self, texts: Any) -> list[list[float]]:
        return super()._get_text_embeddings([self.prefixed(text) for text in texts])

    def get_text_embedding_batch(self, texts: Any, *args: Any, **kwargs: Any) -> list[list[float]]:
        return self._get_text_embeddings(texts)

    def prefixed(self, text: str) -> str:
        return f"{self.hidden}{self.style}{self.words}" * self._times + text


class Connected(EmbedBridgeEmbedding):
    """A subclass with what no pickle takes."""

    lock: Any = None
    _lock: Any = PrivateAttr(default=None)


class OwnConstructor(EmbedBridgeEmbedding):
    """Its constructor takes none of our arguments."""

    word: str = ""

    def __init__(self, word: str) -> None:
        super().__init__("fake:small", embed_batch_size=3)
        self.word = word


class Computed(EmbedBridgeEmbedding):
    """What it tells about itself is written down as a field is, and is no argument."""

    @computed_field  # type: ignore[prop-decorator]  # as pydantic documents it
    @property
    def width(self) -> int:
        return 3


class Open(EmbedBridgeEmbedding):
    """It takes whatever is assigned to it."""

    model_config = ConfigDict(extra="allow")


class Required(EmbedBridgeEmbedding):
    """A field without a default, of which no pickle takes the value."""

    lock: Any


class Remade(EmbedBridgeEmbedding):
    """Its constructor makes what no pickle takes."""

    _lock: Any = PrivateAttr()

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._lock = threading.Lock()


class Defaulted(OwnConstructor):
    """What no pickle takes has a default."""

    _lock: Any = PrivateAttr(default_factory=threading.Lock)


def opened() -> Open:
    made = Open("fake:small")
    made.word = "on"
    return made


def by_pickle(embedding: Any) -> Any:
    return pickle.loads(pickle.dumps(embedding))


WAYS: list[Callable[[Any], Any]] = [
    by_pickle,
    copy.copy,
    copy.deepcopy,
    lambda one: one.model_copy(),
    lambda one: one.model_copy(deep=True),
    lambda one: one.model_copy(update={"embed_batch_size": 4}),
    lambda one: one.model_copy(update={"embed_batch_size": 4}, deep=True),
]
NAMES = ["pickle", "copy", "deepcopy", "model_copy", "deep", "update", "deep update"]
ways = pytest.mark.parametrize("way", WAYS, ids=NAMES)


@ways
def test_what_a_subclass_keeps_travels(way: Callable[[Any], Any]) -> None:
    """Fields as they are, whether they are set, changed in place or left out of the written form."""
    made = Prefixing(model_name="fake:small", style=Style(word="on"), hidden="x").times(5)
    made.words.append("changed in place")
    twin = way(made)

    assert (twin.style, twin.words, twin.hidden) == (Style(word="on"), ["changed in place"], "x")
    assert twin._times == 5
    assert twin.get_text_embedding_batch(["a"]) == made.get_text_embedding_batch(["a"])


@pytest.mark.parametrize(
    "make",
    [lambda: OwnConstructor("on"), lambda: Computed("fake:small"), opened],
    ids=["own constructor", "computed field", "extra fields"],
)
def test_a_pickle_needs_no_constructor(make: Callable[[], Any]) -> None:
    """A process of a pool that cannot unpickle is replaced for ever, and the pipeline hangs."""
    made = make()
    twin = by_pickle(made)

    assert twin.to_dict() == made.to_dict()
    assert twin.model_fields_set == made.model_fields_set
    assert getattr(twin, "word", None) == getattr(made, "word", None)
    assert twin.get_text_embedding_batch(["a", "b"]) == made.get_text_embedding_batch(["a", "b"])


def test_what_stays_here_is_made_anew() -> None:
    """By the constructor, or by default; what has neither is missing, and nothing else fails."""
    with pytest.warns(RuntimeWarning, match="cannot be pickled"):
        remade, defaulted, required = map(
            by_pickle,
            (
                Remade(model="fake:small"),
                Defaulted("on"),
                Required("fake:small", lock=threading.Lock()),
            ),
        )

    assert remade._lock.acquire(blocking=False)
    assert defaulted._lock.acquire(blocking=False)
    assert defaulted.word == "on"
    with pytest.raises(AttributeError, match="lock"):
        _ = required.lock
    for twin in (remade, defaulted, required):
        assert twin.get_text_embedding("a") == EmbedBridgeEmbedding(
            "fake:small"
        ).get_text_embedding("a")
        assert twin.to_dict()["class_name"] == type(twin).__name__


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda: Prefixing(model_name="fake:small").times(5),
        lambda: OwnConstructor("on"),
        lambda: Computed("fake:small"),
    ],
    ids=["state", "own constructor", "computed field"],
)
def test_it_travels_to_the_processes_of_a_pipeline(
    make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """`num_workers=2`: another process makes the vectors that this one would make."""
    # They import the subclass from here, by the name that pytest gave this file.
    monkeypatch.syspath_prepend(request.config.rootpath)
    made = make()
    nodes = [TextNode(text=f"text {number}") for number in range(4)]
    done = IngestionPipeline(transformations=[made]).run(nodes=nodes, num_workers=2)

    texts = [node.get_content() for node in nodes]
    assert [node.embedding for node in done] == made.get_text_embedding_batch(texts)


def test_what_cannot_be_pickled_stays_here_and_says_so() -> None:
    """As in LlamaIndex, whose components do without."""
    made = Connected(model_name="fake:small", lock=threading.Lock())
    made._lock = threading.Lock()
    with pytest.warns(RuntimeWarning, match="cannot be pickled") as caught:
        twin = by_pickle(made)

    assert sorted(str(one.message).split()[0] for one in caught) == ["_lock", "lock"]
    assert (twin.lock, twin._lock) == (None, None)
    assert twin.get_text_embedding("a") == made.get_text_embedding("a")


@pytest.mark.parametrize(("name", "way"), list(zip(NAMES, WAYS, strict=True))[1:])
def test_lists_of_a_subclass_are_copied_only_deeply(name: str, way: Callable[[Any], Any]) -> None:
    """A deep copy has its own, another one shares them; model and cache are always there once."""
    made = Prefixing(model_name="fake:small", embeddings_cache=SimpleKVStore())
    made._seen.append("before")
    twin = way(made)
    made._seen.append("after")
    made.words.append("after")
    found = (["before"], []) if "deep" in name else (["before", "after"], ["after"])

    assert (twin._seen, twin.words) == found
    assert twin.embedder.model is made.embedder.model
    assert twin.embeddings_cache is made.embeddings_cache


def test_a_copy_is_used_apart() -> None:
    """Other fields and settings reach the engine of the copy, and not of the original."""
    meter = UsageMeter()
    made = EmbedBridgeEmbedding(embedder=load_embedder("fake:small", listeners=[meter]))
    made.get_text_embedding("a")
    twin = made.model_copy(update={"on_empty": "zero", "batch_size": 3, "num_workers": 2})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the zeros
        assert twin.get_text_embedding("") == [0.0] * 8

    assert (twin.embedder.settings.batch_size, twin.num_workers) == (3, 2)
    assert (made.embedder.settings.on_empty, made.num_workers) == ("error", None)
    assert twin.to_dict()["embedder"]["settings"] == {"on_empty": "zero", "batch_size": 3}
    assert meter.totals.jobs == 2
    assert not vars(twin).keys() - EmbedBridgeEmbedding.model_fields.keys()


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(
    ("update", "said"),
    [
        ({"model_name": "fake:wide"}, "cannot be of model 'fake:wide'"),
        ({"model": "fake:wide"}, "cannot be of model 'fake:wide'"),
        ({"dimensions": 4}, "'dimensions' belongs to the model"),
        ({"query_prompt": "q: "}, "'query_prompt' belongs to the model"),
        ({"batch_sice": 3}, "Did you mean 'batch_size'"),
        ({"embedder": load_embedder("fake:text")}, "no option 'embedder'"),
        ({"_times": 3}, "no option '_times'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_copy_cannot_claim_to_be_another_model(
    update: dict[str, Any], said: str, deep: bool
) -> None:
    """Pydantic writes any value into a copy: it would say one model and ask another."""
    embedding = EmbedBridgeEmbedding("fake:text")

    with pytest.raises(InvalidOptionError, match=said):
        embedding.model_copy(update=update, deep=deep)
    assert embedding.model_copy(update={"model_name": "fake:text"}, deep=deep).to_dict() == (
        embedding.to_dict()
    )


@pytest.mark.parametrize(
    "update", [{"embed_batch_size": 0}, {"rate_limiter": 5}], ids=lambda update: next(iter(update))
)
def test_a_wrong_value_fails_where_it_is_written(update: dict[str, Any]) -> None:
    """In a copy as in an assignment."""
    with pytest.raises((ValidationError, InvalidOptionError)):
        EmbedBridgeEmbedding("fake:small").model_copy(update=update)


def test_a_subclass_is_written_down_under_its_own_name() -> None:
    """Its code decides vectors too: a pipeline's cache gave it those of its base class."""
    made = Prefixing(model_name="fake:small")

    assert made.to_dict()["class_name"] == "Prefixing"
    assert EmbedBridgeEmbedding.class_name() == "EmbedBridgeEmbedding"
    assert Prefixing.from_dict(made.to_dict()).to_dict() == made.to_dict()
    assert made.to_dict()["words"] == []  # a field of its own may decide them as well


def test_a_copy_can_be_without_what_the_original_has() -> None:
    """As with `Embedder.using`: `None` takes it away, and the original keeps it."""
    meter = UsageMeter()
    limiter = RateLimiter(requests_per_minute=100)
    held = load_embedder(
        "fake:small", cache=MemoryCache(), limiter=limiter, listeners=[meter], batch_size=3
    )
    made = EmbedBridgeEmbedding(embedder=held)
    twin = made.model_copy(
        update={"cache": None, "limiter": None, "listeners": None, "batch_size": None}
    )
    twin.get_query_embedding("a")

    assert (twin.embedder.cache, twin.embedder.limiter) == (None, None)
    assert twin.embedder.settings.batch_size is None
    assert (made.embedder.cache, made.embedder.limiter) == (held.cache, limiter)
    assert meter.totals.jobs == 0
