"""Credentials from every source: the right request, or an error that names the source and the remedy."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import pytest

from embedbridge.contract import (
    AuthenticationError,
    Batch,
    ConfigurationError,
    EmbedBridgeError,
    MissingDependencyError,
)
from embedbridge.contract.remote import Secrets
from embedbridge.core import Embedder
from embedbridge.providers.bedrock import BedrockModel, BedrockOptions
from embedbridge.providers.bedrock._access import Access, find_access
from embedbridge.testing import Exchange, Fault, FaultServer
from embedbridge.testing.leaks import everything_about, leaks

from .fake_aws import (  # type: ignore[import-not-found]  # the folder is no package
    CANARY,
    ROLE,
    FakeAws,
    key_id,
    secret,
    token,
    write_profile,
)

Load: TypeAlias = Callable[..., Embedder]

SSO_URL = "https://acme.awsapps.com/start"
TEXTS = [f"text {number}" for number in range(12)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where the sources of credentials are set up."""

    patch: pytest.MonkeyPatch
    """Its environment."""
    aws: FakeAws
    """What its network leads to."""
    home: Path
    """Its home folder, with AWS's files."""


Source: TypeAlias = Callable[[Machine], None]


def environment(here: Machine) -> None:
    here.patch.setenv("AWS_ACCESS_KEY_ID", key_id(1))
    here.patch.setenv("AWS_SECRET_ACCESS_KEY", secret(1))
    here.patch.setenv("AWS_SESSION_TOKEN", token(1))


def profile(here: Machine) -> None:
    here.patch.setenv("AWS_PROFILE", "acme")
    write_profile(here.home, 1, "acme")


def process(here: Machine) -> None:
    curl = f"python -c \"import urllib.request as r; print(r.urlopen('{here.aws.url}/container').read().decode().replace('Token', 'SessionToken').replace('{{', '{{\\\"Version\\\": 1, ', 1))\""
    (here.home / "config").write_text(f"[default]\ncredential_process = {curl}\n")


def sso(here: Machine) -> None:
    sso_without_login(here)
    cache = here.home / "sso"
    cache.mkdir()
    until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    login = {"accessToken": f"login{CANARY}", "expiresAt": until, "startUrl": SSO_URL}
    name = hashlib.sha1(SSO_URL.encode()).hexdigest()  # botocore's own name
    (cache / f"{name}.json").write_text(json.dumps(login))


def sso_without_login(here: Machine) -> None:
    here.patch.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", here.home / "sso")
    here.patch.setenv("AWS_ENDPOINT_URL_SSO", here.aws.url)
    (here.home / "config").write_text(
        f"[default]\nsso_start_url = {SSO_URL}\nsso_region = us-east-1\n"
        "sso_account_id = 123456789012\nsso_role_name = embedder\n"
    )


def web_identity(here: Machine) -> None:
    (here.home / "token").write_text(f"web{CANARY}")
    web_identity_without_token(here)


def web_identity_without_token(here: Machine) -> None:
    here.patch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(here.home / "token"))
    here.patch.setenv("AWS_ROLE_ARN", ROLE)
    here.patch.setenv("AWS_ENDPOINT_URL_STS", here.aws.url)


def container(here: Machine) -> None:
    here.patch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{here.aws.url}/container")
    # botocore waits this long between three attempts.
    here.patch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)


def instance(here: Machine) -> None:
    here.patch.delenv("AWS_EC2_METADATA_DISABLED")
    here.patch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"{here.aws.url}/")


FIXED = {"environment": environment, "profile": profile}
"""What botocore cannot refresh."""
REFRESHED = {
    "process": process,
    "sso": sso,
    "web identity": web_identity,
    "container": container,
    "instance": instance,
}
"""What hands out others when it is asked again."""
EVERY: dict[str, Source] = {**FIXED, **REFRESHED}
NAMED = {
    "environment": "the environment .AWS_ACCESS_KEY_ID.*Set AWS_ACCESS_KEY_ID",
    "profile": "profile 'acme' in the credentials file.*aws configure --profile acme",
    "process": "credential_process of profile 'default'.*Run that command",
    "sso": "SSO .profile 'default'.*aws sso login --profile default",
    "web identity": "web identity .AWS_WEB_IDENTITY_TOKEN_FILE.*role trusts",
    "container": "container's endpoint.*task or pod has a role",
    "instance": "metadata of the instance.*instance profile",
}
"""What an error says about the source, and then about the remedy."""


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    with FakeAws() as aws:
        yield aws


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, aws: FakeAws, tmp_path: Path) -> Machine:
    return Machine(patch=monkeypatch, aws=aws, home=tmp_path)


