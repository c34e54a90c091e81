"""Of what a path may lead to, only regular files are read, and not too much of them."""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedbridge.contract import Image, ImageNotFoundError, InvalidImageError
from embedbridge.core.images.decode import open_image
from embedbridge.core.images.read_bytes import read_encoded
from embedbridge.core.images.rules import ImageRules
from embedbridge.testing import tiny_png

PNG = tiny_png()
RULES = ImageRules()
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")


def refused(path: Path | str, rules: ImageRules = RULES) -> InvalidImageError:
    with pytest.raises(InvalidImageError) as caught:
        open_image(Image.from_path(path), rules)
    assert len(str(caught.value)) <= 250
    return caught.value


def test_a_missing_file_is_a_file_not_found_error(tmp_path: Path) -> None:
    """As well as ours, so that code that expects Python's own keeps working."""
    error = refused(tmp_path / "missing.png")

    assert isinstance(error, ImageNotFoundError)
    assert isinstance(error, FileNotFoundError)
    assert "missing.png" in str(error)


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("https://example.org/cat.png", "Image.from_url"),
        ("file:///etc/passwd", "plain path"),
        ("data:image/png;base64,AAAA", "Image.from_data_url"),
        ("data:image/png;base64," + "A" * 9999, "Image.from_data_url"),
        ("iVBORw0KGgo" * 500, "Image.from_base64"),
        ("/9j/4AAQSkZJRg" * 30, "Image.from_base64"),
        ("cat.png", "Check the path"),
    ],
    ids=lambda value: value[:24],
)
def test_what_is_no_path_gets_a_hint(path: str, hint: str) -> None:
    """It is looked for as a file, and then the message says what was meant."""
    assert hint in str(refused(path))


@pytest.mark.parametrize("path", ["a\0b", "a" * 5000, "\ud800.png", ""])
def test_no_path_breaks_the_error(path: str) -> None:
    """NUL, far too long, lone surrogates, and nothing at all."""
    refused(path)


def test_an_empty_file_is_no_image(tmp_path: Path) -> None:
    """Zero bytes are reported as such, with the file's name."""
    file = tmp_path / "empty.png"
    file.touch()

    assert "0 bytes" in str(refused(file))
    assert "empty.png" in str(refused(file))


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    """It says what it found."""
    assert "a folder" in str(refused(tmp_path))


@posix
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody may ever write to it."""
    os.mkfifo(tmp_path / "pipe")

    assert "a pipe" in str(refused(tmp_path / "pipe"))


@posix
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_a_device_is_not_read(device: str) -> None:
    """`/dev/zero` has no end."""
    assert "a device" in str(refused(device))


@posix
def test_a_socket_is_no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it connected to."""
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")

        assert "a socket" in str(refused("s"))


@posix
def test_a_link_is_followed_to_a_file_only(tmp_path: Path) -> None:
    """A link to a device is a device; a link to itself is an error."""
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "cat").write_bytes(PNG)
    (tmp_path / "good").symlink_to(tmp_path / "cat")

    assert "a device" in str(refused(tmp_path / "zero"))
    assert "cannot be read" in str(refused(tmp_path / "loop"))
    assert read_encoded(Image.from_path(tmp_path / "good"), RULES) == PNG


@posix
@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may read everything")
def test_a_forbidden_file_is_named(tmp_path: Path) -> None:
    """With the reason, and the hint to check permissions."""
    file = tmp_path / "cat.png"
    file.write_bytes(PNG)
    file.chmod(0)

    assert "Permission denied" in str(refused(file))


@pytest.mark.parametrize(
    ("number", "retryable"),
    [(errno.EMFILE, True), (errno.EIO, True), (errno.EACCES, False), (errno.ENAMETOOLONG, False)],
    ids=errno.errorcode.get,
)
def test_what_a_disk_may_mend_is_retryable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, retryable: bool
) -> None:
    """Too many open files, or a disk that is gone for a minute, say nothing about the image."""
    file = tmp_path / "cat.png"
    file.write_bytes(PNG)

    def fails(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", fails)

    assert refused(file).retryable is retryable


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    """Its size is known before: a hole of a terabyte costs nothing."""
    file = tmp_path / "hole"
    with file.open("wb") as stream:
        stream.truncate(2**40)

    assert "1099511627776 bytes" in str(refused(file))


def test_a_file_that_grows_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a file is no image, and one without end is not read to the limit."""
    file = tmp_path / "cat.png"
    file.write_bytes(PNG)
    fstat = os.fstat

    def grows(descriptor: int) -> os.stat_result:
        found = fstat(descriptor)
        with file.open("ab") as writer:
            writer.write(bytes(100))
        return found

    monkeypatch.setattr(os, "fstat", grows)

    assert "grew" in str(refused(file))


# A text is a text.

TEXT_CODE = """
import sys
from embedbridge.testing import FakeModel
from embedbridge.core import Embedder

embedder = Embedder(FakeModel("small"))
texts = sys.argv[1:]
embedder.embed_documents(["warm"]); embedder.embed_query("up")
seen = []
sys.addaudithook(lambda event, arguments: seen.append((event, arguments)))
embedder.embed_documents(texts)
embedder.embed_queries(texts)
embedder.embed(texts, role="document")
list(embedder.embed_iter(texts))
watched = [e for e in seen if e[0] in ("open", "os.stat", "os.open", "subprocess.Popen")
           or e[0].startswith("socket.")]
print(len(watched), watched[:5])
"""


def test_a_text_that_looks_like_an_image_touches_nothing(tmp_path: Path) -> None:
    """A path, a URL, a data URL: 0 files opened, 0 sockets, 0 names looked up."""
    import subprocess

    file = tmp_path / "cat.png"
    file.write_bytes(PNG)
    with listening() as (port, accepted):
        texts = [
            str(file),
            f"file://{file}",
            f"http://127.0.0.1:{port}/cat.png",
            f"https://127.0.0.1:{port}/cat.png",
            "data:image/png;base64,iVBORw0KGgo=",
            "cat.png",
            "ftp://127.0.0.1/cat.png",
        ]
        found = subprocess.run(
            [sys.executable, "-c", TEXT_CODE, *texts], capture_output=True, text=True, check=True
        )

        assert found.stdout.startswith("0 ")
        assert accepted() == 0


class listening:  # noqa: N801  # a context manager, used like a function
    """A server that counts who comes."""

    def __enter__(self) -> tuple[int, Callable[[], int]]:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.came: list[object] = []
        self.thread = threading.Thread(target=self._count)
        self.thread.start()
        return self.server.getsockname()[1], self._accepted

    def _count(self) -> None:
        for connection in self._connections():
            with connection:
                self.came.append(connection)

    def _connections(self) -> Iterator[socket.socket]:
        while True:
            connection, address = self.server.accept()
            if address == self.last:
                connection.close()
                return
            yield connection

    def _accepted(self) -> int:
        return len(self.came)

    def __exit__(self, *exc: object) -> None:
        with socket.socket() as goodbye:
            goodbye.bind(("127.0.0.1", 0))
            self.last = goodbye.getsockname()
            goodbye.connect(self.server.getsockname())
            self.thread.join()
        self.server.close()

    last: object = None
