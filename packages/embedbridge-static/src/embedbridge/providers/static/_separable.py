"""Proof that a tokenizer reads the words of a text one by one, from its `tokenizer.json`.

A text may be cut at a character, and its pieces tokenised alone, if each step treats the pieces as
it treats the whole: added tokens, normalizer, pre-tokenizer, model. A step that is not listed here
counts as one that does not. Special tokens around a text and truncation are not part of this: both
are switched off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Step = Mapping[str, Any]
"""One object of `tokenizer.json`."""

GAPS = " \t\n\r"
"""Where a text is cut: whitespace for every step below. Other whitespace may be removed as a control
character (BertNormalizer), which joins its neighbours."""
MARKS = r"!-/:-@\[-`{-~"
"""ASCII punctuation, as a class of a regular expression: each is a piece of its own, if the
pre-tokenizer isolates punctuation."""

NORMALIZERS = frozenset({"BertNormalizer", "Lowercase", "NFD", "StripAccents"})
"""These look at one character, or at a letter with its marks; neither reaches over a gap or a mark."""
COMPOSING = frozenset({"NFC", "NFKC", "NFKD"})
"""These too, but an accent behind `=`, `<` or `>` makes another character of it (NFC, NFKC), or a
character becomes punctuation with an accent (NFKD): a text is not cut at punctuation."""
SPLITTING = frozenset({"BertPreTokenizer", "Whitespace", "WhitespaceSplit"})
"""These remove whitespace, and look no further than to the next."""
SPLITTING_FURTHER = frozenset({"Digits", "Punctuation", "Split"})
"""These look at one piece of the text only; they may follow."""
MODELS = frozenset({"BPE", "Unigram", "WordLevel", "WordPiece"})
"""All of them read one piece after another."""


@dataclass(frozen=True, slots=True)
class Separable:
    """How texts are cut into pieces that are tokenised alone."""

    piece: re.Pattern[str]
    """What a piece is; gaps are between them."""
    whole: re.Pattern[str] | None = None
    """An added token: a word with one of them in it is not cut at punctuation."""

    def words(self, text: str) -> list[str]:
        """The words of a text, cut at gaps: the tokens of all are the tokens of the text."""
        return text.split(" ") if OTHER_SPACES.search(text) else text.split()

    def pieces(self, words: Sequence[str]) -> Iterable[list[str]]:
        """The pieces of each word: the tokens of all are the tokens of the word."""
        whole = self.whole
        if whole is None or not whole.search(" ".join(words)):
            return map(self.piece.findall, words)
        return [
            (BETWEEN_GAPS if whole.search(word) else self.piece).findall(word) for word in words
        ]


OTHER_SPACES = re.compile(
    "[\\v\\f\\x1c-\\x1f\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]"
)
"""What `str.split` takes for whitespace, and a tokenizer perhaps not."""
BETWEEN_GAPS = re.compile(f"[^{GAPS}]+")
BETWEEN_MARKS = re.compile(f"[{MARKS}]|[^{MARKS}{GAPS}]+")


def separable(definition: Step, tokenizer: Tokenizer) -> Separable | None:
    """How a tokenizer's texts can be cut; `None` if nothing proves that they can.

    Args:
        definition: The content of its `tokenizer.json`.
        tokenizer: The same, loaded.
    """
    added = definition.get("added_tokens") or []
    normalizers = list(_flat(definition.get("normalizer"), "normalizers"))
    splitters = list(_flat(definition.get("pre_tokenizer"), "pretokenizers"))
    model = definition.get("model") or {}
    if (
        not all(_is_one_word(token, tokenizer) for token in added)
        or not {step.get("type") for step in normalizers} <= NORMALIZERS | COMPOSING
        or not splitters
        or splitters[0].get("type") not in SPLITTING
        or not {step.get("type") for step in splitters} <= SPLITTING | SPLITTING_FURTHER
        or model.get("type") not in MODELS
        or model.get("dropout")  # then the same word is read in another way each time
    ):
        return None
    isolates = _isolates_punctuation(splitters)
    composes = any(step.get("type") in COMPOSING for step in normalizers)
    if not isolates or composes or any(token.get("normalized") for token in added):
        return Separable(BETWEEN_GAPS)
    contents = [re.escape(token["content"]) for token in added]
    return Separable(BETWEEN_MARKS, re.compile("|".join(contents)) if contents else None)


def _flat(step: Step | None, parts: str) -> Iterator[Step]:
    """The steps of a sequence, in their order."""
    if step is None:
        return
    if step.get("type") == "Sequence":
        for part in step.get(parts) or []:
            yield from _flat(part, parts)
    else:
        yield step


def _is_one_word(token: Step, tokenizer: Tokenizer) -> bool:
    """Whether an added token is found within one word only; it is also looked for normalised."""
    content = str(token.get("content", ""))
    forms = [content]
    if tokenizer.normalizer is not None:
        forms.append(tokenizer.normalizer.normalize_str(content))
    return all(form and not re.search(r"\s", form) for form in forms)


def _isolates_punctuation(splitters: Iterable[Step]) -> bool:
    """Whether each punctuation character becomes a piece of its own, before a pattern looks over it.

    A `Split` by `'s|'t` in front takes the mark and the letter together; cut at the mark, the text
    would not have its pattern any more.
    """
    for step in splitters:
        kind: Sequence[object] = (step.get("type"), step.get("behavior"))
        if kind[0] == "BertPreTokenizer" or kind == ("Punctuation", "Isolated"):
            return True
        if kind[0] == "Split":
            return False
    return False
