"""Vendors by name: each one's quirks and refusals, played by a server, through core and both frameworks."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pytest

from embedbridge.contract import (
    ConfigurationError,
    EmbedBridgeError,
    InvalidKeyError,
    InvalidOptionError,
    ProviderUnavailableError,
    QuotaExhaustedError,
    RateLimitedError,
    Vectors,
)
from embedbridge.core import load_embedder
from embedbridge.providers.openai.vendors import rows, spec_of
from embedbridge.testing import FaultServer, OpenAIWire, faults, model_error
from embedbridge.testing._http_server import HttpRequest
from embedbridge.testing.wires.format import Asked

KEY = "key-0123456789abcdef0123456789abcdef"
TEXTS = [f"text number {number}" for number in range(200)]


@dataclass(frozen=True, kw_only=True)
class Quirks:
    """What one vendor's server does, as its documentation and public reports say; not as our row says."""

    model: str
    """What a user writes after the colon."""
    path: str
    """Of its embedding requests."""
    sent: str | None = None
    """The model in the request, if the vendor wants another spelling."""
    most: int | None = None
    """Texts per request."""
    words: str = "batch size {n} > maximum allowed batch size {most}"
    """What it says where there are more."""
    fields: frozenset[str] = frozenset({"model", "input", "encoding_format", "dimensions", "user"})
    """Of a request; any other one is refused."""
    formats: tuple[str, ...] = ("float", "base64")
    """Values of `encoding_format` that are understood; any other one is refused."""
    ignores_format: bool = False
    """Whether numbers come whatever is asked for."""
    needs_key: bool = True


SINGLE = frozenset({"model", "input"})
WITH_WIDTH = frozenset({"model", "input", "dimensions"})
SERVERS = {
    "cloudflare": Quirks(
        model="bge-large-en-v1.5",
        sent="@cf/baai/bge-large-en-v1.5",
        path="/client/v4/accounts/account-1/ai/v1/embeddings",
        most=100,
        ignores_format=True,
    ),
    "dashscope": Quirks(
        model="text-embedding-v4",
        path="/compatible-mode/v1/embeddings",
        most=10,
        words="<400> InternalError.Algo.InvalidParameter: Value error, batch size is invalid, "
        "it should not be larger than {most}.: input.contents",
        formats=("float",),
    ),
    "databricks": Quirks(
        model="databricks-gte-large-en",
        path="/serving-endpoints/embeddings",
        most=150,
        words="Input embeddings size is too large, exceeding {most} limit for databricks-gte-large-en",
        ignores_format=True,
    ),
    "deepinfra": Quirks(model="BAAI/bge-m3", path="/v1/openai/embeddings", most=1024),
    "docker-model-runner": Quirks(
        model="mxbai-embed-large",
        sent="ai/mxbai-embed-large",
        path="/engines/v1/embeddings",
        needs_key=False,
    ),
    "fireworks": Quirks(
        model="qwen3-embedding-8b",
        sent="accounts/fireworks/models/qwen3-embedding-8b",
        path="/inference/v1/embeddings",
    ),
    "infinity": Quirks(model="BAAI/bge-small-en-v1.5", path="/embeddings", needs_key=False),
    "litellm": Quirks(model="my-model", path="/v1/embeddings", needs_key=False),
    "llamacpp": Quirks(model="nomic", path="/v1/embeddings", needs_key=False),
    "lmstudio": Quirks(model="nomic", path="/v1/embeddings", ignores_format=True, needs_key=False),
    "localai": Quirks(model="bert", path="/v1/embeddings", ignores_format=True, needs_key=False),
    "nebius": Quirks(model="Qwen/Qwen3-Embedding-8B", path="/v1/embeddings"),
    "netmind": Quirks(model="BAAI/bge-m3", path="/inference-api/openai/v1/embeddings"),
    "novita": Quirks(model="baai/bge-m3", path="/v3/openai/embeddings"),
    "openrouter": Quirks(model="openai/text-embedding-3-small", path="/api/v1/embeddings"),
    "ovhcloud": Quirks(model="BGE-M3", path="/v1/embeddings"),
    "sambanova": Quirks(
        model="E5-Mistral-7B-Instruct", path="/v1/embeddings", fields=SINGLE, formats=()
    ),
    "scaleway": Quirks(model="qwen3-embedding-8b", path="/v1/embeddings"),
    "siliconflow": Quirks(model="BAAI/bge-m3", path="/v1/embeddings", most=64),
    "together": Quirks(model="BAAI/bge-base-en-v1.5", path="/v1/embeddings", ignores_format=True),
    "vercel": Quirks(model="openai/text-embedding-3-small", path="/v1/embeddings"),
    "vllm": Quirks(model="BAAI/bge-m3", path="/v1/embeddings", needs_key=False),
    "volcengine": Quirks(
        model="doubao-embedding-large",
        path="/api/v3/embeddings",
        fields=SINGLE | {"encoding_format", "user"},
    ),
    "xinference": Quirks(model="bge-m3", path="/v1/embeddings", needs_key=False),
    "zhipu": Quirks(
        model="embedding-3",
        path="/api/paas/v4/embeddings",
        most=64,
        words="input数组最大不得超过64条: the maximum of {most} inputs is exceeded",
        fields=WITH_WIDTH,
    ),
}


