"""What goes over the wire: one family's format each, within its limits, and nothing cut in silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import unquote

import numpy as np
import pytest

from embedbridge.contract import Image, InputTooLongError, InvalidOptionError, Mixed
from embedbridge.contract.errors import UnsupportedModalityError
from embedbridge.contract.remote import parse_object
from embedbridge.core import Embedder
from embedbridge.providers.bedrock._families import Marengo
from embedbridge.providers.bedrock.catalog import CARDS
from embedbridge.testing import FaultServer, tiny_png

Load: TypeAlias = Callable[..., Embedder]

TITAN, OLD_TITAN = "amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v1"
TITAN_IMAGE = "amazon.titan-embed-image-v1"
NOVA = "amazon.nova-2-multimodal-embeddings-v1:0"
V4, V3 = "cohere.embed-v4:0", "cohere.embed-english-v3"
MARENGO, OLD_MARENGO = "twelvelabs.marengo-embed-3-0-v1:0", "twelvelabs.marengo-embed-2-7-v1:0"
EVERY = [card.name for card in CARDS]
RED = Image.from_bytes(tiny_png(255, 0, 0))
BASE64 = "iVBORw0KGgo"
"""How a PNG file begins in base64."""


def asked(server: FaultServer, number: int = -1) -> Any:
    return server.requests[number].json


def purpose(server: FaultServer) -> str:
    """What Nova is told, or Cohere's models."""
    sent = asked(server)
    found = sent.get("input_type") or sent["singleEmbeddingParams"]["embeddingPurpose"]
    return str(found)


@pytest.mark.parametrize(
    ("name", "options", "fields"),
    [
        (OLD_TITAN, {}, {"inputText": "a\nb"}),
        (TITAN, {}, {"inputText": "a\nb"}),
        (TITAN, {"dimensions": 256}, {"inputText": "a\nb", "dimensions": 256}),
        (TITAN, {"normalize": False}, {"inputText": "a\nb", "normalize": False}),
        (TITAN_IMAGE, {}, {"inputText": "a\nb"}),
        (
            TITAN_IMAGE,
            {"dimensions": 384},
            {"inputText": "a\nb", "embeddingConfig": {"outputEmbeddingLength": 384}},
        ),
        (
            NOVA,
            {"dimensions": 256},
            {
                "schemaVersion": "nova-multimodal-embed-v1",
                "taskType": "SINGLE_EMBEDDING",
                "singleEmbeddingParams": {
                    "embeddingPurpose": "GENERIC_INDEX",
                    "embeddingDimension": 256,
                    "text": {"truncationMode": "NONE", "value": "a\nb"},
                },
            },
        ),
        (
            V4,
            {"dimensions": 512, "max_tokens": 99, "truncate": "END"},
            {
                "texts": ["a\nb"],
                "input_type": "search_document",
                "embedding_types": ["float"],
                "output_dimension": 512,
                "max_tokens": 99,
                "truncate": "RIGHT",
            },
        ),
        (
            V3,
            {"truncate": "START"},
            {
                "texts": ["a\nb"],
                "input_type": "search_document",
                "embedding_types": ["float"],
                "truncate": "START",
            },
        ),
        (MARENGO, {}, {"inputType": "text", "text": {"inputText": "a\nb"}}),
        (OLD_MARENGO, {}, {"inputType": "text", "inputText": "a\nb", "textTruncate": "none"}),
    ],
    ids=str,
)
def test_a_text(
    server: FaultServer, load: Load, name: str, options: dict[str, Any], fields: dict[str, Any]
) -> None:
    """In its family's words; line breaks stay, which LangChain's class replaces."""
    load(name, **options).embed_documents(["a\nb"])

    assert asked(server) == fields


@pytest.mark.parametrize("name", EVERY)
def test_each_text_has_its_own_vector(server: FaultServer, load: Load, name: str) -> None:
    """In as many requests as the limits need, and never more than eight at once."""
    texts = [f"text {number}" for number in range(100)]
    card = next(card for card in CARDS if card.name == name)
    found = load(name).embed_documents(texts)
    role = {"cohere": "search_document", "amazon.nova-2": "GENERIC_INDEX"}
    told = next((role[start] for start in role if name.startswith(start)), "")

    right = [server.vector(text, name, card.dimensions, role=told) for text in texts]

    assert np.allclose(found, right, atol=1e-6)
    assert len(server.requests) == (2 if card.limits.max_items == 96 else 100)
    assert server.max_in_flight <= 8