@pytest.fixture
def ask(load: Load, monkeypatch: pytest.MonkeyPatch) -> Load:
    """A model without a bearer key, in a region."""
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    return lambda **options: load(**{"api_key": None, **options})


def signers(server: FaultServer) -> list[str]:
    """The access key IDs of the requests."""
    sent = [record.request.headers["authorization"] for record in server.requests]
    return [each.partition("Credential=")[2].partition("/")[0] for each in sent]


def expires(number: int, *, after: int, then: Callable[[], object] = int) -> Fault:
    """Credentials that are refused as expired after some requests."""
    served = [0]

    async def play(exchange: Exchange) -> None:
        with_them = key_id(number) in exchange.request.headers.get("authorization", "")
        if with_them and served[0] >= after:
            then()
            said = "The security token included in the request is expired"
            await exchange.refuse(403, said, code="ExpiredTokenException")
        else:
            served[0] += 1
            await exchange.answer()

    return Fault("expired", play)


@pytest.mark.parametrize("source", EVERY)
def test_a_source_that_works(server: FaultServer, machine: Machine, ask: Load, source: str) -> None:
    """Every request is signed with what the source gave, and it is asked once."""
    EVERY[source](machine)
    assert ask().embed_documents(TEXTS).shape == (12, 1024)
    (sent,) = {record.request.headers["x-amz-security-token"] for record in server.requests}

    assert set(signers(server)) == {key_id(1)}
    assert sent == token(1)
    assert machine.aws.given == (source in REFRESHED)
    assert all("/eu-central-1/bedrock/aws4_request" in r.request.headers["authorization"] for r in server.requests)  # fmt: skip


@pytest.mark.parametrize("source", EVERY)
def test_a_limiter_changes_nothing(
    server: FaultServer, machine: Machine, ask: Load, source: str
) -> None:
    """A job that opens the client before its turn comes is signed like any other, and so is the next."""
    EVERY[source](machine)
    embedder = ask(requests_per_minute=60_000)
    embedder.embed_documents(TEXTS[:2])
    embedder.close()
    embedder.embed_query("after closing")

    assert set(signers(server)) <= {key_id(1), key_id(2)}
    assert len(server.requests) == 3
    assert machine.aws.given == 2 * (source in REFRESHED)


@pytest.mark.asyncio
async def test_no_client_is_opened_without_credentials(server: FaultServer, ask: Load) -> None:
    """`aopen` says what is missing; a client that signs nothing is never made."""
    model = ask().model
    with pytest.raises(AuthenticationError, match="No credentials for AWS"):
        await model.aopen()


@pytest.mark.parametrize("source", REFRESHED)
def test_credentials_that_expire_in_the_middle_of_a_job(
    server: FaultServer, machine: Machine, ask: Load, source: str
) -> None:
    """They are replaced once, however many requests are refused, and no text is lost."""
    EVERY[source](machine)
    server.always(expires(1, after=3))
    assert ask().embed_documents(TEXTS).shape == (12, 1024)
    found = signers(server)

    assert machine.aws.given == 2
    assert found.count(key_id(2)) == 12 - 3
    assert found.count(key_id(1)) <= 3 + 8  # eight are in flight


@pytest.mark.parametrize("source", ["sso", "web identity", "container"])
def test_credentials_are_refreshed_before_they_expire(
    server: FaultServer, machine: Machine, ask: Load, source: str
) -> None:
    """What ends within minutes is replaced before it is used: no request is refused for it."""
    machine.aws.lives_for = timedelta(minutes=4)
    EVERY[source](machine)
    ask(max_concurrency=1).embed_documents(TEXTS[:3])

    assert len(server.requests) == 3
    assert machine.aws.given >= 3


def test_a_profile_that_is_written_anew(server: FaultServer, ask: Load, machine: Machine) -> None:
    """As tools for logging in do: the file is read once more before a job is given up."""
    profile(machine)
    server.always(expires(1, after=3, then=lambda: write_profile(machine.home, 2, "acme")))

    assert ask().embed_documents(TEXTS).shape == (12, 1024)
    assert set(signers(server)) == {key_id(1), key_id(2)}


@pytest.mark.parametrize("source", FIXED)
def test_expired_credentials_that_cannot_be_replaced(
    server: FaultServer, machine: Machine, ask: Load, source: str
) -> None:
    """The error names the source and the remedy; nothing is sent twice with the same ones."""
    FIXED[source](machine)
    server.always(expires(1, after=3))
    with pytest.raises(AuthenticationError, match=NAMED[source]) as caught:
        ask(max_concurrency=1).embed_documents(TEXTS)

    assert len(server.requests) == 4
    assert "expired" in str(caught.value)
    assert leaks(everything_about(caught.value), [secret(1), token(1)]) == []


