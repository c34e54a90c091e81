"""Proxies and certificates from the environment: used as the ecosystem does, faults named."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from embedbridge.contract import ConfigurationError
from embedbridge.contract.remote.network import bypasses_proxy, network_for

URL = "https://api.example.com/v1"


pytestmark = pytest.mark.usefixtures("no_network_variables")


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, URL, None),
        ({"HTTPS_PROXY": "http://p.example:8080"}, URL, "http://p.example:8080"),
        ({"https_proxy": "p.example:8080"}, URL, "http://p.example:8080"),
        ({"HTTP_PROXY": "http://p.example:8080"}, URL, None),
        ({"http_proxy": "10.0.0.1:3128"}, "http://10.9.9.9/v1", "http://10.0.0.1:3128"),
        ({"ALL_PROXY": "socks5://127.0.0.1:1080"}, URL, "socks5://127.0.0.1:1080"),
        ({"ALL_PROXY": "socks5://127.0.0.1:1080", "HTTPS_PROXY": "http://p.example:1"}, URL, "http://p.example:1"),
        ({"HTTPS_PROXY": "http://p.example:8080", "NO_PROXY": "example.com"}, URL, None),
        ({"HTTPS_PROXY": ""}, URL, None),
        ({"ALL_PROXY": "http://p.example:1"}, "http://localhost:11434", None),
        ({"HTTP_PROXY": "http://p.example:1"}, "http://127.8.8.8:80/v1", None),
        ({"HTTPS_PROXY": "http://p.example:1"}, "https://[::1]:8080", None),
        ({"HTTP_PROXY": "http://p.example:1"}, "http://localhost.example", "http://p.example:1"),
        ({"HTTP_PROXY": "http://p.example:1"}, "http://127.evil.example/v1", "http://p.example:1"),
    ],
    ids=str,
)  # fmt: skip
def test_the_proxy_on_the_way(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str, proxy: str | None
) -> None:
    """By scheme, then for all; without a scheme it is an HTTP proxy, as for curl. None for loopback."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert network_for(url).proxy == proxy


@pytest.mark.parametrize(
    ("host", "port", "entries", "expected"),
    [
        ("127.0.0.1", 80, "127.0.0.1", True),
        ("127.0.0.1", 80, "127.0.0.0/8", True),
        ("10.1.2.3", 80, "localhost, 10.0.0.0/8", True),
        ("192.168.1.5", 80, "192.168.0.0/24", False),
        ("::1", 80, "::1", True),
        ("::1", 80, "[::1]", True),
        ("fd00::5", 80, "fd00::/8", True),
        ("fd00::5", 8080, "[fd00::5]:8080", True),
        ("fd00::5", 80, "[fd00::5]:8080", False),
        ("api.example.com", 443, "example.com", True),
        ("api.example.com", 443, ".example.com", True),
        ("api.example.com", 443, "*.example.com", True),
        ("notexample.com", 443, "example.com", False),
        ("api.example.com", 443, "API.Example.COM", True),
        ("api.example.com", 8443, "example.com:8443", True),
        ("api.example.com", None, "example.com:8443", False),
        ("anything", None, "*", True),
        ("localhost", 11434, "localhost 127.0.0.1", True),
        ("localhost", 11434, "", False),
    ],
)
def test_no_proxy_knows_names_networks_and_ipv6(
    host: str, port: int | None, entries: str, expected: bool
) -> None:
    """As curl has it; other libraries know no network and no IPv6 address."""
    assert bypasses_proxy(host, port, entries) is expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks://127.0.0.1:7890/"),
        ("all_proxy", "~:0/"),
        ("HTTPS_PROXY", "http://p.example:port"),
        ("https_proxy", "ftp://p.example:21"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The variable as the user spelled it, its value, and the way out."""
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=f"{name} holds no proxy.*NO_PROXY") as caught:
        network_for(URL)
    assert value in str(caught.value)


def test_a_proxys_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user and the password stay out of the message."""
    monkeypatch.setenv("HTTPS_PROXY", "socks9://me:canary@p.example:1")

    with pytest.raises(ConfigurationError) as caught:
        network_for(URL)
    assert "canary" not in str(caught.value)
    assert "p.example" in str(caught.value)


@pytest.mark.parametrize(
    "name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR"]
)
def test_certificates_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """The variable and its path are named; where no TLS is spoken, nothing is read."""
    monkeypatch.setenv(name, str(tmp_path / "gone.pem"))

    with pytest.raises(ConfigurationError, match=f"{name}=.*gone.pem.*does not exist.*unset"):
        network_for(URL)
    assert network_for("http://127.0.0.1:8000/v1").certificates is None


def test_no_certificates_are_read_where_no_tls_is_spoken() -> None:
    """A client of a server nearby is there 20 ms sooner, and would trust no certificate at all."""
    plain, encrypted = network_for("http://127.0.0.1:8000/v1").verify, network_for(URL).verify

    assert isinstance(plain, ssl.SSLContext)
    assert plain.verify_mode == ssl.CERT_REQUIRED
    assert not plain.get_ca_certs()
    assert encrypted is True


def test_certificates_that_are_no_certificates(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file that holds something else."""
    path = tmp_path / "odd.pem"
    path.write_text("not a certificate", encoding="utf-8")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))

    with pytest.raises(ConfigurationError, match=r"SSL_CERT_FILE=.*odd.pem"):
        network_for(URL)


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_companys_certificates_are_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """The names of OpenSSL and of requests."""
    path = tmp_path / "company.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    monkeypatch.setenv(name, str(path))

    context = network_for(URL).certificates

    assert context is not None
    assert len(context.get_ca_certs()) == 1
