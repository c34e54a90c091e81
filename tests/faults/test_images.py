"""I: images in every form and state. The right vector or a typed error, and never a text instead."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import PIL.Image
import pytest

from embedbridge.contract import Image, ImageNotFoundError, InvalidImageError
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing.audit import audited
from embedbridge.testing.image_files import bomb, encoded, the_picture, variants

from .routes import Route

PIXELS = the_picture()
PICTURE = PIL.Image.fromarray(PIXELS)
FILES = variants()
OTHER = encoded(PICTURE.rotate(180), "PNG")
HIDDEN = np.dstack([PIXELS, np.zeros(PIXELS.shape[:2], np.uint8)])
GREY16 = PIXELS[:, :, :1].repeat(3, axis=2)

Make: TypeAlias = Callable[[Any], Image]
"""How core is told what a value is; the frameworks take it as it stands."""


@pytest.fixture
def embedder() -> Iterator[Embedder]:
    with load_embedder("fake:small") as embedder:
        yield embedder


@pytest.fixture
def right(embedder: Embedder) -> Callable[[Any, Any], bool]:
    """Whether a vector is that of these pixels."""

    def is_right(vector: Any, pixels: Any) -> bool:
        wanted = embedder.embed_images([Image.from_array(np.asarray(pixels))])[0]
        return np.shape(vector) == wanted.shape and np.allclose(vector, wanted, atol=1e-6)

    return is_right


def given(route: Route, value: Any, make: Make) -> Any:
    """The value as this package's users hand it over."""
    return make(value) if route.package == "core" else value


def seen(data: bytes) -> Any:
    """The pixels of a file as Pillow shows them."""
    return np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB"))


# Forms.


@pytest.mark.parametrize(
    ("name", "file"),
    [
        pytest.param("cat.png", "png", marks=pytest.mark.row("I01")),
        pytest.param("cat.jpg", "jpeg", marks=pytest.mark.row("I01")),
        pytest.param("cat.webp", "webp", marks=pytest.mark.row("I01")),
        pytest.param("cat.bmp", "bmp", marks=pytest.mark.row("I01")),
        pytest.param("cat.tif", "tiff", marks=pytest.mark.row("I02")),
        pytest.param("cat", "jpeg", marks=pytest.mark.row("I03")),
        pytest.param("cat.txt", "gif", marks=pytest.mark.row("I03")),
        pytest.param("cat.gif", "gif animated", marks=pytest.mark.row("I19")),
        pytest.param("cat.jpg", "jpeg cmyk", marks=pytest.mark.row("I20")),
        pytest.param("cat.png", "png palette", marks=pytest.mark.row("I22")),
    ],
)
def test_a_path_is_the_image_that_is_there(
    route: Route, embedder: Embedder, right: Any, tmp_path: Path, name: str, file: str
) -> None:
    """Whatever its name: its content says what it is, and its first frame is embedded."""
    path = tmp_path / name
    path.write_bytes(FILES[file])
    (vector,) = route.through(embedder).images([given(route, str(path), Image.from_path)])

    assert right(vector, seen(FILES[file]))


@pytest.mark.parametrize(
    ("wrap", "make"),
    [
        pytest.param(lambda path: path, Image.from_path, marks=pytest.mark.row("I05"), id="Path"),
        pytest.param(
            lambda path: path.read_bytes(),
            Image.from_bytes,
            marks=pytest.mark.row("I06"),
            id="bytes",
        ),
        pytest.param(
            lambda path: io.BytesIO(path.read_bytes()),
            Image.from_file,
            marks=pytest.mark.row("I07"),
            id="BytesIO",
        ),
        pytest.param(
            lambda path: "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode(),
            Image.from_data_url,
            marks=pytest.mark.row("I08"),
            id="data URL",
        ),
        pytest.param(
            lambda path: "DATA:image/png;base64," + base64.b64encode(path.read_bytes()).decode(),
            Image.from_data_url,
            marks=pytest.mark.row("I10"),
            id="DATA URL",
        ),
    ],
)
def test_all_forms_of_an_image_are_taken(
    route: Route, embedder: Embedder, right: Any, tmp_path: Path, wrap: Any, make: Make
) -> None:
    """The same vector as by its path."""
    path = tmp_path / "cat.png"
    path.write_bytes(FILES["png"])
    (vector,) = route.through(embedder).images([given(route, wrap(path), make)])

    assert right(vector, PIXELS)


# Pictures.


