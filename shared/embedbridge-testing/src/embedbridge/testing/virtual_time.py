"""Virtual time: an event loop that jumps to the next timer, and retries without a pause."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from embedbridge.core.tooling import Endpoint


@contextmanager
def no_backoff() -> Iterator[None]:
    """Retry failed requests at once, in the whole process, instead of after a random pause.

    Example:
        @pytest.fixture(autouse=True)
        def _no_backoff():
            with no_backoff():
                yield
    """
    with mock.patch.object(Endpoint, "backoff", return_value=0.0):
        yield


class JumpingLoop(asyncio.SelectorEventLoop):
    """Where nothing is ready, the clock jumps to the next timer; it begins at 0 s.

    Example:
        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            runner.run(asyncio.sleep(3600))  # at once
    """

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Seconds of virtual time."""
        return self.now


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._jumping = loop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is not None and timeout > 0:
            self._jumping.now += timeout
        return ready
