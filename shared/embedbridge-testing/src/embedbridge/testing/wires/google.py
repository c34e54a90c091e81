"""Google's formats: `:batchEmbedContents` of the Gemini API, `:embedContent` and `:predict` of Vertex AI.

They refuse what Google refuses, in Google's words where those are public, so that a request of the
wrong kind is an error and no vector. Several parts of one content are ONE vector, as at Google.
Sources: https://ai.google.dev/api/embeddings, google-genai 3.6.1, and public bug reports for the words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Literal

from embedbridge.contract.loaded import LoadedImage, LoadedMixed
from embedbridge.testing._http_server import HttpRequest
from embedbridge.testing.wires.format import (
    Asked,
    Row,
    SizeRefusal,
    WireFormat,
    as_json,
    bearer,
    image_in,
    require,
    words_in,
    written,
)

MAX_ITEMS = 100
MAX_INSTANCES = 250
MAX_BYTES = 4_194_304
MAX_IMAGES = 6
MEDIA_TYPES = frozenset({"image/png", "image/jpeg"})
TASK_TYPES = frozenset(
    {
        "RETRIEVAL_QUERY",
        "RETRIEVAL_DOCUMENT",
        "SEMANTIC_SIMILARITY",
        "CLASSIFICATION",
        "CLUSTERING",
        "QUESTION_ANSWERING",
        "FACT_VERIFICATION",
        "CODE_RETRIEVAL_QUERY",
    }
)
RESOURCE = re.compile(r".*/v1(?:beta1?)?/(?P<parents>.*?)/?models/(?P<model>[^/:]+):\w+")
PARENTS = re.compile(r"projects/[^/]+/locations/[^/]+/publishers/[^/]+")


class GoogleWire(WireFormat):
    """The Gemini API's: many contents in one request, with an API key."""

    endpoint = ":batchEmbedContents"
    too_many = SizeRefusal(
        says="* BatchEmbedContentsRequest.requests: at most {most} requests can be in one batch",
        most=MAX_ITEMS,
    )
    too_long = SizeRefusal(
        says="The input token count ({size}) exceeds the maximum number of tokens allowed ({most})."
    )
    out_of_quota = (
        "You exceeded your current quota, please check your plan and billing details. Quota exceeded "
        "for metric: generativelanguage.googleapis.com/embed_content_free_tier_requests, limit: 0"
    )

    def read(self, request: HttpRequest) -> Asked:
        """One request within the request for each input; all are to ask for the same."""
        model = _model(request, "")
        asked = json.loads(request.body)
        _only(asked, {"requests"})
        requests = asked["requests"]
        where = "* BatchEmbedContentsRequest.requests"
        require(bool(requests), f"{where}: must not be empty")
        require(
            len(requests) <= MAX_ITEMS,
            f"{where}: at most {MAX_ITEMS} requests can be in one batch",
        )
        require(
            len(request.body) <= MAX_BYTES,
            f"Request payload size exceeds the limit: {MAX_BYTES} bytes.",
        )
        for number, each in enumerate(requests):
            _only(each, {"model", "content", "taskType", "title", "outputDimensionality"})
            require(each.get("model") == f"models/{model}", f"{where}[{number}].model: another one")
        settings = [{k: v for k, v in each.items() if k != "content"} for each in requests]
        require(
            all(each == settings[0] for each in settings), f"{where}: they ask for several things"
        )
        return Asked(
            model=model,
            inputs=[
                _content(each["content"], model, f"requests[{n}]")
                for n, each in enumerate(requests)
            ],
            role=_role(settings[0].get("taskType"), model),
            dimensions=settings[0].get("outputDimensionality"),
        )

    def answer(self, rows: Sequence[Row] | None, asked: Asked) -> bytes:
        """Vectors without numbers."""
        found = None if rows is None else [{"values": written(row)} for row in rows]
        return as_json({"embeddings": found})

    def error(self, message: str, *, code: str | None = None, kind: str | None = None) -> bytes:
        """An object `error` with a status in words."""
        status = kind or code or "INVALID_ARGUMENT"
        return as_json({"error": {"code": 400, "message": message, "status": status}})

    def credential(self, request: HttpRequest) -> str:
        """`x-goog-api-key: …`."""
        return request.headers.get("x-goog-api-key", "")


