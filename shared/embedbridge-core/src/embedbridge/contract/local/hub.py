"""The Hugging Face Hub: whether it can be reached, and what its client raises, as our own errors.

Its classes are known by their names, so that it need not be installed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from embedbridge.contract.errors import (
    AuthenticationError,
    ConfigurationError,
    MissingDependencyError,
    UnknownModelError,
    exception_chain,
    short_repr,
)

if TYPE_CHECKING:
    from embedbridge.contract.local.options import LocalOptions

logger = logging.getLogger(__name__)

SECONDS_TO_ANSWER = 5
"""How long the Hub may take for its first answer, in which it sends nothing."""


def fetch_files(
    hub_id: str, options: LocalOptions, patterns: Sequence[str], *, package: str
) -> Path:
    """The folder of a model in the Hub's cache; what is not needed is not fetched.

    Args:
        hub_id: Its id.
        options: Which revision, from where, and whether the Hub may be asked.
        patterns: Names of the files that are needed, as shells write them.
        package: The distribution that brings the Hub's client.

    Raises:
        MissingDependencyError: The client is not installed.
        UnknownModelError: The Hub has no such model, or cannot be reached.
        AuthenticationError: It is gated, and the terms were not accepted.
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingDependencyError(
            f"Fetching {short_repr(hub_id)} from the Hub needs huggingface_hub.",
            hint=f'pip install "{package}"',
        ) from error
    try:
        folder = snapshot_download(
            hub_id,
            revision=options.revision,
            cache_dir=options.cache_folder,
            local_files_only=without_hub(offline=options.offline),
            allow_patterns=list(patterns),
        )
    except Exception as error:  # the Hub's client raises many kinds, and those of its HTTP library
        raise refusal(error, hub_id, options.revision) or not_found(hub_id) from error
    return Path(folder)


def without_hub(*, offline: bool) -> bool:
    """Whether to use only files on this disk: as was asked for, or because the Hub is not reachable.

    One short request decides. The Hub's client would try six times for each file of a model, and
    wait and print a warning each time: minutes, until a missing network shows.

    Args:
        offline: The user's own choice.
    """
    from huggingface_hub import constants, get_session

    if offline or constants.HF_HUB_OFFLINE:
        return True
    try:  # through the client's own session, which knows proxies and certificates
        get_session().head(constants.ENDPOINT, timeout=SECONDS_TO_ANSWER)
    except Exception as error:  # noqa: BLE001  # of httpx or requests, by the client's version
        logger.info("Only files on this disk are used: %s: %s", type(error).__name__, error)
        return True
    return False


def network_problem() -> str | None:
    """What is wrong with the environment's proxy or certificates for the Hub, and what to do.

    The Hub's client says nothing of it: it takes the network for missing.
    """
    from huggingface_hub import constants

    from embedbridge.contract.remote.network import network_for  # late: it imports TLS

    try:
        proxy = network_for(constants.ENDPOINT).proxy
    except ConfigurationError as error:
        return str(error)
    if proxy is not None and proxy.startswith("socks") and find_spec("socksio") is None:
        return 'The proxy takes a package that is not installed: pip install "httpx[socks]".'
    return None


def classes_of(error: BaseException) -> set[str]:
    """The names of an exception's class and of those below it, where the cause often is."""
    return {type(below).__name__ for below in exception_chain(error)}


def refusal(
    error: BaseException, address: str, revision: str | None
) -> AuthenticationError | UnknownModelError | None:
    """Our error where the Hub said why; `None` where it did not.

    Args:
        error: What was raised.
        address: The model's id.
        revision: The branch, tag or commit that was asked for.
    """
    names = classes_of(error)
    if "GatedRepoError" in names:
        return AuthenticationError(
            f"Access to {short_repr(address)} is gated.",
            hint="Accept its terms on huggingface.co and set HF_TOKEN.",
        )
    if "RevisionNotFoundError" in names:
        return UnknownModelError(
            f"{short_repr(address)} has no revision {revision!r}.",
            hint="Set revision to a branch, a tag or a commit of that repository.",
        )
    return None


def not_found(address: str) -> UnknownModelError:
    """The error for a model that is in no folder, and that the Hub did not hand out."""
    message = f"The model {short_repr(address)} is not on this disk and could not be fetched from the Hub."
    problem = network_problem()
    if problem is not None:
        return UnknownModelError(message, hint=problem)
    return UnknownModelError(
        message,
        hint="Check its spelling and the network. With offline=True or HF_HUB_OFFLINE=1 it must "
        "have been downloaded before; if it is private, set HF_TOKEN.",
    )
