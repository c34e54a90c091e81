"""Jina: `jina-cli`, Jina's own program, beside `jina:…`; it embeds texts only.

Jina has no SDK. What the program cannot send is posted as Jina documents it
(https://api.jina.ai/openapi.json, and for an image https://docs.jina.ai).
"""

from __future__ import annotations

import base64
import struct
from typing import Any

from ..short import Json, floats, in_base64, numbered, signed, unsigned
from ..vendor import (
    ABSENT,
    KEY,
    PICTURE,
    QUERY,
    TEXTS,
    Case,
    Difference,
    Vendor,
    our_image,
    our_mixed,
)

V3, OMNI = "jina-embeddings-v3", "jina-embeddings-v5-omni-small"
CLIP, CODE = "jina-clip-v2", "jina-code-embeddings-0.5b"
IMAGE = {"image": base64.b64encode(PICTURE).decode()}


def client(url: str) -> Any:
    """The program's functions, pointed to this server."""
    from jina_cli import api  # type: ignore[import-not-found]

    api.API_BASE = url
    return api


def by_program(texts: list[str], **asked: Any) -> Any:
    def embed(api: Any) -> Any:
        return [row["embedding"] for row in api.embed(texts, api_key=KEY, **asked)]

    return embed


def as_documented(**body: Any) -> Any:
    def post(api: Any) -> Any:
        headers = {"Authorization": f"Bearer {KEY}", "Accept": "application/json"}
        url = f"{api.API_BASE}/v1/embeddings"
        rows = api.httpx.post(url, json=body, headers=headers).json()["data"]
        return [_floats(row["embedding"]) for row in rows]

    return post


def _floats(vector: Any) -> Any:
    if not isinstance(vector, str):
        return [float(value) for value in vector]
    data = base64.b64decode(vector)
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def answer(rows: list[Json]) -> Json:
    return {
        "model": "the same",
        "object": "list",
        "usage": {"total_tokens": 8, "prompt_tokens": 8},
        "data": numbered(rows),
    }


def documented(rows: list[Json], inputs: list[Json], model: str = V3, **asked: Any) -> Any:
    """A request with the fields that a case asks for and no other, and its answer."""
    return as_documented(model=model, input=inputs, **asked), answer(rows)


def documents(model: str = V3, **options: Any) -> Any:
    return lambda load: load(f"jina:{model}", **options).embed_documents(TEXTS)


def case(ours: Any, theirs_and_answer: Any) -> Case:
    theirs, said = theirs_and_answer
    return Case(theirs=theirs, ours=ours, answer=said)


PASSAGE = "retrieval.passage"
VENDOR = Vendor(
    sdk="jina-cli==0.3.0",
    client=client,
    cases={
        "documents": Case(
            theirs=by_program(TEXTS, model=V3, task=PASSAGE),
            ours=documents(),
            answer=answer(floats(2, 1024)),
        ),
        "query": Case(
            theirs=by_program([QUERY], model=V3, task="retrieval.query"),
            ours=lambda load: load(f"jina:{V3}").embed_query(QUERY),
            answer=answer(floats(1, 1024)),
        ),
        "dimensions": Case(
            theirs=by_program(TEXTS, model=V3, task=PASSAGE, dimensions=256),
            ours=documents(dimensions=256),
            answer=answer(floats(2, 256)),
        ),
        "base64": case(
            documents(),
            documented(in_base64(floats(2, 1024)), TEXTS, task=PASSAGE, embedding_type="base64"),
        ),
        "binary": case(
            documents(output_type="binary"),
            documented(signed(2, 1024 // 8), TEXTS, task=PASSAGE, embedding_type="binary"),
        ),
        "ubinary": case(
            documents(output_type="ubinary"),
            documented(unsigned(2, 1024 // 8), TEXTS, task=PASSAGE, embedding_type="ubinary"),
        ),
        "code": case(
            documents(CODE),
            documented(floats(2, 896), TEXTS, CODE, task="nl2code.passage"),
        ),
        "image, clip": case(
            lambda load: load(f"jina:{CLIP}").embed_images([our_image()]),
            documented(floats(1, 1024), [IMAGE], CLIP),
        ),
        "text, clip": case(
            lambda load: load(f"jina:{CLIP}").embed_query(QUERY),
            documented(floats(1, 1024), [{"text": QUERY}], CLIP, task="retrieval.query"),
        ),
        "mixed": case(
            lambda load: load(f"jina:{OMNI}").embed([our_mixed()], role="document").vectors,
            documented(
                floats(1, 1024),
                [{"content": [{"text": QUERY}, IMAGE]}],
                OMNI,
                task=PASSAGE,
            ),
        ),
    },
    differences=[
        Difference(
            field="headers.accept",
            theirs="*/*",
            ours="application/json",
            because="Jina's guide asks for it; the program does not send it",
        ),
        Difference(
            field="body.embedding_type",
            theirs=ABSENT,
            ours="base64",
            because="the same floats in fewer bytes",
        ),
        Difference(
            field="body.normalized",
            theirs=ABSENT,
            ours=True,
            because="Jina's documents disagree about its default",
        ),
        Difference(
            field="body.truncate",
            theirs=ABSENT,
            ours=False,
            because="a text that is too long is refused, so that the engine cuts it and says so",
        ),
    ],
)
