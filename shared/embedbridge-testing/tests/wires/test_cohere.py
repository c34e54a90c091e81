"""The server that plays Cohere refuses what Cohere refuses, and sees what really arrives."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import PIL.Image
import pytest

from embedbridge.contract import LoadedImage, LoadedMixed
from embedbridge.testing import CohereWire, Row, tiny_png
from embedbridge.testing._http_server import HttpRequest

USUAL: dict[str, Any] = {
    "model": "embed-v4.0",
    "input_type": "search_document",
    "embedding_types": ["float"],
}


def read(**fields: Any) -> Any:
    body = {name: value for name, value in {**USUAL, **fields}.items() if value is not None}
    request = HttpRequest(method="POST", target="/", headers={}, body=json.dumps(body).encode())
    return CohereWire().read(request)


def url(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def image(address: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": address}}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def test_what_arrives_is_what_it_is() -> None:
    """Texts as text, images by their pixels, several parts together, with model and role."""
    red = LoadedImage(pixels=PIL.Image.open(io.BytesIO(tiny_png())).convert("RGB"), described="")
    texts = read(texts=["a", "data:image/png;base64,AA"], input_type="search_query")
    pictures = read(inputs=[{"content": [image(url(tiny_png()))]}])
    mixed = read(inputs=[{"content": [text("a"), image(url(tiny_png()))]}])

    assert (texts.inputs, texts.role) == (["a", "data:image/png;base64,AA"], "search_query")
    assert pictures.inputs[0].digest() == red.digest()
    assert mixed.inputs[0].digest() == LoadedMixed(("a", red)).digest()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "exactly one of"),
        ({"texts": ["a"], "inputs": []}, "exactly one of"),
        ({"texts": []}, "at most 96 - received 0"),
        ({"texts": ["a"] * 97}, "at most 96 - received 97"),
        ({"texts": ["a", ""]}, r"texts\[1\]"),
        ({"texts": ["a"], "input_type": None}, "input_type"),
        ({"texts": ["a"], "input_type": "image"}, "input_type"),
        ({"texts": ["a"], "dimensions": 5}, "unknown fields"),
        ({"images": [url(tiny_png())], "input_type": "image"}, "no images here"),
        ({"inputs": [{"content": []}]}, "has no content"),
        ({"inputs": [{"content": [{"type": "audio"}]}]}, "strange part"),
        ({"inputs": [{"content": [image(url(b"no image"))]}]}, "index 0 cannot be decoded"),
        ({"inputs": [{"content": [image("https://example.com/a.png")]}]}, "cannot be decoded"),
        ({"inputs": [{"content": [image(url(tiny_png(), "jpeg"))]}]}, "is not what it says"),
    ],
    ids=str,
)
def test_what_cohere_refuses(fields: dict[str, Any], says: str) -> None:
    """With a message; a client that mixes up kinds gets no vector."""
    with pytest.raises(ValueError, match=says):
        read(**fields)


def test_v3_takes_one_image() -> None:
    """In `images`, with an input type of its own."""
    old = {"model": "embed-english-v3.0", "input_type": "image"}
    asked = read(**old, images=[url(tiny_png())])

    assert isinstance(asked.inputs[0], LoadedImage)
    with pytest.raises(ValueError, match="at most 1 - received 2"):
        read(**old, images=[url(tiny_png())] * 2)
    with pytest.raises(ValueError, match="no inputs here"):
        read(**{**old, "input_type": "search_query"}, inputs=[{"content": [text("a")]}])


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("float", [0.5, -0.5, 0.25, 0.0, 1.0, -1.0, 0.5, 0.5]),
        ("int8", [64, -64, 32, 0, 127, -127, 64, 64]),
        ("uint8", [192, 64, 160, 128, 255, 1, 192, 192]),
        ("ubinary", [0b10101011]),
        ("binary", [0b10101011 - 128]),
    ],
)
def test_output_types(encoding: Any, expected: list[float]) -> None:
    """Whole numbers of the range of their type; eight dimensions in each of the binary ones."""
    vector = np.array([0.5, -0.5, 0.25, 0.0, 1.0, -1.0, 0.5, 0.5], np.float32)
    asked = read(texts=["a b"], embedding_types=[encoding])
    answer = json.loads(
        CohereWire().answer([Row(index=0, vector=vector, encoding=encoding)], asked)
    )

    assert answer["embeddings"] == {encoding: [expected]}
    assert answer["texts"] == ["a b"]
    assert answer["meta"]["billed_units"] == {"input_tokens": 2}
