"""An image from the web: only what is allowed, from the address that was checked, and not for ever."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import trustme

from embedbridge.contract import Image, InvalidImageError
from embedbridge.core.images.decode import open_image
from embedbridge.core.images.fetch import Network, fetch
from embedbridge.core.images.rules import ImageRules
from embedbridge.testing import tiny_png

PNG = tiny_png()
OPEN = ImageRules(allow_urls=True)

# Refused without a socket.

VECTORS = {
    # names and forms of this very machine
    "loopback": "http://127.0.0.1/a.png",
    "loopback, other": "http://127.1.2.3/a.png",
    "short": "http://127.1/a.png",
    "shorter": "http://127.0.1/a.png",
    "decimal": "http://2130706433/a.png",
    "hex": "http://0x7f000001/a.png",
    "hex, large": "http://0x1007f000001/a.png",
    "octal": "http://017700000001/a.png",
    "dotted hex": "http://0x7f.0x0.0x0.0x1/a.png",
    "dotted octal": "http://0177.0.0.1/a.png",
    "leading zeros": "http://127.0.0.01/a.png",
    "mixed bases": "http://127.0.0x0.1/a.png",
    "overflow": "http://127.0.0.257/a.png",
    "five parts": "http://127.0.0.1.1/a.png",
    "zero": "http://0/a.png",
    "all zeros": "http://0.0.0.0/a.png",
    "localhost": "http://localhost/a.png",
    "localhost in capitals": "http://LOCALHOST/a.png",
    "localhost with a dot": "http://localhost./a.png",
    "name below localhost": "http://a.localhost/a.png",
    "trailing dot": "http://127.0.0.1./a.png",
    "IPv6 loopback": "http://[::1]/a.png",
    "IPv6 unspecified": "http://[::]/a.png",
    "IPv6 loopback, long": "http://[0000:0000:0000:0000:0000:0000:0000:0001]/a.png",
    "IPv4-mapped": "http://[::ffff:127.0.0.1]/a.png",
    "IPv4-mapped in hex": "http://[::ffff:7f00:1]/a.png",
    "IPv4-compatible": "http://[::127.0.0.1]/a.png",
    "NAT64": "http://[64:ff9b::7f00:1]/a.png",
    "NAT64, local": "http://[64:ff9b:1::7f00:1]/a.png",
    "6to4": "http://[2002:7f00:1::1]/a.png",
    "Teredo": "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/a.png",
    "zone": "http://[fe80::1%25eth0]/a.png",
    "zone, unescaped": "http://[fe80::1%eth0]/a.png",
    # private networks and metadata
    "10/8": "http://10.0.0.1/a.png",
    "172.16/12": "http://172.16.0.1/a.png",
    "192.168/16": "http://192.168.0.1/a.png",
    "100.64/10": "http://100.64.0.1/a.png",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "metadata, decimal": "http://2852039166/latest/meta-data/",
    "metadata, IPv6": "http://[fd00:ec2::254]/latest/meta-data/",
    "metadata, mapped": "http://[::ffff:a9fe:a9fe]/",
    "metadata, another cloud's": "http://100.100.100.200/",
    "multicast": "http://224.0.0.1/a.png",
    "broadcast": "http://255.255.255.255/a.png",
    "benchmark network": "http://198.18.0.1/a.png",
    "documentation": "http://192.0.2.1/a.png",
    "6to4 relay": "http://192.88.99.1/a.png",
    "unique local": "http://[fc00::1]/a.png",
    "link local": "http://[fe80::1]/a.png",
    "site local": "http://[fec0::1]/a.png",
    "IPv6 multicast": "http://[ff02::1]/a.png",
    "IPv6 documentation": "http://[2001:db8::1]/a.png",
    # other spellings
    "user": "http://public.example@127.0.0.1/a.png",
    "user that looks like a host": "http://public.example:80@127.0.0.1/a.png",
    "user before a public host": "http://127.0.0.1@public.example/a.png",
    "backslash": "http://public.example\\@127.0.0.1/a.png",
    "backslash for a slash": "http:\\\\127.0.0.1\\a.png",
    "fragment before the user": "http://public.example#@127.0.0.1/",
    "query before the user": "http://127.0.0.1?@public.example/",
    "space": "http://127.0.0.1 /a.png",
    "tab": "http://127.0.0\t.1/a.png",
    "newline": "http://public.example/\r\nHost: 127.0.0.1",
    "NUL": "http://127.0.0.1\0.public.example/a.png",
    "full-width digits": "http://\uff11\uff12\uff17.0.0.1/a.png",
    "circled letters": "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/a.png",
    "full-width dot": "http://127。0。0。1/a.png",
    "soft hyphen": "http://local\xadhost/a.png",
    "percent-encoded host": "http://%31%32%37.0.0.1/a.png",
    "percent-encoded name": "http://%6c%6f%63alhost/a.png",
    "no host": "http:///a.png",
    "no host, port": "http://:80/a.png",
    "one slash": "http:/127.0.0.1/a.png",
    "three slashes": "http:///127.0.0.1/a.png",
    "empty label": "http://public..example/a.png",
    "leading dot": "http://.public.example/a.png",
    "long label": f"http://{'a' * 64}.example/a.png",
    "bracket": "http://[127.0.0.1]/a.png",
    "half a bracket": "http://[::1/a.png",
    "host after a bracket": "http://[::1].public.example/a.png",
    # ports and schemes
    "port of ssh": "http://public.example:22/a.png",
    "port of Redis": "http://public.example:6379/a.png",
    "port 0": "http://public.example:0/a.png",
    "port too large": "http://public.example:65616/a.png",
    "port is no number": "http://public.example:80a/a.png",
    "negative port": "http://public.example:-80/a.png",
    "two ports": "http://public.example:80:22/a.png",
    "bare name": "http://intranet/a.png",
    # names that lead there
    "name of loopback": "http://to-127.0.0.1.example/a.png",
    "name of a private network": "http://to-10.1.2.3.example/a.png",
    "name of metadata": "http://to-169.254.169.254.example/a.png",
    "name of loopback, mapped": "http://mapped.example/a.png",
    "name with one bad address of two": "http://both.example/a.png",
    "name with a zone": "http://zone.example/a.png",
    "name of nothing": "http://empty.example/a.png",
    "name of no number": "http://odd.example/a.png",
}
NAMES: dict[str, list[str]] = {
    "public.example": ["93.184.215.14"],
    "a.localhost": ["127.0.0.1"],
    "to-127.0.0.1.example": ["127.0.0.1"],
    "to-10.1.2.3.example": ["10.1.2.3"],
    "to-169.254.169.254.example": ["169.254.169.254"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "both.example": ["93.184.215.14", "127.0.0.1"],
    "zone.example": ["fe80::1%2"],
    "empty.example": [],
    "odd.example": ["localhost"],
}
PUBLIC_ANYWAY = {"fragment before the user"}
"""Here the host is `public.example` in every reading: it may be asked, and nothing else."""


class Counted:
    """A network of made-up names, on which every connection is counted."""

    def __init__(self, *answers: bytes, port: int | None = None) -> None:
        self.asked: list[str] = []
        self.connected: list[tuple[str, int]] = []
        self.sent: list[bytes] = []
        self.answers = list(answers)

    def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        with contextlib.suppress(ValueError):
            return [str(ipaddress.ip_address(host))]
        return NAMES[host]

    def connect(self, address: str, port: int, seconds: float) -> socket.socket:
        """One end of a pair; the other end answers what the test wants, and hangs up."""
        self.connected.append((address, port))
        here, there = socket.socketpair()
        here.settimeout(seconds)
        answer = self.answers.pop(0)

        def serve() -> None:
            with there, contextlib.suppress(OSError):
                self.sent.append(there.recv(65536))
                there.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return here

    def network(self, **changes: Any) -> Network:
        return Network(**{"resolve": self.resolve, "connect": self.connect, **changes})


def answer(
    body: bytes = PNG, *, status: str = "200 OK", kind: str = "image/png", **more: str
) -> bytes:
    headers = {"Content-Type": kind, "Content-Length": str(len(body))}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    lines = [
        f"HTTP/1.1 {status}",
        *(f"{name}: {value}" for name, value in headers.items() if value),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    return answer(b"", status=status, kind="", Location=location)


@pytest.mark.parametrize("name", VECTORS)
def test_no_connection_is_made_to_a_refused_address(name: str) -> None:
    """Each vector is our error, and costs no socket."""
    counted = Counted(answer(b"", status="404 Not Found"))

    with pytest.raises(InvalidImageError) as caught:
        fetch(VECTORS[name], OPEN, counted.network())

    wanted = [("93.184.215.14", 80)] if name in PUBLIC_ANYWAY else []
    assert counted.connected == wanted
    assert len(str(caught.value)) <= 200
    assert len(VECTORS) - len(PUBLIC_ANYWAY) >= 60


@pytest.mark.parametrize("name", VECTORS)
def test_a_redirect_is_checked_like_a_url(name: str) -> None:
    """A public server cannot send us where we would not go by ourselves."""
    # No header can carry a line's end; all else goes into it as UTF-8.
    location = "http://127.0.0.1/%0a" if "\n" in VECTORS[name] else VECTORS[name]
    counted = Counted(redirect(location), answer(b"", status="404 Not Found"))

    with pytest.raises(InvalidImageError):
        fetch("http://public.example/a.png", OPEN, counted.network())

    assert set(counted.connected) == {("93.184.215.14", 80)}


def test_the_address_that_was_checked_is_the_one_that_is_asked() -> None:
    """A name that means something else a moment later changes nothing: it is looked up once."""
    counted = Counted(answer())
    lookups = iter([["93.184.215.14"], ["127.0.0.1"]])
    network = counted.network(resolve=lambda host, port: next(lookups))

    assert fetch("http://public.example/a.png?b=c", OPEN, network) == PNG
    assert counted.connected == [("93.184.215.14", 80)]
    assert b"\r\nHost: public.example\r\n" in counted.sent[0]
    assert counted.sent[0].startswith(b"GET /a.png?b=c HTTP/1.1\r\n")


def test_nothing_about_us_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cookies, no credentials from the environment or ~/.netrc, no proxy."""
    (tmp_path / ".netrc").write_text("machine public.example login me password s3cret")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    counted = Counted(answer())
    fetch("http://public.example/a.png", OPEN, counted.network())
    names = [line.split(b":")[0].lower() for line in counted.sent[0].split(b"\r\n")[1:] if line]

    assert counted.connected == [("93.184.215.14", 80)]
    assert names == [b"host", b"user-agent", b"accept", b"accept-encoding", b"connection"]


