"""Announces the provider `fake`; no SDK and no NumPy is imported here."""

from embedbridge.contract.hooks import ProviderSpec, hookimpl
from embedbridge.testing.fake_cards import CARDS


@hookimpl
def embedbridge_provider() -> ProviderSpec:
    """Instant models for tests."""
    return ProviderSpec(
        name="fake",
        factory="embedbridge.testing.fakes:FakeModel",
        cards=CARDS,
        default_model="small",
        summary="Instant, deterministic models for tests; no meaning in their vectors.",
    )
