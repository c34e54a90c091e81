"""Secrets: no key in anything that is shown, logged, written down, raised or announced."""

from __future__ import annotations

import json
import logging
import os
import pickle
import re
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from embedbridge.contract import EmbedBridgeError, EmbeddingModel, Event, hookimpl
from embedbridge.core import Embedder
from embedbridge.testing.contract.applies import Need, asked_where
from embedbridge.testing.contract.base import ContractBase
from embedbridge.testing.contract.comparing import twin
from embedbridge.testing.contract.material import TEXTS
from embedbridge.testing.contract.watching import replaced
from embedbridge.testing.leaks import leaks

SECRET_VARIABLE = re.compile(r"KEY|TOKEN|SECRET|PASSWORD")
MIN_LENGTH = 12
"""Characters of an environment variable's value that make it worth looking for."""


SECRETS = Need("the model has no secrets", "embedder", lambda embedder: bool(_secrets(embedder)))


class SecretChecks(ContractBase):
    """Asked where an option is a `SecretStr`, or the environment holds a key."""

    @asked_where(SECRETS)
    def test_secrets_stay_secret(self, embedder: Embedder) -> None:
        """No key in repr, str, configuration, pickle or fingerprint, in any usual encoding.

        If this fails, make the option a `SecretStr`, and never interpolate it.
        """
        secrets = _secrets(embedder)
        model = embedder.model
        surfaces = {
            "repr": repr(embedder) + repr(model) + repr(model.options),
            "str": str(embedder) + str(model) + str(model.options),
            "config": str(embedder.to_config()) + str(model.options.public()),
            "pickle": pickle.dumps(embedder).decode("latin-1") + str(pickle.dumps(model)),
            "identity": json.dumps(dict(model.identity()), default=str) + embedder.space,
            "endpoint": repr(model.endpoint),
        }

        _expect_no_leaks(surfaces, secrets)

    @asked_where(SECRETS)
    def test_secrets_stay_out_of_events_and_logs(
        self, embedder: Embedder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """No key in an event or in a log, even when everything is logged.

        If this fails, the model or its library logs requests with their headers.
        """
        secrets = _secrets(embedder)
        heard: list[str] = []

        class Listener:
            @hookimpl
            def embedbridge_event(self, event: Event) -> None:
                heard.append(repr(event))

        with caplog.at_level(logging.DEBUG):
            embedder.using(listeners=[Listener()]).embed_documents(TEXTS)

        _expect_no_leaks({"events": "".join(heard), "logs": caplog.text}, secrets)

    @asked_where(SECRETS)
    def test_secrets_stay_out_of_errors(self, embedder: Embedder) -> None:
        """No key in an exception: not in that of a job that failed, nor in that of a bad option.

        If this fails, a message shows an option's value, or the model's state.
        """
        secrets = _secrets(embedder)

        def broken(_: Any) -> Any:
            raise RuntimeError(f"failed in {embedder.model!r} with {embedder.model.options!r}")

        with replaced(embedder.model, broken), pytest.raises(EmbedBridgeError) as caught:
            embedder.embed_query(TEXTS[0])
        surfaces = {"a job's error": "".join(traceback.format_exception(caught.value))}
        for name in _secret_fields(embedder.model):
            with pytest.raises(EmbedBridgeError) as caught:
                twin(embedder, **{name: [secrets[0]]})
            surfaces[f"the error of {name}"] = str(caught.value)

        _expect_no_leaks(surfaces, secrets)


def _expect_no_leaks(surfaces: dict[str, str], secrets: list[str]) -> None:
    found = [surface for surface, text in surfaces.items() if leaks(text, secrets)]
    assert not found, f"A key leaks in: {', '.join(sorted(found))}"


def _secrets(embedder: Embedder) -> list[str]:
    """The keys of the options, and those of the environment that a model may have read."""
    found = option_secrets(embedder.model)
    for name, value in os.environ.items():
        if SECRET_VARIABLE.search(name) and len(value) >= MIN_LENGTH and os.sep not in value:
            found.append(value)
    return found


def option_secrets(model: EmbeddingModel) -> list[str]:
    """The keys among a model's options, also in lists and mappings of them."""
    return list(_within(model.options))


def _secret_fields(model: EmbeddingModel) -> list[str]:
    fields = type(model.options).model_fields
    secret = (SecretStr, SecretBytes)
    return [name for name in fields if isinstance(getattr(model.options, name), secret)]


def _within(value: object) -> Iterator[str]:
    if isinstance(value, SecretBytes):
        yield value.get_secret_value().decode(errors="replace")
    elif isinstance(value, SecretStr | Secret):
        yield str(value.get_secret_value())
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _within(getattr(value, name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _within(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _within(each)
