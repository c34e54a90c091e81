"""What goes over the wire to Vertex AI: path, location, one content or many instances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest

from embedbridge.contract import (
    ConfigurationError,
    Image,
    InvalidKeyError,
    InvalidOptionError,
    Mixed,
    UnsupportedModalityError,
)
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import FaultServer, PredictWire, VertexWire, tiny_png

Load: TypeAlias = Callable[..., Embedder]

RESOURCE = "/v1/projects/my-project/locations/global/publishers/google/models"


def test_one_content_per_request(load: Load, token: str) -> None:
    """Gemini models take one; n texts are n requests and n vectors, several at once."""
    texts = [f"text {number}" for number in range(40)]
    with FaultServer(wire=VertexWire(), dimensions=3072, latency=0.01) as server:
        embedder = load("vertex:gemini-embedding-001", base_url=server.url, dimensions=768)
        found = embedder.embed_documents(texts)
        right = [
            server.vector(text, "gemini-embedding-001", 768, role="RETRIEVAL_DOCUMENT")
            for text in texts
        ]
        most, request = server.max_in_flight, server.requests[0]

    assert np.allclose(found, right, atol=1e-6)
    assert len(server.requests) == 40
    assert 1 < most <= 8
    assert request.request.target == f"{RESOURCE}/gemini-embedding-001:embedContent"
    assert request.request.headers["authorization"] == f"Bearer {token}"
    assert request.json["embedContentConfig"] == {
        "taskType": "RETRIEVAL_DOCUMENT",
        "outputDimensionality": 768,
        "autoTruncate": False,
    }


def test_prompts_images_and_mixed_inputs(load: Load) -> None:
    """As in the Gemini API: prompts in the text, no task type."""
    image = Image.from_bytes(tiny_png(9, 9, 9))
    with FaultServer(wire=VertexWire(), dimensions=3072) as server:
        embedder = load("vertex:gemini-embedding-2", base_url=server.url)
        found = embedder.embed(["a cat", image, Mixed("a cat", image)], role="document").vectors
        sent = [record.json for record in server.requests]

    assert len({row.tobytes() for row in found}) == 3
    assert all("taskType" not in each["embedContentConfig"] for each in sent)
    assert {"parts": [{"text": "title: none | text: a cat"}]} in [each["content"] for each in sent]


def test_older_models_take_many_instances(load: Load) -> None:
    """250 in one request, each with its task type."""
    texts = [f"text {number}" for number in range(300)]
    with FaultServer(wire=PredictWire(), dimensions=768) as server:
        found = load("vertex:text-embedding-005", base_url=server.url).embed_documents(texts)
        sizes = sorted(len(record.json["instances"]) for record in server.requests)
        first = server.requests[0]

    assert found.shape == (300, 768)
    assert max(sizes) <= 250
    assert sum(sizes) == 300
    assert first.request.target == f"{RESOURCE}/text-embedding-005:predict"
    assert first.json["instances"][0]["task_type"] == "RETRIEVAL_DOCUMENT"
    assert first.json["parameters"] == {"autoTruncate": False}


def test_tokens_per_request(load: Load) -> None:
    """20,000 in all: texts of 1,000 tokens go in small batches."""
    texts = [f"{number} " + "word " * 900 for number in range(60)]
    with FaultServer(wire=PredictWire(), dimensions=768) as server:
        load("vertex:text-embedding-005", base_url=server.url).embed_documents(texts)
        sizes = [len(record.json["instances"]) for record in server.requests]

    assert max(sizes) <= 22


@pytest.mark.parametrize(
    ("location", "host"),
    [
        (None, "aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("europe-west1", "europe-west1-aiplatform.googleapis.com"),
        ("us-central1", "us-central1-aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
    ],
)
def test_the_location_says_which_server(
    monkeypatch: pytest.MonkeyPatch, location: str | None, host: str
) -> None:
    """By the option as by the variable; all of them are Google's own, with one space."""
    model: Any = load_embedder("vertex:gemini-embedding-2", location=location).model
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", location or "")
    by_variable: Any = load_embedder("vertex:gemini-embedding-2").model

    assert model.address.url == by_variable.address.url == f"https://{host}"
    assert model.at_home
    assert model.card.space == "google:gemini-embedding-2"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "/",
        "/v1beta1",
        "/v1/projects/other/locations/here",
        f"{RESOURCE}/text-embedding-005:predict",
    ],
)
def test_addresses_as_others_write_them(load: Load, given: str) -> None:
    """A version in the address stands; project and model are ours."""
    with FaultServer(wire=VertexWire(), dimensions=3072) as server:
        load("vertex:gemini-embedding-2", base_url=server.url + given).embed_query("x")
        target = server.requests[0].request.target
    version = "/v1beta1" if "beta" in given else "/v1"

    assert target == f"{version}{RESOURCE[3:]}/gemini-embedding-2:embedContent"


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("models/gemini-embedding-001", "google/models/gemini-embedding-001:embedContent"),
        ("publishers/google/models/gemini-embedding-001", "google/models/gemini-embedding-001:embedContent"),
        ("google/gemini-embedding-001", "google/models/gemini-embedding-001:embedContent"),
        ("intfloat/e5-large-maas", "intfloat/models/e5-large-maas:embedContent"),
        ("publishers/intfloat/models/e5-large-maas", "intfloat/models/e5-large-maas:embedContent"),
        ("intfloat/e5", "intfloat/models/e5:predict"),
        ("text-embedding-old", "google/models/text-embedding-old:predict"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Google Vertex AI model .* is not known here")
def test_names(load: Load, name: str, resource: str) -> None:
    """Google's own spellings, other publishers, and the older form for what is no Gemini model."""
    wire = PredictWire() if resource.endswith("predict") else VertexWire()
    with FaultServer(wire=wire, dimensions=3072) as server:
        load(f"vertex:{name}", base_url=server.url).embed_query("x")

        assert server.requests[0].request.target.endswith(f"publishers/{resource}")


@pytest.mark.parametrize("name", ["multilingual-e5-large-instruct-maas", "e5-of-tomorrow"])
@pytest.mark.filterwarnings("ignore:Google Vertex AI model .* is not known here")
def test_a_model_of_another_publisher_is_no_gemini(load: Load, name: str) -> None:
    """It gets the text alone: no prompt, no task type and no width of Gemini's; and no image."""
    wire = VertexWire() if name.endswith("maas") else PredictWire()
    with FaultServer(wire=wire, dimensions=1024) as server:
        options = {"base_url": server.url, "dimensions": 256}
        embedder = load(f"vertex:intfloat/{name}", **options)
        found = embedder.embed_documents(["hi"]), embedder.embed(["hi"], role="query").vectors
        sent = [record.json for record in server.requests]
        for picture in (Image.from_bytes(tiny_png(1)), Mixed("a", Image.from_bytes(tiny_png(1)))):
            with pytest.raises(UnsupportedModalityError):
                embedder.embed([picture], role="document")
        own = load(f"vertex:intfloat/{name}", **options, query_prompt="query: ").embed_query("hi")
        right = server.vector("query: hi", name)

    assert sent[0] == sent[-1]
    assert "hi" in str(sent[0])
    assert not any(word in str(sent[0]) for word in ("task", "query", "outputDimensionality"))
    assert [vectors.shape for vectors in found] == [(1, 256), (1, 256)]
    assert np.allclose(own, right[:256], atol=1e-6)
    assert embedder.card.limits.max_tokens_per_input == 512


def test_a_project_is_needed(load: Load) -> None:
    """The error says where it comes from; nothing is sent."""
    with FaultServer(wire=VertexWire()) as server:
        with pytest.raises(ConfigurationError, match="GOOGLE_CLOUD_PROJECT"):
            load("vertex:gemini-embedding-2", base_url=server.url, project=None).embed_query("x")

        assert not server.requests


@pytest.mark.parametrize(
    "wrong", [{"project": "a/b"}, {"location": "evil.example/x"}, {"location": ""}]
)
def test_options_that_cannot_be(wrong: dict[str, Any]) -> None:
    """They are parts of an address."""
    with pytest.raises(InvalidOptionError):
        load_embedder("vertex:gemini-embedding-2", **wrong)


def test_a_variable_that_cannot_be(monkeypatch: pytest.MonkeyPatch, load: Load) -> None:
    """The error names it."""
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "evil.example/x")
    with pytest.raises(ConfigurationError, match="GOOGLE_CLOUD_LOCATION"):
        load("vertex:gemini-embedding-2", base_url=None).embed_query("x")


def test_an_api_key_is_no_token(load: Load) -> None:
    """Vertex AI refuses it; the error comes before, and says whose it is."""
    with pytest.raises(InvalidKeyError, match="one of Google"):
        load("vertex:gemini-embedding-2", base_url=None, api_key="AIza" + "b" * 35).embed_query("x")
