"""Tokens are counted, not guessed."""

from concurrent.futures import ThreadPoolExecutor

from sentence_transformers import SentenceTransformer

from embedbridge.core import Embedder
from embedbridge.testing import real_texts

TEXTS = [*real_texts(60), "", "a", "日本語のテキスト 👩‍👩‍👧‍👦", "x" * 5000]


def test_counts_are_those_of_the_tokenizer(embedder: Embedder, raw: SentenceTransformer) -> None:
    """Special tokens are counted, and nothing is cut."""
    expected = [len(ids) for ids in raw.tokenizer(TEXTS, verbose=False)["input_ids"]]

    assert embedder.model.count_tokens(TEXTS) == expected


def test_counting_from_many_threads(embedder: Embedder) -> None:
    """Counting while others count and embed changes nothing for anybody."""
    expected = embedder.model.count_tokens(TEXTS)
    vectors = embedder.embed_documents(TEXTS[:4])
    with ThreadPoolExecutor(8) as threads:
        counts = [threads.submit(embedder.model.count_tokens, TEXTS) for _ in range(8)]
        embedded = [threads.submit(embedder.embed_documents, TEXTS[:4]) for _ in range(4)]

    assert all(count.result() == expected for count in counts)
    assert all(abs(each.result() - vectors).max() < 1e-6 for each in embedded)


def test_long_jobs_are_counted_in_parts(embedder: Embedder) -> None:
    """More texts than are tokenized at once are all counted, in order."""
    texts = ["one", "one two"] * 1500

    assert embedder.model.count_tokens(texts) == [3, 4] * 1500
