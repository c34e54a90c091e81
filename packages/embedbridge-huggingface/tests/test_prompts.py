"""Prompts: the model's own, then what its card on the Hub says, and never a guess."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from embedbridge.contract.local import audited_prompts, prompts_of
from embedbridge.core import Embedder, load_embedder

SEARCHING = "Represent this sentence for searching relevant passages: "


@pytest.mark.parametrize(
    ("hub_id", "query", "document"),
    [
        ("intfloat/e5-small-v2", "query: ", "passage: "),
        ("intfloat/multilingual-e5-large", "query: ", "passage: "),
        ("BAAI/bge-small-en-v1.5", SEARCHING, None),
        ("baai/bge-large-en", SEARCHING, None),
        ("BAAI/bge-base-zh-v1.5", "为这个句子生成表示以用于检索相关文章：", None),  # noqa: RUF001
        ("nomic-ai/nomic-embed-text-v1.5", "search_query: ", "search_document: "),
        ("mixedbread-ai/mxbai-embed-large-v1", SEARCHING, None),
        ("Snowflake/snowflake-arctic-embed-m-long", SEARCHING, None),
    ],
)
def test_audited_families(hub_id: str, query: str, document: str | None) -> None:
    """Families that register no prompts get those of their cards."""
    prompts = audited_prompts(hub_id)

    assert (prompts.get("query"), prompts.get("document")) == (query, document)


def test_an_instruction_ends_where_the_query_begins() -> None:
    """The instruct models of E5 put the task before queries, and nothing before documents."""
    prompts = audited_prompts("intfloat/multilingual-e5-large-instruct")

    assert prompts["query"].startswith("Instruct: Given a web search query")
    assert prompts["query"].endswith("\nQuery: ")
    assert "document" not in prompts


@pytest.mark.parametrize(
    "hub_id",
    [
        None,
        "BAAI/bge-m3",
        "BAAI/bge-reranker-base",
        "somebody/e5-small-v2",
        "intfloat/e5-small-v2-finetuned",
        "sentence-transformers/all-MiniLM-L6-v2",
    ],
)
def test_what_was_not_audited_gets_no_prompt(hub_id: str | None) -> None:
    """A similar name is another model."""
    assert audited_prompts(hub_id) == {}


def test_a_registered_prompt_wins_over_the_table() -> None:
    """Who registers a prompt knows better than we; the table fills only what is missing."""
    prompts = prompts_of({"query": "own: ", "document": ""}, "intfloat/e5-small-v2")

    assert prompts == {"query": "own: ", "document": "passage: "}


@pytest.mark.parametrize(
    ("registered", "expected"),
    [
        ({"query": "q: ", "passage": "p: ", "corpus": "c: "}, {"query": "q: "}),
        ({"document": "d: ", "passage": "p: "}, {"document": "d: "}),
        ({"any": "a: "}, {}),
        ({"query": None, "document": ""}, {}),
        ({"clustering": "c: ", "STS": "s: "}, {"clustering": "c: "}),
    ],
)
def test_registered_names(registered: dict[str, str | None], expected: dict[str, str]) -> None:
    """As in sentence-transformers 6, other names than query and document are no role's prompt."""
    assert prompts_of(registered, None) == expected


def test_a_model_of_the_hub_uses_the_table(hub: Callable[..., str]) -> None:
    """A Hub id of an audited family is enough."""
    options: dict[str, Any] = {
        "cache_folder": hub("intfloat/e5-small-v2"),
        "offline": True,
        "device": "cpu",
    }
    with load_embedder("huggingface:intfloat/e5-small-v2", **options) as embedder:
        assert embedder.explain("penguins", "query").sent == "query: penguins"
        assert embedder.explain("ice", "document").sent == "passage: ice"


def test_a_folder_never_uses_the_table(
    change: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is called like an audited family may hold anything."""
    change(tmp_path / "intfloat" / "e5-small-v2", "config.json", lambda config: config)
    monkeypatch.chdir(tmp_path)
    with load_embedder("huggingface:intfloat/e5-small-v2", device="cpu") as embedder:
        assert embedder.explain("penguins", "query").sent == "penguins"


def test_explain_shows_the_exact_string(prompted: Embedder) -> None:
    """What `explain` shows, with its tokens, is what the model reads."""
    explained = prompted.explain("penguins", "query")

    assert explained.sent == f"{SEARCHING}penguins"
    assert explained.tokens == len(prompted.model._load().transformer.tokenizer(explained.sent)[0])  # type: ignore[attr-defined]
    assert not explained.estimated


def test_a_task_has_its_own_prompt(prompted: Embedder) -> None:
    """A prompt that the model registers under the name of a task is used for that task."""
    assert prompted.explain("penguins", "document", task="clustering").sent == "cluster: penguins"
