"""Azure's v1 API, which has no version in its path: `openai.OpenAI` beside `azure-openai:…`."""

from __future__ import annotations

from typing import Any

from ..vendor import KEY, Vendor
from .openai import cases


def client(url: str) -> Any:
    import openai

    return openai.OpenAI(api_key=KEY, base_url=f"{url}/openai/v1")


VENDOR = Vendor(
    sdk="openai==3.57.0",
    client=client,
    cases=cases("azure-openai"),
    options=lambda url: {"azure_endpoint": url, "api_key": KEY},
)
