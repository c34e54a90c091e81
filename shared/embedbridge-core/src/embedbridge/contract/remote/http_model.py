"""A hosted model on one page: a vendor, cards, refusals, one request and one answer.

Everything else is here or below: HTTP within bounds, keys, redaction, addresses, encoding off the loop.
"""

from __future__ import annotations

import asyncio
import json
import re
import warnings
from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.callers import level_of_caller
from embedbridge.contract.card import ModelCard
from embedbridge.contract.errors import EmbedBridgeError, RequestTooLargeError
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote.body import (
    check_content_type,
    limit_for,
    parse_object,
    read_body,
)
from embedbridge.contract.remote.discovery import Server, Unanswered
from embedbridge.contract.remote.http_client import HttpHandle, open_http, read_error
from embedbridge.contract.remote.model import RemoteModel
from embedbridge.contract.remote.numbers import whole_number
from embedbridge.contract.remote.options import HttpOptions
from embedbridge.contract.remote.output_types import OutputType
from embedbridge.contract.remote.redaction import Secrets
from embedbridge.contract.remote.refusal_body import read_refusal
from embedbridge.contract.remote.refusals import Refusals
from embedbridge.contract.remote.sending import NOTHING_SENT, SOMETHING_SENT
from embedbridge.contract.usage import Usage

REFUSES_A_FIELD = frozenset({400, 404, 415, 422})
"""Statuses with which servers refuse a field that they do not know."""
ESCAPED = 6
"""Bytes that JSON may need for one byte, where an answer repeats what was sent."""