class VendorWire(OpenAIWire):
    """OpenAI's format with one vendor's path, limits and refusals."""

    base = ""

    def __init__(self, quirks: Quirks) -> None:
        self._quirks = quirks
        self.endpoint = quirks.path

    def read(self, request: HttpRequest) -> Asked:
        """Refuse what the vendor refuses, in its words."""
        quirks, body = self._quirks, json.loads(request.body)
        for name in sorted(set(body) - quirks.fields):
            raise ValueError(f"Unrecognized request argument supplied: {name}")
        asked = body.get("encoding_format", "float")
        if "encoding_format" in body and asked not in quirks.formats:
            raise ValueError(f"encoding_format '{asked}' is not supported")
        if body["model"] != (quirks.sent or quirks.model):
            raise ValueError(f"The model {body['model']!r} does not exist.")
        if quirks.most is not None and len(body["input"]) > quirks.most:
            raise ValueError(quirks.words.format(n=len(body["input"]), most=quirks.most))
        if quirks.needs_key != bool(request.headers.get("authorization")):
            raise ValueError("There is a key, or none, where it should not be so.")
        if quirks.ignores_format:
            body["encoding_format"] = "float"
        return super().read(replace(request, body=json.dumps(body).encode()))


def in_core(name: str, options: dict[str, Any], texts: Sequence[str]) -> Vectors:
    with load_embedder(name, **options) as embedder:
        return embedder.embed_documents(texts)


def in_llama_index(name: str, options: dict[str, Any], texts: Sequence[str]) -> Vectors:
    from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

    model = EmbedBridgeEmbedding(name, **options)
    try:
        return np.array(model.get_text_embedding_batch(list(texts)), dtype=np.float32)
    finally:
        model.embedder.close()


def in_langchain(name: str, options: dict[str, Any], texts: Sequence[str]) -> Vectors:
    from langchain_embedbridge import EmbedBridgeEmbeddings

    model = EmbedBridgeEmbeddings(model=name, **options)
    try:
        return np.array(model.embed_documents(list(texts)), dtype=np.float32)
    finally:
        model.embedder.close()


Way: TypeAlias = Callable[[str, dict[str, Any], Sequence[str]], Vectors]


@pytest.fixture
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key or address of a developer's own."""
    for name, row in rows().items():
        for variable in spec_of(name, row).variables:
            monkeypatch.delenv(variable, raising=False)


pytestmark = pytest.mark.usefixtures("own_environment")


