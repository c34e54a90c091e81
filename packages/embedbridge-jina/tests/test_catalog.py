"""The models that are known, the ones that are new, and what the README says of options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from embedbridge.contract import AuthenticationError, ModelOptions
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.jina import JinaOptions
from embedbridge.testing import FaultServer

Load: TypeAlias = Callable[..., Embedder]


@pytest.mark.parametrize(
    ("name", "width", "tokens", "items", "modalities"),
    [
        ("jina-embeddings-v5-omni-small", 1024, 32_768, 512, ("text", "image", "mixed")),
        ("jina-embeddings-v5-omni-nano", 768, 8_192, 512, ("text", "image", "mixed")),
        ("jina-embeddings-v5-text-small", 1024, 32_768, 512, ("text",)),
        ("jina-embeddings-v5-text-nano", 768, 8_192, 512, ("text",)),
        ("jina-embeddings-v4", 2048, 32_768, 512, ("text", "image")),
        ("jina-embeddings-v3", 1024, 8_192, 2_048, ("text",)),
        ("jina-clip-v2", 1024, 8_192, 2_048, ("text", "image")),
        ("jina-code-embeddings-1.5b", 1536, 32_768, 512, ("text",)),
        ("jina-code-embeddings-0.5b", 896, 32_768, 512, ("text",)),
        ("jina-clip-v1", 768, 8_192, 2_048, ("text", "image")),
        ("jina-embeddings-v2-base-de", 768, 8_192, 2_048, ("text",)),
    ],
)
def test_models_of_today(
    name: str, width: int, tokens: int, items: int, modalities: tuple[str, ...]
) -> None:
    """Width, limits and modalities, as Jina publishes them."""
    card = load_embedder(f"jina:{name}").card

    assert (card.dimensions, card.limits.max_tokens_per_input) == (width, tokens)
    assert (card.limits.max_items, card.modalities) == (items, modalities)


def test_omni_and_text_of_v5_share_a_space() -> None:
    """An index of texts stays usable when images are added; small and nano are different models."""

    def space(name: str) -> str:
        return load_embedder(f"jina:jina-embeddings-v5-{name}").space

    assert space("omni-small") == space("text-small") != space("text-nano") == space("omni-nano")


def test_a_new_model_works_on_the_day_it_appears(server: FaultServer, load: Load) -> None:
    """As one like v5-omni, and a warning says what is assumed."""
    with pytest.warns(UserWarning, match=r"512 inputs per request, 8192 tokens.*image and mixed"):
        embedder = load("jina-embeddings-v6")

    assert embedder.embed_query("a text").shape == (1024,)
    assert server.requests[0].json["task"] == "retrieval.query"


@pytest.mark.parametrize("name", ["JINA_API_KEY", "JINAAI_API_KEY", "JINA_AUTH_TOKEN"])
def test_a_key_by_any_of_its_names(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch, key: str, name: str
) -> None:
    """Jina's own, LlamaIndex's, LangChain's; with the address in JINA_BASE_URL."""
    monkeypatch.setenv(name, key)
    monkeypatch.setenv("JINA_BASE_URL", f"{server.url}/v1")
    with load_embedder("jina:jina-embeddings-v3") as embedder:
        embedder.embed_query("a text")

    assert server.requests[0].request.headers["authorization"] == f"Bearer {key}"


def test_a_key_of_another_vendor() -> None:
    """Refused before anything is sent, with what to set."""
    with pytest.raises(AuthenticationError, match="one of OpenAI, and Jina's server") as caught:
        load_embedder("jina:jina-embeddings-v3", api_key="sk-" + "x" * 30).embed_query("a text")

    assert "JINA_API_KEY" in (caught.value.hint or "")


def test_the_readme_explains_every_option() -> None:
    """A table names each that is not of every model."""
    readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    own = JinaOptions.model_fields.keys() - ModelOptions.model_fields.keys()

    assert [name for name in sorted(own) if f"| `{name}` |" not in readme] == []