class VertexWire(GoogleWire):
    """Vertex AI's for Gemini models: one content per request, with an access token."""

    endpoint: str = ":embedContent"
    out_of_quota = "Quota exceeded for aiplatform.googleapis.com requests per day, limit: 0"

    def read(self, request: HttpRequest) -> Asked:
        """One content, and how to embed it."""
        model = _model(request, "projects")
        asked = json.loads(request.body)
        _only(asked, {"content", "embedContentConfig"})
        config = asked.get("embedContentConfig", {})
        _only(config, {"taskType", "title", "outputDimensionality", "autoTruncate"})
        return Asked(
            model=model,
            inputs=[_content(asked["content"], model, "content")],
            role=_role(config.get("taskType"), model),
            dimensions=config.get("outputDimensionality"),
        )

    def answer(self, rows: Sequence[Row] | None, asked: Asked) -> bytes:
        """One vector, the tokens, and whether the content was cut."""
        found = [{"values": written(row)} for row in rows or ()]
        return as_json(
            {
                "embedding": found[0] if len(found) == 1 else found or None,
                "usageMetadata": {"promptTokenCount": sum(map(words_in, asked.inputs))},
                "truncated": False,
            }
        )

    def credential(self, request: HttpRequest) -> str:
        """`Authorization: Bearer …`."""
        return bearer(request)


class PredictWire(VertexWire):
    """Vertex AI's for older models: many texts in one request."""

    endpoint = ":predict"
    too_many = SizeRefusal(
        says="{most} instance(s) is allowed per prediction. Actual: {size}", most=MAX_INSTANCES
    )

    def read(self, request: HttpRequest) -> Asked:
        """Instances, each with its task type, and parameters for all."""
        model = _model(request, "projects")
        asked = json.loads(request.body)
        _only(asked, {"instances", "parameters"})
        instances, parameters = asked["instances"], asked.get("parameters", {})
        _only(parameters, {"outputDimensionality", "autoTruncate"})
        count = len(instances)
        require(
            1 <= count <= MAX_INSTANCES,
            f"{MAX_INSTANCES} instance(s) is allowed per prediction. Actual: {count}",
        )
        for number, each in enumerate(instances):
            _only(each, {"content", "task_type", "title"})
            require(bool(each["content"]), f"instances[{number}].content is empty")
        kinds = {each.get("task_type") for each in instances}
        require(len(kinds) == 1, "instances: they ask for several things")
        return Asked(
            model=model,
            inputs=[str(each["content"]) for each in instances],
            role=_role(kinds.pop(), model),
            dimensions=parameters.get("outputDimensionality"),
        )

    def answer(self, rows: Sequence[Row] | None, asked: Asked) -> bytes:
        """A vector with statistics for each text."""
        if rows is None:
            return as_json({"predictions": None})
        counts = [words_in(content) for content in asked.inputs]
        found = [
            {
                "values": written(row),
                "statistics": {"token_count": counts[row.index % len(counts)], "truncated": False},
            }
            for row in rows
        ]
        return as_json({"predictions": [{"embeddings": each} for each in found]})


def _model(request: HttpRequest, parents: Literal["", "projects"]) -> str:
    found = RESOURCE.fullmatch(request.path)
    require(found is not None, "There is no such resource.")
    assert found is not None  # see above
    right = PARENTS.fullmatch(found["parents"]) if parents else not found["parents"]
    require(bool(right), "There is no such resource.")
    return found["model"]


def _only(given: dict[str, Any], fields: set[str]) -> None:
    strange = sorted(set(given) - fields)
    require(not strange, f'Invalid JSON payload received. Unknown name "{"".join(strange[:1])}"')


def _role(task_type: str | None, model: str) -> str:
    """What makes other vectors; gemini-embedding-2 takes a task type and ignores it."""
    require(task_type is None or task_type in TASK_TYPES, "Invalid value at 'task_type'")
    return "" if "embedding-2" in model else task_type or ""


def _content(content: dict[str, Any], model: str, where: str) -> Any:
    _only(content, {"parts", "role"})
    parts = [_part(part, where) for part in content["parts"]]
    require(bool(parts) and all(parts), f"* {where}.content contains an empty Part.")
    images = sum(isinstance(part, LoadedImage) for part in parts)
    require(not images or "embedding-2" in model, f"{where}: the model takes no image")
    require(images <= MAX_IMAGES, f"{where}: at most {MAX_IMAGES} images")
    return parts[0] if len(parts) == 1 else LoadedMixed(tuple(parts))


def _part(part: dict[str, Any], where: str) -> str | LoadedImage:
    _only(part, {"text", "inlineData"})
    if "text" in part:
        return str(part["text"])
    given = part["inlineData"]
    kind = given["mimeType"]
    require(kind in MEDIA_TYPES, f"{where}: unsupported MIME type: {kind}")
    return image_in(f"data:{kind};base64,{given['data']}", f"image in {where}")
