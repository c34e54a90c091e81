"""Voyage: `voyageai.Client` beside `voyage:…`. The SDK sends every field, absent ones as null."""

from __future__ import annotations

import io
from typing import Any

from ..short import Json, floats, in_base64, numbered, signed, unsigned
from ..vendor import (
    ABSENT,
    DATA_URL,
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

MODEL, MULTIMODAL, OF_CHUNKS = "voyage-4", "voyage-multimodal-3.5", "voyage-context-4"
IMAGE = {"type": "image_base64", "image_base64": DATA_URL}


def client(url: str) -> Any:
    import voyageai

    return voyageai.Client(api_key=KEY, base_url=f"{url}/v1")


def their_texts(texts: list[str], input_type: str = "document", **asked: Any) -> Any:
    asked = {"model": MODEL, "input_type": input_type, **asked}
    return lambda client: client.embed(texts, **asked).embeddings


def their_parts(*parts: Json) -> Any:
    inputs = [{"content": list(parts)}]
    return lambda client: (
        client.multimodal_embed(inputs, model=MULTIMODAL, input_type="document").embeddings
    )


def their_picture(client: Any) -> Any:
    """The SDK writes a picture of Pillow's as WebP."""
    import PIL.Image

    picture = PIL.Image.open(io.BytesIO(PICTURE))
    return client.multimodal_embed([[picture]], MULTIMODAL, input_type="document").embeddings


def their_documents(texts: list[str], input_type: str = "document", **asked: Any) -> Any:
    """Each of one chunk."""
    inputs = [[text] for text in texts]

    def embed(client: Any) -> Any:
        found = client.contextualized_embed(inputs, OF_CHUNKS, input_type=input_type, **asked)
        return [vector for document in found.results for vector in document.embeddings]

    return embed


def our_documents(name: str = MODEL, **options: Any) -> Any:
    return lambda load: load(f"voyage:{name}", **options).embed_documents(TEXTS)


def answer(rows: list[Json]) -> Json:
    return {
        "object": "list",
        "data": numbered(rows),
        "model": MODEL,
        "usage": {"total_tokens": 8, "text_tokens": 8, "image_pixels": 0, "video_pixels": 0},
    }


def answer_of_chunks(rows: list[Json]) -> Json:
    chunks = [{"object": "list", "data": numbered([row])} for row in rows]
    data = [{**chunk, "index": number} for number, chunk in enumerate(chunks)]
    return {"object": "list", "data": data, "model": OF_CHUNKS, "usage": {"total_tokens": 8}}


def output(kind: str, rows: list[Json]) -> Case:
    return Case(
        theirs=their_texts(TEXTS, output_dtype=kind),
        ours=our_documents(output_type=kind),
        answer=answer(rows),
    )


def as_default(field: str) -> Difference:
    return Difference(
        field=f"body.{field}",
        theirs=None,
        ours=ABSENT,
        because="the same to the server; fields that are not set are not sent",
    )


VENDOR = Vendor(
    sdk="voyageai==0.5.0 pillow==13.0.0",  # of that depends what WebP files are
    client=client,
    options=lambda url: {"base_url": f"{url}/v1", "api_key": KEY},
    cases={
        "documents": Case(
            theirs=their_texts(TEXTS),
            ours=our_documents(),
            answer=answer(in_base64(floats(2, 1024))),
        ),
        "numbers": Case(  # a proxy that does not know base64
            theirs=their_texts(TEXTS),
            ours=our_documents(),
            answer=answer(floats(2, 1024)),
        ),
        "query": Case(
            theirs=their_texts([QUERY], "query"),
            ours=lambda load: load(f"voyage:{MODEL}").embed_query(QUERY),
            answer=answer(in_base64(floats(1, 1024))),
        ),
        "dimensions": Case(
            theirs=their_texts(TEXTS, output_dimension=256),
            ours=our_documents(dimensions=256),
            answer=answer(in_base64(floats(2, 256))),
        ),
        "truncation": Case(
            theirs=their_texts(TEXTS, truncation=True),
            ours=our_documents(truncation=True),
            answer=answer(in_base64(floats(2, 1024))),
        ),
        "int8": output("int8", in_base64(signed(2, 1024), "b")),
        "uint8": output("uint8", in_base64(unsigned(2, 1024), "B")),
        "binary": output("binary", in_base64(signed(2, 1024 // 8), "b")),
        "ubinary": output("ubinary", in_base64(unsigned(2, 1024 // 8), "B")),
        "text of a multimodal model": Case(
            theirs=their_parts({"type": "text", "text": QUERY}),
            ours=lambda load: load(f"voyage:{MULTIMODAL}").embed_documents([QUERY]),
            answer=answer(in_base64(floats(1, 1024))),
        ),
        "image": Case(
            theirs=their_parts(IMAGE),
            ours=lambda load: load(f"voyage:{MULTIMODAL}").embed_images([our_image()]),
            answer=answer(in_base64(floats(1, 1024))),
        ),
        "picture": Case(
            theirs=their_picture,
            ours=lambda load: load(f"voyage:{MULTIMODAL}").embed_images([our_image()]),
            answer=answer(in_base64(floats(1, 1024))),
        ),
        "mixed": Case(
            theirs=their_parts({"type": "text", "text": QUERY}, IMAGE),
            ours=lambda load: (
                load(f"voyage:{MULTIMODAL}").embed([our_mixed()], role="document").vectors
            ),
            answer=answer(in_base64(floats(1, 1024))),
        ),
        "documents of one chunk": Case(
            theirs=their_documents(TEXTS),
            ours=our_documents(OF_CHUNKS),
            answer=answer_of_chunks(in_base64(floats(2, 1024))),
        ),
        "query of a model of chunks": Case(
            theirs=their_documents([QUERY], "query"),
            ours=lambda load: load(f"voyage:{OF_CHUNKS}").embed_query(QUERY),
            answer=answer_of_chunks(in_base64(floats(1, 1024))),
        ),
        "int8 of a model of chunks": Case(
            theirs=their_documents(TEXTS, output_dtype="int8", output_dimension=256),
            ours=our_documents(OF_CHUNKS, output_type="int8", dimensions=256),
            answer=answer_of_chunks(in_base64(signed(2, 256), "b")),
        ),
    },
    differences=[
        as_default("output_dtype"),
        as_default("output_dimension"),
        Difference(
            field="body.truncation",
            theirs=True,
            ours=False,
            because="a text that is too long is refused, so that the engine cuts it and says so",
        ),
        Difference(
            field="body.inputs[].content[].image_base64 media type",
            theirs="image/webp",
            ours="image/png",
            because="a file is sent as it is; the SDK encodes it anew",
        ),
        Difference(
            field="headers.accept",
            theirs="*/*",
            ours="application/json",
            because="nothing else would be read",
        ),
    ],
)
