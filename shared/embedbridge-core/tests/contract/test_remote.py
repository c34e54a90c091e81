"""What providers behind HTTP share: keys, addresses, redaction, and what networks raise."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from embedbridge.contract import (
    ConfigurationError,
    EmbedBridgeError,
    InvalidKeyError,
    InvalidResponseError,
    ProviderUnavailableError,
    RequestTimeoutError,
)
from embedbridge.contract.remote.address import Address
from embedbridge.contract.remote.body import read_body
from embedbridge.contract.remote.credentials import checked_key, digest
from embedbridge.contract.remote.failures import network_error, redirect_error
from embedbridge.contract.remote.key_shapes import VENDORS
from embedbridge.contract.remote.redaction import HIDDEN, Secrets, hide
from embedbridge.contract.remote.vendor import Vendor

SK = Vendor(name="DashScope", key_starts=("sk-",))
"""A vendor whose keys begin like OpenAI's."""


@pytest.mark.parametrize(
    ("key", "vendor", "problem"),
    [
        ("sk-" + "x" * 30, "OpenAI", None),
        ("sk-" + "x" * 30, "Cohere", "looks like one of OpenAI"),
        ("sk-ant-" + "x" * 30, "OpenAI", "looks like one of Anthropic"),
        ("sk-proj-" + "x" * 30, "OpenAI", None),
        ("sk-" + "x" * 30, SK, None),
        ("sk-proj-" + "x" * 30, SK, "looks like one of OpenAI"),
        ("sk-or-v1-" + "x" * 30, SK, "looks like one of OpenRouter"),
        ("fw_" + "x" * 30, SK, "looks like one of Fireworks"),
        ("pa-" + "x" * 40, "Voyage", None),
        ("al-" + "x" * 40, "Cohere", "looks like one of Voyage"),
        ("sk-ant-" + "x" * 30, None, None),
        ("short", None, None),
        ("short", "Cohere", "has only 5 characters"),
        (" ", None, "is empty"),
    ],
)
def test_a_key_goes_to_its_own_vendor(
    key: str, vendor: Vendor | str | None, problem: str | None
) -> None:
    """What a vendor's own server would refuse is not sent there; a gateway may take anything."""
    if isinstance(vendor, str):
        vendor = Vendor(name=vendor)
    if problem is None:
        assert checked_key(key, hint="", vendor=vendor) == key
        return
    with pytest.raises(InvalidKeyError, match=problem) as caught:
        checked_key(key, hint="Set it.", vendor=vendor)
    assert key not in str(caught.value) or len(key) < 6


def test_a_digest_is_no_key() -> None:
    """Equal where the credentials are, and without a piece of them."""
    assert digest("a-secret-key", None) == digest("a-secret-key", None)
    assert digest("a-secret-key", None) != digest("a-secret-key", "team")
    assert "secret" not in digest("a-secret-key")


class Vault:
    """Has a method that fetches a key; equal to any other one, and therefore not hashable."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True

    def fetch(self) -> str:
        return "key"

    def __call__(self) -> str:
        return "key"


def test_a_function_stands_for_itself_alone() -> None:
    """Also for one that is gone: the next one may be at its place in memory, for another tenant."""

    def of_tenant(number: int) -> str:
        return digest(lambda: f"key-{number}")

    assert len({of_tenant(number) for number in range(300)}) == 300
    assert len({digest(Vault()) for _ in range(300)}) == 300
    assert len({digest(Vault().fetch) for _ in range(300)}) == 300


def test_what_fetches_a_key_is_the_same_as_long_as_it_lives() -> None:
    """A function, an object that can be called, and a method, which Python makes anew each time."""
    vault, other = Vault(), Vault()

    def fetch() -> str:
        return "key"

    assert digest(fetch) == digest(fetch)
    assert digest(vault) == digest(vault) != digest(other)
    assert digest(vault.fetch) == digest(vault.fetch) != digest(other.fetch)
    assert digest(None) == digest("")


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("https://api.acme.com/v1", True),
        ("https://eu.api.acme.com", True),
        ("https://API.acme.com:443", True),
        ("https://api.acme.com.evil.example", False),
        ("https://notapi.acme.com", False),
        ("http://localhost/api.acme.com", False),
    ],
)
def test_whose_host_it_is(url: str, own: bool) -> None:
    """Regional hosts are the vendor's; those that only sound like it are not."""
    assert Address(url).is_of("api.acme.com", "api.acme.ai") is own


def test_a_place_is_named_in_one_way() -> None:
    """The port of the scheme, capitals and a slash at the end make no other server."""
    same = ("https://acme.com/v1", "https://ACME.com:443/v1/", "HTTPS://acme.com:/v1")

    assert {Address(url).host_and_path for url in same} == {"acme.com/v1"}
    assert Address("https://acme.com:80").host_and_path == "acme.com:80"


