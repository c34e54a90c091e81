"""The models that are known, the ones that are new, and what the plugins say about them."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from embedbridge.core import Registry, load_embedder
from embedbridge.providers.openai.catalog import CARDS, CURRENT, openai_card

KEY = "sk-" + "x" * 30


@pytest.mark.parametrize(
    ("name", "width", "shorter"),
    [
        ("text-embedding-3-small", 1536, True),
        ("text-embedding-3-large", 3072, True),
        ("text-embedding-ada-002", 1536, False),
    ],
)
def test_models_of_today(name: str, width: int, shorter: bool) -> None:
    """Width, limits and whether they can be shortened, as OpenAI documents them."""
    embedder = load_embedder(f"openai:{name}", api_key=KEY)
    limits = embedder.card.limits

    assert embedder.dimensions == width
    assert embedder.card.allows(256) is shorter
    assert embedder.card.normalized
    assert embedder.space == f"openai:{name}"
    assert (limits.max_items, limits.max_tokens_per_request, limits.max_tokens_per_input) == (
        2048,
        300_000,
        8192,
    )


def test_a_new_model_works_on_the_day_it_appears() -> None:
    """With the API's own limits; its width is seen in the first answer."""
    card = openai_card("text-embedding-4-tiny")

    assert card.dimensions is None
    assert card.limits.max_items == 2048


def test_retired_models_name_their_successor() -> None:
    """A successor is a model of today."""
    retired = [card for card in CARDS if card.retired]

    assert {card.successor for card in retired} == {"text-embedding-3-small"}
    assert len({card.name for card in CARDS}) == len(CARDS) == len(CURRENT) + len(retired)


@pytest.mark.parametrize("name", ["openai", "azure-openai", "openai-compatible"])
def test_each_provider_is_announced(name: str) -> None:
    """Under its own name, with a class of that name."""
    spec = Registry().spec(name)

    assert spec.name == name
    assert len(entry_points(group="embedbridge", name=name)) == 1
