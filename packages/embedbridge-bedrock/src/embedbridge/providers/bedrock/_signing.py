"""Signatures of AWS (SigV4) over our own HTTP client, and credentials that are replaced once if expired.

botocore computes each step. Its `add_auth` is not used, because it logs the session token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from embedbridge.contract.remote import Secrets
from embedbridge.providers.bedrock._access import Access, translated

SIGNING_NAME = "bedrock"
"""Not `bedrock-runtime`, as the host is called."""
TIMESTAMP = "%Y%m%dT%H%M%SZ"


class Signer:
    """Signs the requests of one client.

    Args:
        access: Region and credentials.
        find: Finds them anew; may block.
        secrets: Gets to know every credential.
    """

    def __init__(self, access: Access, find: Callable[[], Access], secrets: Secrets) -> None:
        self._access = access
        self._find = find
        self._secrets = secrets
        self._lock = asyncio.Lock()

    async def sign(self, url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers that say who asks, for exactly this request.

        Args:
            url: With the path as it travels.
            body: Of the request.
            headers: Of the request, so far; they are signed as well.

        Raises:
            AuthenticationError: The credentials have expired, and their source gives no others.
        """
        access = self._access
        credentials = access.credentials
        expires = getattr(credentials, "refresh_needed", None)
        if expires is not None and expires():
            current = await asyncio.to_thread(self._current, access)
        else:
            current = credentials.get_frozen_credentials()
        for secret in filter(None, (current.secret_key, current.token)):
            self._secrets.add(secret)
        return signed(current, access.region, url, body, headers)

    async def renew(self, sent: Mapping[str, str]) -> bool:
        """Look for other credentials in place of those that were refused as expired.

        Requests that are refused at the same time wait for one search (single-flight).
        """
        async with self._lock:
            return await asyncio.to_thread(self._replaced, sent)

    def _replaced(self, sent: Mapping[str, str]) -> bool:
        if self._stands_in(sent, self._access):
            found = self._find()
            if self._stands_in(sent, found):
                return False
            self._access = found
        return True

    def _stands_in(self, sent: Mapping[str, str], access: Access) -> bool:
        """Whether these headers were signed with these credentials."""
        current = self._current(access)
        return (
            f"Credential={current.access_key}/" in sent.get("Authorization", "")
            and sent.get("X-Amz-Security-Token") == current.token
        )

    def _current(self, access: Access) -> Any:
        frozen = access.credentials.get_frozen_credentials
        return translated(frozen, access.source, access.profile, self._secrets)


def signed(
    credentials: Any,
    region: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    moment: datetime | None = None,
) -> dict[str, str]:
    """The headers of a signature.

    Args:
        credentials: `access_key`, `secret_key` and `token`.
        region: Of the endpoint.
        url: With the path as it travels.
        body: Of the request.
        headers: Further ones that are signed.
        moment: When it is signed; now, if left out.
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    timestamp = (moment or datetime.now(UTC)).strftime(TIMESTAMP)
    ours = {"X-Amz-Date": timestamp}
    if credentials.token:
        ours["X-Amz-Security-Token"] = credentials.token
    request = AWSRequest(method="POST", url=url, data=body, headers={**headers, **ours})
    request.context["timestamp"] = timestamp
    signer = SigV4Auth(credentials, SIGNING_NAME, region)
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    names = signer.signed_headers(signer.headers_to_sign(request))
    ours["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={names}, "
        f"Signature={signer.signature(to_sign, request)}"
    )
    return ours
