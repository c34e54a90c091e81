"""The server that plays Mistral refuses what Mistral refuses."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from embedbridge.testing import MistralWire, Row
from embedbridge.testing._http_server import HttpRequest


def read(**fields: Any) -> Any:
    body = json.dumps({"model": "mistral-embed", "input": ["a"], **fields}).encode()
    return MistralWire().read(HttpRequest(method="POST", target="/", headers={}, body=body))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"input": []}, "Too many inputs"),
        ({"input": ["a"] * 257}, "Too many inputs in request, split into more batches"),
        ({"input": ["a " * 8000] * 3}, "Too many tokens overall, split into more batches"),
        ({"input": ["a", "b " * 9000]}, "Input id 1 has 9000 tokens, exceeding max 8192 tokens"),
        ({"input": ["a", ""]}, "Input id 1 is empty"),
        ({"output_dimension": 256}, "This model does not support output_dimension"),
        ({"model": "codestral-embed", "output_dtype": "int4"}, "output_dtype int4"),
        ({"encoding_format": "hex"}, "encoding_format hex"),
        ({"dimensions": 5}, r"Extra inputs are not permitted: body.\['dimensions'\]"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_mistral_refuses(fields: dict[str, Any], says: str) -> None:
    """In its own words, where they are known."""
    with pytest.raises(ValueError, match=says):
        read(**fields)


@pytest.mark.parametrize("encoding_format", ["float", "base64"])
def test_whole_numbers_are_numbers(encoding_format: str) -> None:
    """As its documentation says, a list of integers; what base64 of them holds it does not say."""
    asked = read(model="codestral-embed", output_dtype="int8", encoding_format=encoding_format)
    row = Row(index=0, vector=np.array([0.5, -0.5], np.float32), encoding=asked.encoding)
    found = json.loads(MistralWire().answer([row], asked))

    assert found["data"][0]["embedding"] == [64, -64]
    assert found["usage"]["prompt_tokens"] == 1
