"""The fingerprint changes with everything that changes a vector, and with nothing else."""

import subprocess
import sys
from itertools import combinations
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr

from embedbridge.contract import ModelCard, ModelOptions, SpaceMismatchError
from embedbridge.core import Embedder
from embedbridge.testing import FakeModel
from embedbridge.testing.fakes import FakeOptions


class RichOptions(FakeOptions):
    not_in_identity: ClassVar[frozenset[str]] = ModelOptions.not_in_identity | {"device"}

    device: str = "cpu"
    revision: str = "main"
    dtype: str = "float32"
    api_key: SecretStr | None = None


class RichModel(FakeModel):
    Options = RichOptions

    def __init__(self, name: str = "small", *, weights: str = "w0", **options: Any) -> None:
        super().__init__(name, **options)
        self.weights = weights

    def identity(self) -> dict[str, object]:
        return {**super().identity(), "weights": self.weights}


class OtherProvider(RichModel):
    provider = "other"


class OtherPrompts(RichModel):
    @property
    def card(self) -> ModelCard:
        from dataclasses import replace

        return replace(super().card, prompts={"query": "Q: "})


CHANGES: dict[str, RichModel] = {
    "the model as it is": RichModel(),
    "another name": RichModel("text"),
    "another provider": OtherProvider(),
    "another seed": RichModel(seed=1),
    "another width": RichModel(dimensions=4),
    "a wider model": RichModel(width=16),
    "normalised": RichModel(normalize=True),
    "not normalised": RichModel(normalize=False),
    "a query prompt": RichModel(query_prompt="q "),
    "a document prompt": RichModel(document_prompt="q "),
    "a prompt of the card": OtherPrompts(),
    "another revision": RichModel(revision="dev"),
    "another precision": RichModel(dtype="float16"),
    "other weights": RichModel(weights="w1"),
}


@pytest.mark.parametrize(("one", "two"), list(combinations(CHANGES, 2)))
def test_whatever_changes_a_vector_changes_the_fingerprint(one: str, two: str) -> None:
    """No two of these can share a cache entry."""
    assert Embedder(CHANGES[one]).fingerprint != Embedder(CHANGES[two]).fingerprint


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(Embedder(RichModel()), id="another object"),
        pytest.param(Embedder(RichModel(device="cuda:1")), id="device"),
        pytest.param(Embedder(RichModel(api_key=SecretStr("k"))), id="secret"),
        pytest.param(Embedder(RichModel(space="mine")), id="name of the space"),
        pytest.param(Embedder(RichModel(seed=0, normalize=None)), id="defaults in writing"),
        pytest.param(Embedder(RichModel(dimensions=8)), id="its own width in writing"),
        pytest.param(Embedder(RichModel()).using(batch_size=3, max_attempts=1), id="settings"),
        pytest.param(Embedder(RichModel()).using(on_too_long="error"), id="on_too_long"),
    ],
)
def test_nothing_else_changes_the_fingerprint(same: Embedder) -> None:
    """What does not change a vector does not cost a cache."""
    assert same.fingerprint == Embedder(RichModel()).fingerprint


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    """No hash seed, address or order of a mapping enters it."""
    code = (
        "from embedbridge.core import Embedder; from embedbridge.testing import FakeModel;"
        "print(Embedder(FakeModel('text', seed=5, query_prompt='ä ')).fingerprint)"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }

    assert answers == {Embedder(FakeModel("text", seed=5, query_prompt="ä ")).fingerprint}
    assert len(answers.pop()) == 64


@pytest.mark.parametrize(
    ("model", "space"),
    [
        pytest.param(FakeModel("small"), "fake:small", id="its own"),
        pytest.param(FakeModel("small", seed=3, normalize=True), "fake:small", id="options"),
        pytest.param(FakeModel("small", dimensions=8), "fake:small", id="full width"),
        pytest.param(FakeModel("small", dimensions=4), "fake:small#4", id="shortened"),
        pytest.param(FakeModel("small", space="mine"), "mine", id="named by the user"),
        pytest.param(FakeModel("small", space="mine", dimensions=4), "mine#4", id="named, short"),
        pytest.param(FakeModel("owner/brand-new"), "fake:owner/brand-new", id="unknown model"),
    ],
)
def test_a_space_has_a_name(model: FakeModel, space: str) -> None:
    """The user's, the card's, or the model's; shortened vectors have a space of their own."""
    assert Embedder(model).space == space


def test_two_models_may_share_a_space(local_model: Any) -> None:
    """A card may say that its vectors compare with those of another model."""
    one = Embedder(local_model(name="small", space="family"))
    two = Embedder(local_model(name="text", space="family"))

    assert one.space == two.space == "family"
    assert one.fingerprint != two.fingerprint


def test_vectors_of_another_space_are_refused() -> None:
    """The error names both spaces and what to do."""
    embedder = Embedder(FakeModel("small"))
    with pytest.raises(SpaceMismatchError) as caught:
        embedder.check_compatible(Embedder(FakeModel("text")))

    assert "'fake:text'" in str(caught.value)
    assert "'fake:small'" in str(caught.value)


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param("fake:small", id="name"),
        pytest.param(Embedder(FakeModel("small")), id="embedder"),
        pytest.param(Embedder(FakeModel("small")).embed(["a"], role="query"), id="result"),
    ],
)
def test_vectors_of_the_same_space_are_fine(stored: Any) -> None:
    """Anything that knows its space can be compared; equal fingerprints are silent."""
    Embedder(FakeModel("small")).check_compatible(stored)
    with pytest.raises(SpaceMismatchError):
        Embedder(FakeModel("small", dimensions=4)).check_compatible(stored)


def test_another_fingerprint_in_the_same_space_is_a_warning() -> None:
    """The space decides, the fingerprint informs."""
    with pytest.warns(UserWarning, match="made differently"):
        Embedder(FakeModel("small")).check_compatible(Embedder(FakeModel("small", seed=1)))


@pytest.mark.parametrize("stored", [None, 5, [1.0, 2.0]], ids=repr)
def test_what_knows_no_space_is_refused(stored: Any) -> None:
    """A plain list of numbers could be of any model."""
    with pytest.raises(SpaceMismatchError, match="space"):
        Embedder(FakeModel("small")).check_compatible(stored)