@pytest.mark.parametrize("way", [in_core, in_llama_index, in_langchain])
@pytest.mark.parametrize("vendor", SERVERS)
def test_a_vendor_works_by_its_name(vendor: str, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right vectors through each framework, with the key from its variable and the host alone as address.

    What a row knows is never refused: a request is answered, or refused once for a field that the
    server does not know.
    """
    quirks, row = SERVERS[vendor], rows()[vendor]
    if quirks.needs_key:
        monkeypatch.setenv(row.key_variables[0], KEY)
    with FaultServer(wire=VendorWire(quirks), dimensions=16) as server:
        host = server.url
        if row.placeholders:
            host += "/client/v4/accounts/account-1/ai/v1"
        found = way(f"{vendor}:{quirks.model}", {"base_url": host}, TEXTS)
        expected = [server.vector(text, quirks.sent or quirks.model) for text in TEXTS]
        refused = [record.status for record in server.requests if record.status != 200]

    assert np.allclose(found, expected, atol=1e-6)
    assert len(refused) <= 10  # those in flight while it is found out
    assert all(record.request.path == quirks.path for record in server.requests)
    if quirks.most is not None:
        sizes = [len(json.loads(record.request.body)["input"]) for record in server.requests]
        assert max(sizes) <= quirks.most


def test_every_vendor_has_its_server() -> None:
    """A row that no server plays is not proven."""
    assert set(SERVERS) == {name for name, row in rows().items() if not row.closed}


@pytest.mark.parametrize("limit", [7, 64])
def test_a_limit_that_no_row_knows_is_learned(limit: int) -> None:
    """Requests are halved where the server says so, and no text is lost."""
    quirks = replace(SERVERS["openrouter"], most=limit, needs_key=False)
    with FaultServer(wire=VendorWire(quirks), dimensions=16) as server:
        found = in_core(f"vllm:{quirks.model}", {"base_url": f"{server.url}/api/v1"}, TEXTS)

        assert np.allclose(found, [server.vector(text, quirks.model) for text in TEXTS], atol=1e-6)


ADDRESSES = [
    ("together", "https://api.together.xyz", "https://api.together.xyz/v1"),
    ("together", "https://api.together.xyz/", "https://api.together.xyz/v1"),
    ("together", "https://api.together.xyz/v1/", "https://api.together.xyz/v1"),
    ("together", "https://api.together.xyz/v1/embeddings", "https://api.together.xyz/v1"),
    ("together", "https://api.together.xyz/v1/embeddings/", "https://api.together.xyz/v1"),
    ("databricks", "https://w.cloud.databricks.com", "https://w.cloud.databricks.com/serving-endpoints"),
    ("databricks", "https://w.cloud.databricks.com/serving-endpoints", "https://w.cloud.databricks.com/serving-endpoints"),
    ("vllm", "http://gpu:8000", "http://gpu:8000/v1"),
    ("vllm", "http://gpu:8000/my/path", "http://gpu:8000/my/path"),
    ("infinity", "http://localhost:7997/", "http://localhost:7997"),
]  # fmt: skip


@pytest.mark.parametrize(("vendor", "given", "used"), ADDRESSES)
@pytest.mark.parametrize("by", ["option", "variable"])
def test_addresses_as_users_write_them(
    vendor: str, given: str, used: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host alone gets the vendor's path, and a path that is there already is not doubled."""
    variable = rows()[vendor].base_url_variable
    if by == "variable" and variable is None:
        with pytest.raises(InvalidOptionError, match="no option"):
            load_embedder(f"{vendor}:m", url=given)  # only the option is left
        return
    if by == "variable":
        monkeypatch.setenv(variable or "", given)
    options = {"base_url": given} if by == "option" else {}

    assert model_of(f"{vendor}:m", **options).address.url == used


def test_an_address_without_a_scheme_says_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an option and as a variable, which is named."""
    with pytest.raises(InvalidOptionError, match=r"base_url.*must begin with http"):
        load_embedder("vllm:m", base_url="localhost:8000")
    monkeypatch.setenv("DATABRICKS_HOST", "w.cloud.databricks.com")
    with pytest.raises(ConfigurationError, match=r"DATABRICKS_HOST.*must begin with http"):
        load_embedder("databricks:m").embed_query("a text")


def test_a_part_of_the_address_is_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cloudflare's holds the account; without it the error names the variable."""
    with pytest.raises(ConfigurationError, match="Set CLOUDFLARE_ACCOUNT_ID"):
        load_embedder("cloudflare:bge-m3").embed_query("a text")
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", "account-1")

    assert "/accounts/account-1/ai/v1" in model_of("cloudflare:bge-m3").address.url
    elsewhere = model_of("cloudflare:bge-m3", base_url="http://localhost:9")
    assert elsewhere.address.url == "http://localhost:9/client/v4/accounts/account-1/ai/v1"
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", "account 1")
    with pytest.raises(ConfigurationError, match="must not hold white space"):
        load_embedder("cloudflare:bge-m3").embed_query("a text")


KEYS = [
    ("dashscope", "sk-" + "x" * 32, None),
    ("siliconflow", "sk-" + "x" * 48, None),
    ("together", "tgp_v1_" + "x" * 40, None),
    ("together", "a1b2" * 16, None),
    ("fireworks", "fw_" + "x" * 24, None),
    ("openrouter", "sk-or-v1-" + "x" * 40, None),
    ("dashscope", "sk-proj-" + "x" * 40, "looks like one of OpenAI"),
    ("dashscope", "sk-or-v1-" + "x" * 40, "looks like one of OpenRouter"),
    ("openrouter", "sk-" + "x" * 48, "looks like one of OpenAI"),
    ("together", "fw_" + "x" * 24, "looks like one of Fireworks"),
    ("deepinfra", "sk-" + "x" * 48, "looks like one of OpenAI"),
    ("nebius", "short", "has only 5 characters"),
]


@pytest.mark.parametrize(("vendor", "key", "problem"), KEYS)
def test_a_key_of_another_vendor_is_not_sent(vendor: str, key: str, problem: str | None) -> None:
    """Many vendors hand out keys with `sk-`; each row says whether such a key may be its own."""
    model = model_of(f"{vendor}:m", api_key=key)
    if problem is None:
        assert key not in repr(model._open())
        return
    with pytest.raises(InvalidKeyError, match=problem) as caught:
        model._open()
    assert key not in str(caught.value) or key == "short"


@pytest.mark.parametrize(
    ("key", "problem"),
    [("dapi" + "0" * 32, None), ("fw_" + "x" * 24, "looks like one of Fireworks")],
)
def test_a_workspace_is_the_vendors_own_server(key: str, problem: str | None) -> None:
    """Keys are checked there too, although each workspace has models of its own."""
    model = model_of("databricks:m", api_key=key, base_url="https://w.cloud.databricks.com")
    assert not model.at_home
    if problem is None:
        model._open()
        return
    with pytest.raises(InvalidKeyError, match=problem):
        model._open()


def test_no_key_is_said_before_anything_is_sent() -> None:
    """With the variable to set."""
    with pytest.raises(InvalidKeyError, match="Set TOGETHER_API_KEY"):
        load_embedder("together:m").embed_query("a text")


def test_openais_own_key_goes_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even to a server on this machine, which needs none."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-" + "x" * 40)
    quirks = SERVERS["vllm"]
    with FaultServer(wire=VendorWire(quirks), dimensions=16) as server:
        in_core(f"vllm:{quirks.model}", {"base_url": server.url}, ["a text"])

    assert "authorization" not in server.requests[0].request.headers


