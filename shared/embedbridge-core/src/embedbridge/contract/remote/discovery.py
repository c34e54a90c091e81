"""Discovery: limits and names that only the server knows, asked before a job is planned.

A question is never worth a job: a server that refuses it, or has no such page, is used with
conservative limits, and the engine learns the true ones from its refusals. Only a model whose vectors
depend on the answer (`HttpModel.needs_facts`) waits for one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embedbridge.contract.errors import EmbedBridgeError, InvalidResponseError
from embedbridge.contract.remote.address import Address
from embedbridge.contract.remote.body import parse_object, read_body
from embedbridge.contract.remote.failures import network_error, redirect_error
from embedbridge.contract.remote.http_client import HttpHandle
from embedbridge.contract.remote.refusal_body import read_refusal
from embedbridge.contract.remote.status import status_error

SECONDS = 10.0
"""For one question."""
MAX_BYTES = 1 << 20
"""Of the answer to a question."""
FOR_NOW = frozenset({408, 425, 429, 499})
"""Statuses below 500 of a server that may answer the next time."""
NO_ANSWER = frozenset({*range(300, 400), 401, 402, 403, 407, 426, 431, 494, 497})
"""Statuses that say something of who asks or of the way there, and nothing of the server."""


class Unanswered(Exception):  # noqa: N818  # it says that there is no answer; nothing failed yet
    """The server cannot be reached, or is too busy to answer: it may be asked again.

    Args:
        error: What a request would have failed with.
    """

    def __init__(self, error: EmbedBridgeError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a question."""

    status: int
    """Of HTTP."""
    content: Mapping[str, Any]
    """The JSON object of a success; a list stands under `"list"`; empty for all else."""
    message: str = ""
    """What a refusal says."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server to ask, with the client and the key of the model."""

    client: HttpHandle
    url: str
    """The base of the API."""

    async def ask(
        self,
        path: str,
        fields: Mapping[str, object] | None = None,
        *,
        needed: bool = False,
    ) -> Reply:
        """Ask with GET, or with POST and JSON.

        Args:
            path: Below the base.
            fields: Of the JSON.
            needed: A vector depends on the answer. Then a key that is refused, a redirect and a page
                that is no JSON, such as a login page, are no answer; without it, they say no more
                than that there is no such page.

        Raises:
            Unanswered: There is no answer; the cause is not attached, for it may hold the key.
        """
        body = None if fields is None else json.dumps(fields).encode()
        secrets = self.client.secrets
        try:
            async with (
                asyncio.timeout(min(SECONDS, self.client.timeout)),
                self.client.send(f"{self.url}{path}", body) as reply,
            ):
                status, headers = reply.status_code, reply.headers
                answer = await read_body(reply.aiter_bytes(), MAX_BYTES)
        except InvalidResponseError as error:  # too large to be one
            if needed:
                raise Unanswered(error) from None
            return Reply(200, {})
        except Exception as error:
            failure = network_error(error, secrets, Address(self.url).host_and_path)
            if failure is None:
                raise  # a fault of a user's function or of our own
        else:
            failure = None
        if failure is not None:
            raise Unanswered(failure)
        if status in FOR_NOW or status >= 500 or (needed and status in NO_ANSWER):
            if 300 <= status < 400:
                raise Unanswered(redirect_error(status, headers.get("location", ""), secrets))
            said = secrets.hide(read_refusal(answer).message)
            raise Unanswered(status_error(status, said, headers=headers))
        if not 200 <= status < 300:
            said = read_refusal(answer).message
            return Reply(status, {}, secrets.hide(said, most=len(said)))
        try:
            return Reply(status, parse_object(answer, list_name="list"))
        except InvalidResponseError as error:  # a login page, for example
            if needed:
                raise Unanswered(error) from None
            return Reply(status, {})
