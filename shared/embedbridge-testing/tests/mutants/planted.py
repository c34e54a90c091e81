"""Mutants of Acme's provider: each is a fault that an author might write, in as few lines as possible.

Three groups. `REPORTED` are those of which a newcomer found that five passed unseen. `IN_MIND` were
written with the checks. `NOT_IN_MIND` were written down before a check was written or changed.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import httpx2
import numpy as np

from embedbridge.contract import (
    AuthenticationError,
    Batch,
    BatchResult,
    EmbedBridgeError,
    ModelCard,
    Usage,
)
from embedbridge.contract.remote import (
    Credential,
    HttpHandle,
    Refusals,
    Secrets,
    Vendor,
    counted,
    matrix,
    rows_at,
    usage_at,
)

from .acme import CARD, REFUSALS, VENDOR, AcmeModel, AcmeOptions

# Reported by a newcomer: twelve, and an option that makes the card wrong.


class ForgetsTheWidth(AcmeModel):
    """`output_dimension` is never sent."""

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        path, fields = super().request(batch)
        return path, {**fields, "output_dimension": None}


class IgnoresTheIndex(AcmeModel):
    """The rows are taken as they come."""

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        rows = [row["embedding"] for row in counted(rows_at(answer, "rows"), len(batch))]
        return BatchResult(vectors=self.output.matrix(rows), usage=usage_at(answer, "tokens"))


class CountsNoRows(AcmeModel):
    """Neither the number of the rows nor their numbers are looked at; what is missing is filled up."""

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        rows = [row["embedding"] for row in rows_at(answer, "rows")]
        rows = (rows + rows * len(batch))[: len(batch)]
        return BatchResult(vectors=self.output.matrix(rows), usage=usage_at(answer, "tokens"))


class CardOfAnotherWidth(AcmeModel):
    """1000 for 1024."""

    cards: ClassVar[Sequence[ModelCard]] = (replace(CARD, dimensions=1000),)


class WithoutHeaders(Refusals):
    """Refusals that do not see the headers of the answer, where Retry-After is."""

    def error(
        self,
        status: int,
        body: object,
        headers: Mapping[str, str],
        secrets: Secrets,
        *,
        sent: Collection[str] = (),
    ) -> EmbedBridgeError:
        return super().error(status, body, {}, secrets, sent=sent)


class ForgetsRetryAfter(AcmeModel):
    refusals: ClassVar[Refusals] = WithoutHeaders(
        sentences=REFUSALS.sentences, exhausted=REFUSALS.exhausted
    )


class Following(httpx2.AsyncClient):
    """Follows redirects, whatever it is told."""

    def stream(self, *arguments: Any, **options: Any) -> Any:
        return super().stream(*arguments, **{**options, "follow_redirects": True})


class FollowsRedirects(AcmeModel):
    def _open(self) -> HttpHandle:
        handle = super()._open()
        handle.client = Following(trust_env=False)
        handle.close = handle.client.aclose
        return handle


class DoesNotKnowTooMany(AcmeModel):
    """The vendor's own sentence for more inputs than it takes is in no row."""

    refusals: ClassVar[Refusals] = replace(REFUSALS, sentences=REFUSALS.sentences[1:])


class IgnoresTheTimeout(AcmeModel):
    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **{**options, "timeout": 3600.0})


class IgnoresHeaders(AcmeModel):
    """`default_headers` are taken and not sent."""

    def _open(self) -> HttpHandle:
        handle = super()._open()
        handle.headers = self.headers()
        return handle


class CardOfTooManyItems(AcmeModel):
    """The server takes 96."""

    cards: ClassVar[Sequence[ModelCard]] = (
        replace(CARD, limits=replace(CARD.limits, max_items=5000)),
    )


class WireOptionInTheFingerprint(AcmeModel):
    """How vectors travel changes none of them, and costs all that the cache holds."""

    class Options(AcmeOptions):
        not_in_identity: ClassVar[frozenset[str]] = AcmeOptions.not_in_identity - {"encoding"}


