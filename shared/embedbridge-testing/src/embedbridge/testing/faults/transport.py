"""Faults of HTTP itself: statuses, broken connections, bodies that are no answer."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache

from embedbridge.testing.faults.exchange import JSON, Exchange, Fault
from embedbridge.testing.wires.format import SizeRefusal, words_in

GZIP = zlib.MAX_WBITS | 16
"""The window bits that make zlib write a gzip header."""
MEBIBYTE = 1 << 20
TOO_LARGE = SizeRefusal(status=413, says="The request is too large.")
"""Of a vendor of whom nothing better is known."""


def rate_limited(*, retry_after: str | None = "1") -> Fault:
    """429, to be asked again later.

    Args:
        retry_after: The header as it is sent: seconds, or a date; `None` leaves it out.
    """
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return status(429, "Rate limit reached.", code="rate_limit_exceeded", headers=headers)


def rate_limited_until(moment: float) -> Fault:
    """429 with a date; `moment` is in seconds since the epoch, which the date rounds down."""
    return rate_limited(retry_after=formatdate(moment, usegmt=True))


def crowded(limit: int, *, seconds: float = 0.0, retry_after: str | None = None) -> Fault:
    """429 for a request beyond so many at once; each of these gets its answer after a while.

    Args:
        limit: How many are served at once.
        seconds: How long one takes.
        retry_after: As for `rate_limited`.
    """
    refusal = rate_limited(retry_after=retry_after)
    serving = 0

    async def play(exchange: Exchange) -> None:
        nonlocal serving
        if serving >= limit:
            await refusal.play(exchange)
            return
        serving += 1
        try:
            async with asyncio.timeout(seconds):
                await exchange.connection.until_gone()
        except TimeoutError:  # the client is still there
            await exchange.answer()
        finally:
            serving -= 1

    return Fault(f"crowded-{limit}", play)


def quota_exhausted() -> Fault:
    """429 that no waiting helps."""

    async def play(exchange: Exchange) -> None:
        said = exchange.wire.out_of_quota or "Quota exceeded."
        await exchange.refuse(429, said, code="insufficient_quota", kind="insufficient_quota")

    return Fault("status-429-insufficient_quota", play)


def status(
    number: int,
    message: str = "The server had an error.",
    *,
    code: str | None = None,
    kind: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Fault:
    """Any status of 400 or more, with the vendor's own form of an error."""

    async def play(exchange: Exchange) -> None:
        await exchange.refuse(number, message, code=code, kind=kind, headers=headers)

    return Fault(f"status-{number}" + (f"-{code}" if code else ""), play)


def key_refused() -> Fault:
    """401 whose message repeats the key that was sent."""

    async def play(exchange: Exchange) -> None:
        key = exchange.wire.credential(exchange.request)
        message = f"Incorrect API key provided: {key}. Find yours in the dashboard."
        await exchange.refuse(401, message, code="invalid_api_key")

    return Fault("key-refused", play)


def too_many_items(limit: int) -> Fault:
    """The vendor's refusal of more inputs than that, see `WireFormat.too_many`; fewer are answered."""

    async def play(exchange: Exchange) -> None:
        size = len(exchange.asked.inputs)
        if size <= limit:
            await exchange.answer()
        else:
            await _refuse(exchange, exchange.wire.too_many or TOO_LARGE, most=limit, size=size)

    return Fault(f"too-many-items-{limit}", play)


def too_long(limit: int) -> Fault:
    """The vendor's refusal of a text of more words than that, see `WireFormat.too_long`."""

    async def play(exchange: Exchange) -> None:
        sizes = list(map(words_in, exchange.asked.inputs))
        index = next((index for index, size in enumerate(sizes) if size > limit), None)
        if index is None:
            await exchange.answer()
        else:
            refusal, size = exchange.wire.too_long or TOO_LARGE, sizes[index]
            await _refuse(exchange, refusal, most=limit, size=size, index=index)

    return Fault(f"too-long-{limit}", play)


async def _refuse(
    exchange: Exchange, refusal: SizeRefusal, *, most: int, size: int, index: int | None = None
) -> None:
    said = refusal.says  # not `format`: a vendor may quote JSON, with braces of its own
    for name, value in (("most", most), ("size", size), ("index", index)):
        said = said.replace(f"{{{name}}}", str(value))
    await exchange.refuse(refusal.status, said, code=refusal.code, index=index)


def too_many_tokens(limit: int) -> Fault:
    """400 for a batch of more words than that; a smaller one gets its answer."""

    async def play(exchange: Exchange) -> None:
        words = sum(map(words_in, exchange.asked.inputs))
        if words <= limit:
            await exchange.answer()
            return
        message = f"Requested {words} tokens, max {limit} tokens per request"
        await exchange.refuse(
            400, message, code="max_tokens_per_request", kind="max_tokens_per_request"
        )

    return Fault(f"too-many-tokens-{limit}", play)


