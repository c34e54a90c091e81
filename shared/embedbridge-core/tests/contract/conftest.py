"""An environment without a proxy and without certificates of its own."""

import pytest


@pytest.fixture
def no_network_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a developer's own network needs has no say in a test."""
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
