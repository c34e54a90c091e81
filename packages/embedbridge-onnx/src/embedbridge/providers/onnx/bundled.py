"""The model that ships with this package: all-MiniLM-L6-v2, its weights in 8-bit blocks.

`scripts/build_default.py` made it; its folder holds the licence and says where it comes from.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from embedbridge.contract.errors import ConfigurationError

NAME = "all-MiniLM-L6-v2"
"""What it is called after `onnx:`; the bare names `onnx` and `default` mean it as well."""
SPACE = "sentence-transformers/all-minilm-l6-v2"
"""Its vectors are to be compared with those of the original."""
FOLDER = Path(__file__).with_name(NAME)
SUMS = "SHA256SUMS"


def check_files(folder: Path = FOLDER) -> str:
    """Make sure that every file is as it was built.

    Returns:
        SHA-256 over all of them.

    Raises:
        ConfigurationError: A file is missing or damaged.
    """
    try:
        sums = (folder / SUMS).read_bytes()
        for line in sums.decode("ascii", "replace").splitlines():
            expected, _, name = line.partition("  ")
            with (folder / name).open("rb") as file:  # piece by piece: it is never in memory whole
                if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                    raise _damaged(f"its file {name!r} is not the one that was built")
    except OSError as error:
        name = Path(error.filename).name
        raise _damaged(f"{name!r} cannot be read ({error.strerror})") from error
    return hashlib.sha256(sums).hexdigest()


def _damaged(reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"The model {NAME} that comes with embedbridge-onnx is damaged: {reason}.",
        hint="pip install --force-reinstall --no-deps embedbridge-onnx",
    )