def test_a_server_on_this_machine_that_does_not_run_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What to start, and how to name another address; a proxy has no say."""
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    with (
        pytest.raises(ProviderUnavailableError, match=r"127\.0\.0\.1:9.*Start LM Studio") as caught,
        load_embedder("lmstudio:m", base_url="http://127.0.0.1:9/v1", max_attempts=1) as embedder,
    ):
        embedder.embed_query("a text")

    assert "LM_STUDIO_API_BASE" in str(caught.value)


def test_spaces_tell_servers_apart() -> None:
    """A vendor's model is one model; a server of the user's has models of its own."""
    addresses: list[tuple[str, dict[str, Any]]] = [
        ("together:BAAI/bge-m3", {}),
        ("nebius:m", {"base_url": "https://api.studio.nebius.ai/v1"}),
        ("nebius:m", {"base_url": "https://gateway.example/v1"}),
        ("vllm:m", {}),
        ("databricks:m", {"base_url": "https://w.cloud.databricks.com"}),
    ]
    spaces = [load_embedder(name, **options).space for name, options in addresses]

    assert spaces == [
        "together:BAAI/bge-m3",
        "nebius:m",
        "m@gateway.example/v1",
        "m@localhost:8000/v1",
        "m@w.cloud.databricks.com/serving-endpoints",
    ]


def test_the_prefix_of_a_name_may_be_left_out() -> None:
    """Both spellings are one model, with one space and one fingerprint."""
    short, full = (
        load_embedder(f"fireworks:{name}")
        for name in ("qwen3-embedding-8b", "accounts/fireworks/models/qwen3-embedding-8b")
    )

    assert (short.space, short.fingerprint) == (full.space, full.fingerprint)


def test_a_model_travels_to_another_process() -> None:
    """Its class is made from a row, and its key stays here."""
    embedder = load_embedder("together:m", api_key=KEY, dimensions=8)
    pickled = pickle.dumps(embedder)
    there = pickle.loads(pickled)

    assert KEY.encode() not in pickled
    assert there.to_config() == embedder.to_config()
    assert there.fingerprint == embedder.fingerprint


def test_width_is_shortened_here_where_the_field_is_not_known() -> None:
    """No request has the field, and vectors have the width that was asked for."""
    quirks = SERVERS["sambanova"]
    with FaultServer(wire=VendorWire(quirks), dimensions=16) as server:
        options = {"base_url": server.url, "api_key": KEY, "dimensions": 4, "normalize": True}
        found = in_core(f"sambanova:{quirks.model}", options, ["a text"])

        assert "dimensions" not in server.requests[0].json
    assert found.shape == (1, 4)
    assert np.allclose(np.linalg.norm(found, axis=1), 1)


def test_a_service_that_has_ended_says_so() -> None:
    """Before anything is sent, and with the day."""
    with pytest.raises(ConfigurationError, match="GitHub Models ended its service on 2026-07-30"):
        load_embedder("github-models:openai/text-embedding-3-small")


def said(code: str, message: str = "Sorry.") -> dict[str, object]:
    """A refusal of a server that speaks OpenAI's format."""
    return {"error": {"code": code, "message": message, "type": code, "param": None}}


