"""The model of a TEI server: one request, one answer, and what the server says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.card import ModelCard
from embedbridge.contract.errors import (
    ConfigurationError,
    InvalidOptionError,
    UnknownModelError,
    short_repr,
)
from embedbridge.contract.local import audited_prompts
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote import (
    HttpModel,
    Refusals,
    Server,
    Vendor,
    counted,
    matrix,
    rows_at,
    too_many_tokens,
)
from embedbridge.contract.vocabulary import Role, Task
from embedbridge.providers.tei.catalog import UNKNOWN, VENDOR, card_of
from embedbridge.providers.tei.options import TeiOptions

DOCUMENT_NAMES = ("document", "passage", "corpus")
"""Names of the prompt of documents, in the order in which sentence-transformers looks for them."""

REFUSALS = Refusals(
    sentences=(
        (r"`dimensions`", InvalidOptionError),
        (r"prompt-name|prompt_name", InvalidOptionError),
        (r"not an embedding model|SPLADE", ConfigurationError),
        (r"out of memory", too_many_tokens),
    ),
    statuses={404: partial(ConfigurationError, hint="Check base_url: `/embed` is not there.")},
)
"""Source: `core/src/infer.rs` and `core/src/tokenization.rs`. "batch size 33 > maximum allowed batch
size 32" and "`inputs` must have less than 512 tokens. Given: 600" are known to the kit."""


class TeiModel(HttpModel):
    """The model that a Text Embeddings Inference (TEI) server serves.

    Example:
        # TEI_BASE_URL is set in the environment
        with load_embedder("tei:BAAI/bge-base-en-v1.5") as embedder:
            vectors = embedder.embed_documents(["one text", "another"])

    Args:
        name: The model's id on the Hub; the server is asked whether it serves this one.
        options: See `TeiOptions`.
    """

    provider: ClassVar[str] = "tei"
    vendor: ClassVar[Vendor] = VENDOR
    unknown: ClassVar[ModelCard] = UNKNOWN
    refusals: ClassVar[Refusals] = REFUSALS
    discovers: ClassVar[bool] = True
    list_name: ClassVar[str | None] = "embeddings"
    tokens_header: ClassVar[str | None] = "x-compute-tokens"
    Options: ClassVar[type[ModelOptions]] = TeiOptions
    options: TeiOptions

    @property
    def card(self) -> ModelCard:
        """What the model can do, as far as the server has said it."""
        prompts = audited_prompts(self.name)
        in_field = self._names or self._named("query") or self._named("document")
        return replace(
            card_of(super().card, self.facts),
            prompts=prompts,
            roles="field" if in_field else "prefix" if prompts else "none",
            normalized=self.options.normalize is not False,
        )

    def prompt(self, role: Role, task: Task | None = None) -> str:
        """None where the server is to put its own in front."""
        return "" if self._named(role) else super().prompt(role, task)

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        """A text that is too long is to be refused, so that it is cut and reported by the engine."""
        return "/embed", {
            "inputs": batch.texts,
            "truncate": False,
            "prompt_name": self._prompt_name(batch.role),
            "normalize": self.options.normalize,
            "dimensions": batch.dimensions,
        }

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        """TEI numbers nothing: a vector belongs to the input at the same place."""
        return BatchResult(vectors=matrix(counted(rows_at(answer, "embeddings"), len(batch))))

    async def ask(self, server: Server) -> Mapping[str, Any]:
        """The limits from `/info`, and which prompts the model has, unless we know its prompts.

        A server without that page is a gateway that hides it, and is not asked for prompts.
        """
        reply = await server.ask("/info", needed=self.needs_facts)
        self._check(reply.content)
        asked = self.needs_facts and 200 <= reply.status < 300
        names = await _prompt_names(server) if asked else {}
        return {**reply.content, "prompt_names": names}

    def _check(self, info: Mapping[str, Any]) -> None:
        """Refuse what can give no vectors, or those of another model."""
        kinds = info.get("model_type")
        kind, details = (
            next(iter(kinds.items())) if isinstance(kinds, dict) and kinds else ("", None)
        )
        pooling = details.get("pooling") if isinstance(details, dict) else None
        if kind in ("classifier", "reranker") or pooling == "splade":
            kind = "model of sparse vectors" if pooling else kind
            raise ConfigurationError(
                f"The server at {self.address.host_and_path} serves a {kind}, which gives no embeddings.",
                hint="Start a server with an embedding model, or correct base_url.",
            )
        served = [str(info[key]) for key in ("model_id", "served_model_name") if info.get(key)]
        # A path says nothing of what lies there.
        if served and served[0][0] not in "/." and self.name.lower() not in map(str.lower, served):
            raise UnknownModelError(
                f"The server at {self.address.host_and_path} serves {short_repr(served[0])}, not {self.name!r}.",
                hint=f"Write {short_repr(f'tei:{served[0]}')}, or correct base_url.",
            )

    @property
    def key_hint(self) -> str:
        """What to do about a key that is refused; a gateway may refuse only what is not `/embed`."""
        hint = super().key_hint
        if not self.needs_facts:
            return hint
        also = 'If only `/info` or `/tokenize` is refused, pass query_prompt and document_prompt ("" for none).'
        return f"{hint} {also}"

    @property
    def needs_facts(self) -> bool:
        """The prompts that the server knows, unless we know them or the user has said both."""
        options = self.options
        is_said = [
            options.query_prompt is not None or options.query_prompt_name is not None,
            options.document_prompt is not None or options.document_prompt_name is not None,
        ]
        return not (audited_prompts(self.name) or all(is_said))

    @property
    def _names(self) -> Mapping[str, str]:
        """The prompts of the model's own by role, as far as the server has said it."""
        names: Mapping[str, str] = self.facts.get("prompt_names", {})
        return names

    def _named(self, role: Role) -> str | None:
        """The prompt that the user has named."""
        options = self.options
        return options.query_prompt_name if role == "query" else options.document_prompt_name

    def _prompt_name(self, role: Role) -> str | None:
        """The prompt that the server is to put in front; none where the user has written one out."""
        options = self.options
        written = options.query_prompt if role == "query" else options.document_prompt
        return self._named(role) or (self._names.get(role) if written is None else None)


async def _prompt_names(server: Server) -> Mapping[str, str]:
    """By role, the name of the prompt that the model registers; asked by making tokens of one."""

    async def asked(name: str) -> tuple[bool, str]:
        fields = {"inputs": "a", "prompt_name": name}
        reply = await server.ask("/tokenize", fields, needed=True)
        return 200 <= reply.status < 300, reply.message

    names = {}
    is_there, listed = await asked("query")  # a refusal lists those that are there
    if is_there:
        names["query"] = "query"
        document, listed = await asked(DOCUMENT_NAMES[0])
        if document:
            return {**names, "document": DOCUMENT_NAMES[0]}
    found = next((name for name in DOCUMENT_NAMES if f'"{name}"' in listed), None)
    return {**names, "document": found} if found else names
