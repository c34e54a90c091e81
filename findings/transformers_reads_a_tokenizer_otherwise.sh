#!/usr/bin/env bash
# transformers 5.24.0 and tokenizers 0.23.3, November 2026.
#
# A folder has two files about its tokenizer. Where tokenizer_config.json and tokenizer.json say different things
# about lower case, AutoTokenizer obeys the former: for the classes of BERT it makes the normalizer anew, and what
# tokenizer.json says is dropped. Whoever reads tokenizer.json alone, as the tokenizers library does, has other
# tokens of the same folder. The same holds for accents, Chinese characters, and the space in front of RoBERTa's
# texts. For PreTrainedTokenizerFast tokenizer.json counts. Neither says a word about the contradiction.
#
# What to do: save the tokenizer again with transformers, or apply the settings of tokenizer_config.json as well.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check transformers==5.24.0 tokenizers==0.23.3

cat > "$folder/run.py" <<'PYTHON'
import json
import sys
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "lamp", "Lamp"]

folder = Path(sys.argv[1], "model")
folder.mkdir()
(folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
written = Tokenizer(models.WordPiece({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
written.normalizer = normalizers.BertNormalizer(lowercase=True)
written.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
written.save(str(folder / "tokenizer.json"))

for kind in ("BertTokenizer", "PreTrainedTokenizerFast"):
    settings = {"tokenizer_class": kind, "do_lower_case": False, "unk_token": "[UNK]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    for name, read in {
        "tokenizers": lambda: Tokenizer.from_file(str(folder / "tokenizer.json")).encode("a Lamp").tokens,
        "transformers": lambda: AutoTokenizer.from_pretrained(str(folder)).tokenize("a Lamp"),
    }.items():
        print(f"{kind}, read by {name}: {read()}")
PYTHON

HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/run.py" "$folder" > "$folder/seen" 2> /dev/null
diff "$folder/seen" - <<'SEEN'
BertTokenizer, read by tokenizers: ['a', 'lamp']
BertTokenizer, read by transformers: ['a', 'Lamp']
PreTrainedTokenizerFast, read by tokenizers: ['a', 'lamp']
PreTrainedTokenizerFast, read by transformers: ['a', 'lamp']
SEEN
echo "still so"
