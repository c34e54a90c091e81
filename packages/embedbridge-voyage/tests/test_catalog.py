"""The models that are known, the ones that are new, and what the plugin says about them."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import pytest

from embedbridge.core import load_embedder
from embedbridge.providers.voyage.catalog import CARDS


def space(name: str, **options: Any) -> str:
    return load_embedder(f"voyage:{name}", **options).space


def test_the_fourth_generation_is_one_space() -> None:
    """Documents by the large model, queries by the small one; at each width, and with no other model."""
    family = ("voyage-4-large", "voyage-4", "voyage-4-lite")

    assert len({space(name) for name in family}) == 1
    assert len({space(name, dimensions=256) for name in family}) == 1
    assert space("voyage-4") != space("voyage-4", dimensions=256)
    assert len({card.space for card in CARDS}) == len(CARDS) - 2


def test_atlas_is_the_same_space() -> None:
    """MongoDB's address has Voyage's models; any other server may have its own."""
    assert space("voyage-4", base_url="https://ai.mongodb.com/v1") == "voyage:voyage-4"
    assert space("voyage-4", base_url="https://voyageai.com.evil.example") != "voyage:voyage-4"


@pytest.mark.parametrize(
    ("name", "says", "modalities"),
    [
        ("voyage-9", "1000 inputs per request, 32000 tokens per input, text", ("text",)),
        ("voyage-multimodal-9", "text and image and mixed", ("text", "image", "mixed")),
        ("voyage-context-9", "32000 tokens per input, text", ("text",)),
    ],
)
def test_a_new_model_works_on_the_day_it_appears(
    name: str, says: str, modalities: tuple[str, ...]
) -> None:
    """Its name says which endpoint it has; the tokens per request are those that every model takes."""
    with pytest.warns(UserWarning, match=f"{name}' is not known here. Assumed: .*{says}"):
        card = load_embedder(f"voyage:{name}").card

    assert card.modalities == modalities
    assert card.roles == "field"
    assert not card.truncates


def test_the_provider_is_announced_once() -> None:
    """Under its own name."""
    assert len(entry_points(group="embedbridge", name="voyage")) == 1
