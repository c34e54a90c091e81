"""The server that plays Jina refuses what Jina refuses, and sees what really arrives."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import PIL.Image
import pytest

from embedbridge.contract import LoadedImage, LoadedMixed
from embedbridge.testing import JinaWire, Row, tiny_png
from embedbridge.testing._http_server import HttpRequest

OMNI = "jina-embeddings-v5-omni-small"
PNG = base64.b64encode(tiny_png()).decode()


def read(**fields: Any) -> Any:
    body = {"model": "jina-embeddings-v3", "input": ["a"], **fields}
    request = HttpRequest(method="POST", target="/", headers={}, body=json.dumps(body).encode())
    return JinaWire().read(request)


def test_what_arrives_is_what_it_is() -> None:
    """Texts as text, images by their pixels, groups together, with model and task."""
    red = LoadedImage(pixels=PIL.Image.open(io.BytesIO(tiny_png())).convert("RGB"), described="")
    group = {"content": [{"text": "a"}, {"image": PNG}]}
    found = read(model=OMNI, input=[{"text": PNG}, {"image": PNG}, group], task="retrieval.query")

    assert found.role == "retrieval.query"
    assert found.inputs[0] == PNG
    assert found.inputs[1].digest() == red.digest()
    assert found.inputs[2].digest() == LoadedMixed(("a", red)).digest()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"encoding_format": "base64"}, "encoding_format"),
        ({"task": "clustering"}, "task"),
        ({"model": "jina-embeddings-v2-base-en", "task": "retrieval.query"}, "task"),
        ({"model": "jina-embeddings-v4", "normalized": True}, "normalized"),
        ({"embedding_type": "int8"}, "embedding_type"),
        ({"input": []}, "cannot be empty"),
        ({"input": ["a"] * 2049}, "length 2049 is larger than the largest allowed size 2048"),
        ({"model": "jina-embeddings-v4", "input": [{"text": "a"}] * 513}, "at most 512 items"),
        ({"input": [{"image": PNG}]}, "Invalid value"),
        ({"model": OMNI, "input": ["a"]}, "is no object"),
        ({"model": OMNI, "input": [{"image": "AAAA"}]}, "cannot be decoded"),
    ],
)
def test_what_jina_refuses(fields: dict[str, Any], says: str) -> None:
    """In its own words where they are known."""
    with pytest.raises(ValueError, match=says):
        read(**fields)


def test_bits_are_written_as_jina_writes_them() -> None:
    """The first dimension is the highest bit; `binary` is the same byte less 128."""
    vector = np.array([1, -1, -1, -1, -1, -1, -1, 1], dtype=np.float32)
    rows = {
        kind: JinaWire().answer(
            [Row(index=0, vector=vector, encoding=kind)],
            read(),
        )
        for kind in ("ubinary", "binary")
    }

    assert {kind: json.loads(row)["data"][0]["embedding"] for kind, row in rows.items()} == {
        "ubinary": [129],
        "binary": [1],
    }
