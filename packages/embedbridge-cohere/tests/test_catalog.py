"""The models that are known, the ones that are new, and what the plugin says about them."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from embedbridge.core import Registry, load_embedder
from embedbridge.providers.cohere.catalog import CARDS, CURRENT, takes_inputs


@pytest.mark.parametrize(
    ("name", "width", "tokens", "images", "mixed"),
    [
        ("embed-v5.0-pro", 2048, 128_000, 96, True),
        ("embed-v5.0-fast", 2048, 128_000, 96, True),
        ("embed-v4.0", 1536, 128_000, 96, True),
        ("embed-english-v3.0", 1024, 512, 1, False),
        ("embed-multilingual-v3.0", 1024, 512, 1, False),
        ("embed-english-light-v3.0", 384, 512, 1, False),
        ("embed-multilingual-light-v3.0", 384, 512, 1, False),
    ],
)
def test_models_of_today(name: str, width: int, tokens: int, images: int, mixed: bool) -> None:
    """Width, limits and modalities, as Cohere documents them."""
    card = load_embedder(f"cohere:{name}").card

    assert (card.dimensions, card.limits.max_tokens_per_input) == (width, tokens)
    assert (card.limits.items("text"), card.limits.items("image")) == (96, images)
    assert ("mixed" in card.modalities) is mixed
    assert takes_inputs(name) is mixed
    assert card.roles == "field"


def test_v5_is_one_space() -> None:
    """Documents by pro, queries by fast; at each width, and with no other model."""

    def space(name: str, dimensions: int | None = None) -> str:
        return load_embedder(f"cohere:{name}", dimensions=dimensions).space

    assert space("embed-v5.0-pro") == space("embed-v5.0-fast")
    assert space("embed-v5.0-pro", 512) == space("embed-v5.0-fast", 512)
    assert space("embed-v5.0-pro") != space("embed-v5.0-pro", 512)
    assert len({card.space for card in CURRENT}) == len(CURRENT) - 1


def test_another_address_is_another_space() -> None:
    """What answers there need not be Cohere's model; its own hosts are one."""

    def space(url: str) -> str:
        return load_embedder("cohere:embed-v4.0", base_url=url).space

    assert space("https://api.cohere.ai/v1") == "cohere:embed-v4.0"
    assert space("https://api.cohere.com.evil.example") != "cohere:embed-v4.0"


@pytest.mark.parametrize("name", ["embed-v6.0-mini", "embed-v10.0", "my-tune-ft"])
def test_a_new_model_works_on_the_day_it_appears(name: str) -> None:
    """As one like v4: others refuse every name that they do not know."""
    with pytest.warns(UserWarning, match=f"{name}' is not known here. Assumed: 96 inputs"):
        card = load_embedder(f"cohere:{name}").card

    assert card.dimensions is None
    assert card.modalities == ("text", "image", "mixed")
    assert card.limits.max_items == 96


def test_an_old_name_that_is_not_known() -> None:
    """A fine-tuned v3 has the limits of v3."""
    with pytest.warns(UserWarning, match="512 tokens per input, text and image"):
        card = load_embedder("cohere:acme-embed-english-v3.0").card

    assert card.limits.items("image") == 1
    assert "mixed" not in card.modalities


def test_retired_models_name_their_successor() -> None:
    """A successor is a model of today."""
    retired = [card for card in CARDS if card.retired]

    assert {card.successor for card in retired} <= {card.name for card in CURRENT}
    assert len({card.name for card in CARDS}) == len(CARDS) == len(CURRENT) + len(retired)
    assert len(retired) == 3


def test_the_provider_is_announced_once() -> None:
    """Under its own name."""
    assert Registry().spec("cohere").name == "cohere"
    assert len(entry_points(group="embedbridge", name="cohere")) == 1
