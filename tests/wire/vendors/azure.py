"""Azure, the API with a dated version: `openai.AzureOpenAI` beside `azure-openai:…`."""

from __future__ import annotations

from typing import Any

from ..vendor import KEY, Vendor
from .openai import cases

VERSION = "2024-10-21"


def client(url: str) -> Any:
    import openai

    return openai.AzureOpenAI(api_key=KEY, azure_endpoint=url, api_version=VERSION)


VENDOR = Vendor(
    sdk="openai==3.57.0",
    client=client,
    cases=cases("azure-openai"),
    options=lambda url: {"azure_endpoint": url, "api_key": KEY, "api_version": VERSION},
)