class HidesNothing(AcmeModel):
    """A server that repeats the key is quoted; the kit's own last look is taken away as well."""

    def _advised(self, error: EmbedBridgeError, secrets: Secrets) -> EmbedBridgeError:
        return error

    def _open(self) -> HttpHandle:
        handle = super()._open()
        handle.secrets = Secrets()
        return handle


class ClaimsUnitLengthForInt8(AcmeModel):
    """The card is the same, whatever the values are."""

    @property
    def card(self) -> ModelCard:
        card = super().card
        return replace(card, normalized=True) if self.options.output_dtype == "int8" else card


REPORTED = {
    "output_dimension forgotten": ForgetsTheWidth,
    "the server's index ignored": IgnoresTheIndex,
    "count and index unchecked": CountsNoRows,
    "card width 1000 for 1024": CardOfAnotherWidth,
    "Retry-After not passed on": ForgetsRetryAfter,
    "redirects followed": FollowsRedirects,
    "too many inputs, in the vendor's words": DoesNotKnowTooMany,
    "timeout ignored": IgnoresTheTimeout,
    "headers ignored": IgnoresHeaders,
    "card max_items 5000 for 96": CardOfTooManyItems,
    "wire option in the fingerprint": WireOptionInTheFingerprint,
    "nothing hidden": HidesNothing,
    "int8 claims unit length": ClaimsUnitLengthForInt8,
}

# Written down before any check was written or changed.


class HalvesPrecision(AcmeModel):
    """Vectors go through float16."""

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        result = super().read(answer, batch)
        return replace(result, vectors=result.vectors.astype(np.float16).astype(np.float32))


class OneAccountForAll(AcmeModel):
    """Two keys share limits, and requests in flight."""

    @property
    def account(self) -> Sequence[object]:
        return ()


class NeverCloses(AcmeModel):
    """Connections stay open after `close`."""

    async def aclose(self) -> None:
        self._endpoint = None


class ClosesUnderRequests(AcmeModel):
    """`aclose` ends what others have asked for."""

    async def aclose(self) -> None:
        await (await self._client()).close()
        await super().aclose()


class ClientPerRequest(AcmeModel):
    """A new connection for each request."""

    def _open(self) -> HttpHandle:
        handle = super()._open()
        limits = httpx2.Limits(max_keepalive_connections=0)
        handle.client = httpx2.AsyncClient(trust_env=False, limits=limits)
        handle.close = handle.client.aclose
        return handle


class OneSpaceForAllServers(AcmeModel):
    """Whoever answers: vectors of another server may be compared, and come from the same cache."""

    @property
    def card(self) -> ModelCard:
        return self.output.card(CARD)

    def identity(self) -> Mapping[str, object]:
        return {**self.options.identity(), **self.output.identity()}


class ReadsWithoutEnd(AcmeModel):
    """An answer of any size is read into memory."""

    async def _answered(self, client: HttpHandle, batch: Batch) -> Any:
        request = self._encoded(batch, client.left_out)
        async with client.send(f"{self.address.url}{request.path}", request.body) as reply:
            body = await reply.aread()
            if reply.status_code != 200:
                raise self.refusals.error(reply.status_code, body, reply.headers, client.secrets)
            return body, reply.headers


class WaitsForAnEmptyPurse(AcmeModel):
    """A used-up quota is taken for a rate limit, and tried again."""

    refusals: ClassVar[Refusals] = replace(REFUSALS, exhausted=None)


class KeyInTheAddress(AcmeModel):
    """Servers and proxies log addresses."""

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        path, fields = super().request(batch)
        key: Any = self._key
        return f"{path}?key={getattr(key, 'get_secret_value', lambda: key)()}", fields


class ConstantUsage(AcmeModel):
    """One token for each input, whatever the server has counted."""

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        return replace(super().read(answer, batch), usage=Usage(tokens=len(batch)))


