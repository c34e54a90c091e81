"""Tiny tokenizers, trained on a few pages: each marks the ends of a text as one family of models does."""

from functools import cache
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from embedbridge.testing import real_texts

WORDS = 600
"""Entries of each vocabulary."""
PADDING, UNKNOWN, BEGIN, END = "<pad>", "<unk>", "<s>", "</s>"
SPECIAL = [PADDING, UNKNOWN, BEGIN, END]
"""Their numbers are 0 to 3 in each vocabulary."""
LENGTH = 64
"""Tokens of a text that are read."""


def bert_like() -> PreTrainedTokenizerFast:
    """Pieces of words in lower case, between a mark of the beginning and one of the end."""
    return _wrap(_train("words"), f"{BEGIN} $A {END}", cls_token=BEGIN, sep_token=END)


def roberta_like() -> PreTrainedTokenizerFast:
    """Bytes, between two marks."""
    return _wrap(
        _train("bytes"), f"{BEGIN} $A {END}", bos_token=BEGIN, eos_token=END, cls_token=BEGIN
    )


def t5_like() -> PreTrainedTokenizerFast:
    """Likely pieces with their spaces, and a mark of the end."""
    return _wrap(_train("pieces"), f"$A {END}", eos_token=END)


def gemma_like() -> PreTrainedTokenizerFast:
    """Likely pieces with their spaces, between two marks."""
    return _wrap(_train("pieces"), f"{BEGIN} $A {END}", bos_token=BEGIN, eos_token=END)


def qwen_like() -> PreTrainedTokenizerFast:
    """Bytes and a mark of the end; short texts are filled up on the left."""
    return _wrap(_train("bytes"), f"$A {END}", eos_token=END, padding_side="left")


def sgpt_like() -> PreTrainedTokenizerFast:
    """Bytes, and no mark at all."""
    return _wrap(_train("bytes"), "$A", eos_token=END)


def _wrap(source: str, template: str, **marks: str) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer.from_str(source)
    numbers = [(mark, SPECIAL.index(mark)) for mark in (BEGIN, END)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=numbers
    )
    names = {"pad_token": PADDING, "unk_token": UNKNOWN, **marks}
    fast: Any = PreTrainedTokenizerFast  # its constructor has no types
    wrapped: PreTrainedTokenizerFast = fast(
        tokenizer_object=tokenizer, model_max_length=LENGTH, **names
    )
    return wrapped


@cache
def _train(kind: str) -> str:
    trainer: Any
    if kind == "words":
        tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=WORDS, special_tokens=SPECIAL)
    elif kind == "bytes":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=WORDS,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    else:
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.NFKC()
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=WORDS, special_tokens=SPECIAL, unk_token=UNKNOWN, show_progress=False
        )
    tokenizer.train_from_iterator(real_texts(100, max_words=200), trainer)
    return tokenizer.to_str()
