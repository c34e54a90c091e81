"""Secrets within an object of somebody else are found wherever they lie: no pickle may hold one."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, PrivateAttr, SecretBytes, SecretStr

from embedbridge.contract import ConfigurationError, EmbedBridgeError
from embedbridge.core.bridge import from_documents_and_queries as from_object
from embedbridge.core.bridge.introspect import secrets_of

KEY = "canary-5f0c9e8b7a6d4c3b2a190817"


class Nested(BaseModel):
    region: str = "eu-central-1"
    api_key: str = ""
    anything: Any = None


@dataclass(slots=True)
class Config:
    token: str = KEY
    names: list[str] = field(default_factory=list)


class Holder(BaseModel):
    model_config = ConfigDict(extra="allow", protected_namespaces=())

    model_name: str = "m-1"
    held: Any = None
    keys: Any = None
    _kept: Any = PrivateAttr(default=None)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise RuntimeError(f"no luck with {KEY}")

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def held_privately(value: object) -> Holder:
    holder = Holder()
    holder._kept = value
    return holder


HOLDERS = {
    "bytes": Holder(held=SecretBytes(KEY.encode())),
    "model": Holder(held=Nested(api_key=KEY)),
    "model in a list in a model": Holder(held=Nested(anything=[Nested(api_key=KEY)])),
    "list": Holder(held=[SecretStr(KEY)]),
    "tuple": Holder(held=({"deep": (SecretStr(KEY),)},)),
    "set": Holder(held={SecretStr(KEY)}),
    "mapping": Holder(held={1: {"x": SecretBytes(KEY.encode())}}),
    "texts under a name": Holder(keys=["", KEY]),
    "mapping under a name": Holder(keys={"first": {"second": KEY}}),
    "bytes under a name": Holder(keys=KEY.encode()),
    "dataclass": Holder(held=Config()),
    "private": held_privately([Nested(api_key=KEY)]),
    "extra": Holder.model_validate({"openai_api_key": KEY}),
    "private of a model": Holder(held=held_privately(SecretStr(KEY))),
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_a_secret_is_found_at_any_depth(holder: Holder) -> None:
    """Then nothing is pickled, and no message shows it."""
    embedder = from_object(holder)
    with pytest.raises(ConfigurationError, match="holds a secret"):
        pickle.dumps(embedder)
    with pytest.raises(EmbedBridgeError) as raised:
        embedder.embed_query("a text")

    assert secrets_of(holder) == {KEY}
    assert KEY not in str(raised.value)
    assert raised.value.__cause__ is None


def test_what_is_no_secret_is_none() -> None:
    """Texts without such a name, plain headers, vectors that are kept, and objects within themselves."""
    loop: list[Any] = ["a long text of no account"]
    loop.append(loop)
    headers = {"Accept": "application/json", "User-Agent": "somebody's program"}
    holder = Holder(held=[loop, Nested(), Config("", ["a long name"])], keys=[[0.5] * 10_000])

    assert secrets_of(holder) == set()
    assert secrets_of(Nested(anything={"headers": headers})) == set()
