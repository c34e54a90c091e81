"""Amazon Bedrock's formats, `POST /model/{name}/invoke`: one for each family of models.

It refuses what Bedrock refuses, in its words, so that a request of the wrong kind is an error and no
vector. Takes Pillow as soon as an image comes. Sources: the pages on inference parameters below
https://docs.aws.amazon.com/bedrock/latest/userguide/, and public bug reports for the words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

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
    image_in_base64,
    require,
    words_in,
    written,
)

Json = dict[str, Any]

MAX_BODY = 25_000_000
PATH = re.compile(r"/model/([^/]+)/invoke")
MALFORMED = "Malformed input request: {}, please reformat your input and try again."
TYPES = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
"""The type of an error by its status, where a fault names none."""
WIDTHS = {
    "amazon.titan-embed-text-v1": 1536,
    "amazon.titan-embed-g1": 1536,
    "amazon.nova": 3072,
    "cohere.embed-v4": 1536,
    "marengo-embed-3": 512,
}
"""By a part of the model's name: dimensions, where they are not 1,024."""
TEXT_TYPES = {"search_document", "search_query", "classification", "clustering"}
PURPOSES = {
    "GENERIC_INDEX",
    "GENERIC_RETRIEVAL",
    "TEXT_RETRIEVAL",
    "IMAGE_RETRIEVAL",
    "VIDEO_RETRIEVAL",
    "DOCUMENT_RETRIEVAL",
    "AUDIO_RETRIEVAL",
    "CLASSIFICATION",
    "CLUSTERING",
}


