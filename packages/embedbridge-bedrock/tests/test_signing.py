"""Signatures: what botocore computes for the request that was sent, whatever the request holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

import botocore.auth
import botocore.session
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import AuthenticationError
from embedbridge.core import Embedder
from embedbridge.providers.bedrock._signing import TIMESTAMP, signed
from embedbridge.testing import Exchange, Fault, FaultServer

from .fake_aws import (  # type: ignore[import-not-found]  # the folder is no package
    key_id,
    secret,
    token,
)

Load: TypeAlias = Callable[..., Embedder]

KEYS = {
    "api_key": None,
    "region": "us-east-1",
    "aws_access_key_id": key_id(1),
    "aws_secret_access_key": secret(1),
}
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.titan-embed-text-v2:0"
MOMENT = datetime(2026, 11, 28, 8, 0, tzinfo=UTC)

names = st.text(st.characters(codec="utf-8", exclude_characters="/%"), min_size=1, max_size=20)


@given(body=st.binary(max_size=99), header=names, with_token=st.booleans())
def test_a_signature_is_botocore_s_own(body: bytes, header: str, with_token: bool) -> None:
    """Step by step or by its `add_auth`: the same header, for any body, headers and credentials."""
    credentials = Credentials("AKIDEXAMPLE", "secret", "token" if with_token else None)
    url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.titan%3A0/invoke"
    headers = {"Accept": "application/json", "X-Own": header.encode("unicode_escape").decode()}
    request = AWSRequest("POST", url, data=body, headers=headers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: MOMENT)
        botocore.auth.SigV4Auth(credentials, "bedrock", "us-east-1").add_auth(request)
    ours = signed(credentials, "us-east-1", url, body, headers, MOMENT)

    assert dict(request.headers) == {**headers, **ours}


@pytest.mark.parametrize("temporary", [False, True])
@pytest.mark.parametrize(
    "name", ["amazon.titan-embed-text-v2:0", "us.amazon.titan-embed-text-v2:0", PROFILE]
)
def test_botocore_s_client_sends_the_same(
    server: FaultServer,
    load: Load,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    temporary: bool,
) -> None:
    """The same path, body, signed headers and signature, at the same moment."""
    options: dict[str, Any] = {**KEYS, "aws_session_token": token(1) if temporary else None}
    if name == PROFILE:
        options["inference_profile"], name = name, "amazon.titan-embed-text-v2:0"
    load(name, **options).embed_query("A cat — “sleeps”.")
    ours = server.requests[0].request
    moment = datetime.strptime(ours.headers["x-amz-date"], TIMESTAMP).replace(tzinfo=UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: moment)
    client = botocore.session.Session().create_client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=server.url,
        aws_access_key_id=key_id(1),
        aws_secret_access_key=secret(1),
        aws_session_token=options["aws_session_token"],
    )
    client.invoke_model(
        modelId=options.get("inference_profile", name),
        body=ours.body,
        contentType="application/json",
        accept="application/json",
    )
    theirs = server.requests[1].request

    assert ours.target == theirs.target
    assert ours.target.count("%") == ours.target.count("%3A") + ours.target.count("%2F") > 0
    for header in ("authorization", "x-amz-date", "x-amz-security-token", "accept", "content-type"):
        assert ours.headers.get(header) == theirs.headers.get(header)


def test_headers_of_the_user_are_signed(server: FaultServer, load: Load) -> None:
    """A gateway may ask for some; none that AWS reads may be added by somebody else."""
    load(**KEYS, default_headers={"X-Amzn-Bedrock-Trace": "ENABLED"}).embed_query("x")
    sent = server.requests[0].request.headers

    assert "x-amzn-bedrock-trace" in sent["authorization"]
    assert sent["x-amzn-bedrock-trace"] == "ENABLED"


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("Signature expired: 20261128T080000Z is now earlier than 20261128T081000Z (20261128T081500Z - 5 min.)", "clock skew"),
        ("Signature not yet current: 20261128T090000Z is still later than 20261128T080500Z (20261128T080000Z + 5 min.)", "clock skew"),
        ("The request signature we calculated does not match the signature you provided.", "secret access key"),
    ],
)  # fmt: skip
def test_a_signature_that_is_refused(
    server: FaultServer, load: Load, message: str, says: str
) -> None:
    """A wrong clock is called so; nothing is tried again."""

    async def play(exchange: Exchange) -> None:
        await exchange.refuse(403, message, code="InvalidSignatureException")

    server.always(Fault("signature", play))
    with pytest.raises(AuthenticationError, match=says):
        load(**KEYS).embed_query("x")

    assert len(server.requests) == 1
