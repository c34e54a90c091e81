"""Looking for a secret in what is shown."""

import base64
import urllib.parse

from hypothesis import given
from hypothesis import strategies as st

from embedbridge.testing.leaks import leaks

SECRET = "canary-5f0c9e8b?7a6d"
NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)


@given(NAMES, NAMES)
def test_a_password_is_found_whoever_the_user_is(user: str, behind: str) -> None:
    """Base64 spells a secret in one of three ways, by what stands in front of it."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert leaks(encode(f"{user}:{SECRET}{behind}".encode()).decode(), [SECRET])


def test_other_spellings_are_found() -> None:
    """In an address, in a `repr`, and cut off in the middle."""
    assert leaks(f"?key={urllib.parse.quote(SECRET, safe='')}", [SECRET])
    assert leaks(repr("a\n" + SECRET), [SECRET])
    assert leaks(f"{SECRET[: len(SECRET) // 2]}…", [SECRET])


@given(NAMES)
def test_what_is_no_secret_is_not_found(text: str) -> None:
    """Nothing of eight characters is there by chance."""
    assert not leaks(base64.b64encode(text.encode()).decode() + text, [SECRET])
