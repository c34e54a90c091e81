"""Real texts for tests and benchmarks: the documentation that comes with Python itself."""

from __future__ import annotations

import random
import re
from pydoc_data.topics import topics

PARAGRAPH = re.compile(r"\n\s*\n")


def real_texts(
    count: int, *, min_words: int = 5, max_words: int = 2000, seed: int = 0
) -> list[str]:
    """Different English texts of mixed length, always the same for the same Python.

    Most are paragraphs and some are whole chapters, as in any collection of documents.

    Args:
        count: How many.
        min_words: Words of the shortest text, at least.
        max_words: Words of the longest text, at most.
        seed: Another seed draws others.

    Raises:
        ValueError: There are not as many.
    """
    chapters = [topics[name] for name in sorted(topics)]
    paragraphs = [part.strip() for chapter in chapters for part in PARAGRAPH.split(chapter)]
    runs = [text for chapter in chapters for text in _runs(chapter, max_words)]
    candidates = dict.fromkeys([*runs, *paragraphs])  # ordered and without duplicates
    fitting = [text for text in candidates if min_words <= len(text.split()) <= max_words]
    if len(fitting) < count:
        raise ValueError(f"Only {len(fitting)} texts have {min_words} to {max_words} words.")
    return random.Random(seed).sample(fitting, count)


def _runs(chapter: str, max_words: int) -> list[str]:
    """The beginnings of a chapter, twice as long each time, up to the limit or its end."""
    words = chapter.split(" ")
    lengths = [64 * 2**step for step in range(10) if 64 * 2**step < min(len(words), max_words)]
    beginnings = [" ".join(words[:length]).strip() for length in lengths]
    return [*beginnings, chapter.strip()]
