"""The estimate of tokens against the tokenizers that OpenAI really uses, offline."""

import random
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embedbridge.core.engine.estimate import estimate_tokens
from embedbridge.testing import real_texts

llama_index_core = pytest.importorskip("llama_index.core", reason="brings the tokenizers' files")
tiktoken = pytest.importorskip("tiktoken", reason="counts the true tokens")

WORDS = {
    "Latin": "the quick brown fox naïve café Straße größer über élève garçon natürlich können",
    "Cyrillic": "привет мир сегодня хорошая погода книга человек большой вопрос ответить система",
    "Greek": "καλημέρα κόσμε σήμερα βιβλίο άνθρωπος μεγάλος ερώτηση απάντηση σύστημα δεδομένα",
    "Arabic": "مرحبا العالم اليوم كتاب إنسان كبير سؤال جواب نظام بيانات بحث لغة كلمة مدرسة",
    "Hebrew": "שלום עולם היום ספר אדם גדול שאלה תשובה מערכת נתונים חיפוש שפה מילה בית",
    "Devanagari": "नमस्ते दुनिया आज किताब मनुष्य बड़ा प्रश्न उत्तर प्रणाली डेटा खोज भाषा शब्द",
    "Thai": "สวัสดี โลก วันนี้ หนังสือ มนุษย์ ใหญ่ คำถาม คำตอบ ระบบ ข้อมูล ค้นหา ภาษา คำ โรงเรียน",
    "Chinese": "你好 世界 今天 书籍 人类 大型 问题 答案 系统 数据 搜索 语言 词汇 学校 天气",
    "Japanese": "こんにちは 世界 今日 本 人間 大きい 質問 答え システム データ 検索 言語 単語",
    "Korean": "안녕하세요 세계 오늘 책 사람 크다 질문 대답 시스템 데이터 검색 언어 단어 학교",
    "Tamil": "வணக்கம் உலகம் இன்று புத்தகம் மனிதன் பெரிய கேள்வி பதில் அமைப்பு தரவு தேடல்",
    "Amharic": "ሰላም ዓለም ዛሬ መጽሐፍ ሰው ትልቅ ጥያቄ መልስ ስርዓት መረጃ ፍለጋ ቋንቋ",
}
WITHOUT_SPACES = {"Thai", "Chinese", "Japanese"}


def counts(encoding_name: str, texts: list[str]) -> NDArray[np.int64]:
    """True counts of tokens, from the files that llama-index-core carries."""
    folder = Path(llama_index_core.__file__).parent / "_static" / "tiktoken_cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
        encoding = tiktoken.get_encoding(encoding_name)
    return np.array([len(encoding.encode(text, disallowed_special=())) for text in texts])


def texts_in(script: str, number: int) -> list[str]:
    chance = random.Random(script)
    words = WORDS[script].split(" ")
    joiner = "" if script in WITHOUT_SPACES else " "
    return [joiner.join(chance.choices(words, k=chance.randrange(1, 200))) for _ in range(number)]


@pytest.fixture(scope="module", params=["many scripts", "real texts"])
def texts(request: pytest.FixtureRequest) -> list[str]:
    """1,000 texts in twelve scripts, or of documentation with code, numbers and tables in it."""
    if request.param == "real texts":
        return real_texts(1000)
    return [text for script in WORDS for text in texts_in(script, 84)]


@pytest.mark.parametrize("encoding", ["cl100k_base", "o200k_base"])
def test_the_estimate_is_safe(texts: list[str], encoding: str) -> None:
    """No text has more tokens than estimated, so that no request is planned too large."""
    assert len(texts) >= 1000
    assert (estimate_tokens(texts) >= counts(encoding, texts)).all()


def test_the_estimate_is_not_wasteful(texts: list[str]) -> None:
    """For the tokenizer of OpenAI's embedding models it is at most twice the truth in the median."""
    assert np.median(estimate_tokens(texts) / counts("cl100k_base", texts)) <= 2
