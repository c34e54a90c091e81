"""OpenAI: `openai.OpenAI` beside `openai:…`, which uses the same SDK."""

from __future__ import annotations

from typing import Any

from ..short import Json, floats, in_base64, numbered
from ..vendor import KEY, QUERY, TEXTS, Case, Vendor

MODEL = "text-embedding-3-small"


def client(url: str) -> Any:
    import openai

    return openai.OpenAI(api_key=KEY, base_url=f"{url}/v1")


def their_embed(**asked: Any) -> Any:
    """The SDK's call. It asks for base64 by itself, and decodes it."""
    asked = {"model": MODEL, **asked}
    return lambda client: [row.embedding for row in client.embeddings.create(**asked).data]


def answer(rows: list[Json]) -> Json:
    return {
        "object": "list",
        "data": numbered(rows),
        "model": MODEL,
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }


def cases(provider: str) -> dict[str, Case]:
    """Those of OpenAI's API, for whoever serves it."""
    model = f"{provider}:{MODEL}"
    return {
        "documents": Case(
            theirs=their_embed(input=TEXTS),
            ours=lambda load: load(model).embed_documents(TEXTS),
            answer=answer(in_base64(floats(2, 1536))),
        ),
        "query": Case(
            theirs=their_embed(input=[QUERY]),
            ours=lambda load: load(model).embed_query(QUERY),
            answer=answer(in_base64(floats(1, 1536))),
        ),
        "numbers": Case(
            theirs=their_embed(input=TEXTS),
            ours=lambda load: load(model).embed_documents(TEXTS),
            answer=answer(floats(2, 1536)),  # a server that knows no base64
        ),
        "dimensions": Case(
            theirs=their_embed(input=TEXTS, dimensions=512),
            ours=lambda load: load(model, dimensions=512).embed_documents(TEXTS),
            answer=answer(in_base64(floats(2, 512))),
        ),
        "user": Case(
            theirs=their_embed(input=TEXTS, user="somebody"),
            ours=lambda load: load(model, user="somebody").embed_documents(TEXTS),
            answer=answer(in_base64(floats(2, 1536))),
        ),
    }


VENDOR = Vendor(
    sdk="openai==3.57.0",
    client=client,
    cases=cases("openai"),
    options=lambda url: {"base_url": f"{url}/v1", "api_key": KEY},
)
