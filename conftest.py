"""What holds for every test of the repository, set before anything heavy is imported."""

import os
from typing import Any

import pytest
from hypothesis import settings

# Hugging Face reads these once, at import. A model that is not on disk fails at once, instead of
# trying the network first. `HF_HUB_OFFLINE=0 pytest -m live --force-enable-socket` is the way out.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# Tests fork: after a fork the tokenizers' own threads may deadlock, and they say so in a warning.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# On a busy machine an example may take any time, and the rule that it shows is no other for it.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.hookimpl(optionalhook=True)  # where pytest-xdist is not installed, nobody asks
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Files are shared out among the workers, but the fault matrix stays whole: it writes a page."""
    from xdist.scheduler import LoadFileScheduling

    class WholeMatrix(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            matrix = "tests/faults"
            return matrix if nodeid.startswith(matrix) else super()._split_scope(nodeid)

    return WholeMatrix(config, log)
