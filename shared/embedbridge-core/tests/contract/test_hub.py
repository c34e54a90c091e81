"""A model that the Hub did not hand out: the fault of the environment is named, if there is one."""

from __future__ import annotations

import pytest

from embedbridge.contract.local import hub

pytestmark = pytest.mark.usefixtures("no_network_variables")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SSL_CERT_FILE", "gone/ca.pem", "SSL_CERT_FILE='gone/ca.pem' cannot be read"),
        ("REQUESTS_CA_BUNDLE", "gone/ca.pem", "REQUESTS_CA_BUNDLE='gone/ca.pem'"),
        ("HTTPS_PROXY", "ftp://p.example:1", "HTTPS_PROXY holds no proxy.*ftp://p.example:1"),
        ("ALL_PROXY", "socks://127.0.0.1:1", "ALL_PROXY holds no proxy"),
    ],
)
def test_the_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    """With its value, and what to write; the Hub's client takes the network for missing."""
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv(name, value)

    with pytest.raises(LookupError, match=said):
        raise hub.not_found("acme/model")


def test_a_socks_proxy_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package to install is named."""
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setattr(hub, "find_spec", lambda _: None)

    assert "pip install" in str(hub.not_found("acme/model"))


def test_without_a_fault_the_spelling_and_the_network_are_named() -> None:
    """As before."""
    pytest.importorskip("huggingface_hub")

    assert "Check its spelling and the network" in str(hub.not_found("acme/model"))
