"""The server that plays Voyage refuses what Voyage refuses, and packs whole numbers as it does."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import LoadedImage, LoadedMixed
from embedbridge.testing import Row, VoyageWire, tiny_png
from embedbridge.testing._http_server import HttpRequest

URL = f"data:image/png;base64,{base64.b64encode(tiny_png()).decode()}"
IMAGE = {"type": "image_base64", "image_base64": URL}
TEXT = {"type": "text", "text": "a"}


def read(**fields: Any) -> Any:
    of_parts = "inputs" in fields
    model = "voyage-multimodal-3.5" if of_parts else "voyage-4"
    target = "/v1/multimodalembeddings" if of_parts else "/v1/embeddings"
    body = json.dumps({"model": model, **fields}).encode()
    return VoyageWire().read(HttpRequest(method="POST", target=target, headers={}, body=body))


def test_what_arrives_is_what_it_is() -> None:
    """Texts as text, images by their pixels, several parts together, with model and role."""
    texts = read(input=["a", URL], input_type="query")
    image, mixed, text = read(
        inputs=[{"content": [IMAGE]}, {"content": [TEXT, IMAGE]}, {"content": [TEXT]}]
    ).inputs

    assert (texts.inputs, texts.role, texts.model) == (["a", URL], "query", "voyage-4")
    assert isinstance(image, LoadedImage)
    assert isinstance(mixed, LoadedMixed)
    assert mixed.digest() == LoadedMixed(("a", image)).digest()
    assert text == "a"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"input": []}, "limit is 1000. Your batch size is 0"),
        ({"input": ["a"] * 1001}, "limit is 1000. Your batch size is 1001"),
        ({"input": ["a", ""]}, "example at index 1 is empty"),
        ({"input": ["a"], "model": "voyage-multimodal-3"}, "Model voyage-multimodal-3 is not"),
        ({"inputs": [{"content": [TEXT]}], "model": "voyage-4"}, "Model voyage-4 is not"),
        ({"input": ["a"], "dimensions": 5}, r"\['dimensions'\] are not supported"),
        ({"input": ["a"], "input_type": "passage"}, "input_type passage"),
        ({"input": ["a"], "output_dimension": 768}, "output_dimension 768"),
        ({"input": ["a"], "encoding_format": "float"}, "encoding_format"),
        ({"inputs": [{"content": []}]}, "index 0 is empty"),
        ({"inputs": [{"content": [{"type": "audio", "audio": ""}]}]}, "part that is not supported"),
        ({"inputs": [{"content": [{**IMAGE, "text": "a"}]}]}, "part that is not supported"),
        ({"inputs": [{"content": [{**IMAGE, "image_base64": "x,y"}]}]}, "cannot be decoded"),
    ],
    ids=str,
)
def test_what_voyage_refuses(fields: dict[str, Any], says: str) -> None:
    """With a message; a client that mixes up kinds or endpoints gets no vector."""
    with pytest.raises(ValueError, match=says):
        read(**fields)


@pytest.mark.parametrize(
    ("kind", "dtype", "expected"),
    [
        ("int8", np.int8, [64, -64, 32, 0, 127, -127, 64, 64]),
        ("uint8", np.uint8, [192, 64, 160, 128, 255, 1, 192, 192]),
        ("ubinary", np.uint8, [0b10101011]),
        ("binary", np.int8, [0b10101011 - 128]),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_output_types(kind: Any, dtype: Any, expected: list[int], *, packed: bool) -> None:
    """Whole numbers of the range of their type, as base64 of bytes where that is asked for."""
    vector = np.array([0.5, -0.5, 0.25, 0.0, 1.0, -1.0, 0.5, 0.5], np.float32)
    asked = read(
        input=["a"], output_dtype=kind, **({"encoding_format": "base64"} if packed else {})
    )
    row = Row(index=0, vector=vector, encoding=asked.encoding)
    found = json.loads(VoyageWire().answer([row], asked))["data"][0]["embedding"]
    if packed:
        found = np.frombuffer(base64.b64decode(found), dtype).tolist()

    assert found == expected
