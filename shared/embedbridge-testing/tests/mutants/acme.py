"""A small, good provider on the kit: Acme's API, with options, refusals and a wire format of its own.

The suites beside it plant faults in copies of it. Nothing of Acme's is like OpenAI's: neither fields nor
words, so that no default can stand in for what a provider has to say itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from embedbridge.contract import Batch, BatchResult, InputTooLongError, ModelCard, ModelOptions
from embedbridge.contract.card import Limits
from embedbridge.contract.remote import (
    HttpModel,
    HttpOptions,
    OutputType,
    Refusals,
    Vendor,
    in_order,
    rows_at,
    too_many_items,
    usage_at,
)
from embedbridge.testing import SizeRefusal, WireFormat
from embedbridge.testing._http_server import HttpRequest
from embedbridge.testing.wires.format import Asked, Row, as_json, bearer, words_in, written

VENDOR = Vendor(
    name="Acme",
    url="https://api.acme.example/v2",
    keys=("ACME_API_KEY",),
    url_variable="ACME_BASE_URL",
    endings=("/embed",),
)
CARD = ModelCard(
    name="acme-1",
    roles="field",
    dimensions=1024,
    allowed_dimensions=(512, 256),
    requests_dimensions=True,
    normalized=True,
    truncates=False,
    limits=Limits(max_items=96, max_tokens_per_input=8192),
    space="acme:acme-1",
)
REFUSALS = Refusals(
    sentences=(
        (r"basket", too_many_items),
        (r"scroll", InputTooLongError),
    ),
    exhausted=r"purse",
    position_field="leaf",
)


class AcmeOptions(HttpOptions):
    """What users may set on Acme's models."""

    not_in_identity: ClassVar[frozenset[str]] = HttpOptions.not_in_identity | {
        "encoding",
        "output_dtype",  # by what it means, see `AcmeModel.identity`
        "priority",
    }

    output_dtype: Literal["float", "int8", "binary"] = "float"
    """What the values are."""
    encoding: Literal["base64", "list"] = "base64"
    """How they travel."""
    priority: int | None = None
    """Of the request, where Acme's server is busy."""


class AcmeModel(HttpModel):
    """A model of Acme's; the key is in ACME_API_KEY."""

    provider: ClassVar[str] = "acme"
    vendor: ClassVar[Vendor] = VENDOR
    cards: ClassVar[Sequence[ModelCard]] = (CARD,)
    refusals: ClassVar[Refusals] = REFUSALS
    Options: ClassVar[type[ModelOptions]] = AcmeOptions
    options: AcmeOptions

    @property
    def card(self) -> ModelCard:
        return self.output.card(super().card, f"acme:{self.name}")

    @property
    def output(self) -> OutputType:
        """What the values of a vector are."""
        return OutputType(self.options.output_dtype)

    def identity(self) -> Mapping[str, object]:
        return {**super().identity(), **self.output.identity()}

    def headers(self) -> Mapping[str, str]:
        return {"X-Acme-Client": "embedbridge"}

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        return "/embed", {
            "model": self.name,
            "texts": batch.texts,
            "side": batch.role,
            "output_dimension": self.output.asked(batch.dimensions),
            "output_dtype": self.options.output_dtype,
            "encoding": self.options.encoding,
            "priority": self.options.priority,
        }

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        rows = in_order(rows_at(answer, "rows"), len(batch))
        return BatchResult(vectors=self.output.matrix(rows), usage=usage_at(answer, "tokens"))


class AcmeWire(WireFormat):
    """Acme's own format."""

    base = "/v2"
    endpoint = "/embed"
    too_many = SizeRefusal(
        status=422, says="{size} are too much for the basket, which holds {most}.", most=96
    )
    too_long = SizeRefusal(status=422, says="{size} words: the scroll ends at {most}.", most=8192)
    out_of_quota = "Your purse is empty."

    def beside(self, request: HttpRequest) -> tuple[int, bytes] | None:
        return (200, as_json({"token": "a" * 40})) if request.path.endswith("/token") else None

    def read(self, request: HttpRequest) -> Asked:
        asked = json.loads(request.body)
        kind, packed = asked["output_dtype"], asked["encoding"] == "base64"
        return Asked(
            model=asked["model"],
            inputs=asked["texts"],
            role=asked["side"],
            dimensions=asked.get("output_dimension"),
            encoding=("base64" if packed else "float") if kind == "float" else kind,
            packed=packed,
        )

    def answer(self, rows: Sequence[Row] | None, asked: Asked) -> bytes:
        told: Any = rows and [
            {"index": row.index, "embedding": written(row, packed=asked.packed)} for row in rows
        ]
        return as_json({"rows": told, "tokens": sum(map(words_in, asked.inputs))})

    def error(self, message: str, *, code: str | None = None, kind: str | None = None) -> bytes:
        return as_json({"problem": {"number": 3210, "message": message}})

    def error_at(self, index: int, message: str, *, code: str | None = None) -> bytes:
        return as_json({"problem": {"number": 3210, "leaf": index, "message": message}})

    def credential(self, request: HttpRequest) -> str:
        return bearer(request)
