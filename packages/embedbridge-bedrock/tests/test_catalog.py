"""The models that are known, their names, and what the plugin says about them."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from embedbridge.contract import ModelOptions, UnknownModelError
from embedbridge.core import load_embedder
from embedbridge.providers.bedrock import BedrockOptions
from embedbridge.providers.bedrock._families import Cohere, family_of
from embedbridge.providers.bedrock.catalog import CARDS, model_id


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v2:0"),
        ("us.amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v2:0"),
        ("us-gov.amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v2:0"),
        ("global.cohere.embed-v4:0", "cohere.embed-v4:0"),
        ("apac.twelvelabs.marengo-embed-2-7-v1:0", "twelvelabs.marengo-embed-2-7-v1:0"),
        ("amazon.titan-embed-text-v2:0:8k", "amazon.titan-embed-text-v2:0"),
        ("cohere.embed-english-v3:0:512", "cohere.embed-english-v3:0"),
        ("arn:aws:bedrock:us-east-1::foundation-model/cohere.embed-v4:0", "cohere.embed-v4:0"),
        ("arn:aws-cn:bedrock:cn-north-1:1:inference-profile/apac.cohere.embed-v4:0", "cohere.embed-v4:0"),
    ],
)  # fmt: skip
def test_names_of_profiles_and_arns(name: str, own: str) -> None:
    """The model that they stand for is found in them."""
    assert model_id(name) == own


def test_a_profile_has_the_vectors_of_its_model() -> None:
    """The same card, space and fingerprint, whatever area or account answers."""
    plain = load_embedder("bedrock:cohere.embed-v4:0", region="us-east-1")
    arn = "arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc"
    others = [
        load_embedder("bedrock:global.cohere.embed-v4:0", profile="acme"),
        load_embedder("bedrock:cohere.embed-v4:0", inference_profile=arn),
    ]

    assert {each.fingerprint for each in others} == {plain.fingerprint}
    assert {each.space for each in others} == {plain.space} == {"bedrock:cohere.embed-v4:0"}
    assert others[0].card.limits == plain.card.limits


def test_another_server_has_its_own_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is AWS's, through a VPC for example."""
    name = "bedrock:amazon.titan-embed-text-v2:0"
    own = load_embedder(name).space
    vpc = "https://vpce-1-a.bedrock-runtime.us-east-1.vpce.amazonaws.com"

    assert load_embedder(name, base_url=vpc).space == own
    assert load_embedder(name, base_url="https://amazonaws.com.evil.example").space != own
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:4566")
    assert load_embedder(name).space != own


def test_what_changes_a_vector_is_in_the_fingerprint() -> None:
    """And nothing else."""
    name = "bedrock:cohere.embed-v4:0"
    same: list[dict[str, Any]] = [
        {},
        {"timeout": 5.0},
        {"region": "eu-west-1"},
        {"truncate": "END"},
    ]
    others = (
        {"dimensions": 256},
        {"output_type": "int8"},
        {"truncate": "START"},
        {"max_tokens": 9},
    )

    assert len({load_embedder(name, **options).fingerprint for options in same}) == 1
    assert len({load_embedder(name, **options).fingerprint for options in ({}, *others)}) == 5


def test_a_new_version_works_on_the_day_it_appears() -> None:
    """It has the format of the newest that is known; a warning says what is assumed."""
    with pytest.warns(UserWarning, match="not known here. Assumed: 96 inputs per request"):
        card = load_embedder("bedrock:us.cohere.embed-v5:0").card

    assert card.roles == "field"
    assert card.dimensions is None
    assert isinstance(family_of("cohere.embed-v5:0"), Cohere)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("acme.embed-v1", "Names begin with amazon.titan-embed"),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", "pass the ARN as inference_profile"),
    ],
)  # fmt: skip
def test_a_name_without_a_format(name: str, says: str) -> None:
    """Refused at once, with what to write."""
    with pytest.raises(UnknownModelError, match=says):
        load_embedder(f"bedrock:{name}")


def test_every_card_has_a_format() -> None:
    """And the provider is announced once."""
    assert all(family_of(card.name) for card in CARDS)
    assert len(entry_points(group="embedbridge", name="bedrock")) == 1


def test_the_readme_explains_every_option() -> None:
    """A table names each that is not of every model."""
    readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    own = BedrockOptions.model_fields.keys() - ModelOptions.model_fields.keys()

    assert [name for name in sorted(own) if f"| `{name}`" not in readme] == []