@pytest.mark.parametrize(
    ("file", "pixels"),
    [
        pytest.param(FILES["png 16 bits"], GREY16, marks=pytest.mark.row("I21"), id="16 bits"),
        pytest.param(
            encoded(PIL.Image.fromarray(HIDDEN), "PNG"),
            np.full_like(PIXELS, 255),
            marks=pytest.mark.row("I23"),
            id="alpha 0",
        ),
        pytest.param(
            FILES["png held on its side"],
            np.rot90(PIXELS),
            marks=pytest.mark.row("I24"),
            id="EXIF",
        ),
        pytest.param(
            encoded(PIL.Image.new("RGB", (1, 1), "red"), "PNG"),
            [[[255, 0, 0]]],
            marks=pytest.mark.row("I26"),
            id="1×1",
        ),
        pytest.param(
            encoded(PIL.Image.new("RGB", (5000, 1), "red"), "PNG"),
            [[[255, 0, 0]] * 5000],
            marks=pytest.mark.row("I26"),
            id="5000×1",
        ),
    ],
)
def test_a_picture_is_embedded_as_it_is_seen(
    route: Route, embedder: Embedder, right: Any, tmp_path: Path, file: bytes, pixels: Any
) -> None:
    """By path, by bytes and as a Pillow image: one vector."""
    path = tmp_path / "cat.png"
    path.write_bytes(file)
    values = [
        given(route, str(path), Image.from_path),
        given(route, file, Image.from_bytes),
        given(route, PIL.Image.open(io.BytesIO(file)), Image.from_pil),
    ]
    vectors = route.through(embedder).images(values)

    assert len(vectors) == 3
    assert all(right(vector, np.asarray(pixels, dtype=np.uint8)) for vector in vectors)


# What is no image, or none that is taken.


def bad(row: str, name: str, says: str, data: bytes) -> Any:
    return pytest.param(name, data, says, marks=pytest.mark.row(row), id=f"{row} {name}")


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        bad("I15", "cut.jpg", "truncated", FILES["jpeg"][:400]),
        bad("I16", "cut.png", "truncated", FILES["png"][:-40]),
        bad("I17", "empty.png", "0 bytes", b""),
        bad("I18", "text.png", "text", b"This is not a picture."),
        bad("I27", "cat.svg", "SVG", b'<svg xmlns="http://www.w3.org/2000/svg"></svg>'),
        bad("I28", "cat.png", "EPS", encoded(PICTURE, "EPS")),
        bad("I29", "cat.heic", "HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99)),
        bad("I30", "bomb.png", "88360000|9400 × 9400", bomb(9_400, 9_400)),
        bad("I31", "bomb.png", "13000 × 13000", bomb(13_000, 13_000)),
    ],
)
def test_a_bad_file_is_named(
    route: Route, embedder: Embedder, tmp_path: Path, name: str, data: bytes, says: str
) -> None:
    """A typed error with position, source and reason; no retries, no other program, no memory."""
    good, path = tmp_path / "good.png", tmp_path / name
    good.write_bytes(OTHER)
    path.write_bytes(data)
    values = [given(route, str(one), Image.from_path) for one in (good, path)]
    with audited() as book, pytest.raises(InvalidImageError, match=says) as caught:
        route.through(embedder).images(values)

    assert caught.value.index == 1
    assert name in str(caught.value)
    assert len(caught.value.message) <= 200
    assert not [event for event, _ in book if event == "subprocess.Popen"]


@pytest.mark.row("I04")
def test_a_missing_file_is_an_error(route: Route, embedder: Embedder, tmp_path: Path) -> None:
    """Its path is not embedded as a text."""
    values = [OTHER, str(tmp_path / "missing.png")]
    makes: list[Make] = [Image.from_bytes, Image.from_path]
    with pytest.raises(ImageNotFoundError) as caught:
        route.through(embedder).images(
            [given(route, value, make) for value, make in zip(values, makes, strict=True)]
        )

    assert isinstance(caught.value, FileNotFoundError)
    assert caught.value.index == 1


@pytest.mark.row("I25")
def test_a_picture_without_pixels_is_an_error(route: Route, embedder: Embedder) -> None:
    """Nobody divides by zero."""
    empty = PIL.Image.new("RGB", (0, 0))
    with pytest.raises(InvalidImageError, match="0 × 0") as caught:
        route.through(embedder).images([given(route, empty, Image.from_pil)])

    assert caught.value.index == 0


@pytest.mark.parametrize(
    ("value", "make"),
    [
        pytest.param(
            "data:image/png;base64,!" + "A" * 1_600_000,
            Image.from_data_url,
            marks=pytest.mark.row("I09"),
            id="bad base64",
        ),
        pytest.param(
            "file:///etc/hostname", Image.from_url, marks=pytest.mark.row("I11"), id="file URL"
        ),
        pytest.param(
            "ftp://127.0.0.1/a.png", Image.from_url, marks=pytest.mark.row("I12"), id="ftp URL"
        ),
    ],
)
def test_a_source_that_is_none_is_refused(
    route: Route, embedder: Embedder, value: str, make: Make
) -> None:
    """In few words, and without opening anything."""
    with audited() as book, pytest.raises(InvalidImageError) as caught:
        route.through(embedder).images([given(route, value, make)])

    assert len(str(caught.value)) <= 250
    assert not [event for event in book if event[0].startswith("socket.")]
    assert not [event for event in book if "hostname" in str(event[1])]


