"""Words are tokenised one by one only where that is proven to be the same; then it is the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
)

from embedbridge.providers.static._separable import GAPS, OTHER_SPACES, Separable, separable
from embedbridge.providers.static._tokens import words_together
from embedbridge.providers.static._words import WordCache
from embedbridge.testing import real_texts

LETTERS = "abcdefghijklmnopqrstuvwxyzABEÉéßçnewyork0123456789.,=<>≠[]()-_'\"\u00b4¨中ﬁ\u0301\u0338"
BERT = pre_tokenizers.BertPreTokenizer()
SPACES = pre_tokenizers.WhitespaceSplit()
KIND = np.dtype(np.int32)
Make = Callable[[], Tokenizer]


def made(
    model: Any, normalizer: Any, splitter: Any, added: Sequence[AddedToken] | None = None
) -> Tokenizer:
    """A tokenizer of these parts, with the special tokens of BERT unless others are named."""
    tokenizer = Tokenizer(model)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if splitter is not None:
        tokenizer.pre_tokenizer = splitter
    own = [AddedToken("[UNK]", special=True), AddedToken("[MASK]", special=True, lstrip=True)]
    for token in own if added is None else added:
        if token.special:
            tokenizer.add_special_tokens([token])
        else:
            tokenizer.add_tokens([token])
    return tokenizer


def numbered(*more: str) -> dict[str, int]:
    tokens = ["[UNK]", *LETTERS, *(f"##{one}" for one in LETTERS), "new", "york", "##ing", *more]
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}


def wordpiece() -> Any:
    return models.WordPiece(numbered(), unk_token="[UNK]", max_input_chars_per_word=9)


def wordlevel() -> Any:
    return models.WordLevel(numbered("new-york", "=", "b"), unk_token="[UNK]")


def bpe(**options: Any) -> Any:
    merges = [("n", "e"), ("ne", "w"), ("y", "o")]
    vocabulary = numbered("ne", "new", "yo")
    return models.BPE(vocabulary, merges, unk_token="[UNK]", fuse_unk=True, **options)


def unigram() -> Any:
    pieces = [("[UNK]", -9.0), *((one, -5.0) for one in dict.fromkeys(LETTERS)), ("new", -2.0)]
    return models.Unigram(pieces, 0)


def sequence(*steps: Any) -> Any:
    return normalizers.Sequence(list(steps))


def splits(*steps: Any) -> Any:
    return pre_tokenizers.Sequence(list(steps))


ANYWHERE = [AddedToken("york", normalized=True), AddedToken("É,", normalized=True)]
ALONE = [AddedToken("new", single_word=True, normalized=False), AddedToken("-y", rstrip=True)]

SEPARABLE: dict[str, Make] = {
    "bert, uncased": lambda: made(wordpiece(), normalizers.BertNormalizer(), BERT),
    "bert, cased": lambda: made(
        wordpiece(), normalizers.BertNormalizer(lowercase=False, strip_accents=False), BERT
    ),
    "bert, nothing removed": lambda: made(
        wordpiece(),
        normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, lowercase=False),
        BERT,
    ),
    "no normalizer": lambda: made(wordpiece(), None, BERT),
    "no added tokens": lambda: made(wordlevel(), None, BERT, []),
    "steps of BERT": lambda: made(
        wordpiece(),
        sequence(normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()),
        BERT,
    ),
    "NFC": lambda: made(wordlevel(), normalizers.NFC(), BERT),
    "NFKC": lambda: made(bpe(), sequence(normalizers.NFKC(), normalizers.Lowercase()), BERT),
    "NFKD": lambda: made(unigram(), normalizers.NFKD(), SPACES),
    "runs of words": lambda: made(wordlevel(), normalizers.NFD(), pre_tokenizers.Whitespace()),
    "spaces, then punctuation": lambda: made(
        unigram(), None, splits(SPACES, pre_tokenizers.Punctuation("isolated"))
    ),
    "punctuation stays together": lambda: made(
        bpe(), None, splits(SPACES, pre_tokenizers.Punctuation("contiguous"))
    ),
    "contractions before punctuation": lambda: made(
        wordpiece(),
        None,
        splits(
            SPACES,
            pre_tokenizers.Split(Regex("'(s|t|re|ve|m|ll|d)"), "isolated"),
            pre_tokenizers.Punctuation("isolated"),
        ),
    ),
    "digits and a pattern": lambda: made(
        wordlevel(),
        normalizers.Lowercase(),
        splits(
            SPACES,
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Split(Regex("[.-]+|new"), "merged_with_next"),
        ),
    ),
    "added tokens, normalised": lambda: made(
        wordpiece(), normalizers.BertNormalizer(), BERT, ANYWHERE
    ),
    "added tokens, single words": lambda: made(
        wordpiece(), normalizers.BertNormalizer(), BERT, ALONE
    ),
}
NOT_SEPARABLE: dict[str, Make] = {
    "no pre-tokenizer": lambda: made(wordpiece(), normalizers.BertNormalizer(), None),
    "metaspace": lambda: made(unigram(), None, pre_tokenizers.Metaspace()),
    "byte level": lambda: made(bpe(), None, pre_tokenizers.ByteLevel()),
    "bytes behind spaces": lambda: made(bpe(), None, splits(SPACES, pre_tokenizers.ByteLevel())),
    "punctuation first": lambda: made(
        wordpiece(), None, splits(pre_tokenizers.Punctuation(), SPACES)
    ),
    "a prefix": lambda: made(wordpiece(), normalizers.Prepend("a"), BERT),
    "ends stripped": lambda: made(wordpiece(), normalizers.Strip(), BERT),
    "a replacement": lambda: made(wordpiece(), normalizers.Replace(Regex(r"\s+"), ""), BERT),
    "a step in a sequence": lambda: made(
        wordpiece(), sequence(normalizers.NFD(), normalizers.Replace(" ", "a")), BERT
    ),
    "dropout": lambda: made(bpe(dropout=0.5), None, BERT),
    "an added token of two words": lambda: made(
        wordpiece(), None, BERT, [AddedToken("new york", normalized=True)]
    ),
    "an added token that becomes two words": lambda: made(
        wordpiece(), normalizers.NFKC(), BERT, [AddedToken("a\u00b4", normalized=True)]
    ),
}
HARD = " \t\n\r\v\f\x1c\x85\xa0\u2028\u3000\u200b\ufeff\x00\ufffd\u0301\u0300\u0338\u0345İΣςßﬁ\u00b4¨中,.[]=<>-"
WHOLE = ["[MASK]", " [MASK]", "[UNK]", "new", "york", "É,", "-y", "new-york", "New York", "a\u0301"]
WHOLE += ["'tis", "it's", "a,=b", "york,new"]
TEXTS = st.lists(
    st.sampled_from([*HARD, *LETTERS, *WHOLE, " ", " "]) | st.text(max_size=5), max_size=30
).map("".join)


def proof(tokenizer: Tokenizer) -> Separable | None:
    return separable(json.loads(tokenizer.to_str()), tokenizer)


def encoder(tokenizer: Tokenizer) -> Callable[[Sequence[str]], list[bytes]]:
    """The tokenizer itself, of which each text is read whole."""

    def encode(texts: Sequence[str]) -> list[bytes]:
        encodings = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(encoding.ids, dtype=KIND).tobytes() for encoding in encodings]

    return encode


BEHAVIORS = st.sampled_from(
    ["isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"]
)
PATTERNS = ["'(s|t|re)", "-y|k,", "[.-]+|new", "a[,=]*b?"]
"""Some reach over punctuation, or to either side of it."""
STEPS = st.one_of(
    st.builds(pre_tokenizers.Split, st.sampled_from(PATTERNS).map(Regex), BEHAVIORS, st.booleans()),
    st.builds(pre_tokenizers.Punctuation, BEHAVIORS),
    st.builds(pre_tokenizers.Digits, st.booleans()),
    st.sampled_from([SPACES, BERT]),
)
FIRST = st.sampled_from([SPACES, pre_tokenizers.Whitespace(), BERT])
GLUED = st.lists(st.sampled_from([*WHOLE, *"'-,=. "]), max_size=12).map("".join)
"""Words and marks, mostly without a gap between them."""


@settings(max_examples=300)
@given(first=FIRST, steps=st.lists(STEPS, max_size=3), texts=st.lists(GLUED, min_size=1))
def test_any_sequence_of_steps_has_the_tokens_of_the_tokenizer(
    first: Any, steps: list[Any], texts: list[str]
) -> None:
    """In whatever order they split a text: what one takes together, no cut may take apart."""
    # Of the models, this one tells the beginning of a piece from its inside.
    tokenizer = made(wordpiece(), None, splits(first, *steps))
    cuts = proof(tokenizer)
    assert cuts is not None
    encode = encoder(tokenizer)

    assert WordCache(words_together(tokenizer, KIND, encode), cuts)(texts) == encode(texts)


CACHES: dict[str, tuple[WordCache, Callable[[Sequence[str]], list[bytes]]]] = {}


def cache_of(name: str) -> tuple[WordCache, Callable[[Sequence[str]], list[bytes]]]:
    """A cache that has seen what earlier examples taught it, and the tokenizer."""
    if name not in CACHES:
        tokenizer = SEPARABLE[name]()
        cuts = proof(tokenizer)
        assert cuts is not None
        CACHES[name] = (
            WordCache(words_together(tokenizer, KIND, encoder(tokenizer)), cuts),
            encoder(tokenizer),
        )
    return CACHES[name]


@pytest.mark.parametrize("name", SEPARABLE)
@settings(max_examples=60)
@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
def test_any_text_has_the_tokens_of_the_tokenizer(name: str, texts: list[str]) -> None:
    """Whatever characters stand in it, and whatever was remembered before."""
    cache, encode = cache_of(name)

    assert cache(texts) == encode(texts)


@pytest.mark.parametrize("name", SEPARABLE)
@settings(max_examples=60)
@given(texts=st.lists(TEXTS, max_size=200))
def test_words_encoded_together_have_the_tokens_of_each(name: str, texts: list[str]) -> None:
    """None of them takes a token of its neighbour, also where a word has no tokens at all."""
    tokenizer = SEPARABLE[name]()
    cuts = proof(tokenizer)
    assert cuts is not None
    words = [
        piece for text in texts for pieces in cuts.pieces(cuts.words(text)) for piece in pieces
    ]

    one_by_one = encoder(tokenizer)
    assert words_together(tokenizer, KIND, one_by_one)(words) == one_by_one(words)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEPARABLE)
@settings(max_examples=5000)
@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
def test_any_of_many_texts(name: str, texts: list[str]) -> None:
    """The same for many more of them."""
    cache, encode = cache_of(name)

    assert cache(texts) == encode(texts)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEPARABLE)
def test_every_character_alone_and_between_others(name: str) -> None:
    """No character of Unicode joins or changes its neighbours."""
    cache, encode = cache_of(name)
    characters = [chr(code) for code in range(0x11000) if not 0xD800 <= code < 0xE000]
    for start in range(0, len(characters), 64):
        some = characters[start : start + 64]
        texts = ["".join(f"a{one} b {one},{one} =" for one in some), " ".join(some)]
        assert cache(texts) == encode(texts)


@pytest.mark.parametrize("name", NOT_SEPARABLE)
def test_without_a_proof_each_text_is_read_whole(name: str) -> None:
    """A step that looks further than one word, or is not known, is no reason to guess."""
    assert proof(NOT_SEPARABLE[name]()) is None


def test_a_step_that_is_not_known_is_no_proof() -> None:
    """A future kind of normalizer, pre-tokenizer or model counts as one that looks at everything."""
    tokenizer = SEPARABLE["bert, uncased"]()
    definition = json.loads(tokenizer.to_str())
    for part in ("normalizer", "pre_tokenizer", "model"):
        changed = definition | {part: definition[part] | {"type": "Unheard"}}
        assert separable(changed, tokenizer) is None


def test_known_words_do_not_go_through_the_tokenizer() -> None:
    """Nor does a new word whose pieces are known."""
    tokenizer = SEPARABLE["bert, uncased"]()
    asked: list[str] = []

    def encode(texts: Sequence[str]) -> list[bytes]:
        asked.extend(texts)
        return encoder(tokenizer)(texts)

    cuts = proof(tokenizer)
    assert cuts is not None
    cache = WordCache(encode, cuts)
    cache(["new york, (new)", "york new"])
    assert sorted(asked) == ["(", ")", ",", "new", "york"]
    cache(["new york, (york) new, york", "(new york)"])

    assert len(asked) == 5


def test_the_cache_is_bounded() -> None:
    """It begins anew when it is full, and the tokens stay right."""
    tokenizer = SEPARABLE["bert, uncased"]()
    cuts = proof(tokenizer)
    assert cuts is not None
    cache, encode = WordCache(encoder(tokenizer), cuts, words=50), encoder(tokenizer)
    sizes = []
    for number in range(40):
        texts = [f"new{number} york {'long' * 50}{number} {word}" for word in ["a", "b", "c", "d"]]
        texts.append(" ".join(f"{number}x{other}" for other in range(number * 3)))
        assert cache(texts) == encode(texts)
        sizes.append(len(cache))

    assert max(sizes) <= 50
    assert max(len(word) for word in cache._known) <= 128  # what it holds


def test_threads_may_share_it() -> None:
    """Also while it begins anew again and again."""
    tokenizer = SEPARABLE["bert, uncased"]()
    cuts = proof(tokenizer)
    assert cuts is not None
    cache, encode = WordCache(encoder(tokenizer), cuts, words=300), encoder(tokenizer)
    texts = real_texts(200, max_words=60)
    expected = encode(texts)
    wrong: list[int] = []

    def work(turn: int) -> None:
        for step in range(0, 200, 10):
            start = (step + turn * 30) % 190
            if cache(texts[start : start + 10]) != expected[start : start + 10]:
                wrong.append(start)

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_all_whitespace_of_python_is_known() -> None:
    """`str.split` cuts at gaps, and at characters that are looked for before it is used."""
    cut = {chr(code) for code in range(0x110000) if len(f"a{chr(code)}b".split()) > 1}

    assert cut - set(GAPS) == {one for one in cut if OTHER_SPACES.search(one)}
