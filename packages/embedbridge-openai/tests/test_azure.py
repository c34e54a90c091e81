"""Azure: addresses, headers and names that differ from OpenAI's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest

from embedbridge.contract import ConfigurationError, InvalidOptionError
from embedbridge.core import Embedder
from embedbridge.testing import FaultServer, faults

Load: TypeAlias = Callable[..., Embedder]

NAME = "azure-openai:text-embedding-3-small"
VERSION = "2024-10-21"


@pytest.fixture
def azure(server: FaultServer, load: Load) -> Load:
    """`load` for the resource that the fault server plays."""

    def load_azure(name: str = NAME, **options: Any) -> Embedder:
        options.setdefault("azure_endpoint", server.url.removesuffix("/v1"))
        if {"azure_ad_token", "azure_ad_token_provider"} & set(options):
            options.setdefault("api_key", None)
        return load(name, **options)

    return load_azure


def last(server: FaultServer) -> Any:
    return server.requests[-1].request


def test_a_dated_version(server: FaultServer, azure: Load, key: str) -> None:
    """The deployment stands in the path, the version in the query, the key in `api-key`."""
    embedder = azure(azure_deployment="my-embeddings", api_version=VERSION)
    found = embedder.embed_query("a text")

    assert last(server).target == (
        f"/openai/deployments/my-embeddings/embeddings?api-version={VERSION}"
    )
    assert last(server).headers["api-key"] == key
    assert "authorization" not in last(server).headers
    assert np.array_equal(found, server.vector("a text", "my-embeddings"))


def test_the_v1_api(server: FaultServer, azure: Load, key: str) -> None:
    """Without a version: the deployment stands in the request, the key is a bearer."""
    azure(azure_deployment="my-embeddings").embed_query("a text")

    assert last(server).target == "/openai/v1/embeddings"
    assert last(server).headers["authorization"] == f"Bearer {key}"
    assert server.requests[0].json["model"] == "my-embeddings"


@pytest.mark.parametrize("tail", ["", "/", "/openai", "/openai/v1/"])
def test_the_address_as_the_portal_shows_it(server: FaultServer, azure: Load, tail: str) -> None:
    """With or without the path of an API."""
    azure(azure_endpoint=server.url.removesuffix("/v1") + tail).embed_query("a text")

    assert last(server).target == "/openai/v1/embeddings"


@pytest.mark.parametrize("path", ["/v1/account/gateway/azure", "/openai/eastus", "/apis/v1/aoai"])
@pytest.mark.parametrize(
    "tail", ["", "/openai", "/openai/deployments/my-embeddings/embeddings", "/openai/v1/"]
)
def test_the_path_of_a_gateway_stays(
    server: FaultServer, azure: Load, path: str, tail: str
) -> None:
    """Only what Azure's portal writes behind it is cut."""
    azure(azure_endpoint=server.url.removesuffix("/v1") + path + tail).embed_query("a text")

    assert last(server).target == f"{path}/openai/v1/embeddings"


@pytest.mark.parametrize("version", [VERSION, None], ids=["dated", "v1"])
@pytest.mark.parametrize("kind", ["token", "provider", "async provider"])
def test_entra_tokens_are_bearers(
    server: FaultServer, azure: Load, version: str | None, kind: str
) -> None:
    """A fixed one, or one that is fetched before each request."""
    token = "eyJhbGciOiJSUzI1NiJ9." + "x" * 40

    async def fetch() -> str:
        return token

    options: dict[str, dict[str, Any]] = {
        "token": {"azure_ad_token": token},
        "provider": {"azure_ad_token_provider": lambda: token},
        "async provider": {"azure_ad_token_provider": fetch},
    }
    azure(api_version=version, **options[kind]).embed_query("a text")

    assert last(server).headers["authorization"] == f"Bearer {token}"
    assert "api-key" not in last(server).headers


def test_the_environment(
    server: FaultServer, load: Load, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Azure's own variables; a token wins over a key, as in the SDK."""
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", server.url.removesuffix("/v1"))
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", key)
    monkeypatch.setenv("OPENAI_API_VERSION", VERSION)
    load(NAME, api_key=None).embed_query("one")
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "token-" + "y" * 30)
    load(NAME, api_key=None).embed_query("two")
    first, second = (record.request.headers for record in server.requests)

    assert first["api-key"] == key
    assert second["authorization"] == "Bearer token-" + "y" * 30
    assert "api-key" not in second