@pytest.mark.parametrize("source", EVERY)
def test_credentials_that_are_refused(
    server: FaultServer, machine: Machine, ask: Load, source: str
) -> None:
    """One request, and an error that names the source and the remedy."""
    EVERY[source](machine)

    async def play(exchange: Exchange) -> None:
        said = "The security token included in the request is invalid."
        await exchange.refuse(403, said, code="UnrecognizedClientException")

    server.always(Fault("invalid", play))
    with pytest.raises(AuthenticationError, match=NAMED[source]):
        ask().embed_query("x")

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("source", "given", "status"),
    [
        ("process", process, 500),
        ("sso", sso, 401),
        ("sso", sso_without_login, 200),
        ("web identity", web_identity, 403),
        ("web identity", web_identity_without_token, 200),
        ("container", container, 404),
    ],
)
def test_a_source_that_fails(
    server: FaultServer, machine: Machine, ask: Load, source: str, given: Source, status: int
) -> None:
    """It is named with its remedy, and nothing is sent to Bedrock; no other source is tried instead."""
    given(machine)
    machine.aws.status = status
    with pytest.raises(AuthenticationError, match=NAMED[source]) as caught:
        ask(max_attempts=1).embed_documents(TEXTS)

    assert not server.requests
    assert leaks(everything_about(caught.value), [f"login{CANARY}", f"web{CANARY}"]) == []


def test_no_credentials_at_all(server: FaultServer, machine: Machine, ask: Load) -> None:
    """An instance without a role gives none; the error says what can be done."""
    instance(machine)
    machine.aws.status = 404
    with pytest.raises(AuthenticationError, match=r"No credentials.*aws sso login.*AWS_BEARER"):
        ask().embed_documents(TEXTS)

    assert not server.requests


