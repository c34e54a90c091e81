"""Ollama: `ollama.Client` beside `ollama:…`, for a model without prompts and one with them."""

from __future__ import annotations

from typing import Any

from ..short import Json, floats
from ..vendor import ABSENT, KEY, QUERY, TEXTS, Case, Difference, Vendor

PLAIN, PROMPTED = "bge-m3:567m", "nomic-embed-text"


def client(url: str) -> Any:
    import ollama

    return ollama.Client(host=url, headers={"authorization": f"Bearer {KEY}"})


def their_embed(texts: list[str], model: str = PLAIN, **asked: Any) -> Any:
    return lambda client: client.embed(model, texts, **asked)["embeddings"]


def answer(rows: list[Json]) -> Json:
    return {
        "model": PLAIN,
        "embeddings": rows,
        "total_duration": 14143917,
        "load_duration": 1019500,
        "prompt_eval_count": 8,
    }


VENDOR = Vendor(
    sdk="ollama==0.6.3",
    client=client,
    cases={
        "documents": Case(
            theirs=their_embed(TEXTS),
            ours=lambda load: load(f"ollama:{PLAIN}").embed_documents(TEXTS),
            answer=answer(floats(2, 1024)),
        ),
        "query, with the prompt of the model's card": Case(
            theirs=their_embed([f"search_query: {QUERY}"], PROMPTED),
            ours=lambda load: load(f"ollama:{PROMPTED}").embed_query(QUERY),
            answer=answer(floats(1, 768)),
        ),
        "dimensions": Case(
            theirs=their_embed([f"search_query: {QUERY}"], PROMPTED, dimensions=256),
            ours=lambda load: load(f"ollama:{PROMPTED}", dimensions=256).embed_query(QUERY),
            answer=answer(floats(1, 256)),
        ),
        "options": Case(
            theirs=their_embed([QUERY], options={"num_ctx": 512}, keep_alive="10m", truncate=False),
            ours=lambda load: load(
                f"ollama:{PLAIN}", options={"num_ctx": 512}, keep_alive="10m"
            ).embed_query(QUERY),
            answer=answer(floats(1, 1024)),
        ),
    },
    differences=[
        Difference(
            field="body.truncate",
            theirs=ABSENT,
            ours=False,
            because="a text that is too long is refused, so that the engine cuts it and says so",
        ),
    ],
)
