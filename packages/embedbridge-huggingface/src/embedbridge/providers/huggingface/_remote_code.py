"""Python code that comes with a model runs only if it is pinned: today's code, not tomorrow's.

A commit on the Hub is pinned by its revision, a local folder by lying on this disk. Either may
still point to code in another repository, of which the newest version would be run; neither
transformers nor sentence-transformers can pin that, so it is refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from embedbridge.contract.errors import InvalidOptionError
from embedbridge.contract.local import without_hub
from embedbridge.providers.huggingface._source import Source, cache_folder

if TYPE_CHECKING:
    from embedbridge.providers.huggingface.options import HuggingFaceOptions

COMMIT = re.compile(r"[0-9a-f]{40}")
ELSEWHERE = re.compile(r'"([\w.-]+/[\w.-]+)--[\w.-]+"')
"""How a configuration names a class of another repository: `"owner/model--module.Class"`."""
CONFIGURATIONS = ("*config*.json", "modules.json")
"""Files that may name classes."""


def check_remote_code(source: Source, options: HuggingFaceOptions) -> None:
    """Make sure that the code which `trust_remote_code` allows cannot change by itself.

    Raises:
        InvalidOptionError: Some of it is not pinned.
    """
    if not options.trust_remote_code:
        return
    if source.folder is None and not COMMIT.fullmatch(options.revision or ""):
        raise InvalidOptionError(
            "trust_remote_code=True needs a pinned commit, so that the code you have read is the "
            "code that runs.",
            hint="Set revision to the 40 hexadecimal digits of a commit.",
        )
    folder = source.folder or _download_configurations(source, options)
    others = sorted(_repositories_named_in(folder) - {source.address})
    if others:
        raise InvalidOptionError(
            f"The code of this model lies in {', '.join(others)}, where no commit can be pinned.",
            hint="Try without trust_remote_code, or put the model and its code into one folder.",
        )


def _download_configurations(source: Source, options: HuggingFaceOptions) -> Path:
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            source.address,
            revision=options.revision,
            cache_dir=cache_folder(options),
            local_files_only=without_hub(offline=options.offline),
            allow_patterns=list(CONFIGURATIONS),
        )
    )


def _repositories_named_in(folder: Path) -> set[str]:
    return {
        repository
        for pattern in CONFIGURATIONS
        for path in folder.rglob(pattern)
        for repository in ELSEWHERE.findall(path.read_text(encoding="utf-8"))
    }
