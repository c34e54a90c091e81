"""Text Embeddings Inference: `huggingface_hub.InferenceClient` beside `tei:…`, on the native route."""

from __future__ import annotations

from typing import Any

from ..short import floats
from ..vendor import ABSENT, KEY, QUERY, TEXTS, Case, Difference, Vendor

MODEL = "acme/embed"


def client(url: str) -> Any:
    from huggingface_hub import InferenceClient

    return InferenceClient(model=f"{url}/embed", token=KEY)


def their_embed(texts: list[str], **asked: Any) -> Any:
    return lambda client: client.feature_extraction(texts, **asked)


VENDOR = Vendor(
    sdk="huggingface_hub==1.33.0 numpy==2.4.6",
    client=client,
    asked_before={
        "/info": {"model_id": MODEL, "max_client_batch_size": 32, "max_input_length": 512},
        "/tokenize": [[]],
    },
    cases={
        "documents": Case(
            theirs=their_embed(TEXTS, prompt_name="document"),
            ours=lambda load: load(f"tei:{MODEL}").embed_documents(TEXTS),
            answer=floats(2, 1024),
        ),
        "query": Case(
            theirs=their_embed([QUERY], prompt_name="query"),
            ours=lambda load: load(f"tei:{MODEL}").embed_query(QUERY),
            answer=floats(1, 1024),
        ),
        "a prompt that is written out": Case(
            theirs=their_embed([f"query: {QUERY}"]),
            ours=lambda load: load(f"tei:{MODEL}", query_prompt="query: ").embed_query(QUERY),
            answer=floats(1, 1024),
        ),
        "dimensions": Case(
            theirs=their_embed(TEXTS, prompt_name="document", dimensions=256),
            ours=lambda load: load(f"tei:{MODEL}", dimensions=256).embed_documents(TEXTS),
            answer=floats(2, 256),
        ),
        "options": Case(
            theirs=their_embed([QUERY], prompt_name="s2p_query", normalize=False, truncate=False),
            ours=lambda load: load(
                f"tei:{MODEL}", query_prompt_name="s2p_query", normalize=False
            ).embed_query(QUERY),
            answer=floats(1, 1024),
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
            field="body.truncate",
            theirs=ABSENT,
            ours=False,
            because="a text that is too long is refused, so that the engine cuts it and says so",
        ),
    ],
)
