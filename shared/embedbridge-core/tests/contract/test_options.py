"""Options are strict, name the nearest one, and keep secrets to themselves."""

import json
import pickle
import traceback
from typing import Any

import pytest
from pydantic import Field, SecretBytes, SecretStr

from embedbridge.contract import InvalidOptionError, ModelOptions
from embedbridge.contract.options import parse_options
from embedbridge.core import Embedder
from embedbridge.testing import FakeModel
from embedbridge.testing.fakes import FakeOptions

KEY = "sk-0123456789abcdef"


class SecretOptions(FakeOptions):
    api_key: SecretStr | None = None
    raw_key: SecretBytes | None = None
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    keys: list[SecretStr] = Field(default_factory=list)
    endpoint: str = "default"
    client: Any = Field(default=None, exclude=True)


class SecretModel(FakeModel):
    Options = SecretOptions


SECRETS: dict[str, Any] = {
    "api_key": SecretStr(KEY),
    "raw_key": SecretBytes(KEY.encode()),
    "headers": {"x-api-key": SecretStr(KEY)},
    "keys": [SecretStr(KEY)],
}


def parse(**values: Any) -> SecretOptions:
    return parse_options(SecretOptions, values, owner="The test")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("dimension", "dimensions"),
        ("normalise", "normalize"),
        ("query_promt", "query_prompt"),
        ("apikey", "api_key"),
    ],
)
def test_an_unknown_option_names_the_nearest(wrong: str, right: str) -> None:
    """A misspelt option is an error that says what was meant."""
    with pytest.raises(InvalidOptionError, match=f"no option '{wrong}'.*Did you mean '{right}'"):
        parse(**{wrong: "x"})


def test_an_option_like_no_other_lists_what_there_is() -> None:
    """Where nothing is near, the message shows the choice."""
    with pytest.raises(InvalidOptionError, match=r"It takes: api_key, .*dimensions"):
        parse(zzz=1)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"dimensions": "8"}, id="text for a number"),
        pytest.param({"dimensions": 8.0}, id="float for an integer"),
        pytest.param({"dimensions": True}, id="bool for a number"),
        pytest.param({"dimensions": 0}, id="zero"),
        pytest.param({"dimensions": -1}, id="negative"),
        pytest.param({"normalize": 1}, id="number for a bool"),
        pytest.param({"normalize": "yes"}, id="text for a bool"),
        pytest.param({"query_prompt": b"q"}, id="bytes for a text"),
        pytest.param({"space": ""}, id="empty name"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(values: dict[str, Any]) -> None:
    """Nothing is converted behind the user's back; the message names option and owner."""
    (name,) = values

    with pytest.raises(InvalidOptionError, match=rf"Option '{name}' of The test: "):
        parse(**values)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"api_key": [KEY]}, id="in a list"),
        pytest.param({"api_key": {"key": KEY}}, id="in a mapping"),
        pytest.param({"dimensions": KEY}, id="for another option"),
        pytest.param({"headers": {"x": [KEY]}}, id="inside another option"),
        pytest.param({"keys": KEY}, id="not in a list"),
    ],
)
def test_a_refused_value_is_not_shown(values: dict[str, Any]) -> None:
    """A secret that is passed wrongly is in neither the message nor the chained causes."""
    with pytest.raises(InvalidOptionError) as caught:
        parse(**values)

    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("name", list(SECRETS))
@pytest.mark.parametrize(
    "surface",
    [
        pytest.param(lambda model: repr(model.options), id="repr of the options"),
        pytest.param(lambda model: str(model.options), id="str of the options"),
        pytest.param(repr, id="repr of the model"),
        pytest.param(lambda model: repr(model.options.public()), id="public"),
        pytest.param(lambda model: repr(model.options.identity()), id="identity"),
        pytest.param(lambda model: json.dumps(Embedder(model).to_config()), id="configuration"),
        pytest.param(lambda model: pickle.dumps(model).decode("latin-1"), id="pickle"),
        pytest.param(lambda model: pickle.dumps(model.options).decode("latin-1"), id="own pickle"),
        pytest.param(lambda model: pickle.dumps(Embedder(model)).decode("latin-1"), id="embedder"),
    ],
)
def test_a_secret_is_on_no_surface(name: str, surface: Any) -> None:
    """A secret, wherever in an option it is, never leaves the process."""
    model = SecretModel("small", **{name: SECRETS[name]})

    assert KEY not in surface(model)


def test_an_excluded_option_stays_in_the_process() -> None:
    """A client or a connection is neither written down nor part of what a vector is."""
    model = SecretModel("small", client=KEY)

    assert "client" not in model.options.public()
    assert "client" not in model.options.identity()
    assert pickle.loads(pickle.dumps(model)).options.client is None


def test_a_secret_does_not_change_a_fingerprint() -> None:
    """The same model with another key makes the same vectors."""
    plain, keyed = SecretModel("small"), SecretModel("small", **SECRETS)

    assert Embedder(plain).fingerprint == Embedder(keyed).fingerprint


def test_public_options_make_the_same_model_again() -> None:
    """What was set comes back, and nothing that was not set is frozen in."""
    options = parse(dimensions=4, endpoint="default", seed=3)

    assert options.public() == {"dimensions": 4, "endpoint": "default", "seed": 3}
    assert parse(**options.public()) == options


def test_an_explicit_default_is_the_same_identity() -> None:
    """Writing a default down changes no vector, hence no identity."""
    assert parse(seed=0, normalize=None).identity() == parse().identity() == {}


def test_pickled_options_are_the_same_but_for_secrets() -> None:
    """Options travel with everything that may."""
    arrived = pickle.loads(pickle.dumps(parse(dimensions=4, **SECRETS)))

    assert arrived == parse(dimensions=4)


def test_options_do_not_change() -> None:
    """A model's options are frozen: its fingerprint stays true."""
    options: ModelOptions = parse(dimensions=4)

    with pytest.raises(ValueError, match="frozen"):
        options.dimensions = 5