class BedrockWire(WireFormat):
    """Titan, Nova, Cohere's models and Marengo. Vectors depend on Cohere's and Nova's roles."""

    endpoint = "/invoke"
    too_many = SizeRefusal(
        says=MALFORMED.format("#/texts: expected maximum item count: {most}, found: {size}"),
        most=96,
    )
    too_long = SizeRefusal(says="Input is too long for requested model.")
    out_of_quota = "Too many tokens per day, please wait before trying again."

    def read(self, request: HttpRequest) -> Asked:
        """The model is in the path, percent-encoded; each family has a format of its own."""
        found = PATH.fullmatch(request.path)
        require(found is not None and ":" not in request.path, "UnknownOperationException")
        assert found is not None
        require(len(request.body) <= MAX_BODY, "The request body is too large.")
        name = unquote(found[1])
        read = next((read for part, read in READERS if part in name), None)
        require(read is not None, "The provided model identifier is invalid.")
        assert read is not None
        asked = read(name, json.loads(request.body))
        width = next((width for part, width in WIDTHS.items() if part in name), 1024)
        return replace(asked, dimensions=asked.dimensions or width)

    def answer(self, rows: Sequence[Row] | None, asked: Asked) -> bytes:
        """A list of vectors from Cohere's models, one vector from all others."""
        vectors = None if rows is None else [written(row) for row in rows]
        if "cohere.embed" in asked.model:
            embeddings = {asked.encoding: vectors}
            return as_json(
                {
                    "id": "1b2c",
                    "embeddings": embeddings,
                    "response_type": "embeddings_by_type",
                }
            )
        if "amazon.titan" in asked.model:
            one = vectors[0] if vectors and len(vectors) == 1 else vectors  # no room for another
            return as_json({"embedding": one, "inputTextTokenCount": words_in(asked.inputs[0])})
        objects = None if vectors is None else [{"embedding": vector} for vector in vectors]
        name = "embeddings" if "amazon.nova" in asked.model else "data"
        return as_json({name: objects})

    def headers(self, asked: Asked) -> Mapping[str, str]:
        """The tokens: one per word."""
        return {"x-amzn-bedrock-input-token-count": str(sum(map(words_in, asked.inputs)))}

    def error(self, message: str, *, code: str | None = None, kind: str | None = None) -> bytes:
        """A message; the type is in a header."""
        return as_json({"message": message})

    def error_headers(self, status: int, code: str | None) -> Mapping[str, str]:
        """The type, with an address behind it that means nothing to clients."""
        name = code or TYPES.get(status, "ServiceException")
        return {"x-amzn-ErrorType": f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"}

    def credential(self, request: HttpRequest) -> str:
        """A bearer key; of a signed request, its session token."""
        return request.headers.get("x-amz-security-token") or bearer(request)


def _titan_text(name: str, asked: Json) -> Asked:
    old = "v2" not in name
    _only(asked, {"inputText"} if old else {"inputText", "dimensions", "normalize"})
    text = _text(asked["inputText"], 50_000)
    return Asked(model=name, inputs=[text], dimensions=asked.get("dimensions"))


def _titan_image(name: str, asked: Json) -> Asked:
    _only(asked, {"inputText", "inputImage", "embeddingConfig"})
    parts: list[str | LoadedImage] = []
    if "inputText" in asked:
        parts.append(asked["inputText"])
    if "inputImage" in asked:
        parts.append(image_in_base64(asked["inputImage"], "image"))
    require(bool(parts), "Either inputText or inputImage is needed.")
    width = asked.get("embeddingConfig", {}).get("outputEmbeddingLength")
    return Asked(model=name, inputs=[_whole(parts)], dimensions=width)


def _nova(name: str, asked: Json) -> Asked:
    _only(asked, {"schemaVersion", "taskType", "singleEmbeddingParams"})
    params = asked["singleEmbeddingParams"]
    _only(params, {"embeddingPurpose", "embeddingDimension", "text", "image"})
    require(asked["taskType"] == "SINGLE_EMBEDDING", MALFORMED.format("#/taskType"))
    require(params["embeddingPurpose"] in PURPOSES, MALFORMED.format("#/embeddingPurpose"))
    require(("text" in params) != ("image" in params), MALFORMED.format("one of text and image"))
    content: str | LoadedImage
    if "text" in params:
        require(
            params["text"]["truncationMode"] in ("NONE", "START", "END"),
            MALFORMED.format("#/text/truncationMode"),
        )
        content = _text(params["text"]["value"], 50_000)
    else:
        image = params["image"]
        content = image_in(
            f"data:image/{image['format']};base64,{image['source']['bytes']}", "image"
        )
    return Asked(
        model=name,
        inputs=[content],
        role=params["embeddingPurpose"],
        dimensions=params.get("embeddingDimension"),
    )


def _cohere(name: str, asked: Json) -> Asked:
    old = "-v3" in name
    new_only = set() if old else {"inputs", "output_dimension", "max_tokens"}
    _only(asked, {"texts", "images", "input_type", "embedding_types", "truncate"} | new_only)
    (kind,) = {"texts", "images", "inputs"} & set(asked)
    allowed = {"image"} if old and kind == "images" else TEXT_TYPES
    require(asked["input_type"] in allowed, MALFORMED.format("#/input_type"))
    ends = ("NONE", "START", "END") if old else ("NONE", "LEFT", "RIGHT")
    require(asked.get("truncate", "NONE") in ends, MALFORMED.format("#/truncate"))
    sent, most = asked[kind], 1 if old and kind == "images" else 96
    require(
        0 < len(sent) <= most,
        MALFORMED.format(f"#/{kind}: expected maximum item count: {most}, found: {len(sent)}"),
    )
    (encoding,) = asked["embedding_types"]
    limit = 2048 if old else 2_000_000
    read: Mapping[str, Callable[[Any, int], Any]] = {
        "texts": lambda text, n: _text(text, limit, f"#/texts/{n}: "),
        "images": lambda url, n: image_in(url, f"#/images/{n}"),
        "inputs": lambda each, n: _whole([_part(part, n) for part in each["content"]]),
    }
    return Asked(
        model=name,
        inputs=[read[kind](each, number) for number, each in enumerate(sent)],
        role=asked["input_type"],
        dimensions=asked.get("output_dimension"),
        encoding=encoding,
    )


def _part(part: Json, number: int) -> str | LoadedImage:
    if part["type"] == "text":
        return str(part["text"])
    # A plain string here, and an object in Cohere's own API.
    require(isinstance(part["image_url"], str), MALFORMED.format(f"#/inputs/{number}"))
    return image_in(part["image_url"], f"#/inputs/{number}")


def _marengo(name: str, asked: Json) -> Asked:
    kind = asked["inputType"]
    _only(asked, {"inputType", kind})
    content = asked[kind]
    _only(content, {"inputText", "mediaSource"})
    parts: list[str | LoadedImage] = []
    if "text" in kind:
        parts.append(content["inputText"])
    if "image" in kind:
        parts.append(image_in_base64(content["mediaSource"]["base64String"], "image"))
    return Asked(model=name, inputs=[_whole(parts)])


def _old_marengo(name: str, asked: Json) -> Asked:
    _only(asked, {"inputType", "inputText", "textTruncate", "mediaSource"})
    if asked["inputType"] == "text":
        return Asked(model=name, inputs=[asked["inputText"]])
    return Asked(
        model=name, inputs=[image_in_base64(asked["mediaSource"]["base64String"], "image")]
    )


READERS: Sequence[tuple[str, Callable[[str, Json], Asked]]] = (
    ("amazon.titan-embed-image", _titan_image),
    ("amazon.titan-embed", _titan_text),
    ("amazon.nova", _nova),
    ("cohere.embed", _cohere),
    ("marengo-embed-2", _old_marengo),
    ("marengo-embed", _marengo),
)
"""By a part of the model's name."""


def _only(asked: Json, known: set[str]) -> None:
    strange = sorted(set(asked) - known)
    require(not strange, MALFORMED.format(f"#: extraneous key {strange} is not permitted"))


def _text(text: Any, most: int, where: str = "") -> str:
    require(isinstance(text, str), MALFORMED.format(f"{where}expected type: String"))
    require(bool(text), MALFORMED.format(f"{where}expected minLength: 1, actual: 0"))
    said = f"{where}expected maxLength: {most}, actual: {len(text)}"
    require(len(text) <= most, MALFORMED.format(said))
    return str(text)


def _whole(parts: list[str | LoadedImage]) -> str | LoadedImage | LoadedMixed:
    return parts[0] if len(parts) == 1 else LoadedMixed(tuple(parts))