TOO_FAST = said("insufficient_quota", "You exceeded your current quota, please check your plan.")
"""DashScope's words for too many tokens per minute, and OpenAI's for an account without credit."""


@pytest.mark.parametrize(
    ("vendor", "status", "body", "expected"),
    [
        ("dashscope", 429, TOO_FAST, RateLimitedError),
        ("dashscope", 429, said("limit_requests"), RateLimitedError),
        ("dashscope", 400, said("Arrearage", "Access denied."), QuotaExhaustedError),
        ("together", 429, TOO_FAST, QuotaExhaustedError),
        ("zhipu", 429, {"error": {"code": "1113", "message": "余额不足"}}, QuotaExhaustedError),
        ("zhipu", 429, {"error": {"code": "1302", "message": "并发数过高"}}, RateLimitedError),
    ],
)
def test_what_a_vendors_codes_mean(
    vendor: str, status: int, body: object, expected: type[EmbedBridgeError]
) -> None:
    """The same code may be a rate with one vendor, and an empty account with another."""
    with FaultServer(wire=VendorWire(SERVERS[vendor]), dimensions=16) as server:
        server.always(faults.reply(status, body))
        options: dict[str, Any] = {"base_url": server.url, "api_key": KEY, "max_attempts": 1}
        with load_embedder(f"{vendor}:{SERVERS[vendor].model}", **options) as embedder:
            assert type(model_error(embedder)) is expected


def test_a_rate_of_dashscopes_is_waited_for() -> None:
    """The job goes on with the next minute."""
    with FaultServer(wire=VendorWire(SERVERS["dashscope"]), dimensions=16) as server:
        server.play(faults.reply(429, TOO_FAST, headers={"Retry-After": "0"}))
        found = in_core(
            "dashscope:text-embedding-v4", {"base_url": server.url, "api_key": KEY}, ["a text"]
        )

        assert np.allclose(found, [server.vector("a text", "text-embedding-v4")], atol=1e-6)


@pytest.mark.parametrize("on_too_long", ["truncate", "error"])
@pytest.mark.parametrize("vendor", ["dashscope", "zhipu"])
def test_a_text_that_may_be_too_long_is_tried(vendor: str, on_too_long: str) -> None:
    """A vendor that names its limit refuses more: what it answers is whole, whatever we had estimated."""
    limit = rows()[vendor].max_tokens_per_input or 0
    quirks = SERVERS[vendor]
    fits = "Fahrkarten " * (limit // 2)
    with FaultServer(wire=VendorWire(quirks), dimensions=16) as server:
        server.always(faults.too_long(limit))
        options: dict[str, Any] = {
            "base_url": server.url,
            "api_key": KEY,
            "on_too_long": on_too_long,
        }
        with load_embedder(f"{vendor}:{quirks.model}", **options, errors="collect") as embedder:
            estimated = embedder.explain(fits, "document").tokens or 0
            found = embedder.embed([fits, "short", "word " * 2 * limit], role="document")

        assert np.allclose(found.vectors[0], server.vector(fits, quirks.model), atol=1e-6)
    assert limit < estimated < 3 * limit
    assert found.truncated.tolist() == [False, False, on_too_long == "truncate"]
    assert list(found.errors) == ([] if on_too_long == "truncate" else [2])


def model_of(name: str, **options: Any) -> Any:
    """The model behind an embedder."""
    return load_embedder(name, **options).model