def test_urls_are_off_unless_asked_for() -> None:
    """Nothing is looked up, and the message says how to allow it."""
    counted = Counted()
    with pytest.raises(InvalidImageError, match="allow_urls=True"):
        fetch("http://public.example/a.png", ImageRules(), counted.network())
    with pytest.raises(InvalidImageError, match=r"allow_urls=True.*URL 'https://a.org/b.png'"):
        open_image(Image.from_url("https://me:s3cret@a.org/b.png?token=s3cret"), ImageRules())

    assert (counted.asked, counted.connected) == ([], [])


def test_a_host_that_is_not_allowed_is_not_looked_up() -> None:
    """Asking for its address would tell its owner already."""
    counted = Counted()
    with pytest.raises(InvalidImageError, match=r"other\.example.*allow_urls"):
        fetch(
            "http://other.example/", ImageRules(allow_urls=("public.example",)), counted.network()
        )

    assert counted.asked == []


# Redirects.


def test_redirects_are_followed() -> None:
    """All kinds, absolute or relative, each on a connection of its own."""
    kinds = ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
    hops = [redirect(f"/{place}", kind) for place, kind in enumerate(kinds)]
    counted = Counted(*hops, answer())

    assert fetch("http://public.example/", OPEN, counted.network()) == PNG
    assert len(counted.connected) == 6