def test_half_of_the_credentials(ask: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the options or in the environment."""
    with pytest.raises(AuthenticationError, match="Half of the credentials"):
        ask(aws_access_key_id=key_id(1)).embed_query("x")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key_id(1))
    with pytest.raises(AuthenticationError, match=r"environment.*missing: AWS_SECRET_ACCESS_KEY"):
        ask().embed_query("x")


def test_a_profile_that_is_not_there(ask: Load) -> None:
    """Named, with how to list them."""
    with pytest.raises(ConfigurationError, match=r"no profile 'nope'.*aws configure list-profiles"):
        ask(profile="nope").embed_query("x")


@pytest.mark.parametrize("with_url", [False, True])
def test_no_region(
    load: Load, monkeypatch: pytest.MonkeyPatch, server: FaultServer, with_url: bool
) -> None:
    """A signature is for a region, also at an address of the user's own."""
    options = {"base_url": server.url if with_url else None, "api_key": None}
    keys = {"aws_access_key_id": key_id(1), "aws_secret_access_key": secret(1)}
    with pytest.raises(ConfigurationError, match=r"region.*AWS_REGION"):
        load(**options, **keys).embed_query("x")


def test_the_region_of_the_profile(server: FaultServer, load: Load, machine: Machine) -> None:
    """And that of an option before it."""
    profile(machine)
    (machine.home / "config").write_text("[profile acme]\nregion = ap-south-1\n")
    load(api_key=None).embed_query("x")
    load(api_key=None, region="us-west-2").embed_query("x")
    sent = [record.request.headers["authorization"] for record in server.requests]

    assert ["/ap-south-1/" in sent[0], "/us-west-2/" in sent[1]] == [True, True]


def test_options_win_over_the_environment(server: FaultServer, ask: Load, machine: Machine) -> None:
    """Credentials of the options over a bearer key, and that over all others."""
    environment(machine)
    machine.patch.setenv("AWS_BEARER_TOKEN_BEDROCK", "ABSKcanary0123456789abcdef")
    ask().embed_query("x")
    ask(aws_access_key_id=key_id(7), aws_secret_access_key=secret(7)).embed_query("x")
    first, second = (record.request.headers for record in server.requests)

    assert first["authorization"] == "Bearer ABSKcanary0123456789abcdef"
    assert key_id(7) in second["authorization"]
    assert "x-amz-security-token" not in second


def test_a_bearer_key_that_is_refused(server: FaultServer, load: Load, key: str) -> None:
    """Expired, for example: the error says where it comes from, and what to do."""

    async def play(exchange: Exchange) -> None:
        said = f"Bearer Token has expired: {exchange.request.headers['authorization']}"
        await exchange.refuse(403, said, code="ExpiredTokenException")

    server.always(Fault("expired", play))
    with pytest.raises(AuthenticationError, match=r"AWS_BEARER_TOKEN_BEDROCK.*new key") as caught:
        load().embed_documents(TEXTS[:1])

    assert len(server.requests) == 1
    assert leaks(everything_about(caught.value), [key]) == []


def test_a_bearer_key_needs_tls(load: Load) -> None:
    """Except on this machine; as the SDK has it."""
    with pytest.raises(ConfigurationError, match="without encryption"):
        load(base_url="http://bedrock.example").embed_query("x")


@pytest.mark.parametrize("source", EVERY)
@pytest.mark.parametrize("refused", [False, True])
def test_no_log_holds_a_credential(
    server: FaultServer,
    machine: Machine,
    ask: Load,
    caplog: pytest.LogCaptureFixture,
    source: str,
    refused: bool,
) -> None:
    """Not on any logger at DEBUG, botocore's included; nor does an error, or what describes a model."""
    caplog.set_level(logging.DEBUG)
    EVERY[source](machine)
    secrets = [canary(n) for canary in (secret, token) for n in (1, 2)]
    secrets += [f"login{CANARY}", f"web{CANARY}"]

    async def echo(exchange: Exchange) -> None:
        await exchange.refuse(403, " | ".join([*secrets, *exchange.request.headers.values()]))

    shown = ""
    embedder = ask()
    if refused:
        server.always(Fault("echo", echo))
        with pytest.raises(EmbedBridgeError) as caught:
            embedder.embed_query("x")
        shown = everything_about(caught.value)
    else:
        embedder.embed_query("x")
    shown += f"{embedder!r}{embedder.model!r}{embedder.to_config()}{embedder.model.endpoint}"
    shown += "".join(record.getMessage() for record in caplog.records)

    assert leaks(shown, secrets if not refused else [secret(1), token(1)]) == []


@pytest.mark.parametrize(
    ("region", "variables", "config", "url"),
    [
        ("eu-west-1", {}, "", "https://bedrock-runtime.eu-west-1.amazonaws.com"),
        ("cn-north-1", {}, "", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"),
        ("us-east-1", {"AWS_USE_FIPS_ENDPOINT": "true"}, "", "https://bedrock-runtime-fips.us-east-1.amazonaws.com"),
        ("us-east-1", {"AWS_ENDPOINT_URL": "http://localhost:4566"}, "", "http://localhost:4566"),
        ("us-east-1", {}, "endpoint_url = http://localhost:4567", "http://localhost:4567"),
    ],
)  # fmt: skip
def test_endpoints_are_those_of_aws(
    machine: Machine,
    region: str,
    variables: dict[str, str],
    config: str,
    url: str,
) -> None:
    """Partitions, FIPS, and addresses of the environment and of a profile, as every tool has them."""
    environment(machine)
    for name, value in variables.items():
        machine.patch.setenv(name, value)
    (machine.home / "config").write_text(f"[default]\n{config}\n")
    access = find_access(BedrockOptions(region=region), Secrets(), None, bearer=False)

    assert access.url == url


def test_jobs_that_begin_together_look_once(
    server: FaultServer, machine: Machine, ask: Load
) -> None:
    """A source that works is asked once by eight requests; after closing, anew."""
    container(machine)
    embedder = ask()
    embedder.embed_documents(TEXTS)
    embedder.close()
    embedder.embed_query("x")

    assert machine.aws.given == 2
    assert signers(server)[-1] == key_id(2)


@pytest.mark.asyncio
async def test_closing_during_the_search(
    server: FaultServer, machine: Machine, ask: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that began before goes out with what was found for it; the next one searches anew."""
    container(machine)
    model, loop = ask().model, asyncio.get_running_loop()
    assert isinstance(model, BedrockModel)
    find = model._find_once

    def find_and_close(searches: int) -> Access:
        access = find(searches)
        asyncio.run_coroutine_threadsafe(model.aclose(), loop).result()
        return access

    batch = Batch(inputs=["a text"], modality="text", role="query")
    with monkeypatch.context() as patch:
        patch.setattr(model, "_find_once", find_and_close)
        await model.embed_batch(batch)
    await model.aclose()
    await model.embed_batch(batch)
    await model.aclose()

    assert signers(server) == [key_id(1), key_id(2)]


def test_without_botocore_a_bearer_key_is_enough(
    server: FaultServer, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a region; credentials of other kinds name the package that is missing."""
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    load(region="us-east-1").embed_query("x")
    with pytest.raises(MissingDependencyError, match=r"embedbridge-bedrock\[aws\]"):
        load(api_key=None, region="us-east-1").embed_query("x")

    assert len(server.requests) == 1
