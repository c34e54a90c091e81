"""The base class of models: the one class that a provider writes.

A remote model implements `async def embed_batch`, a local one a plain `def embed_batch` on
`LocalEmbeddingModel`. Sync and async twins, batching, retries, caching, deduplication and the checks
of answers are the engine's.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from embedbridge.contract.card import ModelCard
from embedbridge.contract.options import ModelOptions, parse_options

if TYPE_CHECKING:
    from embedbridge.contract.batch import Batch, BatchResult, Prepared
    from embedbridge.contract.vocabulary import Role, Task


_numbers = itertools.count()


class EmbeddingModel(ABC):
    """A model that embeds, usually behind HTTP.

    Example:
        class AcmeModel(EmbeddingModel):
            provider = "acme"
            cards = (ModelCard(name="acme-1", dimensions=256),)

            async def embed_batch(self, batch: Batch) -> BatchResult:
                rows = await self.client.embed(self.name, batch.texts, role=batch.role)
                return BatchResult(vectors=np.asarray(rows, dtype=np.float32))

    Args:
        name: The model's name, as users type it after the colon.
        options: Values for the fields of the class's `Options`.

    Raises:
        InvalidOptionError: An option is unknown or has a value that cannot be.
    """

    provider: ClassVar[str]
    """What users type before the colon."""
    Options: ClassVar[type[ModelOptions]] = ModelOptions
    """What users may set."""
    cards: ClassVar[Sequence[ModelCard]] = ()
    """The models known by name; any other name gets a card with conservative limits."""

    def __init__(self, name: str, **options: Any) -> None:
        self.name = name
        self._number = next(_numbers)
        owner = f"Model '{self.provider}:{name}'"
        self.options = parse_options(self.Options, options, owner=owner)

    @property
    def card(self) -> ModelCard:
        """What this model can do. Override it where only the loaded model knows."""
        for card in self.cards:
            if card.name == self.name:
                return card
        return ModelCard(name=self.name)

    @abstractmethod
    def embed_batch(self, batch: Batch) -> Awaitable[BatchResult] | BatchResult:
        """Embed one batch; called on the engine's background event loop.

        Args:
            batch: Inputs of one modality, rendered, without duplicates and within the limits.

        Returns:
            One vector per input, in order.

        Raises:
            EmbedBridgeError: Translated from whatever the vendor's library raises.
        """

    @property
    def endpoint(self) -> Hashable:
        """What shares one set of limits: the server and the account behind it.

        Two models with the same endpoint wait for the same slots and share requests in flight.
        The default is this object alone. Never the credential itself: a digest of it.
        """
        return (self.provider, self._number)

    def prompt(self, role: Role, task: Task | None = None) -> str:
        """The text that goes in front of every input: the user's, else the card's, else none."""
        chosen = self.options.query_prompt if role == "query" else self.options.document_prompt
        if chosen is not None:
            return chosen
        prompts: Mapping[str, str] = self.card.prompts
        if task is not None and task in prompts:
            return prompts[task]
        return prompts.get(role, "")

    def count_tokens(self, texts: Sequence[str]) -> Sequence[int] | None:
        """Tokens of each text as the model counts them, special ones included.

        `None` where that is not known offline; the engine then estimates. Must be safe to call
        from several threads, and must never download anything.
        """
        return None

    def prepare(self, texts: Sequence[str], *, role: Role, prompt: str) -> Prepared | None:
        """Tokenise texts once: their counts for the plan, and what `embed_batch` needs of them.

        The payloads come back in `Batch.prepared`. Override it in a model that would otherwise split
        the same texts into tokens twice; `count_tokens` is enough for any other.

        Args:
            texts: Rendered texts, with the prompt in front.
            role: What they are for.
            prompt: What stands in front of each of them.

        Returns:
            `None` where tokens cannot be counted offline.
        """
        counts = self.count_tokens(texts)
        if counts is None:
            return None
        from embedbridge.contract.batch import Prepared

        return Prepared(counts=counts)

    def identity(self) -> Mapping[str, object]:
        """Everything that decides how a vector comes out, as JSON values; part of the fingerprint.

        Extend it with what the options do not say, for example a digest of the weights. A key
        `"model"` replaces the model's name, for names that mean nothing, such as a folder's path.
        """
        return self.options.identity()

    @property
    def needs_discovery(self) -> bool:
        """Whether `discover` is to be awaited before the next job."""
        return False

    async def discover(self) -> None:
        """Ask the server for what only it knows, such as its limits, so that `card` can say it.

        Called on the engine's background event loop, before a job is planned. Identity and space
        must not depend on it: they are the same before and after.

        Raises:
            EmbedBridgeError: The server answers, and this model can never be used there.
        """

    async def aopen(self) -> None:
        """Import and open what the next request needs: a limiter's ticket is for the moment after it.

        Called before each request that a limiter has to admit. What it raises is not reported;
        `embed_batch` is called all the same, and raises it again.
        """

    async def aclose(self) -> None:
        """Release clients. The model may be used again and then opens them anew."""

    def __copy__(self) -> Self:
        # By `__reduce__` it would lose the key that was passed, and ask for whatever account the
        # environment names. It never changes, so it need not be there twice.
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        # By configuration: no clients, no weights, no secrets. They are found again over there.
        return (_restore, (type(self), self.name, self.options.public()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.provider}:{self.name})"


class LocalEmbeddingModel(EmbeddingModel):
    """A model that computes in this process.

    The engine never calls one model object from two threads at once; equal models run side by side.
    """

    @property
    def shared_weights(self) -> object:
        """What it computes with. Models that share it are not called from two threads at once."""
        return self

    @property
    def weights_edition(self) -> int | None:
        """Another number each time that the weights are loaded; 0 while they are not.

        Fingerprint and space are reckoned again with each. `None` where the identity never changes.
        """
        return None

    @abstractmethod
    def embed_batch(self, batch: Batch) -> BatchResult:
        """Embed one batch, in the thread of a caller that holds the model's lock."""

    @property
    def has_own_device(self) -> bool:
        """Whether it computes elsewhere than on this machine's processors, for example on a GPU.

        Images of the next batch are then decoded meanwhile.
        """
        return False

    def close(self) -> None:
        """Release memory and worker processes. The model may be used again."""


def _restore(
    model_class: type[EmbeddingModel], name: str, options: dict[str, Any]
) -> EmbeddingModel:
    return model_class(name, **options)
