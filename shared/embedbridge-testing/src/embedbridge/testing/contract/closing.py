"""Closing while others embed. Asked where `load_at` names a way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from embedbridge.contract import EmbedBridgeError
from embedbridge.core import Embedder
from embedbridge.testing.contract.applies import asked_where
from embedbridge.testing.contract.comparing import assert_same
from embedbridge.testing.contract.served import AT_A_SERVER, ServedChecks, some
from embedbridge.testing.faults.exchange import Gate


class ClosingChecks(ServedChecks):
    """What `close` takes away, and what not."""

    @asked_where(AT_A_SERVER)
    def test_closing_lets_requests_finish(self, embedder: Embedder) -> None:
        """A request that is on its way gets its answer; then its connections are closed too.

        If this fails, `aclose` closes a client that a request holds: let its last user close it.
        """
        with (
            self.served(embedder, max_attempts=1) as (server, remote),
            ThreadPoolExecutor(1) as threads,
        ):
            expected = remote.embed_documents(some(remote))
            gate, before = Gate(), len(server.requests)
            server.always(gate.fault)
            job = threads.submit(remote.embed_documents, some(remote))
            try:
                server.wait_for(before + 1, timeout=self.patience)
                remote.close()
            finally:
                gate.open()
            try:
                found = job.result()
            except EmbedBridgeError as error:
                pytest.fail(f"Closing ends a request that is on its way: {error}")
            try:
                server.wait_until_left(timeout=self.patience)
            except TimeoutError:
                pytest.fail("After `close` and the last answer, a connection is still open")

        assert_same(found, expected, self.tolerance, "Closing changes vectors")