AMBIENT = "X-Team: secret\nAuthorization: Bearer secret\napi-key: secret"


@pytest.mark.parametrize("version", [VERSION, None], ids=["dated", "v1"])
@pytest.mark.parametrize("kind", ["key", "fetched key", "token", "fetched token", "header"])
def test_what_is_meant_for_openai_stays_here(
    server: FaultServer,
    azure: Load,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    version: str | None,
    kind: str,
) -> None:
    """Organization, project and headers in OpenAI's variables; the SDK would send them to Azure too."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", AMBIENT)
    options: dict[str, dict[str, Any]] = {
        "key": {"api_key": key},
        "fetched key": {"api_key": lambda: key},
        "token": {"azure_ad_token": key},
        "fetched token": {"azure_ad_token_provider": lambda: key},
        "header": {"api_key": None, "default_headers": {"Authorization": f"Bearer {key}"}},
    }
    azure(api_version=version, **options[kind]).embed_query("a text")
    headers = last(server).headers

    assert "secret" not in str(headers)
    assert not {"openai-organization", "openai-project", "x-team"} & set(headers)
    assert key in (headers.get("api-key"), headers.get("authorization", "").removeprefix("Bearer "))


@pytest.mark.parametrize("version", [VERSION, None], ids=["dated", "v1"])
@pytest.mark.parametrize("name", ["api-key", "API-Key", "Authorization", "authorization"])
@pytest.mark.parametrize("in_environment", [False, True])
def test_a_header_of_the_users_is_a_credential(
    server: FaultServer,
    azure: Load,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    version: str | None,
    name: str,
    in_environment: bool,
) -> None:
    """Azure's own and the general one; it is sent alone, also where the environment has a key."""
    if in_environment:
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k" * 32)
    options = {"api_key": None, "default_headers": {name: key}, "api_version": version}
    azure(**options).embed_query("a text")
    sent = last(server).headers

    assert {n: v for n, v in sent.items() if n in ("api-key", "authorization")} == {
        name.lower(): key
    }


def test_one_credential(azure: Load) -> None:
    """Two would leave open who asks."""
    with pytest.raises(InvalidOptionError, match="set one of api_key"):
        azure(api_key="k" * 32, azure_ad_token="t" * 32)


def test_an_address_is_needed(load: Load) -> None:
    """Nothing is sent anywhere, and the error says what to set."""
    with pytest.raises(ConfigurationError, match="AZURE_OPENAI_ENDPOINT"):
        load(NAME).embed_query("a text")


@pytest.mark.parametrize(
    ("name", "options", "space"),
    [
        (NAME, {}, "openai:text-embedding-3-small"),
        (NAME, {"azure_deployment": "mine"}, "openai:text-embedding-3-small"),
        (NAME, {"dimensions": 256}, "openai:text-embedding-3-small#256"),
        ("azure-openai:brand-new", {"azure_deployment": "mine"}, "openai:brand-new"),
        ("azure-openai:mine", {}, "mine@resource.openai.azure.com"),
        ("azure-openai:mine", {"space": "openai:brand-new"}, "openai:brand-new"),
    ],
)
def test_the_space_is_openais_where_the_model_is_known(
    azure: Load, name: str, options: dict[str, Any], space: str
) -> None:
    """A deployment's name alone does not say which model it is."""
    endpoint = "https://Resource.openai.azure.com"

    assert azure(name, azure_endpoint=endpoint, **options).space == space


def test_the_deployment_is_part_of_the_fingerprint(azure: Load) -> None:
    """Two deployments may be two versions of a model."""
    one, two = azure(azure_deployment="one"), azure(azure_deployment="two")

    assert one.space == two.space
    assert one.fingerprint != two.fingerprint


def test_a_deployment_that_is_not_there(server: FaultServer, azure: Load) -> None:
    """The hint names it."""
    server.always(faults.status(404, "Not found.", code="DeploymentNotFound"))

    with pytest.raises(LookupError, match="Is there a deployment 'mine'"):
        azure(azure_deployment="mine").embed_query("a text")