@pytest.mark.parametrize("location", ["/again", "http://"])
def test_redirects_come_to_an_end(location: str) -> None:
    """Five, then it is a circle."""
    counted = Counted(*[redirect(location)] * 9)

    with pytest.raises(InvalidImageError, match="more than 5"):
        fetch("http://public.example/", OPEN, counted.network())
    assert len(counted.connected) == 6


@pytest.mark.parametrize(
    "location",
    ["", "gopher://public.example/", "http://[x]/", "http://x y/", "//ä.example/", "/\\b"],
)
def test_a_redirect_to_nowhere_is_an_error(location: str) -> None:
    """Without a second request; it is the server's fault, and not that of the user's URL."""
    counted = Counted(redirect(location), *[redirect(location)] * 9)

    with pytest.raises(InvalidImageError, match=r"The server redirects to (nowhere|no valid URL)"):
        fetch("http://public.example/", OPEN, counted.network())
    assert len(counted.connected) == 1


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/my cat.png", b"/my%20cat.png"),
        ("/kätzchen.png", b"/k%C3%A4tzchen.png"),
        ("/k%C3%A4tzchen.png", b"/k%C3%A4tzchen.png"),
        ("/cat.png?sizes=1|2", b"/cat.png?sizes=1%7C2"),
        ("http://public.example/{a}<b>", b"/%7Ba%7D%3Cb%3E"),
    ],
)
def test_a_sloppy_redirect_is_followed(location: str, target: bytes) -> None:
    """As browsers do: what a server left unencoded is encoded for it."""
    counted = Counted(redirect(location), answer())

    assert fetch("http://public.example/", OPEN, counted.network()) == PNG
    assert counted.sent[1].startswith(b"GET " + target + b" HTTP/1.1\r\n")


