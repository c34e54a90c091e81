"""NVIDIA: `langchain-nvidia-ai-endpoints`, NVIDIA's own class, beside `nvidia:…`; it embeds texts only."""

from __future__ import annotations

from typing import Any

from ..short import Json, floats, numbered
from ..vendor import ABSENT, KEY, QUERY, TEXTS, Case, Difference, Vendor

LONG, SHORT = "nvidia/llama-nemotron-embed-1b-v2", "nvidia/nv-embedqa-e5-v5"


def client(url: str) -> Any:
    """Makes the class for a model, without its messages to NVIDIA about usage."""

    def made(model: str, **asked: Any) -> Any:
        from langchain_nvidia_ai_endpoints import (
            NVIDIAEmbeddings,
        )

        usual = {"base_url": f"{url}/v1", "api_key": KEY, "usage_telemetry_enabled": False}
        return NVIDIAEmbeddings(model=model, **usual, **asked)

    return made


def answer(rows: list[Json]) -> Json:
    return {
        "object": "list",
        "data": numbered(rows),
        "model": "the same",
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }


def documents(rows: list[Json], model: str = LONG, **asked: Any) -> Case:
    return Case(
        theirs=lambda made: made(model, **asked).embed_documents(TEXTS),
        ours=lambda load: load(f"nvidia:{model}", **asked).embed_documents(TEXTS),
        answer=answer(rows),
    )


VENDOR = Vendor(
    sdk="langchain-nvidia-ai-endpoints==1.5.0",
    client=client,
    cases={
        "documents": documents(floats(2, 2048)),
        "query": Case(
            theirs=lambda made: made(LONG).embed_query(QUERY),
            ours=lambda load: load(f"nvidia:{LONG}").embed_query(QUERY),
            answer=answer(floats(1, 2048)),
        ),
        "dimensions": documents(floats(2, 384), dimensions=384),
        "shortened": documents(floats(2, 2048), truncate="START"),
        "short model": documents(floats(2, 1024), SHORT),
    },
    differences=[
        Difference(
            field="headers.x-billing-source",
            theirs="langchain-nvidia-ai-endpoints",
            ours=ABSENT,
            because="it says which package asks, and we are not that one",
        ),
        Difference(
            field="body.encoding_format",
            theirs="float",
            ours="base64",
            because="the same floats in fewer bytes; NVIDIA documents both",
        ),
        Difference(
            field="body.truncate",
            theirs="NONE",
            ours="END",
            because="models of 512 tokens: most texts of some length would each need a request",
        ),
    ],
)