@pytest.mark.parametrize(
    ("name", "options", "query", "document", "classified"),
    [
        (NOVA, {}, "GENERIC_RETRIEVAL", "GENERIC_INDEX", "CLASSIFICATION"),
        (NOVA, {"query_purpose": "TEXT_RETRIEVAL"}, "TEXT_RETRIEVAL", "GENERIC_INDEX", "CLASSIFICATION"),
        (V4, {}, "search_query", "search_document", "classification"),
        (V3, {}, "search_query", "search_document", "classification"),
    ],
)  # fmt: skip
def test_roles_and_tasks(
    server: FaultServer,
    load: Load,
    name: str,
    options: dict[str, Any],
    query: str,
    document: str,
    classified: str,
) -> None:
    """Queries are not embedded as documents, as LangChain's class does with Nova."""
    embedder = load(name, **options)
    vectors = [embedder.embed_query("x"), embedder.embed_documents(["x"])[0]]
    told = [record.json for record in server.requests]
    embedder.embed(["x"], role="query", task="classification")

    assert query in str(told[0])
    assert document in str(told[1])
    assert purpose(server) == classified
    assert not np.allclose(*vectors)


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        (TITAN_IMAGE, {"inputImage": BASE64}),
        (NOVA, {"format": "png", "source": {"bytes": BASE64}}),
        (V4, {"images": [f"data:image/png;base64,{BASE64}"]}),
        (V3, {"images": [f"data:image/png;base64,{BASE64}"], "input_type": "image"}),
        (MARENGO, {"inputType": "image", "image": {"mediaSource": {"base64String": BASE64}}}),
        (OLD_MARENGO, {"inputType": "image", "mediaSource": {"base64String": BASE64}}),
    ],
    ids=str,
)
def test_an_image(server: FaultServer, load: Load, name: str, sent: dict[str, Any]) -> None:
    """In its family's words."""
    load(name).embed_images([RED])
    found = asked(server)
    found = found.get("singleEmbeddingParams", {}).get("image") or found

    assert cut_short(found).items() >= sent.items()


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        (TITAN_IMAGE, {"inputText": "Red:", "inputImage": BASE64}),
        (
            V4,
            {
                "inputs": [
                    {
                        "content": [
                            {"type": "text", "text": "Red:"},
                            {"type": "image_url", "image_url": f"data:image/png;base64,{BASE64}"},
                        ]
                    }
                ]
            },
        ),
        (
            MARENGO,
            {
                "inputType": "text_image",
                "text_image": {"inputText": "Red:", "mediaSource": {"base64String": BASE64}},
            },
        ),
    ],
    ids=str,
)
def test_a_text_and_an_image(
    server: FaultServer, load: Load, name: str, sent: dict[str, Any]
) -> None:
    """One request and one vector."""
    found = load(name).embed([Mixed("Red:", RED)], role="document")

    assert found.vectors.shape[0] == 1
    assert cut_short(asked(server)).items() >= sent.items()


def cut_short(value: Any) -> Any:
    """JSON with base64 cut after its beginning."""
    if isinstance(value, dict):
        return {name: cut_short(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [cut_short(inner) for inner in value]
    if isinstance(value, str) and BASE64 in value:
        return value[: value.index(BASE64) + len(BASE64)]
    return value


def test_two_images_in_one_input(server: FaultServer, load: Load) -> None:
    """Cohere's v4 takes them; a model that does not is not given one of them only."""
    both = Mixed("Two:", RED, Image.from_bytes(tiny_png(0, 0, 255)))
    assert load(V4).embed([both], role="document").vectors.shape[0] == 1
    for name in (TITAN_IMAGE, MARENGO):
        with pytest.raises(UnsupportedModalityError, match="one image per input"):
            load(name).embed([both], role="document")

    assert len(server.requests) == 1


# Texts that are too long.


@pytest.mark.parametrize("name", [TITAN, NOVA, V3])
def test_characters_are_cut_and_reported(server: FaultServer, load: Load, name: str) -> None:
    """Titan and Nova take 50,000, Cohere's v3 takes 2,048: a text is cut to that, and not further."""
    limit = next(card.limits.max_chars_per_input for card in CARDS if card.name == name)
    assert limit is not None
    result = load(name).embed(["fits", "x" * (limit + 1)], role="document")
    server.wait_until_idle()  # a record is complete a moment after its answer came
    taken = [text for record in server.requests if record.status == 200 for text in record.inputs]

    assert result.truncated.tolist() == [False, True]
    assert max(map(len, taken)) == limit
    assert len(server.requests) == (1 if name == V3 else 2)
    with pytest.raises(InputTooLongError) as caught:
        load(name, on_too_long="error").embed_documents(["fits", "x" * (limit + 1)])
    assert caught.value.index == 1


def test_v4_takes_long_texts_whole(server: FaultServer, load: Load) -> None:
    """LlamaIndex's class cuts them after 2,048 characters."""
    text = "word " * 2000
    result = load(V4).embed([text], role="document")

    assert asked(server)["texts"] == [text]
    assert not result.truncated.any()


@pytest.mark.parametrize(
    ("name", "options", "sent"),
    [
        (V3, {}, "END"),
        (V3, {"truncate": "NONE"}, "NONE"),
        (V4, {}, "NONE"),
        (V4, {"max_tokens": 200}, "RIGHT"),
        (V4, {"max_tokens": 200, "truncate": "NONE"}, "NONE"),
    ],
    ids=str,
)
def test_usual_texts_travel_together(
    server: FaultServer, load: Load, name: str, options: dict[str, Any], sent: str
) -> None:
    """Where many may be too long the model cuts; if it refused them, each would have to go alone."""
    texts = [f"{number:03} " + "word " * 343 for number in range(96)]
    embedder = load(name, **options)
    result = embedder.embed(texts, role="document")
    alone = sent == "NONE" and (name == V3 or "max_tokens" in options)

    assert asked(server)["truncate"] == sent
    assert len(server.requests) == (96 if alone else 1)
    assert embedder.card.truncates is (sent != "NONE")
    assert result.truncated.all() == (sent != "NONE")


# Options, names.


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (TITAN, {"output_type": "int8"}),
        (TITAN, {"truncate": "END"}),
        (NOVA, {"max_tokens": 5}),
        (V4, {"query_purpose": "TEXT_RETRIEVAL"}),
        (V3, {"max_tokens": 5}),
    ],
    ids=str,
)
def test_options_of_another_family(load: Load, name: str, options: dict[str, Any]) -> None:
    """Refused where they would have no effect."""
    with pytest.raises(InvalidOptionError, match=f"no option '{next(iter(options))}'"):
        load(name, **options)


