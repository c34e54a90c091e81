"""What goes over the wire: the role in its field, and each input as what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import PIL.Image
import pytest

from embedbridge.contract import Image, LoadedImage, ModelCard
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.nvidia.catalog import CARDS
from embedbridge.testing import FaultServer, NvidiaWire, tiny_png

Load: TypeAlias = Callable[..., Embedder]

LONG, SHORT = "nvidia/llama-nemotron-embed-1b-v2", "nvidia/nv-embedqa-e5-v5"
SEES = "nvidia/llama-nemotron-embed-vl-1b-v2"


def test_a_text_is_sent_as_it_is(server: FaultServer, load: Load) -> None:
    """With the role, and in base64."""
    text = "  two\nlines\r\n\tand a tab – ünïcode 👩‍👩‍👧 \x00 "
    load().embed_query(text)

    assert server.requests[0].json == {
        "model": LONG,
        "input_type": "query",
        "input": [text],
        "encoding_format": "base64",
        "truncate": "NONE",
    }


@pytest.mark.parametrize("model", [LONG, "baai/bge-m3"])
def test_roles_are_input_types(load: Load, model: str) -> None:
    """The same text is another vector as a passage, except for a model without roles."""
    with FaultServer(wire=NvidiaWire(), dimensions=2048 if model == LONG else 1024) as server:
        embedder = load(model, base_url=server.url)
        document, query = embedder.embed_documents(["a text"])[0], embedder.embed_query("a text")
        sent = [record.json["input_type"] for record in server.requests]

    assert sent == ["passage", "query"]
    assert np.array_equal(document, query) is (model != LONG)


def test_a_model_of_images_is_told_what_an_input_is(server: FaultServer, load: Load) -> None:
    """Else it would take a text that looks like a data URL for an image; images are passages."""
    trap = "data:image/png;base64,iVBORw0KGgo="
    red = LoadedImage(pixels=PIL.Image.new("RGB", (8, 8), (255, 0, 0)), described="red")
    embedder = load(SEES)
    found = [
        embedder.embed_documents([trap])[0],
        embedder.embed_images([Image.from_bytes(tiny_png(255, 0, 0, size=8))], role="query")[0],
    ]
    right = [server.vector(each, SEES, role="passage") for each in (trap, red)]

    assert [record.json["modality"] for record in server.requests] == ["text", "image"]
    assert np.allclose(found, right, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "asked", "allowed"),
    [(LONG, 384, True), (LONG, 256, False), (SHORT, 512, False)],
)
def test_dimensions_are_asked_for_or_refused(
    server: FaultServer, load: Load, model: str, asked: int, allowed: bool
) -> None:
    """Never dropped in silence."""
    embedder = load(model, dimensions=asked)
    if allowed:
        assert embedder.embed_query("a text").shape == (asked,)
        assert server.requests[0].json["dimensions"] == asked
    else:
        with pytest.raises(ValueError, match=f"cannot make vectors of {asked}"):
            embedder.embed_query("a text")
        assert not server.requests


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_own_width_may_be_named(load: Load, card: ModelCard) -> None:
    """A server whose model has no other one refuses the field, so that it is left out there."""
    width = card.dimensions or 1024
    with FaultServer(wire=NvidiaWire(), dimensions=width) as server:
        embedder = load(card.name, base_url=server.url, dimensions=card.dimensions)
        found = embedder.embed_documents(["a text"])

    assert found.shape == (1, width)
    assert ("dimensions" in server.requests[0].json) is bool(card.allowed_dimensions)


@pytest.mark.parametrize(
    ("kind", "least", "most", "width"),
    [("int8", -128, 127, 2048), ("uint8", 0, 255, 2048), ("binary", -128, 127, 256), ("ubinary", 0, 255, 256)],
)  # fmt: skip
def test_output_types(
    server: FaultServer, load: Load, kind: str, least: int, most: int, width: int
) -> None:
    """As numbers, since nothing says what base64 of them would be; each a space of its own."""
    embedder = load(output_type=kind)
    found = embedder.embed_documents(["one", "two"])
    sent = server.requests[0].json

    assert found.shape == (2, width)
    assert least <= found.min() < found.max() <= most
    assert (sent["embedding_type"], sent["encoding_format"]) == (kind, "float")
    assert embedder.space != load().space


def test_numbers_and_base64_are_the_same_vectors(load: Load) -> None:
    """Base64 is the default, because it needs fewer bytes."""
    packed, plain = load(), load(output_type="float")

    assert packed.fingerprint == plain.fingerprint
    assert np.allclose(packed.embed_query("a text"), plain.embed_query("a text"), atol=1e-7)


@pytest.mark.parametrize("behind", ["", "/", "/v1", "/v1/", "/v1/embeddings", "/v1/embeddings/"])
def test_addresses_as_others_write_them(server: FaultServer, load: Load, behind: str) -> None:
    """The root of a NIM, with the version, with the whole path, with a slash."""
    load(base_url=server.url.removesuffix("/v1") + behind).embed_query("a text")

    assert [record.request.target for record in server.requests] == ["/v1/embeddings"]


@pytest.mark.parametrize(
    ("model", "url"),
    [
        (LONG, "https://integrate.api.nvidia.com/v1/embeddings"),
        ("NV-Embed-QA", "https://ai.api.nvidia.com/v1/retrieval/nvidia/embeddings"),
    ],
)
def test_hosted_models_have_addresses(model: str, url: str) -> None:
    """Most have the same one."""
    from embedbridge.contract import Batch

    loaded: Any = load_embedder(f"nvidia:{model}").model
    path, _ = loaded.request(Batch(inputs=["a"], modality="text", role="query"))

    assert loaded.address.url + path == url
    assert loaded.at_home


@pytest.mark.parametrize(
    ("model", "said", "url"),
    [
        ("NV-Embed-QA", "https://integrate.api.nvidia.com/v1", "https://integrate.api.nvidia.com/v1/embeddings"),
        ("NV-Embed-QA", "https://ai.api.nvidia.com", "https://ai.api.nvidia.com/v1/retrieval/nvidia/embeddings"),
        (LONG, "https://integrate.api.nvidia.com", "https://integrate.api.nvidia.com/v1/embeddings"),
        (LONG, "https://ai.api.nvidia.com/v1", "https://ai.api.nvidia.com/v1/embeddings"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_path_is_of_its_own_host(
    monkeypatch: pytest.MonkeyPatch, model: str, said: str, url: str, by: str
) -> None:
    """The path of a model that is elsewhere is not added to the host that the user names."""
    from embedbridge.contract import Batch

    monkeypatch.setenv("NVIDIA_BASE_URL", said if by == "variable" else "http://localhost:1")
    options: dict[str, Any] = {"base_url": said} if by == "option" else {}
    loaded: Any = load_embedder(f"nvidia:{model}", **options).model
    path, _ = loaded.request(Batch(inputs=["a"], modality="text", role="query"))

    assert loaded.address.url + path == url


def test_never_more_inputs_than_are_known_to_be_taken(server: FaultServer, load: Load) -> None:
    """It begins with the 50 of LangChain's class, and never exceeds the 259 of LlamaIndex's."""
    load(dimensions=384).embed_documents([f"text {n}" for n in range(1000)])
    sizes = [len(record.inputs) for record in server.requests]

    assert sizes[0] <= 50
    assert max(sizes) <= 259
    assert sum(sizes) == 1000


# Keys.


def test_a_nim_of_ones_own_needs_no_key(server: FaultServer, load: Load) -> None:
    """No header is sent then; the hosted models need one."""
    from embedbridge.contract import AuthenticationError

    load(api_key=None).embed_query("a text")

    assert "authorization" not in server.requests[0].request.headers
    with pytest.raises(AuthenticationError, match="There is no API key") as caught:
        load_embedder(f"nvidia:{LONG}").embed_query("a text")
    assert "NVIDIA_API_KEY" in (caught.value.hint or "")


def test_the_environment(server: FaultServer, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """As in LangChain and LlamaIndex."""
    monkeypatch.setenv("NVIDIA_API_KEY", key)
    monkeypatch.setenv("NVIDIA_BASE_URL", server.url)
    with load_embedder(f"nvidia:{LONG}") as embedder:
        embedder.embed_query("a text")

    assert server.requests[0].request.headers["authorization"] == f"Bearer {key}"
