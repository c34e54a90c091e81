"""Google's Gemini API: `google.genai.Client` beside `google:…`, one content for each input."""

from __future__ import annotations

from typing import Any

from ..short import Json, floats
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

FIRST, SECOND = "gemini-embedding-001", "gemini-embedding-2"

PARTS = "body.requests[].content.parts[]"
SPELLING = (
    "JSON of Protocol Buffers takes both spellings of a name, and base64 as well as base64url; this is "
    "the first that it names (https://protobuf.dev/programming-guides/json/)"
)


def client(url: str) -> Any:
    from google import genai
    from google.genai import types

    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url))


def their_embed(inputs: list[list[str | bytes]], model: str = FIRST, **asked: Any) -> Any:
    """The SDK merges plain strings into one content for `gemini-embedding-2`, and so into one vector."""

    def call(client: Any) -> Any:
        from google.genai import types

        def part(given: str | bytes) -> Any:
            if isinstance(given, str):
                return types.Part(text=given)
            return types.Part.from_bytes(data=given, mime_type="image/png")

        found = client.models.embed_content(
            model=model,
            contents=[types.Content(parts=list(map(part, parts))) for parts in inputs],
            config=types.EmbedContentConfig(**asked),
        )
        return [row.values for row in found.embeddings]

    return call


def answer(rows: list[Json]) -> Json:
    return {"embeddings": [{"values": row} for row in rows]}


VENDOR = Vendor(
    sdk="google-genai==3.6.1",
    client=client,
    cases={
        "documents": Case(
            theirs=their_embed([[text] for text in TEXTS], task_type="RETRIEVAL_DOCUMENT"),
            ours=lambda load: load(f"google:{FIRST}").embed_documents(TEXTS),
            answer=answer(floats(2, 3072)),
        ),
        "query": Case(
            theirs=their_embed([[QUERY]], task_type="RETRIEVAL_QUERY"),
            ours=lambda load: load(f"google:{FIRST}").embed_query(QUERY),
            answer=answer(floats(1, 3072)),
        ),
        "task": Case(
            theirs=their_embed([[QUERY]], task_type="SEMANTIC_SIMILARITY"),
            ours=lambda load: (
                load(f"google:{FIRST}").embed([QUERY], role="query", task="similarity").vectors
            ),
            answer=answer(floats(1, 3072)),
        ),
        "dimensions": Case(
            theirs=their_embed([[QUERY]], task_type="RETRIEVAL_QUERY", output_dimensionality=768),
            ours=lambda load: load(f"google:{FIRST}", dimensions=768, normalize=False).embed_query(
                QUERY
            ),
            answer=answer(floats(1, 768)),
        ),
        "documents, with the prompt of gemini-embedding-2": Case(
            theirs=their_embed([[f"title: none | text: {text}"] for text in TEXTS], SECOND),
            ours=lambda load: load(f"google:{SECOND}").embed_documents(TEXTS),
            answer=answer(floats(2, 3072)),
        ),
        "query, with its prompt": Case(
            theirs=their_embed([[f"task: search result | query: {QUERY}"]], SECOND),
            ours=lambda load: load(f"google:{SECOND}").embed_query(QUERY),
            answer=answer(floats(1, 3072)),
        ),
        "image": Case(
            theirs=their_embed([[PICTURE]], SECOND),
            ours=lambda load: load(f"google:{SECOND}").embed_images([our_image()]),
            answer=answer(floats(1, 3072)),
        ),
        "mixed": Case(
            theirs=their_embed([["title: none | text: ", QUERY, PICTURE]], SECOND),
            ours=lambda load: (
                load(f"google:{SECOND}").embed([our_mixed()], role="document").vectors
            ),
            answer=answer(floats(1, 3072)),
        ),
    },
    differences=[
        Difference(
            field="headers.accept",
            theirs="*/*",
            ours="application/json",
            because="a page for people is no answer",
        ),
        *(
            Difference(field=f"{PARTS}.{name}", theirs=theirs, ours=ours, because=SPELLING)
            for name, theirs, ours in (
                ("inline_data.data", ..., ABSENT),
                ("inline_data.mime_type", "image/png", ABSENT),
                ("inlineData.mimeType", ABSENT, "image/png"),
                ("inlineData.data as", ABSENT, "base64"),
                ("inlineData.data pixels", ABSENT, ...),
            )
        ),
    ],
)
