"""Output types: quantised vectors have a space, widths and a range of their own."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import httpx2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import (
    Batch,
    BatchResult,
    ConfigurationError,
    InvalidResponseError,
    ModelCard,
)
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote import HttpModel, HttpOptions, OutputType, Vendor
from embedbridge.contract.remote.output_types import IN_BASE64, RANGES, Kind
from embedbridge.core import Embedder, Settings

CARD = ModelCard(
    name="m", dimensions=1024, allowed_dimensions=(512, 256), space="v:m", normalized=True
)
KINDS: tuple[Kind, ...] = ("int8", "uint8", "binary", "ubinary")


class Options(HttpOptions):
    output_type: Literal["float", "base64", "int8", "uint8", "binary", "ubinary"] = "base64"


class QuantisingModel(HttpModel):
    provider: ClassVar[str] = "acme"
    cards: ClassVar[Sequence[ModelCard]] = (
        ModelCard(name="m", dimensions=64, normalized=True),
        ModelCard(name="of-two"),
    )
    vendor: ClassVar[Vendor] = Vendor(name="Acme", url="https://api.acme.example/v1")
    Options: ClassVar[type[ModelOptions]] = Options

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        return "/embeddings", {"output_dtype": self.output_type.whole}

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        return BatchResult(vectors=self.output_type.matrix(answer["data"]))


def test_floats_change_nothing() -> None:
    """Neither card nor identity knows of the usual type."""
    assert OutputType().card(CARD) == CARD
    assert OutputType().identity() == {}


@pytest.mark.parametrize("kind", KINDS)
def test_a_type_has_a_space_of_its_own(kind: Kind) -> None:
    """Its vectors are compared with no others, are not of length 1, and are cached apart."""
    output = OutputType(kind)
    card = output.card(CARD)

    assert card.space == f"v:m:{kind}"
    assert not card.normalized
    assert output.identity() == {"output_type": kind}
    assert OutputType(kind).card(ModelCard(name="n"), "v:n").space == f"v:n:{kind}"


@pytest.mark.parametrize("kind", KINDS)
def test_bits_are_packed(kind: Kind) -> None:
    """Eight in a value: the card counts values, and what is asked for counts dimensions."""
    card, packing = OutputType(kind).card(CARD), 8 if "binary" in kind else 1

    assert (card.dimensions, card.allowed_dimensions) == (
        1024 // packing,
        (512 // packing, 256 // packing),
    )
    assert OutputType(kind).asked(card.dimensions) == 1024
    assert OutputType(kind).asked(None) is None


@given(st.sampled_from(KINDS), st.lists(st.integers(-300, 300), min_size=1, max_size=20))
def test_only_what_is_of_the_type_is_taken(kind: Kind, numbers: list[int]) -> None:
    """Numbers out of its range are an error; the others come as they are."""
    least, most = RANGES[kind]
    if all(least <= number <= most for number in numbers):
        assert OutputType(kind).matrix([numbers]).tolist() == [numbers]
    else:
        with pytest.raises(InvalidResponseError, match=f"are to be {kind}"):
            OutputType(kind).matrix([numbers])


@given(st.sampled_from(KINDS), st.data())
def test_base64_holds_bytes(kind: Kind, data: st.DataObject) -> None:
    """Signed or not, as the type is."""
    least, most = RANGES[kind]
    numbers = data.draw(st.lists(st.integers(least, most), min_size=1, max_size=20))
    packed = base64.b64encode(np.array(numbers).astype(IN_BASE64[kind]).tobytes()).decode()

    assert OutputType(kind).matrix([packed]).tolist() == [numbers]


def test_floats_are_no_whole_numbers() -> None:
    """Halves where bytes were asked for are another vector."""
    with pytest.raises(InvalidResponseError, match="whole numbers from -128 to 127"):
        OutputType("int8").matrix([[0.5, 1.0]])


@pytest.mark.parametrize("missing", [None, [], [1, None]], ids=repr)
@pytest.mark.parametrize("kind", KINDS)
def test_one_missing_vector_costs_no_other(kind: Kind, missing: object) -> None:
    """As with floats: the input without a vector is named, and the others have theirs."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"data": [[1, 2], missing]})

    transport = httpx2.MockTransport(answer)
    model = QuantisingModel(
        "of-two",
        output_type=kind,
        api_key="canary-acme-0123456789",
        http_client=lambda: httpx2.AsyncClient(transport=transport),
    )
    settings = Settings(errors="collect", max_attempts=1)
    with Embedder(model, settings=settings) as embedder:
        result = embedder.embed(["one", "two"], role="document")

    assert result.vectors[0].tolist() == [1, 2]
    assert list(result.errors) == [1]
    with pytest.raises(InvalidResponseError, match=f"are to be {kind}"):
        OutputType(kind).matrix([missing, [0.5, 1.0]])


@pytest.mark.parametrize("kind", ["float", "base64", *KINDS])
def test_a_model_has_the_type_of_its_option(kind: str) -> None:
    """It is sent and is part of the identity, but for floats, however those travel."""
    model, usual = QuantisingModel("m", output_type=kind), QuantisingModel("m")
    whole = kind if kind in KINDS else None
    batch = Batch(inputs=["a text"], modality="text", role="query")

    assert model.output_type == (OutputType() if whole is None else OutputType(whole))
    assert model.request(batch)[1] == {"output_dtype": whole}
    assert model.identity() == {**usual.identity(), **({"output_type": whole} if whole else {})}


@pytest.mark.parametrize("kind", ["float", "base64", *KINDS])
def test_the_card_of_a_model_follows_its_option(kind: str) -> None:
    """Without a line in the provider; the space names the provider too, also behind an address."""
    home = QuantisingModel("m", output_type=kind).card
    away = QuantisingModel("m", output_type=kind, base_url="http://127.0.0.1:9/v1").card
    suffix = f":{kind}" if kind in KINDS else ""

    assert home.space == (f"acme:m{suffix}" if suffix else None)
    assert away.space == f"m@127.0.0.1:9/v1{suffix}"
    assert home.normalized == (not suffix)
    assert home.dimensions == (8 if "binary" in kind else 64)


@pytest.mark.parametrize("word", ["numbers", "f32le-base64", "base64", ""])
def test_a_vendors_own_word_is_no_output_type(word: str) -> None:
    """It would be taken for whole numbers; the error says what to write."""
    with pytest.raises(ConfigurationError, match=r"There are: float, int8.*translate them"):
        OutputType(word)  # type: ignore[arg-type]
