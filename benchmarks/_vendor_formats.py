"""Vendors' wire formats for a server that costs next to nothing: answers are glued from bytes made before.

`_embedding_server.py` picks the format by the path. What a vendor refuses is not of interest here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Format:
    """How one vendor asks, and how it is answered."""

    inputs: str
    """The field with the texts, a list or one."""
    is_base64: Callable[[Json], bool]
    """Whether a request asks for base64."""
    glued: Callable[[Sequence[bytes], Json], bytes]
    """The answer, from the vectors as they are written in JSON."""

    def texts(self, asked: Json) -> list[str]:
        """What a request holds."""
        texts = asked[self.inputs]
        return [texts] if isinstance(texts, str) else texts


def _openai(vectors: Sequence[bytes], _: Json) -> bytes:
    """With the fields that one or the other vendor's SDK insists on."""
    rows = b",".join(
        b'{"object":"embedding","index":%d,"embedding":%b}' % row for row in enumerate(vectors)
    )
    tokens = 17 * len(vectors)
    usage = b'{"prompt_tokens":%d,"completion_tokens":0,"total_tokens":%d}' % (tokens, tokens)
    return b'{"id":"1","object":"list","model":"loopback","data":[%b],"usage":%b}' % (rows, usage)


def _cohere(vectors: Sequence[bytes], asked: Json) -> bytes:
    return (
        b'{"id":"1","texts":%b,"embeddings":{"%b":[%b]},"response_type":"embeddings_by_type",'
        b'"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":%d}}}'
        % (
            json.dumps(asked["texts"]).encode(),
            asked["embedding_types"][0].encode(),
            b",".join(vectors),
            17 * len(vectors),
        )
    )


def _ollama(vectors: Sequence[bytes], _: Json) -> bytes:
    return (
        b'{"model":"loopback","embeddings":[%b],"total_duration":5,"load_duration":1,'
        b'"prompt_eval_count":%d}' % (b",".join(vectors), 17 * len(vectors))
    )


def _tei(vectors: Sequence[bytes], _: Json) -> bytes:
    return b"[%b]" % b",".join(vectors)


@dataclass(frozen=True, slots=True)
class _Requests(Format):
    """One request within the request for each text, as at Google."""

    def texts(self, asked: Json) -> list[str]:
        return [each["content"]["parts"][0]["text"] for each in asked[self.inputs]]


def _titan(vectors: Sequence[bytes], _: Json) -> bytes:
    return b'{"embedding":%b,"inputTextTokenCount":17}' % vectors[0]


def _google(vectors: Sequence[bytes], _: Json) -> bytes:
    return b'{"embeddings":[%b]}' % b",".join(b'{"values":%b}' % vector for vector in vectors)


OPENAI = Format("input", lambda asked: asked.get("encoding_format") == "base64", _openai)
"""Also Voyage's, Mistral's and NVIDIA's."""
COHERE = Format("texts", lambda asked: asked["embedding_types"] == ["base64"], _cohere)
GOOGLE = _Requests("requests", lambda _: False, _google)
OLLAMA = Format("input", lambda _: False, _ollama)
TITAN = Format("inputText", lambda _: False, _titan)
"""On Amazon Bedrock, one text per request."""
TEI = Format("inputs", lambda _: False, _tei)

BY_PATH = {
    "/embeddings": OPENAI,
    "/v1/embed": COHERE,
    "/v2/embed": COHERE,
    "/api/embed": OLLAMA,
    "/embed": TEI,
    ":batchembedcontents": GOOGLE,
    "/invoke": TITAN,
}
"""By how the path of a request ends, in lower case; the first one counts."""
TEI_INFO = {
    "model_id": "BAAI/bge-large-en-v1.5",
    "model_type": {"embedding": {"pooling": "cls"}},
    "max_input_length": 512,
    "max_batch_tokens": 16_384,
    "max_client_batch_size": 32,
    "max_concurrent_requests": 512,
    "auto_truncate": True,
}
"""What TEI says of itself at `/info`, with its default limits."""


def format_of(path: str) -> Format:
    """The format of a request."""
    return next(spelled for ending, spelled in BY_PATH.items() if path.endswith(ending))
