"""The hosted providers of this repository: a model, its wire format, and addresses as users write them."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from embedbridge.contract.remote import RemoteModel
from embedbridge.core import Registry
from embedbridge.testing import (
    BedrockWire,
    CohereWire,
    GoogleWire,
    JinaWire,
    MistralWire,
    NvidiaWire,
    OllamaWire,
    OpenAIWire,
    PredictWire,
    TeiWire,
    VoyageWire,
    WireFormat,
)

KEY = "canary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b"


@dataclass(frozen=True, kw_only=True)
class Hosted:
    """One provider: a model, what its server speaks, and paths that users copy along."""

    model: str
    wire: Callable[[], WireFormat]
    paths: tuple[str, ...]
    """Behind the host; the first is how it is documented. All of them mean the same server."""
    option: str = "base_url"
    variable: str | None = None
    """Where the vendor does not say it."""
    completes: bool = False
    """Whether an address without a scheme is taken."""
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


V1 = ("/v1", "/v1/embeddings")
BARE = ("", "/v1", "/v1/embeddings")
HOSTED = {
    "azure-openai": Hosted(
        model="text-embedding-3-small",
        wire=OpenAIWire,
        paths=("", "/openai", "/openai/v1", "/openai/v1/embeddings", "/openai/deployments/x"),
        option="azure_endpoint",
        variable="AZURE_OPENAI_ENDPOINT",
    ),
    "bedrock": Hosted(
        model="amazon.titan-embed-text-v2:0",
        wire=BedrockWire,
        paths=("", "/model", "/model/amazon.titan-embed-text-v2%3A0/invoke"),
        options={"region": "us-east-1"},
    ),
    "cohere": Hosted(
        model="embed-v4.0",
        wire=CohereWire,
        paths=("", "/v1", "/v2", "/v2/embed", "/v1/embeddings", "/compatibility/v1"),
    ),
    "google": Hosted(
        model="gemini-embedding-001",
        wire=GoogleWire,
        paths=("", "/models/gemini-embedding-001:batchEmbedContents", "/openai/embeddings"),
    ),
    "jina": Hosted(model="jina-embeddings-v3", wire=JinaWire, paths=BARE),
    "mistral": Hosted(model="mistral-embed", wire=MistralWire, paths=BARE),
    "nvidia": Hosted(model="baai/bge-m3", wire=NvidiaWire, paths=("/v1", "", "/v1/embeddings")),
    "ollama": Hosted(
        model="all-minilm",
        wire=OllamaWire,
        paths=("", "/api", "/api/embed", "/api/embeddings", "/v1", "/v1/embeddings"),
        completes=True,
    ),
    "openai": Hosted(model="text-embedding-3-small", wire=OpenAIWire, paths=V1),
    "openai-compatible": Hosted(model="m", wire=OpenAIWire, paths=V1),
    "tei": Hosted(
        model="acme/embed", wire=TeiWire, paths=("", "/embed", "/info", "/v1", "/v1/embeddings")
    ),
    "vertex": Hosted(
        model="text-embedding-005",
        wire=PredictWire,
        paths=("", "/projects/my-project/locations/global/publishers/google/models/x:predict"),
        environment={"GOOGLE_CLOUD_PROJECT": "my-project"},
    ),
    "voyage": Hosted(model="voyage-4", wire=VoyageWire, paths=V1),
}
"""By what users type before the colon."""
ANYWHERE = ("azure-openai", "databricks", "openai-compatible", "tei")
"""Providers without an address of their own."""

SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "slash": lambda url: f"{url}/",
    "slashes": lambda url: f"{url}//",
    "blanks": lambda url: f"  {url}\t\n",
    "upper case": lambda url: url.replace("http://", "HTTP://"),
}
"""Other ways to write an address that is right."""
WRONG: Mapping[str, Callable[[str], str]] = {
    "scheme missing": lambda host: host,
    "scheme half": lambda host: f"//{host}",
    "one slash": lambda host: f"http:/{host}",
    "backslashes": lambda host: rf"http:\\{host}",
    "another scheme": lambda host: f"ws://{host}",
    "twice": lambda host: f"https://http://{host}",
    "no host": lambda host: "http:///v1",
    "brackets": lambda host: f"<http://{host}>",
    "white space": lambda host: f"http://{host} /v1",
    "no number": lambda host: "http://127.0.0.1:port",
    "number": lambda host: "http://127.0.0.1:99999",
    "half of IPv6": lambda host: "http://[::1",
    "password": lambda host: f"http://user:{KEY}@{host}",
    "query": lambda host: f"http://{host}/v1?key={KEY}",
}
"""What no request can go to, made of host and port."""


def announced() -> dict[str, type[RemoteModel[Any]]]:
    """The hosted providers of this repository, by name."""
    found: dict[str, type[RemoteModel[Any]]] = {}
    for point in importlib.metadata.entry_points(group="embedbridge"):
        if not (point.dist and point.dist.name.startswith("embedbridge")):
            continue
        spec = Registry().spec(point.name)
        row: Any = spec.variant
        if row is not None and row.closed:
            continue
        module, _, name = spec.factory.partition(":")
        factory = getattr(importlib.import_module(module), name)
        kind = factory if isinstance(factory, type) else factory(spec)
        if issubclass(kind, RemoteModel):
            found[point.name] = kind
    return found


def row_of(provider: str) -> Hosted:
    """Its row; that of a vendor by name is made of its own one."""
    if provider in HOSTED:
        return HOSTED[provider]
    row: Any = Registry().spec(provider).variant
    path = row.default_path.rstrip("/")
    known = dict.fromkeys(row.placeholders, "part")
    for name in row.placeholders:
        path = path.replace(f"{{{name}}}", known[name])
    return Hosted(
        model=row.example or "m",
        wire=OpenAIWire,
        paths=(path, f"{path}/embeddings", ""),
        environment=known,
    )