class FetchesTheKeyOnce(AcmeModel):
    """A function that fetches a key is asked once: a token that expires is sent for ever."""

    def _own_credential(self, secrets: Secrets) -> Credential | None:
        fetch: Any = super()._own_credential(secrets)
        if not callable(fetch):
            return None if fetch is None else str(fetch)
        kept: list[str] = []

        async def once() -> str:
            if not kept:
                kept.append(await fetch())
            return kept[0]

        return once


NOT_IN_MIND = {
    "float16 on the way": HalvesPrecision,
    "two keys, one account": OneAccountForAll,
    "never closes": NeverCloses,
    "closes under requests": ClosesUnderRequests,
    "a client for each request": ClientPerRequest,
    "one space for all servers": OneSpaceForAllServers,
    "answers without end are read": ReadsWithoutEnd,
    "quota taken for a rate": WaitsForAnEmptyPurse,
    "key in the address": KeyInTheAddress,
    "usage made up": ConstantUsage,
    "key fetched once": FetchesTheKeyOnce,
}

# Written with the checks.


class DoesNotKnowTooLong(AcmeModel):
    """The vendor's own sentence for a text that is too long is in no row."""

    refusals: ClassVar[Refusals] = replace(REFUSALS, sentences=REFUSALS.sentences[:1])


class DoesNotReadThePosition(AcmeModel):
    """The field that says which text is too long is not named."""

    refusals: ClassVar[Refusals] = replace(REFUSALS, position_field=None)


class CardOfTooLongTexts(AcmeModel):
    """The server reads 8192 tokens."""

    cards: ClassVar[Sequence[ModelCard]] = (
        replace(CARD, limits=replace(CARD.limits, max_tokens_per_input=16_384)),
    )


class AddressOfAnotherVersion(AcmeModel):
    """v1 for v2: every test at a fault server passes."""

    vendor: ClassVar[Vendor] = replace(VENDOR, url="https://api.acme.example/v1")


class OneFingerprintForAllTypes(AcmeModel):
    """The cache mixes int8 and floats up."""

    def identity(self) -> Mapping[str, object]:
        return {**super(AcmeModel, self).identity()}


class OneSpaceForAllTypes(AcmeModel):
    """int8 may be compared with floats."""

    @property
    def card(self) -> ModelCard:
        return replace(super().card, space=CARD.space)


class OwnHeadersWin(AcmeModel):
    """A header of the user's that the provider sends as well is overwritten."""

    def _open(self) -> HttpHandle:
        handle = super()._open()
        handle.headers = {**handle.headers, **self.headers()}
        return handle


class TakesAnOptionInVain(AcmeModel):
    """`priority` is taken, and never sent."""

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        path, fields = super().request(batch)
        return path, {**fields, "priority": None}


class BinaryOfFullWidth(AcmeModel):
    """The card forgets that a value holds eight dimensions."""

    @property
    def card(self) -> ModelCard:
        card = super().card
        return replace(card, dimensions=1024, allowed_dimensions=CARD.allowed_dimensions)


class CannotReadLists(AcmeModel):
    """One value of an option never works."""

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        if self.options.encoding == "list":
            rows_at(answer, "nowhere")
        return super().read(answer, batch)


class ShowsHeaders(AcmeModel):
    """The values of the user's headers are no secrets to it."""

    def _open(self) -> HttpHandle:
        handle = super()._open()
        key: Any = self._key
        handle.secrets = Secrets()
        if isinstance(key, str):
            handle.secrets.add(key)
        return handle


class IgnoresTheAddress(AcmeModel):
    """Says `base_url` in its own words only, so that two servers are one endpoint."""

    @property
    def endpoint(self) -> Any:
        return ("api.acme.example", super().endpoint[1])  # type: ignore[index]  # a tuple


class KeyInTheAddressOnly(KeyInTheAddress):
    """No header holds the key, so that a wire format finds none to look for."""

    def _open(self) -> HttpHandle:
        handle = super()._open()
        handle.authorize = lambda _: {}
        return handle


