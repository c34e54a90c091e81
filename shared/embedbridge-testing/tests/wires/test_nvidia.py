"""The server that plays NVIDIA refuses what NVIDIA refuses, and sees what really arrives."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from embedbridge.testing import NvidiaWire, tiny_png
from embedbridge.testing._http_server import HttpRequest

SEES = "nvidia/llama-nemotron-embed-vl-1b-v2"
URL = f"data:image/png;base64,{base64.b64encode(tiny_png()).decode()}"


def read(**fields: Any) -> Any:
    usual = {"model": "nvidia/nemotron-3-embed-1b", "input": ["a"], "input_type": "passage"}
    body = {name: value for name, value in {**usual, **fields}.items() if value is not None}
    request = HttpRequest(method="POST", target="/", headers={}, body=json.dumps(body).encode())
    return NvidiaWire().read(request)


def test_what_arrives_is_what_it_is() -> None:
    """A data URL is a text for a model of texts; for one of images, only if it is called a text."""
    assert read(input=[URL]).inputs == [URL]
    assert read(model=SEES, input=[URL], modality="text").inputs == [URL]
    assert read(model=SEES, input=[URL]).inputs[0].size == (2, 2)
    assert read(model=SEES, input=[URL], modality="image").inputs[0].size == (2, 2)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"input_type": None}, "'input_type' parameter is required for asymmetric models"),
        ({"input_type": "document"}, "'input_type' parameter is required"),
        ({"encoding_format": "int8"}, "Input should be 'float' or 'base64'"),
        ({"truncate": "LEFT"}, "truncate"),
        ({"task": "retrieval"}, "Extra inputs"),
        ({"modality": "text"}, "takes texts only"),
        ({"input": []}, "batch-size"),
        ({"input": ["a"] * 260}, "batch-size must be <= 259"),
        ({"input": [""]}, "is no text"),
        ({"model": SEES, "input": [URL], "input_type": "query"}, "passages only"),
    ],
)
def test_what_nvidia_refuses(fields: dict[str, Any], says: str) -> None:
    """In its own words where they are known."""
    with pytest.raises(ValueError, match=says):
        read(**fields)


def test_symmetric_models_have_no_roles() -> None:
    """With the field or without it."""
    assert read(model="baai/bge-m3", input_type=None).role == ""
    assert read(model="baai/bge-m3", input_type="query").role == ""
