"""The models that are known, the ones that are new, and what the plugin says about them."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import pytest

from embedbridge.core import load_embedder


def space(name: str, **options: Any) -> str:
    return load_embedder(f"mistral:{name}", **options).space


def test_a_name_without_a_date_is_the_newest_model() -> None:
    """One space for both names of the code model, another for texts."""
    assert space("codestral-embed") == space("codestral-embed-2505")
    assert space("codestral-embed") != space("mistral-embed")


@pytest.mark.parametrize("region", ["eu", "us"])
def test_regions_are_one_space(region: str) -> None:
    """The same models answer there; any other server may have its own."""
    usual = space("mistral-embed")

    assert space("mistral-embed", base_url=f"https://api.{region}.mistral.ai/v1") == usual
    assert space("mistral-embed", base_url="https://api.mistral.ai.evil.example") != usual


def test_a_new_model_works_on_the_day_it_appears() -> None:
    """With the limits of all models, and any width."""
    said = "mistral-embed-3' is not known here. Assumed: 256 inputs per request, 8192 tokens"
    with pytest.warns(UserWarning, match=said):
        card = load_embedder("mistral:mistral-embed-3").card

    assert card.allowed_dimensions is None


def test_the_provider_is_announced_once() -> None:
    """Under its own name."""
    assert len(entry_points(group="embedbridge", name="mistral")) == 1
