"""Cohere: `cohere.ClientV2` beside `cohere:…`. The SDK leaves out what its caller leaves out."""

from __future__ import annotations

from typing import Any

from ..short import Json, floats, signed, unsigned
from ..vendor import (
    ABSENT,
    DATA_URL,
    KEY,
    QUERY,
    TEXTS,
    Case,
    Difference,
    Vendor,
    our_image,
    our_mixed,
)

V3, V4 = "embed-english-v3.0", "embed-v4.0"
IMAGE = {"type": "image_url", "image_url": {"url": DATA_URL}}


def client(url: str) -> Any:
    import cohere

    return cohere.ClientV2(api_key=KEY, base_url=url)


def their_embed(kind: str = "float", model: str = V4, **asked: Any) -> Any:
    """The SDK's call; a type named `float` is called `float_` in its answers."""
    asked = {"model": model, "embedding_types": [kind], "input_type": "search_document", **asked}
    return lambda client: getattr(client.embed(**asked).embeddings, kind.replace("float", "float_"))


def our_documents(**options: Any) -> Any:
    return lambda load: load(f"cohere:{V4}", **options).embed_documents(TEXTS)


def answer(rows: list[Json], kind: str = "float") -> Json:
    return {
        "id": "da6e531f-54c5-4a73-bf92-f60566d8d753",
        "embeddings": {kind: rows},
        "texts": [],
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 8}},
        "response_type": "embeddings_by_type",
    }


def output(kind: str, rows: list[Json]) -> Case:
    return Case(
        theirs=their_embed(kind, texts=TEXTS),
        ours=our_documents(output_type=kind),
        answer=answer(rows, kind),
    )


VENDOR = Vendor(
    sdk="cohere==7.3.1",
    client=client,
    cases={
        "documents": Case(
            theirs=their_embed(texts=TEXTS),
            ours=our_documents(),
            answer=answer(floats(2, 1536)),
        ),
        "query": Case(
            theirs=their_embed(texts=[QUERY], input_type="search_query"),
            ours=lambda load: load(f"cohere:{V4}").embed_query(QUERY),
            answer=answer(floats(1, 1536)),
        ),
        "task": Case(
            theirs=their_embed(texts=TEXTS, input_type="clustering"),
            ours=lambda load: (
                load(f"cohere:{V4}").embed(TEXTS, role="document", task="clustering").vectors
            ),
            answer=answer(floats(2, 1536)),
        ),
        "dimensions": Case(
            theirs=their_embed(texts=TEXTS, output_dimension=256),
            ours=our_documents(dimensions=256),
            answer=answer(floats(2, 256)),
        ),
        "shortened": Case(
            theirs=their_embed(texts=TEXTS, truncate="START", max_tokens=100),
            ours=our_documents(truncate="START", max_tokens=100),
            answer=answer(floats(2, 1536)),
        ),
        "int8": output("int8", signed(2, 1536)),
        "uint8": output("uint8", unsigned(2, 1536)),
        "binary": output("binary", signed(2, 1536 // 8)),
        "ubinary": output("ubinary", unsigned(2, 1536 // 8)),
        "image": Case(
            theirs=their_embed(inputs=[{"content": [IMAGE]}]),
            ours=lambda load: load(f"cohere:{V4}").embed_images([our_image()]),
            answer=answer(floats(1, 1536)),
        ),
        "image, v3": Case(
            theirs=their_embed(model=V3, images=[DATA_URL], input_type="image"),
            ours=lambda load: load(f"cohere:{V3}").embed_images([our_image()]),
            answer=answer(floats(1, 1024)),
        ),
        "mixed": Case(
            theirs=their_embed(inputs=[{"content": [{"type": "text", "text": QUERY}, IMAGE]}]),
            ours=lambda load: load(f"cohere:{V4}").embed([our_mixed()], role="document").vectors,
            answer=answer(floats(1, 1536)),
        ),
    },
    differences=[
        Difference(
            field="headers.accept",
            theirs="*/*",
            ours="application/json",
            because="nothing else would be read",
        ),
        Difference(
            field="headers.x-client-name",
            theirs=ABSENT,
            ours="embedbridge",
            because="Cohere asks it of those who build on its API; the SDK's caller may name one",
        ),
        Difference(
            field="body.truncate",
            theirs=ABSENT,
            ours="NONE",
            because="a text that is too long is refused, so that the engine cuts it and says so",
        ),
        Difference(
            field="body.truncate",
            theirs=ABSENT,
            ours="END",
            because="v3: the server's own default, spelled out",
        ),
    ],
)
