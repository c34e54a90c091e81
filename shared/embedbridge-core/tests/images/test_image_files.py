"""Which files of a folder are images: by content, or by name."""

import os
from pathlib import Path

import pytest

from embedbridge.core.tooling import is_image_file
from embedbridge.testing import tiny_png


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.png", tiny_png(), True),
        ("no ending", tiny_png(), True),
        ("a.txt", tiny_png(), True),
        ("broken.jpg", b"a text", True),
        ("new.heif", b"", True),
        ("NEW.JXL", b"", True),
        ("notes.txt", b"a text", False),
        ("film.mov", b"\0\0\0\x14ftypqt  ", False),
        ("empty", b"", False),
    ],
)
def test_content_counts_and_so_does_the_name(
    tmp_path: Path, name: str, data: bytes, expected: bool
) -> None:
    """What is called an image and is broken must show as an error."""
    (tmp_path / name).write_bytes(data)

    assert is_image_file(tmp_path / name) == expected


def test_what_is_no_file_is_no_image(tmp_path: Path) -> None:
    """A pipe would keep us waiting; a folder may have any name."""
    (tmp_path / "a.png").mkdir()
    assert not is_image_file(tmp_path / "a.png")
    assert not is_image_file(tmp_path / "nothing.png")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        assert not is_image_file(tmp_path / "pipe.png")
