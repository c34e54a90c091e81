"""SigLIP's first tokenizer, which transformers runs in Python, as a `tokenizer.json`.

It puts a text into lower case, takes out punctuation, and leaves the rest to SentencePiece. The proof
that the one in Rust does the same is its answer for texts of many kinds. Only a text in which a special
token is spelt out, such as `</s>`, may be read in another way.
"""

from __future__ import annotations

import string
from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PROOFS = (
    "a photo of a cat",
    "A Cat, in CAPITALS! (twice)",
    "  space \t\n around  ",
    "punctuation... only?!",
    "it's 3.14 - e-mail_me@example",
    "日本語 and naïve café",
    "👩‍👩‍👧‍👦 emoji ½ ﬁ Ⅷ",
    "!?",
    "",
    "▁a ▁",
    "a word " * 50,
)
"""Texts of other scripts, with punctuation, spaces and marks that are normalised."""


def fast_tokenizer(tokenizer: Any) -> Tokenizer | None:
    """A tokenizer in Rust that does the same; `None` if there is none.

    Args:
        tokenizer: Any of transformers.
    """
    rust: Tokenizer | None = getattr(tokenizer, "backend_tokenizer", None)
    if rust is not None:
        # A `tokenizer.json` has no place for it.
        return None if tokenizer.split_special_tokens else deepcopy(rust)
    try:
        made = _convert(tokenizer)
    except (AttributeError, TypeError, ValueError, RuntimeError):  # it is of another kind
        return None
    expected = tokenizer(list(PROOFS), verbose=False)["input_ids"]
    found = [encoding.ids for encoding in made.encode_batch(list(PROOFS))]
    return made if found == expected else None


def _convert(tokenizer: Any) -> Tokenizer:
    """SentencePiece's unigram model, with SigLIP's own normalisation in front."""
    from sentencepiece import sentencepiece_model_pb2
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers
    from tokenizers.processors import TemplateProcessing

    described: Any = getattr(sentencepiece_model_pb2, "ModelProto")()  # noqa: B009  # made at run time
    described.ParseFromString(tokenizer.sp_model.serialized_model_proto())
    pieces = [(piece.piece, piece.score) for piece in described.pieces]
    made = Tokenizer(models.Unigram(pieces, described.trainer_spec.unk_id))
    punctuation = "[" + "".join(f"\\{mark}" for mark in string.punctuation) + "]"
    steps: list[Any] = [normalizers.Lowercase()] if tokenizer.do_lower_case else []
    steps += [
        normalizers.Replace("▁", " "),
        normalizers.Replace(Regex(punctuation), ""),
        normalizers.Replace(Regex(r"\s+"), " "),
        normalizers.Strip(),
    ]
    charsmap = described.normalizer_spec.precompiled_charsmap
    if charsmap:
        steps.append(normalizers.Precompiled(charsmap))
    steps.append(normalizers.Replace(Regex(" {2,}"), " "))
    made.normalizer = normalizers.Sequence(steps)
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    end = tokenizer.eos_token
    made.add_special_tokens(
        [
            AddedToken(name, lstrip=True, rstrip=True, normalized=False, special=True)
            for name in (end, tokenizer.unk_token)
        ]
    )
    made.post_processor = TemplateProcessing(
        single=["$A", end], special_tokens=[(end, tokenizer.eos_token_id)]
    )
    return made