def test_redirects_stay_within_the_allowed_hosts() -> None:
    """The list counts for each of them."""
    NAMES["cdn.example"] = ["93.184.215.15"]
    counted = Counted(redirect("http://cdn.example/"), answer())
    with pytest.raises(InvalidImageError, match=r"cdn\.example"):
        fetch(
            "http://public.example/", ImageRules(allow_urls=("public.example",)), counted.network()
        )

    both = ImageRules(allow_urls=("public.example", "cdn.example"))
    counted = Counted(redirect("http://cdn.example/"), answer())
    assert fetch("http://public.example/", both, counted.network()) == PNG


# Answers.


@pytest.mark.parametrize(
    ("reply", "piece"),
    [
        pytest.param(answer(b"", status="404 Not Found"), "404", id="404"),
        pytest.param(answer(b"<html>", status="500 Oops", kind="text/html"), "500", id="500"),
        pytest.param(answer(b"", status="204 No Content"), "204", id="204"),
        pytest.param(answer(b"", status="304 Not Modified"), "304", id="304"),
        pytest.param(answer(status="206 Partial Content"), "206", id="206"),
        pytest.param(answer(b"<html>", kind="text/html; charset=x"), "text/html", id="HTML"),
        pytest.param(answer(kind="x" * 9999), "not an image", id="long type"),
        pytest.param(answer(Content_Encoding="gzip"), "compressed", id="gzip"),
        pytest.param(answer(Content_Encoding="identity, br"), "compressed", id="br"),
        pytest.param(answer(Content_Length="2001"), "2000 bytes", id="announced too much"),
        pytest.param(answer(bytes(3000), Content_Length=""), "2000 bytes", id="sent too much"),
        pytest.param(answer(PNG[:40], Content_Length=str(len(PNG))), "ended early", id="too short"),
        pytest.param(b"", "cannot be fetched", id="nothing"),
        pytest.param(b"\x16\x03\x01\x02" * 99, "cannot be fetched", id="TLS"),
        pytest.param(b"HTTP/1.1 200\r\n" + b"a: b\r\n" * 999, "cannot be fetched", id="headers"),
        pytest.param(b"HTTP/1.1 200 " + b"a" * 99_999, "cannot be fetched", id="a long line"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "cannot be fetched",
            id="bad chunks",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"ffffffff\r\n" + bytes(9000),
            "2000 bytes",
            id="a huge chunk",
        ),
    ],
)
def test_what_is_no_image_is_an_error(reply: bytes, piece: str) -> None:
    """It is typed, short, and says what came instead; the URL's query is not in it."""
    rules = ImageRules(allow_urls=True, max_bytes=2000)

    with pytest.raises(InvalidImageError) as caught:
        fetch("http://public.example/a?token=s3cret", rules, Counted(reply).network())

    assert piece in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert len(str(caught.value)) <= 200


