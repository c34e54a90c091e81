"""Key shapes: how the API keys of well-known vendors look.

One table for two uses: a key of another vendor is refused before it is sent (credentials.py), and a
key that a server repeats is hidden, also one that this process never saw (redaction.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

VENDORS = MappingProxyType(
    {
        "sk-ant-": "Anthropic",
        "sk-or-": "OpenRouter",
        "sk-": "OpenAI",
        "sk-admin-": "OpenAI",
        "sk-proj-": "OpenAI",
        "sk-svcacct-": "OpenAI",
        "sess-": "OpenAI",
        "AIza": "Google",
        "AKIA": "Amazon Web Services",
        "ASIA": "Amazon Web Services",
        "al-": "Voyage",
        "dapi": "Databricks",
        "fw_": "Fireworks",
        "ghp_": "GitHub",
        "github_pat_": "GitHub",
        "gsk_": "Groq",
        "hf_": "Hugging Face",
        "jina_": "Jina",
        "nk-": "Nomic",
        "nvapi-": "NVIDIA",
        "pa-": "Voyage",
        "r8_": "Replicate",
        "tgp_v1_": "Together",
        "xai-": "xAI",
    }
)
"""The vendor by the beginning of a key; the longest that fits counts. Other vendors' keys have none.

A short `sk-` is not only OpenAI's: a vendor whose keys begin so says it in `Vendor.key_starts`.
"""

SELF_MADE = ("sk-", "sess-")
"""Gateways make such keys of their own, and short ones too."""

KEY_LIKE = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    rf"(?:{'|'.join(SELF_MADE)})[\w-]{{8,}}"
    # The vendors' own have 16 characters and more behind it; `hf_hub_download` is no key.
    rf"|(?:{'|'.join(VENDORS)})[\w-]{{16,}}"
    # A JSON Web Token or Google's OAuth access token: clouds sign in with them.
    r"|eyJ[\w-]{16,}(?:\.[\w-]*)*|ya29\.[\w.-]{16,})",
    re.ASCII,
)
"""A key in a text, by its looks."""


def vendor_of(key: str, own: Mapping[str, str] = MappingProxyType({})) -> str | None:
    """The vendor of a key, by its beginning; `None` if that is not known.

    Args:
        key: The key.
        own: Further beginnings and whose they are; they win where both are equally long.
    """
    known = {**VENDORS, **own}
    longest = max((start for start in known if key.startswith(start)), key=len, default=None)
    return None if longest is None else known[longest]
