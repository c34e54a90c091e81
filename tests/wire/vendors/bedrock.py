"""Amazon Bedrock: `invoke_model` of boto3 beside `bedrock:…`. The SDK knows no model: bodies are AWS's examples."""

from __future__ import annotations

import base64
import json
from typing import Any

from ..short import Json, floats, signed
from ..vendor import (
    DATA_URL,
    KEY,
    PICTURE,
    QUERY,
    TEXTS,
    Case,
    Vendor,
    our_image,
    our_mixed,
)

REGION = "us-east-1"
TITAN, OLD_TITAN = "amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v1"
TITAN_IMAGE = "amazon.titan-embed-image-v1"
NOVA = "amazon.nova-2-multimodal-embeddings-v1:0"
V4, V3 = "us.cohere.embed-v4:0", "cohere.embed-multilingual-v3"
MARENGO = "us.twelvelabs.marengo-embed-3-0-v1:0"
ARN = f"arn:aws:bedrock:{REGION}:123456789012:application-inference-profile/a1b2c3d4e5f6"
BASE64 = base64.b64encode(PICTURE).decode()
(TEXT, _) = TEXTS


def client(url: str) -> Any:
    import boto3

    keys = {"aws_access_key_id": KEY, "aws_secret_access_key": KEY, "aws_session_token": KEY}
    return boto3.client("bedrock-runtime", region_name=REGION, endpoint_url=url, **keys)


def their_invoke(model: str, body: Json, *path: str | int) -> Any:
    """The SDK's call, and where the vectors are in the answer."""

    def call(sdk: Any) -> Any:
        json_type = "application/json"
        reply = sdk.invoke_model(
            modelId=model, body=json.dumps(body), accept=json_type, contentType=json_type
        )
        found = json.load(reply["body"])
        for name in path:
            found = found[name]
        return found

    return call


def our_embed(model: str, *contents: Any, role: str = "document", **options: Any) -> Any:
    """The same with us; contents are made late, for the SDK's environment has none of ours."""

    def call(load: Any) -> Any:
        embedder = load(f"bedrock:{model}", **options)
        return embedder.embed([make() for make in contents], role=role).vectors

    return call


def case(
    model: str,
    body: Json,
    answer: Json,
    path: tuple[str | int, ...],
    *contents: Any,
    sent: str | None = None,
    **how: Any,
) -> Case:
    return Case(
        theirs=their_invoke(sent or model, body, *path),
        ours=our_embed(model, *contents, **how),
        answer=answer,
    )


def nova(purpose: str, **content: Json) -> Json:
    return {
        "schemaVersion": "nova-multimodal-embed-v1",
        "taskType": "SINGLE_EMBEDDING",
        "singleEmbeddingParams": {"embeddingPurpose": purpose, **content},
    }


def titan(width: int = 1024) -> Json:
    (vector,) = floats(1, width)
    return {"embedding": vector, "inputTextTokenCount": 4, "embeddingsByType": {"float": vector}}


def cohere(rows: list[Json], kind: str = "float") -> Json:
    embeddings = {kind: rows}
    return {"id": "1b2c", "embeddings": embeddings, "response_type": "embeddings_by_type"}


def in_objects(name: str, width: int) -> Json:
    (vector,) = floats(1, width)
    return {name: [{"embedding": vector}]}


def text() -> str:
    return TEXT


def other() -> str:
    return TEXTS[1]


def query() -> str:
    return QUERY


EMBEDDING = ("embedding",)
FIRST = ("embeddings", 0, "embedding")
FLOATS = ("embeddings", "float")
V4_TEXTS = {"input_type": "search_document", "embedding_types": ["float"], "truncate": "NONE"}

