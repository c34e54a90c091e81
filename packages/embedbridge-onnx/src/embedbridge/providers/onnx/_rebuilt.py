"""Settings of `tokenizer_config.json` that transformers obeys and `tokenizer.json` alone does not know.

For most classes of tokenizers transformers takes the vocabulary of `tokenizer.json`, and makes what
stands before it anew, from the class and its settings. The two files of a folder may contradict each
other, as those of many models of the Hub do: the model was trained with what transformers makes.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from embedbridge.contract.callers import level_of_caller
from embedbridge.contract.errors import short_path
from embedbridge.contract.local import read_object

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from embedbridge.contract.local import SentenceFolder

BERT = frozenset(
    {
        "BertTokenizer",
        "DistilBertTokenizer",
        "ElectraTokenizer",
        "FunnelTokenizer",
        "LayoutLMTokenizer",
        "LxmertTokenizer",
        "MPNetTokenizer",
        "MobileBertTokenizer",
        "SplinterTokenizer",
        "SqueezeBertTokenizer",
    }
)
"""Classes that make the normalizer of BERT anew."""
BYTES = frozenset(
    {
        "BartTokenizer",
        "DebertaTokenizer",
        "GPT2Tokenizer",
        "GPTNeoXTokenizer",
        "LEDTokenizer",
        "LongformerTokenizer",
        "MvpTokenizer",
        "Qwen2Tokenizer",
        "RobertaTokenizer",
    }
)
"""Classes that make byte-level pre-tokenization anew."""
OTHERS = {
    "add_prefix_space": frozenset(
        {
            "AlbertTokenizer",
            "BigBirdTokenizer",
            "CamembertTokenizer",
            "LlamaTokenizer",
            "RemBertTokenizer",
            "XLMRobertaTokenizer",
        }
    ),
    "do_lower_case": frozenset(
        {"AlbertTokenizer", "DebertaV2Tokenizer", "RemBertTokenizer", "XLNetTokenizer"}
    ),
}
"""By setting, the classes that obey it in a way that is not known here."""
BY_TYPE = {
    **dict.fromkeys(
        ("bert", "convbert", "distilbert", "electra", "ernie", "megatron-bert", "nomic_bert"),
        "BertTokenizer",
    ),
    "deberta": "DebertaTokenizer",
    "funnel": "FunnelTokenizer",
    "gpt2": "GPT2Tokenizer",
    "gpt_neox": "GPTNeoXTokenizer",
    "mobilebert": "MobileBertTokenizer",
    "mpnet": "MPNetTokenizer",
    "squeezebert": "BertTokenizer",
    **dict.fromkeys(("data2vec-text", "longformer", "roberta"), "RobertaTokenizer"),
    **dict.fromkeys(("qwen2", "qwen3"), "Qwen2Tokenizer"),
}
"""By `model_type`, the class of a folder that names none."""
AS_SAVED = frozenset({"modernbert", "modernbert-decoder"})
"""Values of `model_type` with which transformers takes `tokenizer.json` whatever class is named."""
BERT_DEFAULTS = {"do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True}


def rebuild(tokenizer: Tokenizer, recipe: SentenceFolder) -> dict[str, Any]:
    """Do to a tokenizer what transformers does for the class and the settings of a folder.

    Args:
        tokenizer: As `tokenizer.json` describes it; it is changed.
        recipe: The folder's configuration.

    Returns:
        The settings that `tokenizer.json` contradicted.
    """
    from tokenizers import models

    settings = recipe.tokenizer
    kind = _class_of(recipe)
    if kind in BERT and isinstance(tokenizer.model, models.WordPiece):
        return _as_bert(tokenizer, settings)
    if kind in BYTES and isinstance(tokenizer.model, models.BPE):
        return _with_prefix_space(tokenizer, wanted=settings.get("add_prefix_space") is True)
    _warn_of_others(tokenizer, kind, recipe)
    return {}


def _class_of(recipe: SentenceFolder) -> str | None:
    """The class that transformers takes; `None` for one that leaves `tokenizer.json` as it is."""
    config = read_object(recipe.transformer / "config.json")
    model_type = config.get("model_type")
    if model_type in AS_SAVED or "auto_map" in recipe.tokenizer:
        return None
    named = recipe.tokenizer.get("tokenizer_class") or config.get("tokenizer_class")
    if not isinstance(named, str):
        named = BY_TYPE.get(model_type) if isinstance(model_type, str) else None
    return named.removesuffix("Fast") if named else None


def _as_bert(tokenizer: Tokenizer, settings: Mapping[str, Any]) -> dict[str, Any]:
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    wanted: dict[str, Any] = {
        name: value if isinstance(value := settings.get(name, default), bool) else default
        for name, default in BERT_DEFAULTS.items()
    }
    normalizer = BertNormalizer(
        clean_text=True,
        handle_chinese_chars=wanted["tokenize_chinese_chars"],
        strip_accents=wanted["strip_accents"],
        lowercase=wanted["do_lower_case"],
    )
    pre_tokenizer = BertPreTokenizer()
    if _state(tokenizer.normalizer) == _state(normalizer) and _state(
        tokenizer.pre_tokenizer
    ) == _state(pre_tokenizer):
        return {}
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    return wanted


def _with_prefix_space(tokenizer: Tokenizer, *, wanted: bool) -> dict[str, Any]:
    from tokenizers import Tokenizer as Made

    state = _state(tokenizer.pre_tokenizer) or {"type": None}
    steps = [step for step in state.get("pretokenizers", [state]) if step["type"] == "ByteLevel"]
    if all(step["add_prefix_space"] is wanted for step in steps):
        return {}
    for step in steps:
        step["add_prefix_space"] = wanted
    whole: dict[str, Any] = {"version": "1.0", "added_tokens": [], "pre_tokenizer": state}
    model = {"type": "BPE", "vocab": {}, "merges": []}
    tokenizer.pre_tokenizer = Made.from_str(json.dumps({**whole, "model": model})).pre_tokenizer
    return {"add_prefix_space": wanted}


def _state(step: Any) -> Any:
    """What a normalizer or pre-tokenizer is, as in `tokenizer.json`."""
    return None if step is None else json.loads(step.__getstate__())


def _warn_of_others(tokenizer: Tokenizer, kind: str | None, recipe: SentenceFolder) -> None:
    normalizer, pre_tokenizer = tokenizer.normalizer, tokenizer.pre_tokenizer
    text = "A" if normalizer is None else normalizer.normalize_str("A")
    if pre_tokenizer is not None:
        text = "".join(word for word, _ in pre_tokenizer.pre_tokenize_str(text))
    does = {"add_prefix_space": text.startswith("▁"), "do_lower_case": text.endswith("a")}
    for name, classes in OTHERS.items():
        wanted = recipe.tokenizer.get(name)
        if kind in classes and isinstance(wanted, bool) and wanted is not does[name]:
            warnings.warn(
                f"The tokenizer's files in {short_path(recipe.transformer)} contradict each other: "
                f"tokenizer_config.json says {name}={wanted}, tokenizer.json {name}={does[name]}. "
                "tokenizer.json counts here; transformers obeys the other. Save the tokenizer again "
                "with transformers.",
                UserWarning,
                stacklevel=level_of_caller(),
            )
