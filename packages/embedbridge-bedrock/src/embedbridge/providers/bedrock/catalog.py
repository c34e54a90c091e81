"""Embedding models on Amazon Bedrock, as data; and how their names are read.

Sources, all below https://docs.aws.amazon.com: bedrock/latest/userguide/titan-embedding-models.html
(Titan text: 8,192 tokens or 50,000 characters), …/titan-multiemb-models.html (Titan image),
…/model-parameters-embed-v3.html and …-embed-v4.html (Cohere), …/model-parameters-marengo.html and
…-marengo-3.html, nova/latest/userguide/embeddings-schema.html (Nova), and
bedrock/latest/APIReference/API_runtime_InvokeModel.html (a body has at most 25,000,000 bytes).
"""

from __future__ import annotations

import re
from dataclasses import replace

from embedbridge.contract.card import Limits, ModelCard
from embedbridge.contract.remote import Vendor

REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
"""Environment variables with the region; the first that is set counts."""
VENDOR = Vendor(
    name="Amazon Bedrock",
    hosts=("amazonaws.com", "amazonaws.com.cn", "api.aws"),
    keys=("AWS_BEARER_TOKEN_BEDROCK",),
    key_starts=("ABSK", "bedrock-api-key-"),
    url_variable="AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
)
VARIABLES = (
    *VENDOR.variables,
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    *REGIONS,
)
"""For listings. botocore reads these and all the others that it knows."""

MEGABYTE = 1_000_000
"""Not a mebibyte: the smaller one is right in any case."""
MAX_REQUEST_BYTES = 25 * MEGABYTE
MAX_FILES = MAX_REQUEST_BYTES * 3 // 4 - MEGABYTE
"""Bytes of images in one request, before they become base64."""

# One input per request: the engine sends many requests at once instead.
TITAN_TEXT = Limits(max_items=1, max_tokens_per_input=8192, max_chars_per_input=50_000)
TITAN_IMAGE = Limits(
    max_items=1,
    max_tokens_per_input=256,  # older pages say 128; the engine learns it from a refusal
    max_bytes_per_image=MAX_FILES,  # AWS says 25 MB, which no request can hold in base64
    max_pixels_per_image=2048 * 2048,
)
NOVA = Limits(
    max_items=1,
    max_tokens_per_input=8172,
    max_chars_per_input=50_000,  # refused above it: "expected maxLength: 50000"
    max_bytes_per_image=MAX_FILES,
)
MARENGO = Limits(max_items=1, max_tokens_per_input=500, max_bytes_per_image=5 * MEGABYTE)
COHERE_V3 = Limits(
    max_items=96,
    max_items_by_modality={"image": 1},
    max_tokens_per_input=512,
    max_chars_per_input=2048,  # refused above it, whatever `truncate` says
    max_bytes_per_image=5 * MEGABYTE,
)
COHERE_V4 = Limits(
    max_items=96,
    max_tokens_per_request=128_000,  # nowhere documented; more than one text of full length is rare
    max_tokens_per_input=128_000,
    max_bytes_per_request=MAX_FILES,
    max_bytes_per_image=MAX_FILES,
)


def _card(name: str, *dimensions: int, **more: object) -> ModelCard:
    usual, *others = dimensions
    card = ModelCard(
        name=name,
        dimensions=usual,
        allowed_dimensions=tuple(others),
        requests_dimensions=bool(others),
        truncates=False,  # what is too long is refused; the engine cuts it and reports that
        space=f"bedrock:{name}",
    )
    return replace(card, **more)  # type: ignore[arg-type]


CARDS = (
    _card("amazon.titan-embed-text-v2:0", 1024, 512, 256, normalized=True, limits=TITAN_TEXT),
    _card("amazon.titan-embed-text-v1", 1536, limits=TITAN_TEXT),
    _card("amazon.titan-embed-g1-text-02", 1536, limits=TITAN_TEXT),
    _card(
        "amazon.titan-embed-image-v1",
        1024,
        384,
        256,
        modalities=("text", "image", "mixed"),
        limits=TITAN_IMAGE,
    ),
    _card(
        "amazon.nova-2-multimodal-embeddings-v1:0",
        3072,
        1024,
        384,
        256,
        modalities=("text", "image"),
        roles="field",
        limits=NOVA,
    ),
    _card(
        "cohere.embed-v4:0",
        1536,
        1024,
        512,
        256,
        modalities=("text", "image", "mixed"),
        roles="field",
        limits=COHERE_V4,
    ),
    *(
        _card(
            name,
            1024,
            modalities=("text", "image"),
            roles="field",
            limits=COHERE_V3,
            truncates=True,  # sending each text alone that may be too long would be too many
        )
        for name in ("cohere.embed-english-v3", "cohere.embed-multilingual-v3")
    ),
    _card(
        "twelvelabs.marengo-embed-3-0-v1:0",
        512,
        modalities=("text", "image", "mixed"),
        limits=MARENGO,
        truncates=True,  # AWS does not say what becomes of a longer text: it is reported as cut
    ),
    _card(
        "twelvelabs.marengo-embed-2-7-v1:0",
        1024,
        modalities=("text", "image"),
        limits=replace(MARENGO, max_tokens_per_input=77),
    ),
)
"""All models known by name; a name of a later version is taken for the newest of its family."""

AREA = re.compile(r"[a-z]{2,6}(?:-gov)?\.(?=[a-z0-9]+\.)")
"""In front of an inference profile: `us.`, `eu.`, `apac.`, `us-gov.`, `global.` …"""
THROUGHPUT = re.compile(r"(?<=\d):(?:\d+k|\d{3,}|mm)$")
"""Behind a model with provisioned throughput: `:8k`, `:512`."""


def model_id(name: str) -> str:
    """The model's own name in that of an inference profile or an ARN.

    >>> model_id("us.cohere.embed-v4:0")
    'cohere.embed-v4:0'
    >>> model_id("arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-embed-text-v2:0")
    'amazon.titan-embed-text-v2:0'
    """
    return THROUGHPUT.sub("", AREA.sub("", name.rpartition("/")[2]))
