"""What holds for every test of the repository, set before anything heavy is imported."""

import os

# Hugging Face reads these once, at import. A model that is not on disk fails at once, instead of
# trying the network first. `HF_HUB_OFFLINE=0 pytest -m live --force-enable-socket` is the way out.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# Tests fork: after a fork the tokenizers' own threads may deadlock, and they say so in a warning.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
