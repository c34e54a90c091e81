"""Models on Amazon Bedrock: one path, a format by family, signed requests or a bearer key."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlsplit

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.card import ModelCard
from embedbridge.contract.errors import (
    ConfigurationError,
    EmbedBridgeError,
    InvalidOptionError,
    UnknownModelError,
)
from embedbridge.contract.forks import ForkSafeLock
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote import (
    Address,
    Credential,
    HttpHandle,
    HttpModel,
    Refusals,
    Secrets,
    Vendor,
    is_loopback,
    url_variable,
    usage_at,
    variable,
)
from embedbridge.providers.bedrock._access import SERVICE, Access, find_access, known_region
from embedbridge.providers.bedrock._families import FAMILIES, Family, family_of
from embedbridge.providers.bedrock._refusals import EXPIRED, REFUSALS
from embedbridge.providers.bedrock._signing import Signer
from embedbridge.providers.bedrock.catalog import (
    CARDS,
    MAX_REQUEST_BYTES,
    VENDOR,
    model_id,
)
from embedbridge.providers.bedrock.options import BedrockOptions

OF_SOME = frozenset[str]().union(*(family.options for _, family in FAMILIES))
"""Options that only some families know."""
PATH = re.compile(r"/model(?:/[^/]+/(?:invoke|converse)[a-z-]*|/[^/]*[.%:][^/]*)?/?$")
"""What users copy along behind the address: of a model, with or without an operation on it."""


class BedrockModel(HttpModel):
    """An embedding model on Amazon Bedrock.

    Example:
        model = BedrockModel("amazon.titan-embed-text-v2:0", region="us-east-1", dimensions=512)
        with Embedder(model) as embedder:  # credentials as for every tool of AWS
            documents = embedder.embed_documents(["A cat sleeps."])

    Args:
        name: A model's ID, the ID of an inference profile (`us.cohere.embed-v4:0`), or an ARN that
            ends in one of them.
        options: See `BedrockOptions`.

    Raises:
        UnknownModelError: The name does not say which format the model has.
        InvalidOptionError: The model does not know an option that is set.
    """

    provider: ClassVar[str] = "bedrock"
    vendor: ClassVar[Vendor] = VENDOR
    cards: ClassVar[Sequence[ModelCard]] = CARDS
    refusals: ClassVar[Refusals] = REFUSALS
    tokens_header: ClassVar[str | None] = "x-amzn-bedrock-input-token-count"
    max_request_bytes: ClassVar[int | None] = MAX_REQUEST_BYTES
    Options: ClassVar[type[ModelOptions]] = BedrockOptions
    options: BedrockOptions

    def __init__(self, name: str, **options: Any) -> None:
        self._id = model_id(name)
        self._family = _family(name, self._id)
        self._access: Access | None = None
        self._finding = ForkSafeLock()
        self._searches = 0
        self._not_found: EmbedBridgeError | None = None
        super().__init__(name, **options)
        for option in sorted((OF_SOME - self._family.options) & self.options.model_fields_set):
            raise InvalidOptionError(
                f"{self._id!r} has no option {option!r}.", hint="See the provider's README."
            )

    # What it can do.

    @property
    def known_card(self) -> ModelCard | None:
        """The card of the model that an inference profile or an ARN stands for."""
        card = next((card for card in self.cards if card.name == self._id), None)
        return card and replace(card, name=self.name)

    @property
    def unknown(self) -> ModelCard:  # type: ignore[override]  # it depends on the name
        """A later version is taken for the newest that is known of its family, at any width."""
        newest = next(card for card in self.cards if family_of(card.name) is self._family)
        return replace(newest, dimensions=None, allowed_dimensions=None, space=None)

    @property
    def listed_card(self) -> ModelCard:
        """An inference profile has the space of its model."""
        card = super().listed_card
        return replace(card, space=card.space or f"bedrock:{self._id}")

    @property
    def card(self) -> ModelCard:
        """What the model can do, with these options and at this address."""
        card, options, family = super().card, self.options, self._family
        cuts = family.end(options) != "NONE" if "truncate" in family.options else card.truncates
        return replace(
            card,
            truncates=cuts,
            limits=card.limits.reading(options.max_tokens),
            normalized=card.normalized and options.normalize is not False,
        )

    def identity(self) -> Mapping[str, object]:
        """The options that change a vector; an inference profile changes none."""
        cut = {"truncate": "START"} if self.options.truncate == "START" else {}
        return {**super().identity(), **cut, "model": self._id}

    # One request, one answer.

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        """The path with the model's name, percent-encoded once, and the family's JSON."""
        name = unquote(self.options.inference_profile or self.name)
        asked = self.output_type.asked(batch.dimensions)
        fields = self._family.fields(batch, self.options, asked)
        return f"/model/{quote(name, safe='')}/invoke", fields

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        """The vectors; tokens are in the answer of Titan, and in a header of the others'."""
        rows = self._family.rows(answer, batch, self.options)
        return BatchResult(
            vectors=self.output_type.matrix(rows),
            usage=usage_at(answer, "inputTextTokenCount"),
            truncated=self._family.truncated(answer),
        )

    # Where it is, and who asks.

    @property
    def _named_url(self) -> str | None:
        """The endpoint that the user names."""
        variables = (VENDOR.url_variable or "", "AWS_ENDPOINT_URL")
        return self.options.base_url or next(filter(None, map(variable, variables)), None)

    @property
    def own_url(self) -> str | None:
        """AWS's endpoint; before the first request, as far as it is known without botocore."""
        if self._access is not None:
            return self._access.url
        named, region = url_variable("AWS_ENDPOINT_URL"), known_region(self.options)
        return named or f"https://{'.'.join(filter(None, (SERVICE, region)))}.amazonaws.com"

    @property
    def address(self) -> Address:
        """Without the path of a model, which users copy along."""
        return Address(PATH.sub("", super().address.url))

    @property
    def at_home(self) -> bool:
        """Whether it is AWS's own endpoint: the same before the first request and after it."""
        return self._named_url is None or super().at_home

    @property
    def account(self) -> Sequence[object]:
        """Everything that chooses the credentials."""
        options = self.options
        return (
            self._key,
            options.profile or variable("AWS_PROFILE"),
            options.aws_access_key_id or variable("AWS_ACCESS_KEY_ID"),
            options.aws_secret_access_key,
        )

    @property
    def _key(self) -> object:
        """A bearer key; options that choose credentials win over that of the environment."""
        if self.options.api_key is None and self.options.names_credentials:
            return None
        return super()._key

    @property
    def key_hint(self) -> str:
        """Where the credentials come from, and what to do about them."""
        return VENDOR.key_hint if self._access is None else self._access.hint

    def _own_credential(self, secrets: Secrets) -> Credential | None:
        """The bearer key, if there is one; without it requests are signed."""
        return None if self._key is None else super()._own_credential(secrets)

    def _open(self) -> HttpHandle:
        access = self._access
        assert access is not None  # noqa: S101  # `_client` has found it
        handle = super()._open()
        if access.credentials is not None:
            signer = Signer(access, lambda: self._find(handle.secrets), handle.secrets)
            handle.sign, handle.renew = signer.sign, signer.renew
            handle.is_renewable = _is_expired
        elif handle.credential is not None:
            _check_tls(self.address)
        return handle

    async def _client(self) -> HttpHandle:
        """The client; credentials are found before it is opened, off the event loop."""
        await self._slot.import_library()  # so that nothing is waited for after the search
        if self._access is None:
            found = await asyncio.to_thread(self._find_once, self._searches)
            # Whoever closes the embedder meanwhile takes nothing from this request.
            self._access = self._access or found
        return await super()._client()

    def _find_once(self, searches: int) -> Access:
        """Requests that begin together wait for one search (single-flight), and share its failure."""
        with self._finding:
            if self._access is not None:
                return self._access
            if self._searches != searches and self._not_found is not None:
                raise copy.copy(self._not_found)
            self._searches += 1
            try:
                access = self._access = self._find(Secrets())
            except EmbedBridgeError as error:
                self._not_found = copy.copy(error)
                raise
            return access

    def _find(self, secrets: Secrets) -> Access:
        url = self.address.url if self._named_url else None
        bearer = self._key is not None or self.options.sets(VENDOR.header)
        return find_access(self.options, secrets, url, bearer=bearer)

    async def aclose(self) -> None:
        """Close the connections; credentials are found anew for the next request."""
        self._access = None
        await super().aclose()


def _family(name: str, own_id: str) -> Family:
    family = family_of(own_id)
    if family is not None:
        return family
    starts = ", ".join(dict.fromkeys(start for start, _ in FAMILIES))
    hint = f"Names begin with {starts}, perhaps with an area such as `us.` in front."
    if name.startswith("arn:"):
        hint = "The ARN does not say which model it is of: name the model, and pass the ARN as inference_profile."
    raise UnknownModelError(f"The format of {name!r} on Amazon Bedrock is not known.", hint=hint)


def _is_expired(status: int, headers: Mapping[str, str]) -> bool:
    """Whether a refusal means that the credentials have expired."""
    return status in (400, 401, 403) and headers.get("x-amzn-errortype", "").startswith(EXPIRED)


def _check_tls(address: Address) -> None:
    parts = urlsplit(address.url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ConfigurationError(
            f"A bearer key is not sent to {parts.hostname} without encryption.",
            hint="Write the address with https://.",
        )
