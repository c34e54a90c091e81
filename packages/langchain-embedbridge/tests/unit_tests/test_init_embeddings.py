"""`init_embeddings` understands what LangChain's own understands, for every provider of ours."""

from typing import Any

import pytest

from embedbridge.contract import (
    ConfigurationError,
    InvalidOptionError,
    UnknownProviderError,
)
from langchain_embedbridge import init_embeddings


@pytest.mark.parametrize(
    ("arguments", "options", "model"),
    [
        (("fake:small",), {}, "fake:small"),
        (("fake:text",), {}, "fake:text"),
        (("fake",), {}, "fake:small"),
        (("small",), {"provider": "fake"}, "fake:small"),
        (("fake:small",), {"provider": None}, "fake:small"),
        ((), {"model": "small", "provider": "fake"}, "fake:small"),
        (("name:with:colons",), {"provider": "fake"}, "fake:name:with:colons"),
    ],
)
def test_spellings(arguments: tuple[str, ...], options: dict[str, Any], model: str) -> None:
    """`"provider:model"`, or the name as it is beside `provider=`."""
    assert init_embeddings(*arguments, **options).model == model


def test_options_reach_the_model_and_the_engine() -> None:
    """Whatever else is given is an option."""
    embeddings = init_embeddings("fake:small", dimensions=4, on_empty="zero")

    with pytest.warns(UserWarning, match="made 1 of 1 vectors zeros"):
        assert embeddings.embed_documents([""]) == [[0.0] * 4]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": "nobody:small"}, UnknownProviderError, "Installed: .*fake"),
        ({"model": "small", "provider": "fak"}, UnknownProviderError, "Did you mean 'fake'"),
        ({"model": "small", "provider": "nowhere"}, UnknownProviderError, "nowhere"),
        ({"model": "some/model"}, UnknownProviderError, "huggingface:some/model"),
        ({"model": ""}, ConfigurationError, "provider:model"),
        ({"model": "fake:small", "sed": 3}, InvalidOptionError, "Did you mean 'seed'"),
    ],
)
def test_errors(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    """An error names what is installed, what was meant, or what to type."""
    with pytest.raises(error, match=message):
        init_embeddings(**arguments)
