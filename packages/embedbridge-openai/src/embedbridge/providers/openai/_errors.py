"""What the SDK and its HTTP library raise, as our own errors. Imports the SDK."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial

import openai

from embedbridge.contract.errors import (
    ConfigurationError,
    EmbedBridgeError,
    InvalidOptionError,
)
from embedbridge.contract.remote import Refusals, Secrets, network_error, shortened, unreachable


def translated(
    error: Exception,
    refusals: Refusals,
    secrets: Secrets,
    server: str,
    *,
    sent: Collection[str] = (),
) -> EmbedBridgeError | None:
    """Our error for one of the SDK's; `None` for what is neither its nor the network's.

    The result is not chained to the original, which holds the request and with it the key.

    Args:
        error: What was raised.
        refusals: What the server says, beside what all servers say.
        secrets: Hidden in all that is quoted.
        server: Its host and path.
        sent: Names of the fields of requests.
    """
    if isinstance(error, openai.APIStatusError):
        headers = error.response.headers
        return refusals.error(error.status_code, error.body, headers, secrets, sent=sent)
    if isinstance(error, openai.APITimeoutError):
        return network_error(TimeoutError(), secrets, server)
    if isinstance(error, openai.APIConnectionError):
        return unreachable(error, secrets, server)
    if isinstance(error, openai.OpenAIError):
        return ConfigurationError(f"OpenAI's SDK: {shortened(secrets.hide(str(error)))}")
    return network_error(error, secrets, server)


def option_refused(
    error: openai.APIStatusError, option: str, refusals: Refusals, secrets: Secrets
) -> EmbedBridgeError:
    """Our error for a refusal that blames an option, also where the server names no field.

    Args:
        error: The refusal.
        option: Which one.
        refusals: What the server says.
        secrets: Hidden in all that is quoted.
    """
    status = error.status_code
    blamed = partial(InvalidOptionError, hint=f"Change or leave out the option {option!r}.")
    refusals = replace(refusals, statuses={status: blamed})
    return refusals.error(status, error.body, error.response.headers, secrets)
