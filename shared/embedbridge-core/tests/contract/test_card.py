"""A card answers what a model can do."""

import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from embedbridge.contract import ConfigurationError, EmbeddingModel, Limits, ModelCard, Role
from embedbridge.testing import FakeModel


@pytest.mark.parametrize(
    ("card", "allowed", "refused"),
    [
        pytest.param(ModelCard(name="m", dimensions=8), [8], [4, 0, -1, 9], id="only its own"),
        pytest.param(
            ModelCard(name="m", dimensions=8, allowed_dimensions=(2, 4)),
            [2, 4, 8],
            [3, 16, 0],
            id="a list",
        ),
        pytest.param(
            ModelCard(name="m", dimensions=8, allowed_dimensions=None),
            [1, 7, 8],
            [9, 0, -1],
            id="any smaller one",
        ),
        pytest.param(
            ModelCard(name="m", allowed_dimensions=None), [1, 10_000], [0, -1], id="unknown width"
        ),
        pytest.param(ModelCard(name="m"), [], [8, 0], id="unknown model"),
    ],
)
def test_a_card_knows_the_widths_it_can_make(
    card: ModelCard, allowed: list[int], refused: list[int]
) -> None:
    """Its own, a list of others, or any smaller one."""
    assert all(map(card.allows, allowed))
    assert not any(map(card.allows, refused))


def test_a_modality_may_have_a_limit_of_its_own() -> None:
    """Vendors take fewer images than texts in one request."""
    limits = Limits(max_items=32, max_items_by_modality={"image": 4})

    assert (limits.items("text"), limits.items("image")) == (32, 4)


@pytest.mark.parametrize(
    ("own", "tokens", "read"),
    [(512, None, 512), (512, 100, 100), (512, 1000, 512), (None, 100, 100), (None, None, None)],
)
def test_a_text_is_read_up_to_the_smaller_limit(
    own: int | None, tokens: int | None, read: int | None
) -> None:
    """The model's own, or that of an option; nothing else changes."""
    limits = Limits(max_items=7, max_tokens_per_input=own)

    assert limits.reading(tokens) == replace(limits, max_tokens_per_input=read)


def test_a_role_may_have_a_length_of_its_own() -> None:
    """Some models read less of a query than of a document; the rest of the card is the same."""
    both: dict[Role, int | None] = {"query": 8, "document": None}
    card = ModelCard(name="two", limits=Limits(max_items=7, max_tokens_by_role=both))
    plain = ModelCard(name="one", limits=Limits(max_tokens_per_input=9))

    assert card.for_role("query").limits == Limits(max_items=7, max_tokens_per_input=8)
    assert card.for_role("document").limits == Limits(max_items=7)
    assert plain.for_role("query") is plain
    assert card.limits.reading(6).max_tokens_by_role == {"query": 6, "document": 6}
    assert card.limits.reading(20).max_tokens_by_role == {"query": 8, "document": 20}


def test_an_unknown_model_has_conservative_limits() -> None:
    """A vendor's newest model works on the day it appears, in small requests."""
    card = FakeModel("brand-new").card

    assert card.name == "brand-new"
    assert card.limits.max_items is not None
    assert card.limits.max_items <= 32


def test_cards_cost_nothing_to_import() -> None:
    """Plugins load `card` and `hooks` in every process: neither NumPy nor pydantic comes along."""
    code = (
        "import sys; import embedbridge.contract.card, embedbridge.contract.hooks;"
        "from embedbridge.contract import Limits, ModelCard, ProviderSpec, hookimpl;"
        "print([name for name in ('numpy', 'pydantic', 'asyncio') if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "[]"


def test_a_model_must_say_how_it_embeds() -> None:
    """A subclass without `embed_batch` cannot be made."""

    class Empty(EmbeddingModel):
        provider = "empty"

    with pytest.raises(TypeError, match="embed_batch"):
        Empty("m")  # type: ignore[abstract]  # that is the point


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"roles": "prefixes"}, "roles='prefixes'. There are: field, prefix, none."),
        ({"roles": "Field"}, "roles='Field'. There are: field, prefix, none."),
        (
            {"roles": "prefix", "prompts": {"search_query": "q: ", "passage": "p: "}},
            "prompts for 'search_query', 'passage', which no input is embedded as. There are: query,",
        ),
        ({"prompts": {"query": "q: "}}, 'prompts, and roles="none".'),
    ],
)
def test_a_card_refuses_what_would_be_left_out(fields: dict[str, Any], said: str) -> None:
    """Bare texts, or prompts where the card has no roles, would be vectors of something else."""
    with pytest.raises(ConfigurationError, match=re.escape(f"The card of 'm' has {said}")):
        ModelCard(name="m", **fields)

    with pytest.raises(ConfigurationError):
        replace(ModelCard(name="m"), **fields)


@pytest.mark.parametrize("roles", ["prefix", "field"])
def test_a_card_may_have_prompts_for_roles_and_tasks(roles: Any) -> None:
    """Also beside a field: a server that is told one role may be without a word for the other."""
    prompts = {"query": "q: ", "document": "p: ", "clustering": "c: "}

    assert ModelCard(name="m", roles=roles, prompts=prompts).prompts == prompts