@pytest.mark.parametrize("output_type", ["int8", "uint8", "binary", "ubinary"])
@pytest.mark.parametrize("name", [V3, V4])
def test_whole_numbers(server: FaultServer, load: Load, name: str, output_type: str) -> None:
    """Of Cohere's models, with a space of their own."""
    embedder = load(name, output_type=output_type)
    found = embedder.embed_documents(["x"])

    assert (found == np.rint(found)).all()
    assert asked(server)["embedding_types"] == [output_type]
    assert embedder.space != load(name).space


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({}, "amazon.titan-embed-text-v2:0"),
        ({"inference_profile": "arn:aws:bedrock:us-east-1:1:provisioned-model/amazon.titan-embed-text-v2:0"}, "arn:aws:bedrock:us-east-1:1:provisioned-model/amazon.titan-embed-text-v2:0"),
        ({"inference_profile": "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ax%2Famazon.titan-embed-text-v2%3A0"}, "arn:aws:bedrock:us-east-1:1:x/amazon.titan-embed-text-v2:0"),
    ],
)  # fmt: skip
def test_names_are_percent_encoded_once(
    server: FaultServer, load: Load, options: dict[str, Any], path: str
) -> None:
    """Also one that the user has encoded already."""
    load(**options).embed_query("x")
    name = server.requests[0].request.target.removeprefix("/model/").removesuffix("/invoke")

    assert ":" not in name
    assert "/" not in name
    assert unquote(name) == path


@pytest.mark.parametrize("behind", ["/", "/model", "/model/amazon.titan-embed-text-v2%3A0/invoke"])
def test_an_address_may_hold_the_path(server: FaultServer, load: Load, behind: str) -> None:
    """As it is copied from documentation or a log."""
    load(base_url=server.url + behind).embed_query("x")

    assert server.requests[0].request.target.count("/model/") == 1


@pytest.mark.parametrize("path", ["/model/aws", "/bedrock/model-a"])
def test_the_path_of_a_gateway_stays(server: FaultServer, load: Load, path: str) -> None:
    """It is not that of a model, though it may begin alike."""
    model: Any = load(base_url=server.url + path).model

    assert model.address.url == server.url + path


# Answers.


@pytest.mark.parametrize("body", ['{"data": {"embedding": [1]}}', '{"data": [{"embedding": [1]}]}'])
def test_both_answers_of_marengo(body: str) -> None:
    """An object, or a list of one."""
    rows = Marengo().rows(parse_object(body.encode()), None, None)  # type: ignore[arg-type]

    assert rows == [[1]]


@pytest.mark.parametrize("name", EVERY)
def test_tokens_are_counted_by_the_server(load: Load, name: str) -> None:
    """In the answer, or in its header."""
    usage = load(name).embed(["one two three"], role="document").usage

    assert (usage.tokens, usage.estimated) == (3, False)
