"""Where an image may be fetched from: one reading of a URL, and public addresses only."""

from __future__ import annotations

import ipaddress

import pytest

from embedbridge.contract import InvalidImageError
from embedbridge.core.images.rules import ImageRules
from embedbridge.core.images.web_address import carried, check_host, check_number, is_public, parse


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "target", "authority"),
    [
        ("http://a.org", "http", "a.org", 80, "/", "a.org"),
        ("HTTPS://A.Org/B?c=D#e", "https", "a.org", 443, "/B?c=D", "a.org"),
        ("http://a.org:8080/x", "http", "a.org", 8080, "/x", "a.org:8080"),
        ("https://a.org:443/x", "https", "a.org", 443, "/x", "a.org"),
        ("http://a.org?q", "http", "a.org", 80, "/?q", "a.org"),
        ("http://8.8.8.8/", "http", "8.8.8.8", 80, "/", "8.8.8.8"),
        ("http://[2606:4700::1]/", "http", "2606:4700::1", 80, "/", "[2606:4700::1]"),
        ("http://[2606:4700::0001]:81/", "http", "2606:4700::1", 81, "/", "[2606:4700::1]:81"),
        ("http://xn--bcher-kva.example/%C3%BC", "http", "xn--bcher-kva.example", 80, "/%C3%BC", "xn--bcher-kva.example"),
        ("http://a_b.org/a@b:c", "http", "a_b.org", 80, "/a@b:c", "a_b.org"),
    ],
)  # fmt: skip
def test_a_plain_url_is_taken_apart(
    url: str, scheme: str, host: str, port: int, target: str, authority: str
) -> None:
    """Host in lower case, port by scheme, the fragment stays here."""
    found = parse(url)

    assert (found.scheme, found.host, found.port, found.target) == (scheme, host, port, target)
    assert found.authority == authority


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/b.png", "http://a.org:81/b.png"),
        ("b.png?c", "http://a.org:81/x/b.png?c"),
        ("//b.org/c", "http://b.org/c"),
        ("https://b.org:444/c#d", "https://b.org:444/c"),
        ("../../../b", "http://a.org:81/b"),
    ],
)
def test_a_redirect_is_relative_to_where_it_was_found(location: str, expected: str) -> None:
    """As in RFC 9110, section 10.2.2."""
    found = parse("http://a.org:81/x/y?z").redirected(location)

    assert f"{found.scheme}://{found.authority}{found.target}" == expected


@pytest.mark.parametrize(
    "location", ["http://a.org/b", "//[::1", "ftp://a.org/", "file:///etc/passwd", "data:,a", "\\b"]
)
def test_a_redirect_to_something_else_is_refused(location: str) -> None:
    """From https to http as well."""
    with pytest.raises(InvalidImageError):
        parse("https://a.org/").redirected(location)


@pytest.mark.parametrize("host", ["[1::2::3]", "[8.8.8.8]", "[::g]", "[]", "a..b", "1.2.3.4.5"])
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    """Nothing in between."""
    with pytest.raises(InvalidImageError):
        parse(f"http://{host}/")


PUBLIC = [
    "8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e",
    "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "2001:0:4136:e378:8000:63bf:f7f7:f7f7",
]  # fmt: skip
PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.9.10",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.0.170", "192.0.2.1",
    "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:2::1",
    "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::",
    "2001:0:7f00:1::f7f7:f7f7", "2001:0:4136:e378:8000:63bf:80ff:fffe", "3fff::1", "5f00::1",
    "4000::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
]  # fmt: skip


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_may_be_asked(text: str) -> None:
    """Also through a gateway, if what it leads to is public."""
    address = check_number(text, private=False)

    assert str(address) == text.removeprefix("::ffff:")


@pytest.mark.parametrize("text", PRIVATE)
def test_other_addresses_may_not(text: str) -> None:
    """However they are wrapped."""
    with pytest.raises(InvalidImageError, match="not public"):
        check_number(text, private=False)


@pytest.mark.parametrize("text", ["", "localhost", "fe80::1%eth0", "1.2.3", "0x7f.1", "8.8.8.8/32"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """A resolver that answers anything else is not trusted."""
    with pytest.raises(InvalidImageError):
        check_number(text, private=True)


@pytest.mark.parametrize("text", ["127.0.0.1", "10.0.0.1", "192.168.0.9", "::1", "fd00::1"])
def test_a_private_address_may_be_allowed(text: str) -> None:
    """For a host that is allowed by name and port."""
    assert str(check_number(text, private=True)) == text


@pytest.mark.parametrize(
    "text",
    [
        "169.254.169.254", "0.0.0.0", "::", "fe80::1", "224.0.0.1", "ff02::1", "fd00:ec2::254",
        "100.100.100.200", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
    ],
)  # fmt: skip
def test_where_clouds_keep_their_secrets_is_never_allowed(text: str) -> None:
    """Link-local and metadata addresses serve no pictures."""
    with pytest.raises(InvalidImageError):
        check_number(text, private=True)


def test_what_an_address_carries_is_found() -> None:
    """NAT64, 6to4 and Teredo (RFC 6052, 3056, 4380)."""
    carrying = {"64:ff9b::102:304": "1.2.3.4", "2002:102:304::": "1.2.3.4"}
    for text, inner in carrying.items():
        assert carried(ipaddress.ip_address(text)) == [ipaddress.ip_address(inner)]
    assert len(carried(ipaddress.ip_address("2001:0:4136:e378:8000:63bf:3fff:fdd2"))) == 2
    assert carried(ipaddress.ip_address("8.8.8.8")) == []
    assert is_public(ipaddress.ip_address("8.8.8.8"))


@pytest.mark.parametrize(
    ("allowed", "url", "private"),
    [
        (True, "https://a.org/", False),
        (True, "http://a.org:443/", False),
        (("a.org",), "http://A.org/", False),
        (("A.ORG",), "http://a.org/", False),
        (("b.org", "a.org:81"), "http://a.org:81/", True),
        (("127.0.0.1:81",), "http://127.0.0.1:81/", True),
        (("[::1]:81",), "http://[::1]:81/", True),
        (("intranet:80",), "http://intranet/", True),
        (("8.8.8.8",), "http://8.8.8.8/", False),
        (("[2606:4700::1]",), "http://[2606:4700::1]/", False),
    ],
)
def test_allowed_hosts(allowed: bool | tuple[str, ...], url: str, private: bool) -> None:
    """By exact name; a private address takes the name and the port."""
    assert check_host(parse(url), ImageRules(allow_urls=allowed)) is private


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        (("a.org",), "http://b.org/"),
        (("a.org",), "http://sub.a.org/"),
        (("a.org",), "http://a.org.b.org/"),
        (("a.org",), "http://a.org:81/"),
        (("a.org:81",), "http://a.org/"),
        (("*.a.org", "*", ".a.org", ""), "http://b.a.org/"),
        (("localhost",), "http://localhost/"),
        ((), "http://a.org/"),
        (True, "http://a.org:22/"),
        (True, "http://a.org:8080/"),
        (True, "http://localhost/"),
        (True, "http://metadata/"),
    ],
)
def test_other_hosts(allowed: bool | tuple[str, ...], url: str) -> None:
    """No patterns, no endings, no ports but the web's, no names of the local network."""
    with pytest.raises(InvalidImageError):
        check_host(parse(url), ImageRules(allow_urls=allowed))
