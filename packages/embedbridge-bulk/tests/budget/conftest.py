"""What the tests of rate limiters share: each test's limiters end with it."""

from collections.abc import Iterator

import pytest

from embedbridge.bulk.budget import leasing


@pytest.fixture(autouse=True)
def _limiters_end() -> Iterator[None]:
    """Else one would report to its ledger later, while another test runs."""
    yield
    for limiter in list(leasing._alive):
        with limiter._asking:
            if limiter._timer is not None:
                limiter._timer.cancel()
            limiter.forget()
