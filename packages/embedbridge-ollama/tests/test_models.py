"""Names, tags, prompts and widths."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest

from embedbridge.contract import InvalidOptionError, Role, Task
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import FaultServer, OllamaWire

Load: TypeAlias = Callable[..., Embedder]

SEARCHING = "Represent this sentence for searching relevant passages: "
INSTRUCT = (
    "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
)


@pytest.mark.filterwarnings("ignore:Ollama model .* is not known here")
@pytest.mark.parametrize(
    ("name", "query", "document"),
    [
        ("nomic-embed-text", "search_query: ", "search_document: "),
        ("nomic-embed-text:137m-v1.5-fp16", "search_query: ", "search_document: "),
        ("nomic-embed-text-v2-moe:latest", "search_query: ", "search_document: "),
        ("hf.co/nomic-ai/nomic-embed-text-v1.5-GGUF:Q8_0", "search_query: ", "search_document: "),
        ("mxbai-embed-large:335m", SEARCHING, ""),
        ("bge-large", SEARCHING, ""),
        ("bge-m3", "", ""),
        ("quentinz/bge-large-zh-v1.5:f16", "为这个句子生成表示以用于检索相关文章：", ""),  # noqa: RUF001
        ("snowflake-arctic-embed:22m", SEARCHING, ""),
        ("snowflake-arctic-embed2", "query: ", ""),
        ("embeddinggemma:300m-qat-q8_0", "task: search result | query: ", "title: none | text: "),
        ("ggml-org/embeddinggemma-300m-qat-q8_0-GGUF", "task: search result | query: ", "title: none | text: "),
        ("qwen3-embedding:0.6b", INSTRUCT, ""),
        ("dengcao/Qwen3-Embedding-8B:Q5_K_M", INSTRUCT, ""),
        ("yxchia/multilingual-e5-base", "query: ", "passage: "),
        ("jeffh/intfloat-multilingual-e5-large-instruct:f16", f"{INSTRUCT} ", ""),
        ("all-minilm:33m", "", ""),
        ("granite-embedding:278m", "", ""),
        ("llama3.2", "", ""),
        ("me/my-e5-base-notes", "", ""),
    ],
)  # fmt: skip
def test_prompts_of_families(load: Load, name: str, query: str, document: str) -> None:
    """As their cards on the Hub say, in front of the text and part of it: Ollama adds none."""
    with FaultServer(wire=OllamaWire(), dimensions=load(name).card.dimensions or 64) as server:
        embedder = load(name, base_url=server.url)
        embedder.embed_query("a text")
        embedder.embed_documents(["a text"])
        sent = [record.json for record in server.requests]

    assert [each["input"] for each in sent] == [[f"{query}a text"], [f"{document}a text"]]
    assert {each["model"] for each in sent} == {name}


@pytest.mark.parametrize(
    ("name", "task", "role", "prompt"),
    [
        ("nomic-embed-text", "clustering", "document", "clustering: "),
        ("nomic-embed-text", "similarity", "document", "search_document: "),
        ("embeddinggemma", "similarity", "query", "task: sentence similarity | query: "),
    ],
)
def test_tasks_with_a_prompt(name: str, task: Task, role: Role, prompt: str) -> None:
    """They take the place of the role; for the others the role stands."""
    assert load_embedder(f"ollama:{name}").explain("a text", role, task).sent == f"{prompt}a text"


@pytest.mark.parametrize(
    ("name", "width", "tokens"),
    [
        ("qwen3-embedding", 4096, 32_768),
        ("qwen3-embedding:4b-q8_0", 2560, 32_768),
        ("qwen3-embedding:0.6B", 1024, 32_768),
        ("qwen3-embedding:14b", None, 32_768),
        ("snowflake-arctic-embed:137m-m-long-fp16", 768, 2048),
        ("snowflake-arctic-embed:33m", 384, 512),
        ("mxbai-embed-large:latest", 1024, 512),
        ("library/all-minilm", 384, 256),
    ],
)
def test_width_and_tokens_by_tag(name: str, width: int | None, tokens: int) -> None:
    """A size that we do not know has a width that comes with the first answer."""
    card = load_embedder(f"ollama:{name}").card

    assert (card.dimensions, card.limits.max_tokens_per_input) == (width, tokens)


def test_latest_is_the_name_without_a_tag(server: FaultServer, load: Load) -> None:
    """One space and one fingerprint, and each goes to the server as it was written."""
    bare, latest, other = map(load, ("all-minilm", "all-minilm:latest", "all-minilm:22m"))

    assert (bare.space, bare.fingerprint) == (latest.space, latest.fingerprint)
    assert other.space != bare.space
    assert load("library/all-minilm").fingerprint == bare.fingerprint
    assert load("nomic-embed-text:latest").embed_query("a text").shape == (768,)
    assert server.requests[-1].json["model"] == "nomic-embed-text:latest"


def test_an_unknown_name_warns_and_works(load: Load, server: FaultServer) -> None:
    """The warning says what is assumed; a name of the library with any tag gives none."""
    with pytest.warns(UserWarning, match=r"'me/mine' is not known here. Assumed: any number of"):
        embedder = load("me/mine")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load("bge-m3:567m-fp16")

    assert embedder.embed_query("a text").shape == (768,)
    assert embedder.dimensions == 768


def test_shorter_vectors(load: Load, server: FaultServer) -> None:
    """Asked for where the model was trained for it, else refused before anything is sent."""
    vector = load(dimensions=256).embed_query("a text")
    right = server.vector("search_query: a text", "nomic-embed-text", 256)

    assert np.allclose(vector, right, atol=1e-6)
    assert server.requests[0].json["dimensions"] == 256
    with pytest.raises(InvalidOptionError, match="cannot make vectors of 100"):
        load("all-minilm", dimensions=100).embed_query("a text")