@pytest.mark.row("I32")
def test_one_bad_image_does_not_cost_the_others(route: Route, right: Any) -> None:
    """The others are embedded; in a list of floats, which has no place for errors, it is raised."""
    files = [FILES["png"], FILES["png"][:60], FILES["bmp"]]
    values = [given(route, data, Image.from_bytes) for data in files]
    with load_embedder("fake:small", errors="collect") as embedder:
        if route.package == "core":
            vectors = route.through(embedder).images(values)
        else:
            with pytest.raises(InvalidImageError) as caught:
                route.through(embedder).images(values)
            assert caught.value.index == 1
            vectors = caught.value.partial.vectors

    assert right(vectors[0], PIXELS)
    assert np.isnan(vectors[1]).all()
    assert right(vectors[2], PIXELS)


# The web.

Served: TypeAlias = tuple[int, list[str]]


@pytest.fixture
def served() -> Iterator[Served]:
    """The port of a server with one picture, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path.startswith("/image"):
                self.send_response(200)
                self.send_header("Content-Type", "image/png")
                self.send_header("Content-Length", str(len(FILES["png"])))
                self.end_headers()
                self.wfile.write(FILES["png"])
            elif self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/image")
                self.end_headers()
            else:
                self.send_error(404)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_address[1], asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.row("I13")
def test_a_url_is_fetched_if_it_is_allowed(
    route: Route, embedder: Embedder, right: Any, served: Served
) -> None:
    """Once, and else not at all; never is the URL embedded as a text."""
    port, asked = served
    url = f"http://127.0.0.1:{port}/image?id=1"
    with pytest.raises(InvalidImageError, match="allow_urls"):
        route.through(embedder).images([given(route, url, Image.from_url)])
    assert asked == []
    with load_embedder("fake:small", allow_urls=(f"127.0.0.1:{port}",)) as allowing:
        (vector,) = route.through(allowing).images([given(route, url, Image.from_url)])

    assert right(vector, PIXELS)
    assert asked == ["/image?id=1"]


@pytest.mark.row("I14")
def test_a_page_that_is_not_there_is_an_error(route: Route, served: Served) -> None:
    """It names the status, and no address in memory."""
    port, asked = served
    url = f"http://127.0.0.1:{port}/gone?token=s3cret"
    with (
        load_embedder("fake:small", allow_urls=(f"127.0.0.1:{port}",)) as allowing,
        pytest.raises(InvalidImageError, match="404") as caught,
    ):
        route.through(allowing).images([given(route, url, Image.from_url)])

    assert len(asked) == 1
    assert caught.value.index == 0
    assert "s3cret" not in str(caught.value)
    assert "0x" not in str(caught.value)


@pytest.mark.row("I35")
def test_a_url_of_this_machine_is_not_asked(route: Route, served: Served) -> None:
    """Neither by default nor where public hosts are allowed; nor when an image is only named."""
    port, asked = served
    url = f"http://127.0.0.1:{port}/moved"
    Image.from_url(url)
    for allowed in (False, True):
        with (
            load_embedder("fake:small", allow_urls=allowed) as embedder,
            pytest.raises(InvalidImageError),
        ):
            route.through(embedder).images([given(route, url, Image.from_url)])

    assert asked == []


@pytest.mark.parametrize(
    "form",
    [
        pytest.param("http://127.0.0.1:{port}/image", marks=pytest.mark.row("I33")),
        pytest.param("{path}", marks=pytest.mark.row("I34")),
        pytest.param("file://{path}", marks=pytest.mark.row("I34")),
    ],
)
def test_a_text_is_a_text(
    route: Route, embedder: Embedder, served: Served, tmp_path: Path, form: str
) -> None:
    """One that looks like an image opens no file and no socket, and hurts no other document."""
    port, asked = served
    path = tmp_path / "cat.png"
    path.write_bytes(FILES["png"])
    text = form.format(port=port, path=path)
    door = route.through(embedder)
    door.documents(["warm up"])
    with audited() as book:
        vectors = door.documents(["before", text, "after"])

    assert np.allclose(vectors[1], embedder.embed([text], role="document").vectors[0], atol=1e-6)
    assert asked == []
    assert not [event for event in book if str(path) in str(event[1])]
    assert not [event for event in book if str(port) in str(event[1])]
