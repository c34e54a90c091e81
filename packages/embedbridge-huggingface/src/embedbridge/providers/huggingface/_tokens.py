"""Tokenization for sentence-transformers: its features, made of tokens that are known already.

sentence-transformers tokenises whatever it is given. Here, each text is tokenised once, for the plan,
and the features that the library would make are built from these tokens. The proof is the library's own
answer for a few texts while the model is loaded. A model with other features, or with code of its own in
front of them, gets its texts as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from embedbridge.contract.batch import Prepared
from embedbridge.contract.local import (
    Encode,
    Ids,
    Tokens,
    copy_tokenizer,
    fast_encode,
    pad,
    rows_of,
    special_proof,
    vocabulary_of,
)
from embedbridge.providers.huggingface._inputs import first_module, named_texts
from embedbridge.providers.huggingface._length import ENDLESS, WORD
from embedbridge.providers.huggingface._own_code import reads_by_itself

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from embedbridge.contract.batch import Batch
    from embedbridge.contract.vocabulary import Role

PROOFS = (
    "a",
    "Two words.",
    "日本語 👩‍👩‍👧‍👦",
    "  space \t\n around ",
    "[CLS] <s> [SEP] </s>",
    "x" * 90,
)
"""Texts short and long, of other scripts, and with the names of special tokens."""


class TextFeatures:
    """The features of texts for one role of one model. Safe to use from several threads.

    Args:
        transformer: The model.
        role: Some models send queries and documents different ways.
        max_length: Tokens of a text that it reads.
        encodes: Our own tokenizers by module of the model; both roles may share one.
        prompts: The prompts for which features are built; others are left to the library.
        separates_prompt: Whether it must be told which part of a text is the prompt.
    """

    def __init__(
        self,
        transformer: SentenceTransformer,
        role: Role,
        max_length: int | None,
        *,
        encodes: dict[Any, Encode | None],
        prompts: Iterable[str],
        separates_prompt: bool,
    ) -> None:
        self._transformer = transformer
        self._module: Any = first_module(transformer, role)
        self._role: Role = role
        self._separates_prompt = separates_prompt
        self._chats = "message" in getattr(self._module, "modality_config", ())
        self._known: dict[str, dict[str, Any]] = {}
        self._names: frozenset[str] = frozenset()
        if self._module not in encodes:
            encodes[self._module] = _encode(self._module, special=not self._chats)
        encode = encodes[self._module]
        limit = _hidden_limit(self._module) if max_length is None else max_length
        self._tokens = (
            None
            if encode is None
            else Tokens(
                encode,
                limit,
                left=getattr(self._module.tokenizer, "truncation_side", "right") == "left",
                vocabulary=vocabulary_of(self._module.tokenizer),
            )
        )
        if self._tokens is not None and not reads_by_itself(self._module):
            proofs = (*PROOFS, special_proof(self._module.tokenizer))
            for prompt in set(map(self._apart, prompts)):
                others = self._same([prompt + text for text in proofs], prompt)
                if others is not None:
                    self._known[prompt] = others
            if self._known:
                self._prove_length(self._tokens, limit)

    def prepare(self, texts: Sequence[str], prompt: str) -> Prepared | None:
        """Tokens of rendered texts; `None` if they cannot be counted exactly."""
        if self._tokens is None:
            return None
        written = self._written(texts, prompt)
        if self._apart(prompt) in self._known:
            return self._tokens.prepare(written)
        return Prepared(counts=self._tokens.count(written))

    def count(self, texts: Sequence[str]) -> list[int] | None:
        """Tokens of each text, special ones included and nothing cut."""
        return None if self._tokens is None else self._tokens.count(self._written(texts, ""))

    def of(self, batch: Batch) -> dict[str, Any] | None:
        """The features of a batch of texts; `None` where the library must make them."""
        if self._tokens is None or self._apart(batch.prompt) not in self._known:
            return None
        rows = rows_of(batch, self._tokens, lambda texts: self.prepare(texts, batch.prompt))
        return None if rows is None else self._build(rows, batch.prompt)

    def _build(self, rows: Sequence[Ids], prompt: str) -> dict[str, Any]:
        import torch

        numbers: dict[str, Any] = {}
        if "offsets" in self._names:  # static embeddings: one row of all texts
            numbers["input_ids"] = np.concatenate(rows)
            numbers["offsets"] = np.cumsum([0, *map(len, rows[:-1])])
        else:
            tokenizer = self._module.tokenizer
            left = tokenizer.padding_side == "left"
            ids, numbers["attention_mask"] = pad(rows, tokenizer.pad_token_id, left=left)
            numbers["input_ids"], numbers["token_type_ids"] = ids, np.zeros_like(ids)
        features = {name: torch.from_numpy(numbers[name].astype(np.int64)) for name in self._names}
        return {**features, **self._known.get(self._apart(prompt), {})}

    def _apart(self, prompt: str) -> str:
        """The prompt, if it is more than the beginning of a text."""
        return prompt if self._separates_prompt else ""

    def _written(self, texts: Sequence[str], prompt: str) -> Sequence[str]:
        """What of rendered texts reaches the tokenizer: a chat template writes around them."""
        if not self._chats:
            return texts
        module = self._module
        inputs = {"text": [text.removeprefix(prompt) for text in texts]}
        messages = module.input_formatter.batch_to_message("text", inputs)[1]["message"]
        if prompt:
            messages = module.input_formatter.prepend_prompt_to_messages(messages, prompt)
        return [module.processor.apply_chat_template(one, tokenize=False) for one in messages]

    # The proof.

    def _prove_length(self, tokens: Tokens, limit: int | None) -> None:
        """Look how a text is cut that is too long, and whether one that just fits stays whole."""
        prompt = next(iter(self._known))
        if limit is None:
            if self._same([prompt + WORD * ENDLESS], prompt) != self._known[prompt]:
                self._known = {}  # it has a limit that is not known here
            return
        known = self._known[prompt]
        once, twice = tokens.count(self._written([prompt + WORD, prompt + 2 * WORD], prompt))
        fits = prompt + WORD * max(1 + (limit - once) // max(twice - once, 1), 1)
        if self._same([fits], prompt) != known:
            self._known = {}  # it has a limit that is not known here
        tokens.cuts = self._same([prompt + WORD * 2 * limit, fits], prompt) == known

    def _same(self, texts: list[str], prompt: str) -> dict[str, Any] | None:
        """The library's features beside the tensors, if our tensors are the same as its own."""
        import torch

        tokens: Any = self._tokens
        apart = self._apart(prompt)
        bare = [text.removeprefix(apart) for text in texts]
        try:
            expected = self._transformer.preprocess(
                named_texts(bare, self._transformer, self._role), prompt=apart, task=self._role
            )
            tensors = {k: v for k, v in expected.items() if isinstance(v, torch.Tensor)}
            self._names = frozenset(tensors)
            rows: Any = tokens.prepare(self._written(texts, prompt)).payloads
            made = self._build(list(map(tokens.unpack, rows)), prompt)
        except Exception:  # noqa: BLE001  # it has other inputs, or code of its own
            return None
        if not all(torch.equal(made[name], tensor) for name, tensor in tensors.items()):
            return None
        others = {name: value for name, value in expected.items() if name not in tensors}
        # They are used for other texts too: a list would be one of these texts.
        plain = all(isinstance(value, str | int | None) for value in others.values())
        return others if plain else None


def _hidden_limit(module: Any) -> int | None:
    """Tokens to which the tokenizer of static embeddings cuts, though the model has no limit."""
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    cut = module.tokenizer.truncation if isinstance(module, StaticEmbedding) else None
    return None if cut is None else int(cut["max_length"])


def _encode(module: Any, *, special: bool) -> Encode | None:
    """A tokenizer of our own; `None` if the model's is not in Rust, or has parts in Python."""
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    ours = copy_tokenizer(getattr(module, "tokenizer", None))
    if ours is None:
        return None
    return fast_encode(ours, special=special and not isinstance(module, StaticEmbedding))
