"""The contract suite: inherit it, name your embedder, and your provider is proven.

    class TestAcme(EmbeddingModelContract):
        @pytest.fixture
        def embedder(self) -> Embedder:
            return load_embedder("acme:acme-1")

What the model's card does not claim is not asked. A check that cannot hold is overridden with
`@pytest.mark.xfail(reason=…)`; one that vanishes silently is an error.
"""

from __future__ import annotations

import base64
import pickle
import threading
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
from pydantic import SecretStr

from embedbridge.contract import (
    EmbedBridgeError,
    EmbeddingModel,
    Image,
    InputTooLongError,
    InvalidInputError,
    LocalEmbeddingModel,
)
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing.audit import audited
from embedbridge.testing.samples import tiny_png

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXTS = (
    "A cat sat on the mat.",
    "The mitochondrion is the powerhouse of the cell, as every pupil learns.",
    "no",
    "SELECT name FROM users WHERE id = 7;",
    "Ein Satz auf Deutsch, mit Umlauten: äöüß.",
    "Ein Satz auf Deutsch, mit Umlauten: .",  # what is left where only ASCII is read
    "A long one. " * 40,
    "42",
    "line one\nline two\n\n\tand a tab",
)
PLANES = {
    "Latin-1 and combining marks": "naïve café, e\u0301 and a\u030a",
    "Cyrillic and Greek": "Привет, κόσμε",
    "Arabic and Hebrew, right to left": "مرحبا שלום",
    "Chinese, Japanese, Korean": "你好 こんにちは 안녕하세요",
    "private use": "\ue000\uf8ff",
    "emoji with joiners (plane 1)": "👩‍👩‍👧‍👦 🏳️‍🌈",
    "ideographs of plane 2": "𠀀𠀁 𪜀",
    "ideographs of plane 3": "𰀀𰀁",
    "tags of plane 14": "flag \U000e0067\U000e0062\U000e007f",
    "private use of planes 15 and 16": "\U000f0000 \U0010fffd",
    "NUL and controls": "a\x00b\x07c",
}


