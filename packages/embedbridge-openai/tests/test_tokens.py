"""Tokens are counted exactly where that needs no download, and never with one."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from embedbridge.contract import ModelCard
from embedbridge.core import load_embedder
from embedbridge.providers.openai import _tokens
from embedbridge.testing import real_texts
from embedbridge.testing.audit import audited

KEY = "sk-" + "x" * 30
FILE = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where tiktoken is told to keep its files."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def encoding(folder: Path) -> None:
    """The real file, which LlamaIndex brings along."""
    pytest.importorskip("tiktoken")
    spec = find_spec("llama_index.core") if find_spec("llama_index") else None
    if spec is None or spec.origin is None:
        pytest.skip("no package here brings the encoding file")
    source = Path(spec.origin).parent / "_static" / "tiktoken_cache" / FILE
    if not source.is_file():
        pytest.skip("LlamaIndex does not bring the encoding file any more")
    (folder / FILE).symlink_to(source)


def test_no_file_no_count(folder: Path) -> None:
    """The engine estimates then; nothing is fetched and nothing is written."""
    with audited() as events:
        counts = _tokens.count_tokens(["a text"])

    assert counts is None
    assert not [event for event in events if event[0].startswith("socket")]
    assert not list(folder.iterdir())


def test_a_damaged_file_is_no_file(folder: Path) -> None:
    """It would make tiktoken fetch another, so tiktoken is not asked."""
    (folder / FILE).write_bytes(b"damaged")

    assert _tokens.count_tokens(["a text"]) is None
    assert (folder / FILE).read_bytes() == b"damaged"


def test_no_cache_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder name tells tiktoken to download each time."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")

    assert _tokens.count_tokens(["a text"]) is None


@pytest.mark.usefixtures("encoding")
def test_counts_are_tiktokens() -> None:
    """What looks like a special token is text, as it is for the server."""
    import tiktoken

    texts = [*real_texts(50), "<|endoftext|>", "你好", ""]
    encoding = tiktoken.get_encoding("cl100k_base")

    assert _tokens.count_tokens(texts) == [len(encoding.encode_ordinary(text)) for text in texts]


@pytest.mark.usefixtures("encoding")
@pytest.mark.parametrize(
    ("name", "known"),
    [("text-embedding-3-small", True), ("text-embedding-ada-002", True), ("brand-new", False)],
)
def test_only_models_whose_tokens_are_known(name: str, known: bool) -> None:
    """A new model may have another vocabulary."""
    model = load_embedder(f"openai:{name}", api_key=KEY).model

    assert (model.count_tokens(["a text"]) is not None) is known


def test_cards_say_where_texts_are_cut() -> None:
    """OpenAI refuses what is too long, so the engine has to cut."""
    card: ModelCard = load_embedder("openai:text-embedding-3-small", api_key=KEY).card

    assert not card.truncates