def refuses_base64() -> Fault:
    """400 for a request that asks for base64; one that asks for floats gets its answer."""

    async def play(exchange: Exchange) -> None:
        if exchange.asked.encoding == "base64":
            await exchange.refuse(400, "encoding_format does not have a valid value")
        else:
            await exchange.answer()

    return Fault("refuses-base64", play)


def reset_before() -> Fault:
    """The connection breaks before the first byte of the answer."""

    async def play(exchange: Exchange) -> None:
        exchange.connection.reset()

    return Fault("reset-before", play)


def reset_mid_body() -> Fault:
    """The connection breaks in the middle of the body."""

    async def play(exchange: Exchange) -> None:
        body = exchange.wire.answer(exchange.rows, exchange.asked)
        await exchange.connection.begin(200, len(body), headers=JSON)
        await exchange.connection.send(body[: len(body) // 2])
        exchange.connection.reset()

    return Fault("reset-mid-body", play)


def reply(number: int, said: object, *, headers: Mapping[str, str] = JSON) -> Fault:
    """Any status with this very body: a string as it is, everything else as JSON."""
    data = said if isinstance(said, str) else json.dumps(said)

    async def play(exchange: Exchange) -> None:
        await exchange.connection.respond(number, data.encode(), headers=headers)

    return Fault(f"reply-{number}", play)


def body(data: bytes, *, content_type: str = "application/json", name: str = "body") -> Fault:
    """200 with these very bytes."""

    async def play(exchange: Exchange) -> None:
        await exchange.connection.respond(200, data, headers={"Content-Type": content_type})

    return Fault(name, play)


def truncated_json() -> Fault:
    """Half of the JSON, with a length that fits it."""

    async def play(exchange: Exchange) -> None:
        whole = exchange.wire.answer(exchange.rows, exchange.asked)
        await exchange.connection.respond(200, whole[: len(whole) // 2], headers=JSON)

    return Fault("truncated-json", play)


def captive_portal() -> Fault:
    """200 with a page for people: a proxy wants a login."""
    page = b"<!doctype html><title>Sign in to the network</title>"
    return body(page, content_type="text/html", name="captive-portal")


def empty_body() -> Fault:
    """200 and nothing else."""
    return body(b"", name="empty-body")


def error_with_200(message: str = "The upstream provider failed.") -> Fault:
    """200 with an error inside, as some gateways answer."""

    async def play(exchange: Exchange) -> None:
        await exchange.connection.respond(200, exchange.wire.error(message), headers=JSON)

    return Fault("error-with-200", play)


def silent() -> Fault:
    """The request is taken and never answered."""

    async def play(exchange: Exchange) -> None:
        await exchange.connection.until_gone()

    return Fault("silent", play)


def dripping(*, pause: float = 0.01) -> Fault:
    """The right answer, one byte at a time with a pause of so many seconds between two."""

    async def play(exchange: Exchange) -> None:
        whole = exchange.wire.answer(exchange.rows, exchange.asked)
        await exchange.connection.begin(200, len(whole), headers=JSON)
        for byte in whole:
            await exchange.connection.send(bytes([byte]))
            await asyncio.sleep(pause)

    return Fault("dripping", play)


def gzip_bomb(*, mebibytes: int = 200, number: int = 200) -> Fault:
    """An answer of a few hundred kilobytes that unpacks to so many mebibytes."""

    async def play(exchange: Exchange) -> None:
        packed = await asyncio.to_thread(_bomb, mebibytes)
        headers = {**JSON, "Content-Encoding": "gzip"}
        await exchange.connection.respond(number, packed, headers=headers)

    return Fault(f"gzip-bomb-{mebibytes}-MiB-{number}", play)


def redirected(to: str, *, number: int = 307) -> Fault:
    """A redirect, for example to another host that must never see the key.

    Args:
        to: The `Location`.
        number: 307 and 308 repeat the request as it is; 301, 302 and 303 turn it into a GET.
    """

    async def play(exchange: Exchange) -> None:
        await exchange.connection.respond(number, headers={"Location": to})

    return Fault(f"redirected-{number}", play)


@lru_cache(maxsize=2)
def _bomb(mebibytes: int) -> bytes:
    """White space in front of nothing, which is how little JSON it takes."""
    packer = zlib.compressobj(wbits=GZIP)
    packed = [packer.compress(b" " * MEBIBYTE) for _ in range(mebibytes)]
    return b"".join([*packed, packer.flush()])
