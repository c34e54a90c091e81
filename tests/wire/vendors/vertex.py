"""Google's Vertex AI: `google.genai.Client` beside `vertex:…`, with an access token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..short import Json, floats
from ..vendor import ABSENT, KEY, PICTURE, QUERY, TEXTS, Case, Difference, Vendor, our_image

GEMINI, MULTIMODAL, OLDER = "gemini-embedding-001", "gemini-embedding-2", "text-embedding-005"

PARTS = "body.content.parts[]"
SPELLING = (
    "JSON of Protocol Buffers takes both spellings of a name, and base64 as well as base64url; this is "
    "the first that it names (https://protobuf.dev/programming-guides/json/)"
)


def client(url: str) -> Any:
    from google import genai
    from google.auth.credentials import Credentials
    from google.genai import types

    class Token(Credentials):
        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.token = KEY

        def refresh(self, request: Any) -> None:
            raise AssertionError(request)

    return genai.Client(
        vertexai=True,
        project="my-project",
        location="us-central1",
        credentials=Token(),
        http_options=types.HttpOptions(base_url=url, api_version="v1"),
    )


def their_embed(inputs: Sequence[str | bytes], model: str, **asked: Any) -> Any:
    def call(client: Any) -> Any:
        from google.genai import types

        def content(given: str | bytes) -> Any:
            if isinstance(given, bytes):
                return types.Content(
                    parts=[types.Part.from_bytes(data=given, mime_type="image/png")]
                )
            return types.Content(parts=[types.Part(text=given)])

        # For the older models the SDK wants plain texts.
        found = client.models.embed_content(
            model=model,
            contents=list(inputs) if model == OLDER else list(map(content, inputs)),
            config=types.EmbedContentConfig(auto_truncate=False, **asked),
        )
        return [row.values for row in found.embeddings]

    return call


def one(width: int) -> Json:
    (row,) = floats(1, width)
    return {"embedding": {"values": row}, "usageMetadata": {"promptTokenCount": 4}}


def predictions(count: int) -> Json:
    statistics = {"token_count": 4, "truncated": False}
    return {
        "predictions": [
            {"embeddings": {"values": row, "statistics": statistics}} for row in floats(count, 768)
        ]
    }


VENDOR = Vendor(
    sdk="google-genai==3.6.1",
    client=client,
    options=lambda url: {
        "base_url": url,
        "api_key": KEY,
        "project": "my-project",
        "location": "us-central1",
    },
    cases={
        "document": Case(
            theirs=their_embed(TEXTS[:1], GEMINI, task_type="RETRIEVAL_DOCUMENT"),
            ours=lambda load: load(f"vertex:{GEMINI}").embed_documents(TEXTS[:1]),
            answer=one(3072),
        ),
        "dimensions": Case(
            theirs=their_embed(
                [QUERY], GEMINI, task_type="RETRIEVAL_QUERY", output_dimensionality=768
            ),
            ours=lambda load: load(f"vertex:{GEMINI}", dimensions=768, normalize=False).embed_query(
                QUERY
            ),
            answer=one(768),
        ),
        "query, with the prompt of gemini-embedding-2": Case(
            theirs=their_embed([f"task: search result | query: {QUERY}"], MULTIMODAL),
            ours=lambda load: load(f"vertex:{MULTIMODAL}").embed_query(QUERY),
            answer=one(3072),
        ),
        "image": Case(
            theirs=their_embed([PICTURE], MULTIMODAL),
            ours=lambda load: load(f"vertex:{MULTIMODAL}").embed_images([our_image()]),
            answer=one(3072),
        ),
        "documents of an older model": Case(
            theirs=their_embed(TEXTS, OLDER, task_type="RETRIEVAL_DOCUMENT"),
            ours=lambda load: load(f"vertex:{OLDER}").embed_documents(TEXTS),
            answer=predictions(2),
        ),
        "older model, dimensions": Case(
            theirs=their_embed(
                [QUERY], OLDER, task_type="RETRIEVAL_QUERY", output_dimensionality=256
            ),
            ours=lambda load: load(f"vertex:{OLDER}", dimensions=256, normalize=False).embed_query(
                QUERY
            ),
            answer={
                "predictions": [
                    {
                        "embeddings": {
                            "values": floats(1, 256)[0],
                            "statistics": {"token_count": 4, "truncated": False},
                        }
                    }
                ]
            },
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
                ("inlineData.data", ..., ABSENT),
                ("inlineData.mime_type", "image/png", ABSENT),
                ("inlineData.mimeType", ABSENT, "image/png"),
                ("inlineData.data as", ABSENT, "base64"),
                ("inlineData.data pixels", ABSENT, ...),
            )
        ),
    ],
)
