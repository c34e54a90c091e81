"""The servers that play Google refuse what Google refuses, and see what really arrives."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import LoadedImage, LoadedMixed
from embedbridge.testing import GoogleWire, PredictWire, Row, VertexWire, WireFormat, tiny_png
from embedbridge.testing._http_server import HttpRequest

FIRST, SECOND = "gemini-embedding-001", "gemini-embedding-2"
PROJECT = "/v1/projects/p/locations/l/publishers/google"


def read(wire: WireFormat, path: str, body: object) -> Any:
    data = json.dumps(body).encode()
    return wire.read(HttpRequest(method="POST", target=path, headers={}, body=data))


def batch(model: str, *contents: object, **fields: object) -> Any:
    requests = [{"model": f"models/{model}", "content": each, **fields} for each in contents]
    return read(GoogleWire(), f"/v1/models/{model}:batchEmbedContents", {"requests": requests})


def text(value: str) -> dict[str, Any]:
    return {"parts": [{"text": value}]}


def image(kind: str = "image/png") -> dict[str, Any]:
    data = base64.b64encode(tiny_png(9, 9, 9)).decode()
    return {"inlineData": {"mimeType": kind, "data": data}}


def test_each_content_is_an_input() -> None:
    """With role and width of all of them."""
    asked = batch(FIRST, text("a"), text("b"), taskType="RETRIEVAL_QUERY", outputDimensionality=8)

    assert (asked.model, list(asked.inputs)) == (FIRST, ["a", "b"])
    assert (asked.role, asked.dimensions) == ("RETRIEVAL_QUERY", 8)


def test_several_parts_are_one_input() -> None:
    """That is how several texts become one vector at Google."""
    (mixed,) = batch(SECOND, {"parts": [{"text": "a"}, {"text": "b"}, image()]}).inputs

    assert isinstance(mixed, LoadedMixed)
    assert [type(part) for part in mixed.parts] == [str, str, LoadedImage]


def test_the_newer_model_takes_a_task_type_and_ignores_it() -> None:
    """A client that relies on it gets equal vectors for queries and documents."""
    assert batch(SECOND, text("a"), taskType="RETRIEVAL_QUERY").role == ""


@pytest.mark.parametrize(
    ("contents", "fields", "said"),
    [
        ([], {}, "must not be empty"),
        ([text("a")] * 101, {}, "at most 100 requests can be in one batch"),
        ([text("")], {}, "contains an empty Part"),
        ([text("x" * 4_200_000)], {}, "Request payload size exceeds the limit: 4194304 bytes."),
        ([text("a")], {"taskType": "SEARCH"}, "Invalid value at 'task_type'"),
        ([text("a")], {"dimensions": 8}, 'Unknown name "dimensions"'),
        ([{"parts": [image()]}], {}, "takes no image"),
    ],
)
def test_what_is_refused(contents: list[object], fields: dict[str, object], said: str) -> None:
    """In Google's words, where they are public."""
    with pytest.raises(ValueError, match=said):
        batch(FIRST, *contents, **fields)


def test_images_have_limits() -> None:
    """Six in one content, PNG and JPEG, and of the type that they say."""
    assert isinstance(batch(SECOND, {"parts": [image()] * 6}).inputs[0], LoadedMixed)
    for parts, said in (
        ([image()] * 7, "at most 6"),
        ([image("image/webp")], "unsupported MIME type"),
        ([image("image/jpeg")], "is not what it says"),
    ):
        with pytest.raises(ValueError, match=said):
            batch(SECOND, {"parts": parts})


def test_vertex_takes_one_content() -> None:
    """With its settings beside it; a path without a project is no resource."""
    body = {
        "content": text("a"),
        "embedContentConfig": {"taskType": "CLUSTERING", "autoTruncate": False},
    }
    asked = read(VertexWire(), f"{PROJECT}/models/{FIRST}:embedContent", body)

    assert (list(asked.inputs), asked.role) == (["a"], "CLUSTERING")
    with pytest.raises(ValueError, match="no such resource"):
        read(VertexWire(), f"/v1/models/{FIRST}:embedContent", body)
    with pytest.raises(ValueError, match="Unknown name"):
        read(VertexWire(), f"{PROJECT}/models/{FIRST}:embedContent", {**body, "taskType": "X"})


def test_predict_takes_250_instances() -> None:
    """One more is refused in Vertex AI's words."""
    path = f"{PROJECT}/models/text-embedding-005:predict"
    instances = [{"content": "a", "task_type": "RETRIEVAL_QUERY"}] * 250

    assert len(read(PredictWire(), path, {"instances": instances}).inputs) == 250
    with pytest.raises(
        ValueError, match=r"250 instance\(s\) is allowed per prediction. Actual: 251"
    ):
        read(PredictWire(), path, {"instances": [*instances, instances[0]]})


def test_answers() -> None:
    """Each in its own form; none of them numbers its vectors."""
    asked = batch(FIRST, text("two words"))
    rows = [Row(index=0, vector=np.array([0.5, 0.25], np.float32), encoding="float")]
    values = {"values": [0.5, 0.25]}

    assert json.loads(GoogleWire().answer(rows, asked)) == {"embeddings": [values]}
    assert json.loads(VertexWire().answer(rows, asked))["embedding"] == values
    (found,) = json.loads(PredictWire().answer(rows, asked))["predictions"]
    assert found["embeddings"] == {**values, "statistics": {"token_count": 2, "truncated": False}}
