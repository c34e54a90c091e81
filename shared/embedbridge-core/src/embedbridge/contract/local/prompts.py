"""Prompts in front of queries and documents: the model's own, else what its card prescribes.

Many models register their prompts, and sentence-transformers' `encode_query` and
`encode_document` apply them; so do we. Some families were trained with prompts but register none.
For those `AUDITED` holds what their cards on the Hub say. It is looked up by Hub id, never by the
name of a folder: what lies in a folder may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import get_args

from embedbridge.contract.vocabulary import Task

_E5 = {"query": "query: ", "document": "passage: "}
_NOMIC = {"query": "search_query: ", "document": "search_document: "}
_SEARCHING = {"query": "Represent this sentence for searching relevant passages: "}
_SEARCHING_ZH = {"query": "为这个句子生成表示以用于检索相关文章："}  # noqa: RUF001  # Chinese has a colon of its own
_INSTRUCT = {
    "query": "Instruct: Given a web search query, "
    "retrieve relevant passages that answer the query\nQuery: "
}

AUDITED: tuple[tuple[str, Mapping[str, str]], ...] = (
    # https://huggingface.co/intfloat/e5-base-v2
    # https://huggingface.co/intfloat/e5-base
    # https://huggingface.co/intfloat/e5-base-unsupervised
    (r"intfloat/e5-(small|base|large)(-v2|-unsupervised)?", _E5),
    # https://huggingface.co/intfloat/multilingual-e5-base
    (r"intfloat/multilingual-e5-(small|base|large)", _E5),
    # https://huggingface.co/intfloat/multilingual-e5-large-instruct
    # https://huggingface.co/intfloat/e5-mistral-7b-instruct
    (r"intfloat/(multilingual-e5-large|e5-mistral-7b)-instruct", _INSTRUCT),
    # https://huggingface.co/BAAI/bge-base-en
    # https://huggingface.co/BAAI/bge-base-en-v1.5
    (r"BAAI/bge-(small|base|large)-en(-v1\.5)?", _SEARCHING),
    # https://huggingface.co/BAAI/bge-base-zh
    # https://huggingface.co/BAAI/bge-base-zh-v1.5
    (r"BAAI/bge-(small|base|large)-zh(-v1\.5)?", _SEARCHING_ZH),
    # https://huggingface.co/nomic-ai/nomic-embed-text-v1
    # https://huggingface.co/nomic-ai/nomic-embed-text-v1.5
    (
        r"nomic-ai/nomic-embed-text-v1(\.5)?",
        _NOMIC | {"classification": "classification: ", "clustering": "clustering: "},
    ),
    # https://huggingface.co/nomic-ai/nomic-embed-text-v2-moe
    # https://huggingface.co/nomic-ai/modernbert-embed-base
    (r"nomic-ai/(nomic-embed-text-v2-moe|modernbert-embed-base)", _NOMIC),
    # https://huggingface.co/mixedbread-ai/mxbai-embed-large-v1
    (r"mixedbread-ai/mxbai-embed-large-v1", _SEARCHING),
    # https://huggingface.co/Snowflake/snowflake-arctic-embed-m
    # https://huggingface.co/Snowflake/snowflake-arctic-embed-m-long
    # https://huggingface.co/Snowflake/snowflake-arctic-embed-m-v1.5
    (r"Snowflake/snowflake-arctic-embed-(xs|s|m|l|m-long|m-v1\.5)", _SEARCHING),
    # The next three register theirs as well; a server with converted weights has no such file.
    # https://huggingface.co/Snowflake/snowflake-arctic-embed-l-v2.0
    (r"Snowflake/snowflake-arctic-embed-(m|l)-v2\.0", {"query": "query: "}),
    # https://huggingface.co/Qwen/Qwen3-Embedding-0.6B
    (r"Qwen/Qwen3-Embedding-(0\.6|4|8)B", {"query": _INSTRUCT["query"].rstrip(" ")}),
    # https://ai.google.dev/gemma/docs/embeddinggemma/model_card
    (
        r"google/embeddinggemma-300m",
        {
            "query": "task: search result | query: ",
            "document": "title: none | text: ",
            "classification": "task: classification | query: ",
            "clustering": "task: clustering | query: ",
            "similarity": "task: sentence similarity | query: ",
        },
    ),
)


def prompts_of(registered: Mapping[str, str | None], hub_id: str | None) -> dict[str, str]:
    """Prompts by role and task, without the empty ones: those of `encode_query` and `encode_document`.

    A model's `default_prompt_name` is none of them: sentence-transformers uses it in `encode` alone.

    Args:
        registered: What the model registers, by name.
        hub_id: Its id, if it comes from the Hub.
    """
    # sentence-transformers 6 gives every model these two, so that an empty "document" comes before
    # a registered "passage".
    known = {"query": None, "document": None} | dict(registered)
    own = {name: known.get(name) for name in ("query", "document", *get_args(Task))}
    return audited_prompts(hub_id) | {name: text for name, text in own.items() if text}


def audited_prompts(hub_id: str | None) -> dict[str, str]:
    """What a model's card prescribes; empty for a model that we have not looked at."""
    for pattern, prompts in AUDITED:
        if hub_id and re.fullmatch(pattern, hub_id, re.IGNORECASE):
            return dict(prompts)
    return {}