class HttpModel(RemoteModel[HttpHandle]):
    """A model behind one `POST` with JSON in and JSON out.

    Example:
        class AcmeModel(HttpModel):
            provider, vendor, cards = "acme", VENDOR, CARDS

            def request(self, batch):
                return "/embeddings", {"model": self.name, "input": batch.texts}

            def read(self, answer, batch):
                rows = in_order(rows_at(answer, "data"), len(batch))
                return BatchResult(vectors=matrix(rows), usage=usage_at(answer, "usage.total_tokens"))

    Args:
        name: The model's name; one that is in no card is tried, with the card `unknown`.
        options: Fields of the class's `Options`.
    """

    Options: ClassVar[type[ModelOptions]] = HttpOptions
    library: ClassVar[str] = "httpx2"
    unknown: ClassVar[ModelCard] = ModelCard(name="unknown")
    """The card of a name that is not in `cards`."""
    refusals: ClassVar[Refusals] = Refusals()
    """The vendor's own words for refusals."""
    discovers: ClassVar[bool] = False
    """Whether the server is asked for what only it knows, before the first job, see `ask`."""
    list_name: ClassVar[str | None] = None
    """For a server that answers with a list instead of an object: its name in what `read` gets."""
    tokens_header: ClassVar[str | None] = None
    """For a server that counts tokens in a header of its answers, in lower case."""
    max_request_bytes: ClassVar[int | None] = None
    """Bytes of JSON that one request may have. A batch is planned by the bytes of its contents
    (`Limits.max_bytes_per_request`); JSON and base64 make it larger."""
    optional: ClassVar[Mapping[str, str]] = {}
    """Fields that a server may not know, and how its refusals name them, as regular expressions. A
    field that is refused is left out, and the request is made again; so are all later ones."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self._facts: Mapping[str, Any] | None = None
        if self.known_card is None and self.cards:
            limits = self.unknown.limits
            warnings.warn(
                f"{self.vendor.name} model {name!r} is not known here. Assumed: "
                f"{limits.max_items or 'any number of'} inputs per request, "
                f"{limits.max_tokens_per_input or 'any number of'} tokens per input, "
                f"{' and '.join(self.unknown.modalities)}.",
                UserWarning,
                stacklevel=level_of_caller(),
            )

    @property
    def known_card(self) -> ModelCard | None:
        """The card of this name, if it is known."""
        return next((card for card in self.cards if card.name == self.name), None)

    @property
    def listed_card(self) -> ModelCard:
        """The card of this name or `unknown`, whatever the options and the address."""
        # Names that nobody knows share limits, never a space.
        return self.known_card or replace(self.unknown, name=self.name, space=None)

    @property
    def card(self) -> ModelCard:
        """What the model can do; behind another address it need not be the vendor's of that name."""
        card = self.listed_card
        if not self.at_home:
            card = replace(card, space=f"{self.name}@{self.address.host_and_path}")
        return self.output_type.card(card, space=f"{self.provider}:{self.name}")

    @property
    def output_type(self) -> OutputType:
        """What the values of a vector are, by the option of this name; `base64` are floats as well.

        Card and identity follow it.
        """
        kind: Any = getattr(self.options, "output_type", "float")
        return OutputType() if kind == "base64" else OutputType(kind)

    def identity(self) -> Mapping[str, object]:
        """The options that change a vector, what its values are, and the server if not the vendor's."""
        return {**super().identity(), **self.output_type.identity()}

    # What a provider writes.

    @abstractmethod
    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        """The path below the base, and the JSON to send; fields that are `None` are left out.

        Images are encoded here: for a batch that holds any, it is called beside the event loop.

        Raises:
            InvalidInputError: An input cannot be sent; its index is the one in the batch.
            RequestTooLargeError: The batch cannot be sent as a whole; halves may do.
        """

    @abstractmethod
    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        """The vectors of an answer, one row for each input of the batch, in its order.

        Raises:
            InvalidResponseError: It is not one vector of equal width for each of them.
        """

    def headers(self) -> Mapping[str, str]:
        """Headers of each request beside the key; a provider may add its own."""
        return {}

    # What only the server knows.

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the server said to `ask`, for `card` and `request`; empty before, and if it is silent."""
        return self._facts or {}

    async def ask(self, server: Server) -> Mapping[str, Any]:
        """Ask for limits and the like, where the class says `discovers`; called once.

        Raises:
            EmbedBridgeError: This model can never be used there.
        """
        return {}

    @property
    def needs_discovery(self) -> bool:
        """Until the server has answered."""
        return self.discovers and self._facts is None

    @property
    def needs_facts(self) -> bool:
        """Whether a vector depends on what the server says to `ask`: without it nothing is sent."""
        return False

    async def discover(self) -> None:
        """Ask the server once. One that cannot be reached now is asked again before the next job."""
        async with self._using() as client:
            try:
                await self._ask_once(client)
            except Unanswered:
                pass  # the first request says what is wrong, better than we could here
            except EmbedBridgeError as error:
                self._advised(error, client.secrets)
                raise

    async def _ask_once(self, client: HttpHandle) -> None:
        async with client.discovering:
            if self._facts is None:
                self._facts = await self.ask(Server(client, client.url))

    async def aclose(self) -> None:
        """Close the connections, and forget what the server said: another may answer next time."""
        self._facts = None
        await super().aclose()

    # What stands between the two.

    def _open(self) -> HttpHandle:
        secrets = Secrets()
        return open_http(
            self.options,
            secrets,
            self.address.url,
            credential=self._own_credential(secrets),
            authorize=self.vendor.authorization,
            headers=self.headers(),
        )

    def _translated(self, error: Exception, client: HttpHandle) -> EmbedBridgeError | None:
        if isinstance(error, Unanswered):
            return self._unreached(error.error)
        return super()._translated(error, client)

    async def _send(self, client: HttpHandle, batch: Batch) -> BatchResult:
        answer, headers = await self._answered(client, batch)
        name = self.list_name
        result = await self._parsed(
            client, answer, lambda: self.read(parse_object(answer, list_name=name), batch)
        )
        tokens = whole_number(headers.get(self.tokens_header or ""))
        if result.usage is None and tokens is not None:
            return replace(result, usage=Usage(tokens=tokens))
        return result

    async def _answered(
        self, client: HttpHandle, batch: Batch
    ) -> tuple[bytes | bytearray, Mapping[str, str]]:
        """Body and headers of a success; asks again where a field is refused that can be left out."""
        # Each time: `aclose` may have forgotten them, and without them the vectors would be other ones.
        if self.needs_facts and self.needs_discovery:
            await self._ask_once(client)
        with NOTHING_SENT:
            if batch.modality == "text":
                request = self._encoded(batch, client.left_out)
            else:
                request = await asyncio.to_thread(self._encoded, batch, client.left_out)
        async with client.send(f"{client.url}{request.path}", request.body) as reply:
            if 200 <= reply.status_code < 300:
                check_content_type(reply.headers.get("content-type"))
                width = batch.dimensions or self.card.dimensions
                limit = limit_for(len(batch), width) + ESCAPED * len(request.body)
                return await read_body(reply.aiter_bytes(), limit), reply.headers
            said = await read_error(reply)
            refused = self._refused_field(reply.status_code, said)
            if refused is None or refused not in request.fields:
                raise self.refusals.error(
                    reply.status_code, said, reply.headers, client.secrets, sent=request.fields
                )
            client.left_out.add(refused)
        with SOMETHING_SENT:
            return await self._answered(client, batch)

    def _encoded(self, batch: Batch, left_out: Collection[str]) -> _Encoded:
        path, fields = self.request(batch)
        sent = {
            name: value
            for name, value in fields.items()
            if value is not None and name not in left_out
        }
        body = json.dumps(sent, ensure_ascii=False, separators=(",", ":")).encode()
        most = self.max_request_bytes
        if most is not None and len(body) > most and len(batch) > 1:
            raise RequestTooLargeError(
                f"The request has {len(body)} bytes; {self.vendor.name} takes {most}.",
                limit="bytes",
            )
        return _Encoded(path, body, frozenset(sent))

    def _refused_field(self, status: int, body: bytes | bytearray) -> str | None:
        """The field of `optional` that a refusal names."""
        if not self.optional or status not in REFUSES_A_FIELD:
            return None
        said = read_refusal(body)
        named = f"{said.field or ''} {said.message}"
        for name, words in self.optional.items():
            if re.search(words, named, re.IGNORECASE):
                return name
        return None


class _Encoded(NamedTuple):
    """A request as it is sent."""

    path: str
    body: bytes
    fields: frozenset[str]
    """Names of the fields in the body."""