VENDOR = Vendor(
    sdk="boto3==1.44.8",
    client=client,
    options=lambda url: {
        "base_url": url,
        "region": REGION,
        "aws_access_key_id": KEY,
        "aws_secret_access_key": KEY,
        "aws_session_token": KEY,
    },
    cases={
        "titan v2": case(TITAN, {"inputText": TEXT}, titan(), EMBEDDING, text),
        "titan v2, dimensions": case(
            TITAN,
            {"inputText": TEXT, "dimensions": 256},
            titan(256),
            EMBEDDING,
            text,
            dimensions=256,
        ),
        "titan v1": case(OLD_TITAN, {"inputText": TEXT}, titan(1536), EMBEDDING, text),
        "an inference profile": case(
            TITAN, {"inputText": TEXT}, titan(), EMBEDDING, text, sent=ARN, inference_profile=ARN
        ),
        "titan image, an image": case(
            TITAN_IMAGE, {"inputImage": BASE64}, titan(), EMBEDDING, our_image
        ),
        "titan image, both": case(
            TITAN_IMAGE,
            {
                "inputText": QUERY,
                "inputImage": BASE64,
                "embeddingConfig": {"outputEmbeddingLength": 384},
            },
            titan(384),
            EMBEDDING,
            our_mixed,
            dimensions=384,
        ),
        "nova, a document": case(
            NOVA,
            nova(
                "GENERIC_INDEX",
                embeddingDimension=1024,
                text={"truncationMode": "NONE", "value": TEXT},
            ),
            in_objects("embeddings", 1024),
            FIRST,
            text,
            dimensions=1024,
        ),
        "nova, a query": case(
            NOVA,
            nova("GENERIC_RETRIEVAL", text={"truncationMode": "NONE", "value": QUERY}),
            in_objects("embeddings", 3072),
            FIRST,
            query,
            role="query",
        ),
        "nova, an image": case(
            NOVA,
            nova("GENERIC_INDEX", image={"format": "png", "source": {"bytes": BASE64}}),
            in_objects("embeddings", 3072),
            FIRST,
            our_image,
        ),
        "cohere v4, documents": case(
            V4, {**V4_TEXTS, "texts": TEXTS}, cohere(floats(2, 1536)), FLOATS, text, other
        ),
        "cohere v4, a query": case(
            V4,
            {**V4_TEXTS, "texts": [QUERY], "input_type": "search_query", "output_dimension": 512},
            cohere(floats(1, 512)),
            FLOATS,
            query,
            role="query",
            dimensions=512,
        ),
        "cohere v4, an image": case(
            V4, {**V4_TEXTS, "images": [DATA_URL]}, cohere(floats(1, 1536)), FLOATS, our_image
        ),
        "cohere v4, both": case(
            V4,
            {
                **V4_TEXTS,
                "inputs": [
                    {
                        "content": [
                            {"type": "text", "text": QUERY},
                            {"type": "image_url", "image_url": DATA_URL},
                        ]
                    }
                ],
            },
            cohere(floats(1, 1536)),
            FLOATS,
            our_mixed,
        ),
        "cohere v4, int8, shortened": case(
            V4,
            {
                **V4_TEXTS,
                "texts": [TEXT],
                "embedding_types": ["int8"],
                "truncate": "RIGHT",
                "max_tokens": 100,
            },
            cohere(signed(1, 1536), "int8"),
            ("embeddings", "int8"),
            text,
            output_type="int8",
            truncate="END",
            max_tokens=100,
        ),
        "cohere v3, documents": case(
            V3,
            {**V4_TEXTS, "texts": TEXTS},
            cohere(floats(2, 1024)),
            FLOATS,
            text,
            other,
            truncate="NONE",
        ),
        "cohere v3, an image": case(
            V3,
            {**V4_TEXTS, "images": [DATA_URL], "input_type": "image"},
            cohere(floats(1, 1024)),
            FLOATS,
            our_image,
            truncate="NONE",
        ),
        "marengo, a text": case(
            MARENGO,
            {"inputType": "text", "text": {"inputText": TEXT}},
            in_objects("data", 512),
            ("data", 0, "embedding"),
            text,
        ),
        "marengo, both": case(
            MARENGO,
            {
                "inputType": "text_image",
                "text_image": {"inputText": QUERY, "mediaSource": {"base64String": BASE64}},
            },
            in_objects("data", 512),
            ("data", 0, "embedding"),
            our_mixed,
        ),
    },
)