class EmbeddingModelContract:
    """What every embedding model must do, in plain Python.

    Must override: the fixture `embedder`. May override: `tolerance`. Never override: the checks.
    """

    tolerance: ClassVar[float] = 1e-5
    """Largest difference between two vectors that count as the same."""

    @pytest.fixture
    def embedder(self) -> Embedder:
        """The embedder under test."""
        raise NotImplementedError("Override the fixture `embedder`.")

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, check in vars(cls).items():
            if name in CHECKS and not _is_excused(check):
                raise TypeError(
                    f"{cls.__name__}.{name} replaces a check of the contract. "
                    "Mark it with @pytest.mark.xfail(reason=…) if it cannot hold."
                )

    # Vectors.

    def test_each_input_gets_its_own_vector(self, embedder: Embedder) -> None:
        """A row of a batch is the vector of the input at the same place.

        If this fails, look at where answers are paired with inputs: sorted, shuffled, shifted?
        """
        alone = np.stack([embedder.embed_documents([text])[0] for text in TEXTS])

        assert_same(embedder.embed_documents(TEXTS), alone, self.tolerance)

    def test_count_width_and_type(self, embedder: Embedder) -> None:
        """As many float32 vectors as inputs, of shape (n, dimensions), and the card tells the width.

        If this fails, look at the shape that embed_batch returns, and at the card.
        """
        result = embedder.embed(TEXTS, role="document")

        assert result.vectors.dtype == np.float32
        assert result.vectors.shape[0] == len(TEXTS)
        assert embedder.dimensions in (None, result.vectors.shape[1])
        assert bool(np.isfinite(result.vectors).all())

    def test_different_texts_have_different_vectors(self, embedder: Embedder) -> None:
        """Two texts that mean different things do not get one vector.

        If this fails, look whether all of the batch is read, or only its first input.
        """
        vectors = embedder.embed_documents(TEXTS)
        gaps = np.abs(vectors[:, None] - vectors[None]).max(axis=-1) + np.eye(len(TEXTS))

        assert gaps.min() > self.tolerance

    def test_the_same_text_twice_is_the_same_vector(self, embedder: Embedder) -> None:
        """Embedding is deterministic, from call to call and within a call.

        If this fails, look for dropout (model.eval()), random seeds, or state between calls.
        """
        first = embedder.embed_documents([TEXTS[0], TEXTS[1], TEXTS[0]])

        assert_same(first[0], first[2], self.tolerance)
        assert_same(first, embedder.embed_documents([TEXTS[0], TEXTS[1], TEXTS[0]]), self.tolerance)

    @pytest.mark.parametrize("batch_size", [1, 2, 3, 7])
    def test_batch_size_does_not_matter(self, embedder: Embedder, batch_size: int) -> None:
        """A vector does not depend on what else is in its batch.

        If this fails, look at padding: is the attention mask used in the model and in pooling?
        """
        batched = embedder.using(batch_size=batch_size).embed_documents(TEXTS)

        assert_same(batched, embedder.embed_documents(TEXTS), self.tolerance)

    def test_a_normalized_model_makes_unit_vectors(self, embedder: Embedder) -> None:
        """Where the card says `normalized`, every vector has length 1.

        If this fails, normalise in the model, or say `normalized=False` on the card.
        """
        if not embedder.card.normalized or embedder.model.options.normalize is False:
            pytest.skip("the card does not claim normalised vectors")
        lengths = np.linalg.norm(embedder.embed_documents(TEXTS), axis=1)

        assert_same(lengths, np.ones(len(TEXTS)), 1e-4)

    def test_fewer_dimensions(self, embedder: Embedder) -> None:
        """Where the card allows another width, vectors have it, and unit length if due.

        If this fails, look whether `batch.dimensions` is passed on, or leave it to the engine.
        """
        wanted = _smaller_width(embedder)
        if wanted is None:
            pytest.skip("the card allows no other width")
        shorter = Embedder(_with_options(embedder.model, dimensions=wanted))
        vectors = shorter.embed_documents(TEXTS)

        assert vectors.shape == (len(TEXTS), wanted)
        if shorter.card.normalized and shorter.model.options.normalize is not False:
            assert_same(np.linalg.norm(vectors, axis=1), np.ones(len(TEXTS)), 1e-4)

    # Roles.

    def test_roles_are_told_apart(self, embedder: Embedder) -> None:
        """Query and document differ exactly where the card says that the role reaches the model.

        If this fails, look whether `batch.role` is sent, and at `roles` and `prompts` on the card.
        """
        query, document = embedder.embed_query(TEXTS[0]), embedder.embed_documents(TEXTS[:1])[0]
        gap = float(np.abs(query - document).max())
        model = embedder.model
        if embedder.card.roles == "field" or model.prompt("query") != model.prompt("document"):
            assert gap > self.tolerance
        else:
            assert gap <= self.tolerance

    def test_many_queries_are_each_a_query(self, embedder: Embedder) -> None:
        """`embed_queries` gives what `embed_query` gives for each.

        If this fails, the role is lost on the way of batches.
        """
        alone = np.stack([embedder.embed_query(text) for text in TEXTS])

        assert_same(embedder.embed_queries(TEXTS), alone, self.tolerance)

    # Inputs.

    def test_no_inputs_give_no_vectors(self, embedder: Embedder) -> None:
        """An empty list is a job of nothing, not an error, and costs no request.

        If this fails, something asks the model although there is nothing to ask.
        """
        result = embedder.embed([], role="document")

        assert result.vectors.shape == (0, embedder.dimensions or 0)
        assert result.requests == 0

    @pytest.mark.parametrize("text", PLANES.values(), ids=PLANES.keys())
    def test_unicode_of_every_plane(self, embedder: Embedder, text: str) -> None:
        """Any valid text can be embedded, and is the same alone and among others.

        If this fails, look at how text is encoded on its way to the model.
        """
        among = embedder.embed_documents([TEXTS[0], text, TEXTS[1]])

        assert bool(np.isfinite(among).all())
        assert_same(among[1], embedder.embed_documents([text])[0], self.tolerance)

    def test_bad_inputs_are_named(self, embedder: Embedder) -> None:
        """A bad input is a typed error that names its position, before anything is sent.

        If this fails, the model is given inputs that the engine should have refused.
        """
        for bad in (None, 7, b"bytes", "", " \n", "\ud800"):
            with pytest.raises(InvalidInputError) as caught:
                embedder.embed_documents([TEXTS[0], bad])  # type: ignore[list-item]  # on purpose
            assert caught.value.index == 1

    def test_one_bad_input_never_costs_the_rest(self, embedder: Embedder) -> None:
        """With errors="collect", good inputs get their vectors whatever stands beside them.

        If this fails, an error of one input is raised for the whole batch without its index.
        """
        mixture: list[Any] = [TEXTS[0], None, TEXTS[1], "\udfff"]
        result = embedder.using(errors="collect").embed(mixture, role="document")

        assert sorted(result.errors) == [1, 3]
        good = embedder.embed_documents(TEXTS[:2])
        assert_same(result.vectors[[0, 2]], good, self.tolerance)

    def test_long_texts_are_reported(self, embedder: Embedder) -> None:
        """A text over the limit is cut and reported, or refused where that is asked for.

        If this fails, look at `max_tokens_per_input` on the card, and at `count_tokens`.
        """
        limit = embedder.card.limits.max_tokens_per_input
        if limit is None:
            pytest.skip("the card has no limit")
        long = "word and " * (4 * limit)  # so long that even an estimate is sure
        result = embedder.embed([TEXTS[0], long], role="document")

        assert result.truncated.tolist() == [False, True]
        with pytest.raises(InputTooLongError) as caught:
            embedder.using(on_too_long="error").embed_documents([TEXTS[0], long])
        assert caught.value.index == 1

    def test_texts_are_never_opened_or_fetched(self, embedder: Embedder, tmp_path: Path) -> None:
        """A text that looks like a path or a URL is embedded as the text that it is.

        If this fails, a library guesses what a string is; hand it over as text explicitly.
        """
        picture = tmp_path / "picture.png"
        picture.write_bytes(tiny_png())
        hostile = [str(picture), "http://127.0.0.1:9/picture.png", f"file://{picture}"]
        embedder.embed_documents(TEXTS[:1])  # a first call may load the model from files
        with audited() as seen:
            embedder.embed_documents(hostile)

        assert not [event for event in seen if str(picture) in str(event)]
        if isinstance(embedder.model, LocalEmbeddingModel):
            assert not [event for event in seen if event[0] == "socket.connect"]

    # Images.

    def test_each_image_gets_its_own_vector(self, embedder: Embedder) -> None:
        """Images keep their order and are as wide as texts, with which they share a space.

        If this fails, look at the order of the batch, and at both towers' projections.
        """
        if "image" not in embedder.card.modalities:
            pytest.skip("the card has no images")
        images = [Image.from_bytes(tiny_png(*colour)) for colour in ((255, 0, 0), (0, 0, 255))]
        together = embedder.embed_images(images)

        assert together.shape == (2, embedder.embed_documents(TEXTS[:1]).shape[1])
        assert float(np.abs(together[0] - together[1]).max()) > self.tolerance
        alone = np.stack([embedder.embed_images([image])[0] for image in images])
        assert_same(together, alone, self.tolerance)

    def test_images_are_refused_where_the_card_has_none(self, embedder: Embedder) -> None:
        """A model without images says so, by the position, instead of embedding something else.

        If this fails, look at `modalities` on the card.
        """
        if "image" in embedder.card.modalities:
            pytest.skip("the card has images")
        with pytest.raises(InvalidInputError) as caught:
            embedder.embed_images([Image.from_bytes(tiny_png())])
        assert caught.value.index == 0

    # Async, threads, processes.

    @pytest.mark.asyncio
    async def test_async_equals_sync(self, embedder: Embedder) -> None:
        """Every async method gives the vectors of its sync twin.

        If this fails, look for state that is kept per thread or per event loop.
        """
        documents = await embedder.aembed_documents(TEXTS)
        query = await embedder.aembed_query(TEXTS[0])

        # The sync twins in this very thread: it is not the one that computed for the async ones.
        assert_same(documents, embedder.embed_documents(TEXTS), self.tolerance)
        assert_same(query, embedder.embed_query(TEXTS[0]), self.tolerance)

    @pytest.mark.asyncio
    async def test_the_event_loop_is_not_blocked(
        self, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No model computes in the thread of the caller's event loop.

        If this fails, an `async def` does blocking work in place.
        """
        threads: list[threading.Thread] = []
        original = embedder.model.embed_batch

        def spy(batch: Any) -> Any:
            threads.append(threading.current_thread())
            return original(batch)

        monkeypatch.setattr(embedder.model, "embed_batch", spy)
        await embedder.aembed_documents(TEXTS)

        assert threads
        assert threading.current_thread() not in threads

    def test_threads_do_not_mix_up_answers(self, embedder: Embedder) -> None:
        """Eight threads that ask at the same moment get each its own answer.

        If this fails, look for buffers or clients that are shared without a lock.
        """
        expected = embedder.embed_queries(TEXTS)
        start = threading.Barrier(len(TEXTS))

        def ask(text: str) -> NDArray[np.float32]:
            start.wait()
            return embedder.embed_query(text)

        with ThreadPoolExecutor(len(TEXTS)) as threads:
            answers = np.stack(list(threads.map(ask, TEXTS)))

        assert_same(answers, expected, self.tolerance)

    def test_a_pickled_embedder_is_the_same(self, embedder: Embedder) -> None:
        """An embedder travels to another process by its configuration and answers alike there.

        If this fails, `__init__` takes arguments that are not options.
        """
        twin: Embedder = pickle.loads(pickle.dumps(embedder))  # noqa: S301  # our own bytes

        assert twin.fingerprint == embedder.fingerprint
        assert_same(twin.embed_query(TEXTS[0]), embedder.embed_query(TEXTS[0]), self.tolerance)

    def test_configuration_round_trip(self, embedder: Embedder) -> None:
        """`to_config` holds what `from_config` needs, where the provider is installed.

        If this fails, look at the provider's name, its entry point, and options that are no JSON.
        """
        config = embedder.to_config()
        try:
            load_embedder(config["model"], **config["options"])
        except LookupError:
            pytest.skip("the provider is not announced by an entry point")

        assert Embedder.from_config(config).fingerprint == embedder.fingerprint

    # Secrets.

    def test_secrets_stay_secret(self, embedder: Embedder) -> None:
        """No key in repr, str, configuration, pickle or fingerprint, in any usual encoding.

        If this fails, make the option a `SecretStr`, and never interpolate it.
        """
        secrets = _secrets(embedder.model)
        if not secrets:
            pytest.skip("the model has no secrets")
        surfaces = {
            "repr": repr(embedder) + repr(embedder.model) + repr(embedder.model.options),
            "str": str(embedder) + str(embedder.model) + str(embedder.model.options),
            "config": str(embedder.to_config()),
            "pickle": pickle.dumps(embedder).decode("latin-1"),
            "identity": str(embedder.model.identity()),
        }
        leaks = [
            surface
            for surface, text in surfaces.items()
            for secret in secrets
            for spelling in _spellings(secret)
            if spelling in text
        ]

        assert leaks == []

    def test_errors_are_ours_and_say_where(
        self, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever a model raises reaches the caller as one of our errors, with its cause.

        If this fails, an exception of a vendor's library escapes.
        """

        def broken(_: Any) -> Any:
            raise RuntimeError("the vendor's library failed")

        monkeypatch.setattr(embedder.model, "embed_batch", broken)
        with pytest.raises(EmbedBridgeError) as caught:
            embedder.embed_query(TEXTS[0])

        assert caught.value.provider == embedder.model.provider
        assert isinstance(caught.value.__cause__, RuntimeError)


CHECKS = frozenset(name for name in vars(EmbeddingModelContract) if name.startswith("test_"))
"""The names of all checks."""


def assert_same(found: Any, expected: Any, tolerance: float) -> None:
    """Two arrays have one shape and differ nowhere by more than the tolerance."""
    assert np.shape(found) == np.shape(expected)
    gap = float(np.abs(np.asarray(found) - np.asarray(expected)).max(initial=0.0))
    assert gap <= tolerance


def _is_excused(check: object) -> bool:
    """Whether an overridden check says why it cannot hold."""
    marks = getattr(check, "pytestmark", [])
    return callable(check) and any(
        mark.name == "xfail" and mark.kwargs.get("reason") for mark in marks
    )


def _smaller_width(embedder: Embedder) -> int | None:
    card, native = embedder.card, embedder.card.dimensions
    if embedder.model.options.dimensions is not None or native is None:
        return None
    if card.allowed_dimensions is None:
        return native // 2 or None
    smaller = [width for width in card.allowed_dimensions if width < native]
    return min(smaller, default=None)


def _with_options(model: EmbeddingModel, **changes: Any) -> EmbeddingModel:
    return type(model)(model.name, **{**model.options.public(), **changes})


def _secrets(model: EmbeddingModel) -> list[str]:
    values = (getattr(model.options, name) for name in type(model.options).model_fields)
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]


def _spellings(secret: str) -> Iterator[str]:
    """A secret as logs and URLs may spell it."""
    yield secret
    yield urllib.parse.quote(secret, safe="")
    yield base64.b64encode(secret.encode()).decode().rstrip("=")
    yield repr(secret)[1:-1]
    yield secret[: max(8, len(secret) // 2)]