@pytest.mark.parametrize(
    ("reply", "retryable"),
    [
        (answer(b"", status="503 Busy"), True),
        (answer(b"", status="500 Oops"), True),
        (answer(b"", status="429 Too Many Requests"), True),
        (answer(b"", status="408 Request Timeout"), True),
        (answer(PNG[:40], Content_Length=str(len(PNG))), True),
        (b"", True),
        (answer(b"", status="404 Not Found"), False),
        (answer(b"", status="403 Forbidden"), False),
        (answer(b"<html>", kind="text/html"), False),
        (answer(Content_Length=str(10**12)), False),
        (redirect("http://127.0.0.1/"), False),
    ],
    ids=["503", "500", "429", "408", "short", "silence", "404", "403", "HTML", "large", "private"],
)
def test_what_a_server_may_mend_is_retryable(reply: bytes, retryable: bool) -> None:
    """What says nothing about the image; what is wrong with the image or its URL stays so."""
    with pytest.raises(InvalidImageError) as caught:
        fetch("http://public.example/a", OPEN, Counted(reply).network())

    assert caught.value.retryable is retryable


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "application/octet-stream",
        "Binary/Octet-Stream; charset=binary",
        "image/x",
        "image/jpeg",
    ],
)
def test_a_server_need_not_know_what_it_sends(kind: str) -> None:
    """Stores of files often do not; the format is known by the content, wherever it came from."""
    assert fetch("http://public.example/a", OPEN, Counted(answer(kind=kind)).network()) == PNG


def test_a_body_in_chunks_is_put_together() -> None:
    """Servers that do not know the length beforehand."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (1, PNG[i : i + 1]) for i in range(len(PNG))) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: IMAGE/PNG\r\nTransfer-Encoding: chunked\r\n\r\n"

    assert fetch("http://public.example/", OPEN, Counted(head + chunks).network()) == PNG


def test_the_next_address_is_tried() -> None:
    """A host with several addresses is reached by any of them; each was checked before."""
    NAMES["two.example"] = ["93.184.215.14", "93.184.215.15"]
    counted = Counted(answer())

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        if address.endswith("14"):
            raise ConnectionRefusedError
        return counted.connect(address, port, seconds)

    assert fetch("http://two.example/", OPEN, counted.network(connect=connect)) == PNG
    with pytest.raises(InvalidImageError, match="ConnectionRefusedError"):
        fetch("http://public.example/", OPEN, counted.network(connect=connect))


def test_a_name_that_nobody_knows_is_an_error() -> None:
    """The resolver's own error becomes ours, and no connection is tried."""

    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror("Name or service not known")

    counted = Counted()
    with pytest.raises(InvalidImageError, match="gaierror") as caught:
        fetch("http://public.example/", OPEN, counted.network(resolve=resolve))

    assert counted.connected == []
    assert caught.value.retryable  # the resolver may be what is down


# Time.


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_drops_that_never_end_do_not_hold_us() -> None:
    """Every byte resets a socket's timeout, but not the deadline."""
    clock, sent = Clock(), 0

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        here, there = socket.socketpair()

        def drip() -> None:
            nonlocal sent
            with there, contextlib.suppress(OSError):
                there.recv(65536)
                there.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nX: ")
                while sent < 1000:
                    there.sendall(b"a")
                    sent += 1
                    clock.now += 1

        threading.Thread(target=drip, daemon=True).start()
        return here

    network = Counted().network(connect=connect, clock=clock, seconds=10)
    with pytest.raises(InvalidImageError, match="within 10 seconds"):
        fetch("http://public.example/", OPEN, network)


