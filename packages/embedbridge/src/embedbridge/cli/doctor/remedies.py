"""Errors as JSON values, each with a remedy, for `embedbridge doctor`."""

from __future__ import annotations

from typing import Any

from embedbridge.contract.errors import EmbedBridgeError, short_repr

REMEDIES = {
    "AuthenticationError": "Check the key in the provider's environment variable.",
    "MissingDependencyError": "Install the package that is named.",
    "ProviderUnavailableError": "Check the address, the network and the vendor's status page.",
    "QuotaExhaustedError": "Check plan and billing at the vendor.",
    "RateLimitedError": "Wait, or set requests_per_minute and tokens_per_minute.",
    "RequestTimeoutError": "Check the network, or raise `deadline`.",
    "UnknownModelError": "Check the model's name, and that the account may use it.",
}
"""Where an error does not bring its own."""


def explained(error: Exception) -> dict[str, Any]:
    """An error as JSON values: its kind, what happened and what to do."""
    said = error.message if isinstance(error, EmbedBridgeError) else short_repr(str(error))
    hint = getattr(error, "hint", None)
    return {
        "error": type(error).__name__,
        "message": " ".join(said.split()),
        "remedy": hint or REMEDIES.get(type(error).__name__),
    }
