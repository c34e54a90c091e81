"""Without a network a model of the Hub fails at once: one try, no retries by the Hub's client."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

LOAD = """
import sys
from embedbridge.contract import UnknownModelError
from embedbridge.core import load_embedder
try:
    load_embedder(sys.argv[1]).embed_query("a text")
except UnknownModelError as error:
    print(error)
"""


class Hub:
    """A server that hangs up on everybody, and counts them."""

    def __init__(self) -> None:
        self.attempts = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._hang_up, daemon=True)
        self._thread.start()

    def _hang_up(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            self.attempts += 1
            connection.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.close()


@pytest.mark.parametrize("provider", ["onnx", "huggingface", "clip"])
def test_a_missing_network_shows_at_once(hub: Hub, tmp_path: Path, provider: str) -> None:
    """One typed error, and no warning of a retry; the client's own way is six tries for each file."""
    environment = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path),
        "HF_HUB_OFFLINE": "0",
    }
    answer = subprocess.run(
        [sys.executable, "-c", LOAD, f"{provider}:nobody/model"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.startswith("The model 'nobody/model' is not on this disk")
    assert "Retry" not in answer.stderr
    assert 1 <= hub.attempts <= 2
