"""Access: credentials, region and endpoint from botocore's own chain; found once, off the event loop.

botocore finds what every tool of AWS finds: options, environment, profiles, SSO, web identity,
`credential_process`, and the endpoints of containers and instances. It is imported with the first
request. A failure names the source of the credentials, and the remedy.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from embedbridge.contract.errors import (
    AuthenticationError,
    ConfigurationError,
    EmbedBridgeError,
    InvalidKeyError,
    MissingDependencyError,
    ProviderUnavailableError,
)
from embedbridge.contract.remote import Secrets, shortened, variable
from embedbridge.providers.bedrock.catalog import REGIONS
from embedbridge.providers.bedrock.options import BedrockOptions

SERVICE = "bedrock-runtime"
OF_PROFILE = "Correct profile {profile!r}, for example with `aws configure --profile {profile}`."
SOURCES: dict[str, tuple[str, str]] = {
    "bearer": (
        "a bearer key (AWS_BEARER_TOKEN_BEDROCK or api_key)",
        "Make a new key in the console of Amazon Bedrock; a short-term one lives for 12 hours at most.",
    ),
    "explicit": (
        "the options aws_access_key_id and aws_secret_access_key",
        "Correct them; temporary ones need aws_session_token as well.",
    ),
    "env": (
        "the environment (AWS_ACCESS_KEY_ID)",
        "Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, with temporary ones, AWS_SESSION_TOKEN anew.",
    ),
    "shared-credentials-file": ("profile {profile!r} in the credentials file", OF_PROFILE),
    "config-file": ("profile {profile!r} in the configuration file", OF_PROFILE),
    "sso": ("SSO (profile {profile!r})", "Run `aws sso login --profile {profile}`."),
    "login": ("`aws login` (profile {profile!r})", "Run `aws login --profile {profile}`."),
    "custom-process": (
        "the credential_process of profile {profile!r}",
        "Run that command by hand, and see what it says.",
    ),
    "assume-role": (
        "the role of profile {profile!r}",
        "Check role_arn and the credentials that it is assumed with (source_profile, credential_source).",
    ),
    "assume-role-with-web-identity": (
        "a web identity (AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN)",
        "Check that the file holds a token that is still valid, and that the role trusts who issued it.",
    ),
    "container-role": (
        "the container's endpoint (AWS_CONTAINER_CREDENTIALS_…_URI)",
        "Check that the task or pod has a role, and that the endpoint can be reached from here.",
    ),
    "iam-role": (
        "the metadata of the instance",
        "Check that the instance has a role (instance profile), and may be asked for it (hop limit of IMDS).",
    ),
}
"""By botocore's name of a source: what it is, and what to do where it fails."""
MISSING = (
    "Log in with `aws sso login` or `aws configure`, set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, run where a role is given, or set AWS_BEARER_TOKEN_BEDROCK to an API key "
    "of Amazon Bedrock."
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How Amazon Bedrock is reached, and who asks."""

    url: str
    """The endpoint."""
    region: str
    """The region that signatures are for."""
    source: str
    """botocore's name of where the credentials come from, or `bearer`."""
    profile: str
    """The profile in use."""
    credentials: Any = None
    """botocore's; temporary ones refresh themselves. `None` with a bearer key."""

    @property
    def hint(self) -> str:
        """Where the credentials come from, and what to do if they are refused."""
        source, remedy = _about(self.source, self.profile)
        return f"The credentials come from {source}. {remedy}"


def known_region(options: BedrockOptions) -> str | None:
    """The region, as far as it is known without botocore."""
    return options.region or next(filter(None, map(variable, REGIONS)), None)


def find_access(
    options: BedrockOptions, secrets: Secrets, url: str | None, *, bearer: bool
) -> Access:
    """Find credentials, region and endpoint. Blocks: it may read files and ask servers.

    Args:
        options: The user's.
        secrets: Hidden in all that is quoted.
        url: The endpoint, if the user names one.
        bearer: Whether a bearer key stands for credentials.

    Raises:
        AuthenticationError: There are no credentials, or their source fails.
        ConfigurationError: No region is known.
        MissingDependencyError: botocore is needed and not installed.
    """
    region = known_region(options)
    if bearer and url:  # nothing is left to be found, and botocore's import takes a while
        return Access(url=url, region=region or "", source="bearer", profile="")
    try:
        import botocore.session
    except ImportError:
        if bearer and region:
            url = f"https://{SERVICE}.{region}.amazonaws.com"
            return Access(url=url, region=region, source="bearer", profile="")
        raise MissingDependencyError(
            "AWS's credentials take botocore, which is not installed.",
            hint='pip install "embedbridge-bedrock[aws]", or set AWS_BEARER_TOKEN_BEDROCK and AWS_REGION.',
        ) from None
    session = botocore.session.Session(profile=options.profile)
    profile = options.profile or session.get_config_variable("profile") or "default"
    region = translated(
        lambda: region or session.get_config_variable("region"), "config-file", profile, secrets
    )
    if not region:
        raise ConfigurationError(
            "The region of Amazon Bedrock is not known.",
            hint=f"Set AWS_REGION, pass region, or set `region` in profile {profile!r}.",
        )
    if url is None:
        # It knows all of AWS's rules: partitions, FIPS, dual stack, endpoints in configuration files.
        nobody = {"aws_access_key_id": "-", "aws_secret_access_key": "-"}
        client = translated(
            lambda: session.create_client(SERVICE, region_name=region, **nobody),
            "config-file",
            profile,
            secrets,
        )
        url = str(client.meta.endpoint_url)
    if bearer:
        return Access(url=url, region=region or "", source="bearer", profile=profile)
    found = _credentials(session, options, profile, secrets)
    return Access(url=url, region=region, source=found.method, profile=profile, credentials=found)


def _credentials(session: Any, options: BedrockOptions, profile: str, secrets: Secrets) -> Any:
    from botocore.credentials import Credentials

    key, secret = options.aws_access_key_id, options.aws_secret_access_key
    if key is not None and secret is not None:
        token = options.aws_session_token
        return Credentials(
            key.get_secret_value(),
            secret.get_secret_value(),
            token.get_secret_value() if token else None,
            method="explicit",
        )
    if key is not None or secret is not None:
        raise InvalidKeyError("Half of the credentials is missing.", hint=_about("explicit", "")[1])
    chain = translated(
        lambda: session.get_component("credential_provider"), "config-file", profile, secrets
    )
    # One by one, as `load_credentials` does, so that a failure has a source.
    for provider in chain.providers:
        found = translated(provider.load, provider.METHOD, profile, secrets)
        if found is not None:
            # Temporary ones are fetched here, and not by all the first requests at once.
            translated(found.get_frozen_credentials, found.method, profile, secrets)
            return found
    raise InvalidKeyError(
        f"No credentials for AWS were found, in the environment, profile {profile!r}, or a role of "
        "this machine.",
        hint=MISSING,
    )


def translated(work: Callable[[], T], source: str, profile: str, secrets: Secrets) -> T:
    """What botocore returns; its errors may hold tokens, so ours are chained to nothing.

    Args:
        work: Calls botocore.
        source: botocore's name of where the credentials come from.
        profile: The profile in use.
        secrets: Hidden in all that is quoted.

    Raises:
        AuthenticationError: The source fails.
        ProviderUnavailableError: It cannot be reached.
    """
    failure: EmbedBridgeError
    try:
        with _without_logs():
            return work()
    except EmbedBridgeError:
        raise
    except Exception as error:  # noqa: BLE001  # it runs commands, and parses what they say
        from botocore.exceptions import HTTPClientError, ProfileNotFound

        name, remedy = _about(source, profile)
        said = shortened(secrets.hide(" ".join(f"{type(error).__name__}: {error}".split())))
        if isinstance(error, ProfileNotFound):
            failure = ConfigurationError(
                f"There is no profile {profile!r} in AWS's configuration files.",
                hint="Run `aws configure list-profiles`, and correct profile or AWS_PROFILE.",
            )
        elif isinstance(error, HTTPClientError):
            failure = ProviderUnavailableError(f"No answer from {name}: {said}", hint=remedy)
        else:
            failure = AuthenticationError(f"No credentials from {name}: {said}", hint=remedy)
    raise failure


def _about(source: str, profile: str) -> tuple[str, str]:
    name, remedy = SOURCES.get(source, (source, MISSING))
    return name.format(profile=profile), remedy.format(profile=profile)


class _Silence(logging.Filter):
    """Drops what this thread logs, except errors."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is logged."""
        return record.levelno > logging.WARNING or record.thread != self._thread


@contextlib.contextmanager
def _without_logs() -> Iterator[None]:
    """For a while: botocore logs whole answers of token servers, and with them the credentials."""
    loggers = [
        logging.getLogger(name)
        for name in list(logging.root.manager.loggerDict)
        if name.partition(".")[0] in ("botocore", "urllib3")
    ]
    silence = _Silence()
    for logger in loggers:
        logger.addFilter(silence)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(silence)