class KeyInTheBodyOnly(KeyInTheAddressOnly):
    """Servers log bodies, too."""

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        path, fields = super().request(batch)
        path, _, key = path.partition("?key=")
        return path, {**fields, "key": key}


class SendsNoKey(AcmeModel):
    """The key is taken and forgotten."""

    def _open(self) -> HttpHandle:
        handle = super()._open()
        handle.authorize = lambda _: {}
        return handle


class RaisesBeforeItSends(AcmeModel):
    """No request reaches the server."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        raise RuntimeError("out of order")


class ReadsInt8AsBytes(AcmeModel):
    """Base64 of signed bytes, read as unsigned ones."""

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        if self.options.output_dtype != "int8":
            return super().read(answer, batch)
        rows = [row["embedding"] for row in rows_at(answer, "rows")]
        return BatchResult(vectors=matrix(rows, "u1"), usage=usage_at(answer, "tokens"))


class FindsItsKeyLate(AcmeModel):
    """The key is looked for with the first batch, and a limiter opens the client before that."""

    looked = False

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.looked = True
        return await super().embed_batch(batch)

    def _own_credential(self, secrets: Secrets) -> Credential | None:
        return super()._own_credential(secrets) if self.looked else None


class ShowsHalfTheKey(AcmeModel):
    """The error helps its reader to see which key was refused."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        try:
            return await super().embed_batch(batch)
        except AuthenticationError as error:
            key = os.environ["ACME_API_KEY"]
            raise AuthenticationError(f"{error} ({key[: len(key) // 2]}…)") from None


class KeepsTheCopiedPath(AcmeModel):
    """The path of a request, which users copy along, is not named."""

    vendor: ClassVar[Vendor] = replace(VENDOR, endings=("/embeddings",))


class ForgetsTheWidthOfUnknownModels(ForgetsTheWidth):
    """`output_dimension` is never sent, and the card does not know how wide vectors are."""

    cards: ClassVar[Sequence[ModelCard]] = (
        replace(CARD, dimensions=None, allowed_dimensions=None),
    )


class LosesTheRoleWithATask(AcmeModel):
    """A task that the API does not have makes every input a document."""

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        path, fields = super().request(batch)
        return path, {
            **fields,
            "side": {"query": "query"}.get(batch.task or batch.role, "document"),
        }


class FetchesATokenEachTime(AcmeModel):
    """An access token is fetched for each request, however long it is valid."""

    def _open(self) -> HttpHandle:
        handle = super()._open()

        async def credential() -> str:
            reply = await handle.client.post(f"{handle.url}/token", json={})
            return str(reply.json()["token"])

        handle.credential = credential
        return handle


IN_MIND = {
    "a token for each request": FetchesATokenEachTime,
    "the copied path kept": KeepsTheCopiedPath,
    "output_dimension forgotten, of any width": ForgetsTheWidthOfUnknownModels,
    "role lost with a task": LosesTheRoleWithATask,
    "key found late": FindsItsKeyLate,
    "half the key shown": ShowsHalfTheKey,
    "too long, in the vendor's words": DoesNotKnowTooLong,
    "the position in a field unread": DoesNotReadThePosition,
    "card max_tokens_per_input 16384 for 8192": CardOfTooLongTexts,
    "address of another version": AddressOfAnotherVersion,
    "one fingerprint for all types": OneFingerprintForAllTypes,
    "one space for all types": OneSpaceForAllTypes,
    "own headers win": OwnHeadersWin,
    "an option in vain": TakesAnOptionInVain,
    "binary of full width": BinaryOfFullWidth,
    "a value that never works": CannotReadLists,
    "headers shown in errors": ShowsHeaders,
    "two servers, one endpoint": IgnoresTheAddress,
    "int8 read as unsigned": ReadsInt8AsBytes,
    "raises before it sends": RaisesBeforeItSends,
    "key in the address only": KeyInTheAddressOnly,
    "key in the body only": KeyInTheBodyOnly,
    "key not sent": SendsNoKey,
}
EVERY = {**REPORTED, **NOT_IN_MIND, **IN_MIND}
