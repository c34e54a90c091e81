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
    sums = _read(folder / SUMS)
    for line in sums.decode("ascii", "replace").splitlines():
        expected, _, name = line.partition("  ")
        if hashlib.sha256(_read(folder / name)).hexdigest() != expected:
            raise _damaged(f"its file {name!r} is not the one that was built")
    return hashlib.sha256(sums).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _damaged(f"{path.name!r} cannot be read ({error.strerror})") from error


def _damaged(reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"The model {NAME} that comes with embedbridge-onnx is damaged: {reason}.",
        hint="pip install --force-reinstall --no-deps embedbridge-onnx",
    )