@pytest.mark.parametrize("where", ["resolve", "connect", "answer"])
def test_a_silent_network_is_given_up(where: str) -> None:
    """Looking up, connecting and waiting share one deadline."""
    over, kept = threading.Event(), []

    def resolve(host: str, port: int) -> list[str]:
        if where == "resolve":
            over.wait()
        return ["93.184.215.14"]

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        assert 0 < seconds <= 0.05
        if where == "connect":
            raise TimeoutError
        here, there = socket.socketpair()
        kept.append(there)
        return here

    network = Network(resolve=resolve, connect=connect, seconds=0.05)
    with pytest.raises(InvalidImageError, match=r"within 0\.05 seconds") as caught:
        fetch("http://public.example/", OPEN, network)
    assert caught.value.retryable
    over.set()
    for end in kept:
        end.close()


def test_redirects_share_one_deadline() -> None:
    """Many short waits are a long one."""
    clock = Clock()
    counted = Counted(*[redirect("/again")] * 6)

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        clock.now += 4
        return counted.connect(address, port, seconds)

    with pytest.raises(InvalidImageError, match="within 10 seconds"):
        fetch("http://public.example/", OPEN, counted.network(connect=connect, clock=clock))
    assert len(counted.connected) == 3


# Real connections.

Serve: TypeAlias = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server on loopback that answers once, over TLS if it has a context."""
    servers: list[tuple[socket.socket, threading.Thread]] = []

    def start(reply: bytes, context: ssl.SSLContext | None = None) -> int:
        server = socket.create_server(("127.0.0.1", 0))

        def run() -> None:
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    if context is not None:
                        connection = context.wrap_socket(connection, server_side=True)
                    connection.recv(65536)
                    connection.sendall(reply)
                    connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        servers.append((server, thread))
        port: int = server.getsockname()[1]
        return port

    yield start
    for server, thread in servers:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def test_a_private_server_is_allowed_by_host_and_port(serve: Serve) -> None:
    """With the real resolver and a real socket, as an `Image`."""
    port = serve(answer())
    image = Image.from_url(f"http://127.0.0.1:{port}/a.png")

    for allowed in (True, ("127.0.0.1",), (f"127.0.0.1:{port + 1}",), (f"localhost:{port}",)):
        with pytest.raises(InvalidImageError):
            open_image(image, ImageRules(allow_urls=allowed))

    assert open_image(image, ImageRules(allow_urls=(f"127.0.0.1:{port}",))).size == (2, 2)


def test_an_empty_answer_is_said_to_be_empty(serve: Serve) -> None:
    """As an empty file is, and not data of an unknown kind."""
    port = serve(answer(b""))
    rules = ImageRules(allow_urls=(f"127.0.0.1:{port}",))

    with pytest.raises(InvalidImageError, match=r"The image has 0 bytes\. Check the URL"):
        open_image(Image.from_url(f"http://127.0.0.1:{port}/a.png"), rules)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs the certificates of the servers here."""
    return trustme.CA()


@pytest.mark.parametrize(
    ("host", "trusted", "outcome"),
    [
        ("pictures.example", True, None),
        ("pictures.example", False, "certificate"),
        ("other.example", True, "certificate"),
    ],
)
def test_tls_is_checked_against_the_name(
    host: str, trusted: bool, outcome: str | None, serve: Serve, authority: trustme.CA
) -> None:
    """The socket goes to the checked address, the certificate must be the host's."""
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("pictures.example").configure_cert(context)
    context.sni_callback = lambda connection, name, own: asked.append(name)
    port = serve(answer(), context)
    client = ssl.create_default_context()
    if trusted:
        authority.configure_trust(client)
    network = Network(resolve=lambda name, port: ["127.0.0.1"], tls=lambda: client)
    rules = ImageRules(allow_urls=(f"{host}:{port}",))
    url = f"https://{host}:{port}/a.png"
    if outcome is None:
        assert fetch(url, rules, network) == PNG
    else:
        with pytest.raises(InvalidImageError, match=outcome):
            fetch(url, rules, network)

    assert asked == [host]


def test_the_default_network_checks_certificates() -> None:
    """Hosts by name, chains by the system's authorities."""
    context = Network().tls()

    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
