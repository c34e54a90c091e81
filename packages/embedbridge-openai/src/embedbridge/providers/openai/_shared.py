"""What the models of this package have in common: `POST /embeddings` through the official SDK."""

from __future__ import annotations

from typing import Any, ClassVar

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.errors import EmbedBridgeError, UnknownModelError
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote import (
    SOMETHING_SENT,
    Address,
    Credential,
    Refusals,
    RemoteModel,
    Secrets,
    Vendor,
    check_content_type,
    in_order,
    limit_for,
    matrix,
    parse_object,
    read_body,
    rows_at,
    usage_at,
)
from embedbridge.contract.vocabulary import Role
from embedbridge.providers.openai._client import UNUSED, SdkHandle
from embedbridge.providers.openai._optional import OptionalFields
from embedbridge.providers.openai._vendor_rules import OUR_FIELDS
from embedbridge.providers.openai.options import SharedOptions

WIDTH = "dimensions"
"""The field that changes what comes back."""


class SharedModel(RemoteModel[SdkHandle]):
    """A model behind `POST /embeddings`, called through the official SDK.

    Args:
        name: The model's name.
        options: Fields of the class's `Options`.
    """

    Options: ClassVar[type[ModelOptions]] = SharedOptions
    options: SharedOptions
    library: ClassVar[str] = "openai"
    refusals: ClassVar[Refusals] = Refusals(
        codes={"DeploymentNotFound": UnknownModelError}
    )  # Azure
    """What servers that speak OpenAI's API say, beside what all servers say."""

    @property
    def sent_name(self) -> str:
        """What stands in the request as the model."""
        return self.name

    def _translated(self, error: Exception, client: SdkHandle) -> EmbedBridgeError | None:
        from embedbridge.providers.openai._errors import translated  # it imports the SDK

        sent = OUR_FIELDS.union(self._body("document"), self._body("query"))
        server = Address(client.url).host_and_path
        ours = translated(error, self.refusals, client.secrets, server, sent=sent)
        # With a status somebody has answered: the server runs.
        return ours if ours is None or hasattr(error, "status_code") else self._unreached(ours)

    async def _send(self, client: SdkHandle, batch: Batch) -> BatchResult:
        """Ask once; again where the server does not know a field that can be left out.

        Without `dimensions` vectors of the model's own width come back: that field is left out only
        where this is the width that was asked for.
        """
        import openai

        fields = client.optional.fields(batch, self.options.user)
        try:
            return await self._post(client, batch, fields)
        except openai.APIStatusError as error:
            refused = client.optional.refused(error.status_code, error.body, fields)
            if refused is None:
                raise
            if refused == WIDTH and batch.dimensions != self.card.dimensions:
                raise self._width_refused(error, client.secrets) from None
            client.optional.give_up(refused, fields)
        with SOMETHING_SENT:
            return await self._send(client, batch)

    def _width_refused(self, error: Any, secrets: Secrets) -> EmbedBridgeError:
        from embedbridge.providers.openai._errors import option_refused  # it imports the SDK

        return option_refused(error, WIDTH, self.refusals, secrets)

    async def _post(self, client: SdkHandle, batch: Batch, fields: dict[str, Any]) -> BatchResult:
        import httpx2
        import openai

        count = len(batch)
        # Not by `embeddings.create`, which looks at each field and adds one: that takes half as long
        # again. With `stream` and this `cast_to` the SDK answers before the body is read.
        reply: Any = await client.client.post(
            "/embeddings",
            body={
                "model": self.sent_name,
                **fields,
                **self._body(batch.role),
                "input": batch.texts,
            },
            options={"headers": client.extra_headers},
            cast_to=httpx2.Response,
            stream=True,
            stream_cls=openai.AsyncStream[Any],
        )
        try:
            check_content_type(reply.headers.get("content-type"))
            limit = limit_for(count, batch.dimensions or self.card.dimensions)
            body = await read_body(reply.aiter_bytes(), limit)
        finally:
            await reply.aclose()
        return await self._parsed(client, body, lambda: read_answer(body, count, client.optional))

    def _body(self, role: Role) -> dict[str, Any]:
        """Further fields of a request for this role."""
        return self.options.body(role)

    def _credential(
        self, source: object, secrets: Secrets, *, vendor: Vendor | None = None
    ) -> Credential:
        """A key or token as the SDK takes it."""
        if source is None and self.options.sets("Authorization"):
            return UNUSED
        return super()._credential(source, secrets, vendor=vendor)


def read_answer(
    body: bytes | bytearray, count: int, optional: OptionalFields | None = None
) -> BatchResult:
    """The vectors in a body.

    Args:
        body: JSON as `POST /embeddings` answers.
        count: How many inputs were sent.
        optional: Learns whether base64 came where it was asked for.

    Raises:
        InvalidResponseError: It is not one vector of equal width for each of them.
    """
    answer = parse_object(body)
    rows = in_order(rows_at(answer, "data"), count)
    if optional is not None:
        optional.answered(base64=any(isinstance(row, str) for row in rows))
    usage = usage_at(answer, "usage.prompt_tokens", "usage.total_tokens")
    return BatchResult(vectors=matrix(rows), usage=usage)