def raised(name: str, *bases: str, module: str = "httpx") -> Exception:
    """An error as an HTTP library raises it, without the library."""
    kind: type[Exception] = Exception
    for each in [*reversed(bases), name]:
        kind = type(each, (kind,), {"__module__": module})
    return kind("it said so")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (raised("ReadTimeout", "TimeoutException"), RequestTimeoutError),
        (
            raised("ReadTimeout", "TimeoutException", module="httpx2._exceptions"),
            RequestTimeoutError,
        ),
        (TimeoutError(), RequestTimeoutError),
        (raised("DecodingError"), InvalidResponseError),
        (raised("ConnectError", "HTTPError"), ProviderUnavailableError),
        (raised("BrokenResourceError", module="anyio"), ProviderUnavailableError),
        (ConnectionResetError("reset by peer"), ProviderUnavailableError),
        (RuntimeError("Cannot send a request, as the client has been closed."), ConfigurationError),
        (
            RuntimeError("<asyncio.locks.Event object> is bound to a different event loop"),
            ConfigurationError,
        ),
        (RuntimeError("Event loop is closed"), None),
        (raised("TimeoutException", module="somebody"), None),
        (ValueError("a bug"), None),
    ],
    ids=repr,
)
def test_what_networks_raise(error: Exception, expected: type[EmbedBridgeError] | None) -> None:
    """Known by the names of their classes; what is nobody's network failure is left alone."""
    found = network_error(error, Secrets(), "host:80")

    assert type(found) is (expected or type(None))
    named = "http_client" if expected is ConfigurationError else "host:80"
    assert found is None or named in str(found)


def test_the_reason_lies_at_the_bottom() -> None:
    """A library on top says "Connection error." and no more."""
    error = raised("ConnectError")
    error.__cause__ = OSError("certificate has expired")

    assert "certificate has expired" in str(network_error(error, Secrets(), "host"))


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("https://me:secret@other.example/x?token=secret", "go to https://other.example."),
        ("/elsewhere?token=secret", "go to elsewhere."),
        ("", "go to elsewhere."),
        ("https://[half/of/an/address", "go to elsewhere."),
        (f"https://{'a' * 5_000}.example/", f"go to https://{'a' * 71}…."),
        ("https://sk-ant-Ab3dEf6hIj9lMnOp.example/", f"go to https://{HIDDEN}."),
    ],
)
def test_a_redirect_names_the_host_alone(location: str, says: str) -> None:
    """Its query may hold anything."""
    error = redirect_error(307, location)

    assert isinstance(error, ConfigurationError)
    assert says in str(error)
    assert "secret" not in str(error)


def test_a_piece_of_a_secret_is_one_too() -> None:
    """A server that masks a key by half still shows the other half."""
    secrets = Secrets()
    secrets.add("0123456789abcdefghijklmnopqrstuvwxyz")
    hidden = secrets.hide("key ***ghijklmnopqrstuvwxyz, 01234567... and 0123456 are wrong")

    assert hidden == f"key ***{HIDDEN}, {HIDDEN} and 0123456 are wrong"


def test_short_values_garble_no_message() -> None:
    """A header such as `X-Team: ml` is no secret, and "ml" stands in many words."""
    secrets = Secrets()
    secrets.add("ml")

    assert secrets.hide("html") == "html"


@pytest.mark.parametrize("beginning", VENDORS)
@pytest.mark.parametrize(
    "form", ["key {} is wrong", "{}", '{{"key":"{}"}}', "url?key={}&n=1", "_{}"]
)
def test_keys_of_others_are_hidden_as_well(beginning: str, form: str) -> None:
    """A gateway may repeat its own key, which we never saw."""
    key = f"{beginning}Ab3dEf6hIj9lMnOp"

    assert Secrets().hide(form.format(key)) == form.format(HIDDEN)
    assert hide(form.format(key), ()) == form.format(HIDDEN)


@pytest.mark.parametrize(
    "token",
    [
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJyb2JvdCJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
        "ya29.a0AfB_byC-canary0123456789.tail",
    ],
)
def test_access_tokens_are_hidden(token: str) -> None:
    """Assertions and tokens of clouds, whole: their parts have dots between them."""
    assert hide(f"assertion={token}&grant_type=x", ()) == f"assertion={HIDDEN}&grant_type=x"


@pytest.mark.parametrize(
    "text",
    [
        "hf_hub_download() failed for jina-embeddings-v3 in pa-risk-study",
        "the task-force of al-Khwarizmi asks for AKIA",
        "nvapi-key is not set, sk-short neither",
        "nvidia/nv-embedqa-e5-v5, xai-org/grok-1, voyage-3-large",
    ],
)
def test_words_are_no_keys(text: str) -> None:
    """Names of models and functions that begin like a key stay readable."""
    assert hide(text, ()) == text


def test_all_of_a_text_is_looked_at_where_it_is_asked_for() -> None:
    """A bridged object's exception is printed as a whole, however long it is."""
    text = "x" * 50_000 + " canary-5f0c9e8b7a6d"

    assert hide(text, ["canary-5f0c9e8b7a6d"]) == "x" * 50_000 + f" {HIDDEN}"
    assert hide("pass: secret!", ["secret"]) == f"pass: {HIDDEN}!"


async def test_a_stream_that_is_given_up_is_closed_at_once() -> None:
    """Also where reading it fails: nothing is left for the garbage collector of another thread."""
    closed: list[str] = []

    async def pieces(name: str) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"12345678"
        finally:
            closed.append(name)

    with pytest.raises(InvalidResponseError) as kept:  # its traceback keeps the stream alive
        await read_body(pieces("too long"), 4)

    assert closed == ["too long"]
    assert kept.value.__traceback__ is not None
