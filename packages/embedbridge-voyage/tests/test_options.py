"""Options, keys and output types: refused early where they cannot be right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from embedbridge.contract import AuthenticationError, InvalidOptionError, ModelOptions
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.voyage import VoyageModel, VoyageOptions
from embedbridge.testing import Exchange, Fault, FaultServer

Load: TypeAlias = Callable[..., Embedder]

ATLAS_KEY = "al-abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"api_key": ATLAS_KEY}, "ai.mongodb.com/v1"),
        ({"api_key": "pa-abcdefghijklmnopqrstuvwxyz"}, "api.voyageai.com/v1"),
        ({"api_key": lambda: ATLAS_KEY}, "api.voyageai.com/v1"),  # not known in time
        ({}, "api.voyageai.com/v1"),
        ({"api_key": ATLAS_KEY, "base_url": "https://api.voyageai.com/v1"}, "api.voyageai.com/v1"),
    ],
    ids=["atlas", "voyage", "fetched", "none", "address"],
)
def test_the_key_says_where_to_ask(options: dict[str, Any], place: str) -> None:
    """A key of MongoDB Atlas goes to MongoDB, unless the user names an address."""
    model = VoyageModel("voyage-4", **options)

    assert model.address.host_and_path == place
    assert model.at_home


def test_the_key_of_the_environment_says_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """And an address of the environment wins over it."""
    monkeypatch.setenv("VOYAGE_API_KEY", ATLAS_KEY)
    assert VoyageModel("voyage-4").address.host_and_path == "ai.mongodb.com/v1"

    monkeypatch.setenv("VOYAGE_BASE_URL", "http://localhost:1/v1")
    assert VoyageModel("voyage-4").address.host_and_path == "localhost:1/v1"


async def _fetched() -> str:
    return ATLAS_KEY


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": lambda: ATLAS_KEY},
        {"api_key": _fetched},
        {"api_key": ATLAS_KEY, "base_url": "https://api.voyageai.com/v1"},
    ],
    ids=["fetched", "fetched async", "address"],
)
def test_an_atlas_key_is_not_sent_to_voyage(options: dict[str, Any]) -> None:
    """The error says which address takes it; sockets are closed in these tests."""
    with pytest.raises(
        AuthenticationError, match=r'base_url="https://ai\.mongodb\.com/v1"'
    ) as caught:
        load_embedder("voyage:voyage-4", **options).embed_query("x")

    assert ATLAS_KEY not in str(caught.value)


def test_a_server_of_ones_own_takes_any_key(server: FaultServer, load: Load) -> None:
    """A gateway may know what to do with it."""
    load(api_key=lambda: ATLAS_KEY).embed_query("x")

    assert server.requests[0].request.headers["authorization"] == f"Bearer {ATLAS_KEY}"


def test_a_key_of_another_vendor_is_not_sent() -> None:
    """The error names the variable."""
    with pytest.raises(AuthenticationError, match=r"OpenAI.*VOYAGE_API_KEY"):
        load_embedder("voyage:voyage-4", api_key="sk-abcdefghijklmnopqrstuvwxyz").embed_query("x")


@pytest.mark.parametrize(
    ("option", "value"), [("output_type", "base64"), ("truncation", "yes"), ("truncate", True)]
)
def test_values_that_cannot_be(load: Load, option: str, value: object) -> None:
    """Strict: nothing is converted silently."""
    with pytest.raises(InvalidOptionError, match=option):
        load(**{option: value})


def test_what_changes_a_vector_is_in_the_fingerprint(load: Load) -> None:
    """And nothing else."""
    usual = load().fingerprint
    same: list[dict[str, Any]] = [{"truncation": True}, {"timeout": 5.0}]
    others: list[dict[str, Any]] = [
        {"dimensions": 256},
        {"output_type": "int8"},
        {"output_type": "ubinary"},
    ]

    assert {load(**options).fingerprint for options in same} == {usual}
    assert len({usual, *(load(**options).fingerprint for options in others)}) == 1 + len(others)


@pytest.mark.parametrize("model", ["voyage-4", "voyage-multimodal-3.5"])
@pytest.mark.parametrize(
    ("output_type", "least", "most", "width"),
    [
        ("int8", -128, 127, 1024),
        ("uint8", 0, 255, 1024),
        ("binary", -128, 127, 128),
        ("ubinary", 0, 255, 128),
    ],
)
def test_whole_numbers_come_as_they_are(
    server: FaultServer,
    load: Load,
    model: str,
    output_type: str,
    least: int,
    most: int,
    width: int,
) -> None:
    """Out of base64, signed where they are; as float32 of the same value."""
    embedder = load(model, output_type=output_type)
    found = embedder.embed_documents(["one", "two"])

    assert embedder.dimensions == width
    assert found.shape == (2, width)
    assert bool((found == np.rint(found)).all())
    assert least <= found.min() < found.max() <= most
    assert (found.min() < 0) == (least < 0)
    assert server.requests[0].json["output_dtype"] == output_type


def test_dimensions_of_binary_vectors_are_those_one_gets(server: FaultServer, load: Load) -> None:
    """64 values of 8 dimensions each are 512 dimensions of Voyage's."""
    found = load(output_type="ubinary", dimensions=64).embed_documents(["one", "two"])
    bits = server.vector("two", "voyage-4", 512, role="document") > 0

    assert server.requests[0].json["output_dimension"] == 512
    assert np.array_equal(found[1], np.packbits(bits))


@pytest.mark.parametrize("field", ["output_dtype", "output_dimension"])
def test_an_option_that_voyage_refuses(server: FaultServer, load: Load, field: str) -> None:
    """An old model makes floats only: the option is to blame, no text is searched for."""

    async def play(exchange: Exchange) -> None:
        await exchange.refuse(400, f"Argument '{field}' is not supported by this model.")

    server.always(Fault("refused", play))
    with pytest.raises(InvalidOptionError, match=field):
        load("voyage-3", output_type="int8").embed_documents(["one", "two"])

    assert len(server.requests) == 1


def test_the_readme_explains_every_option() -> None:
    """A table names each that is not of every model."""
    readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    own = VoyageOptions.model_fields.keys() - ModelOptions.model_fields.keys()

    assert [name for name in sorted(own) if f"| `{name}` |" not in readme] == []
