"""Mistral: `mistralai.client.Mistral` beside `mistral:…`. The SDK cannot read vectors in base64."""

from __future__ import annotations

from typing import Any

from ..short import Json, floats, numbered, signed, unsigned
from ..vendor import ABSENT, KEY, QUERY, TEXTS, Case, Difference, Vendor

MODEL, CODE = "mistral-embed", "codestral-embed"


def client(url: str) -> Any:
    from mistralai.client import Mistral

    return Mistral(api_key=KEY, server_url=url)


def theirs(texts: list[str] | str, model: str = MODEL, **asked: Any) -> Any:
    def vectors(client: Any) -> list[list[float]]:
        found = client.embeddings.create(model=model, inputs=texts, **asked)
        return [row.embedding for row in found.data]

    return vectors


def ours(name: str = MODEL, **options: Any) -> Any:
    return lambda load: load(f"mistral:{name}", **options).embed_documents(TEXTS)


def answer(rows: list[Json]) -> Json:
    return {
        "id": "b4a6d2d1c2f84b0a8f6d3c5e7a9b1c2d",
        "object": "list",
        "data": numbered(rows),
        "model": MODEL,
        "usage": {"prompt_tokens": 8, "total_tokens": 8, "completion_tokens": 0},
    }


def output(kind: str, rows: list[Json]) -> Case:
    return Case(
        theirs=theirs(TEXTS, CODE, output_dtype=kind),
        ours=ours(CODE, output_type=kind),
        answer=answer(rows),
    )


VENDOR = Vendor(
    sdk="mistralai==3.7.0",
    client=client,
    cases={
        "documents": Case(
            theirs=theirs(TEXTS),
            ours=ours(),
            answer=answer(floats(2, 1024)),
        ),
        "query": Case(
            theirs=theirs([QUERY]),
            ours=lambda load: load(f"mistral:{MODEL}").embed_query(QUERY),
            answer=answer(floats(1, 1024)),
        ),
        "dimensions": Case(
            theirs=theirs(TEXTS, CODE, output_dimension=256),
            ours=ours(CODE, dimensions=256),
            answer=answer(floats(2, 256)),
        ),
        "int8": output("int8", signed(2, 1536)),
        "uint8": output("uint8", unsigned(2, 1536)),
        "binary": output("binary", signed(2, 1536 // 8)),
        "ubinary": output("ubinary", unsigned(2, 1536 // 8)),
    },
    differences=[
        Difference(
            field="body.encoding_format",
            theirs=ABSENT,
            ours="base64",
            because="a quarter of the bytes where it is served; numbers are understood all the same",
        ),
    ],
)
