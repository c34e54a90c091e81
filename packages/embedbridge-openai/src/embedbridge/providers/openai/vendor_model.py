"""Models of vendors by name: an OpenAI-compatible server whose row says what it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar
from urllib.parse import urlsplit

from embedbridge.contract.card import ModelCard
from embedbridge.contract.errors import (
    ConfigurationError,
    QuotaExhaustedError,
    RateLimitedError,
)
from embedbridge.contract.hooks import ProviderSpec
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote import Address, Refusals, Vendor, variable
from embedbridge.contract.vocabulary import Role
from embedbridge.providers.openai._optional import OptionalFields
from embedbridge.providers.openai._vendor_rules import FORMATS, PLACEHOLDER
from embedbridge.providers.openai.catalog import compatible_card
from embedbridge.providers.openai.compatible import OpenAICompatibleModel
from embedbridge.providers.openai.options import VendorOptions
from embedbridge.providers.openai.vendors import VendorRow, spec_of


class VendorModel(OpenAICompatibleModel):
    """A model of a vendor that has a row; `vendor_class` makes the class of each vendor.

    Example:
        with load_embedder("together:BAAI/bge-base-en-v1.5") as embedder:
            vectors = embedder.embed_documents(["one text", "another"])

    Args:
        name: The model's name, as the vendor spells it; the prefix of its row may be left out.
        options: See `VendorOptions`.

    Raises:
        ConfigurationError: The vendor has ended its service.
    """

    Options: ClassVar[type[ModelOptions]] = VendorOptions
    row: ClassVar[VendorRow]

    def __init__(self, name: str, **options: Any) -> None:
        if self.row.closed:
            raise ConfigurationError(
                f"{self.row.title} ended its service on {self.row.closed}.",
                hint="Other vendors have the same models; see the README of embedbridge-openai.",
            )
        super().__init__(name, **options)

    @property
    def sent_name(self) -> str:
        """The name with the vendor's prefix."""
        return self.name if "/" in self.name else f"{self.row.model_prefix}{self.name}"

    @property
    def at_home(self) -> bool:
        """Whether this is the one server of the vendor, so that a name means one model.

        It is not where each user has a server, as on this machine or in a Databricks workspace.
        """
        return self.row.base_url is not None and self._keeper is not None

    @property
    def _keeper(self) -> Vendor | None:
        """The vendor, if the key goes to one of its own hosts."""
        is_own = not self.row.is_on_this_machine and super().at_home
        return self.vendor if is_own else None

    @property
    def own_url(self) -> str | None:
        """The vendor's own server, with what the environment says of it.

        Raises:
            ConfigurationError: A variable in it is not set.
        """
        url = self.row.base_url
        return url and PLACEHOLDER.sub(self._filled, url)

    @property
    def address(self) -> Address:
        """The option `base_url`, else the variable, else the vendor's own; a host alone gets the path."""
        url = super().address.url
        if urlsplit(url).path:
            return Address(url)
        path = PLACEHOLDER.sub(self._filled, self.row.default_path)
        return Address(f"{url}{path.rstrip('/')}")

    def _filled(self, placeholder: Any) -> str:
        name = placeholder[1]
        value = variable(name)
        if value is None:
            raise ConfigurationError(
                f"The address of {self.row.title} is not known.",
                hint=f"Set {name} in the environment, or pass base_url.",
            )
        return value

    @property
    def card(self) -> ModelCard:
        """The limits of the row; whatever is not in it is found out by asking."""
        row, most = self.row, self.options.max_items or self.row.max_items
        card = compatible_card(self.name, max_items=most)
        limits = replace(
            card.limits,
            max_tokens_per_input=row.max_tokens_per_input,
            max_tokens_per_request=row.max_tokens_per_request,
        )
        where = f"{self.provider}:{self.sent_name}"
        return replace(
            card,
            limits=limits,
            requests_dimensions=row.dimensions,
            truncates=row.max_tokens_per_input is None,  # what is refused, the engine cuts
            space=where if self.at_home else f"{self.sent_name}@{self.address.host_and_path}",
        )

    def identity(self) -> Mapping[str, object]:
        """The options that change a vector, the name that is sent, and what the row adds."""
        row = self.row
        bodies = {
            name: dict(body)
            for name in ("extra_body", "query_body", "document_body")
            if (body := getattr(row, name))
        }
        added = {"row": bodies} if bodies else {}
        return {**super().identity(), "model": self.sent_name, **added}

    def _body(self, role: Role) -> dict[str, Any]:
        row = self.row
        of_role = row.query_body if role == "query" else row.document_body
        return {**row.extra_body, **of_role, **super()._body(role)}

    def _optional(self) -> OptionalFields:
        return OptionalFields(format=FORMATS.index(self.row.encoding_format))

    def __reduce__(self) -> tuple[object, ...]:
        # With its row: the other process need not have the file that it is from.
        return (_restored, (self.provider, self.row, self.name, self.options.public()))


@cache
def vendor_class(spec: ProviderSpec) -> type[VendorModel]:
    """The class of the vendor that a `ProviderSpec` announces, the same one each time."""
    row = spec.variant
    if not isinstance(row, VendorRow):
        raise ConfigurationError(f"Provider {spec.name!r}: its variant is no VendorRow.")
    words = spec.name.replace("-", " ").replace(".", " ").replace("_", " ").split()
    attributes = {
        "provider": spec.name,
        "vendor": row.vendor,
        "refusals": _refusals_of(row),
        "row": row,
        "__module__": __name__,
        "__doc__": f"A model of {row.title}'s.\n\n    Args:\n        name: For example {row.example!r}.\n"
        "        options: See `VendorOptions`.\n",
    }
    return type(f"{''.join(map(str.capitalize, words))}Model", (VendorModel,), attributes)


def _refusals_of(row: VendorRow) -> Refusals:
    """What the vendor's codes mean, where they mean something else than with others."""
    kinds = ((row.rate_limit_codes, RateLimitedError), (row.quota_codes, QuotaExhaustedError))
    own = {code: kind for codes, kind in kinds for code in codes}
    shared = VendorModel.refusals
    return replace(shared, codes={**shared.codes, **own})


def _restored(provider: str, row: VendorRow, name: str, options: Mapping[str, Any]) -> VendorModel:
    return vendor_class(spec_of(provider, row))(name, **options)
