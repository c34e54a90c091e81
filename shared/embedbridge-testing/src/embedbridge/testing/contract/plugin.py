"""The plugin: found by its name, light to import, and leading to this very model."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

from embedbridge.contract import ENTRY_POINT_GROUP
from embedbridge.core import Embedder, Registry
from embedbridge.core.tooling import resolve
from embedbridge.testing.contract.applies import Need, asked_where
from embedbridge.testing.contract.base import ContractBase

LIGHT = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from importlib.metadata import entry_points
before = set(sys.modules)
for point in entry_points(group=sys.argv[2]):
    if point.name == sys.argv[3]:
        point.load()
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""
HEAVY = frozenset(
    {
        "PIL",
        "aiohttp",
        "botocore",
        "cohere",
        "google",
        "httpx",
        "httpx2",
        "langchain_core",
        "llama_index",
        "numpy",
        "onnxruntime",
        "openai",
        "pydantic",
        "requests",
        "safetensors",
        "scipy",
        "sentence_transformers",
        "tensorflow",
        "tokenizers",
        "torch",
        "transformers",
    }
)
"""What no plugin may import: every process that lists providers would pay for it."""


def is_announced(embedder: Embedder) -> bool:
    """Whether an installed package announces the model's provider."""
    return any(info.name == embedder.model.provider for info in Registry().providers())


ANNOUNCED = Need("the provider is not announced by an entry point", "embedder", is_announced)


class PluginChecks(ContractBase):
    """Asked where an installed package announces the provider."""

    @asked_where(ANNOUNCED)
    def test_the_plugin_is_light(self, embedder: Embedder) -> None:
        """Importing the plugin loads no array library, no SDK and no framework.

        If this fails, move imports out of `plugin.py` and out of the package's `__init__.py`.
        """
        name = embedder.model.provider
        answer = _import_alone(name, json.dumps(sys.path))
        assert answer.returncode == 0, f"The plugin fails to import: {answer.stderr[-500:]}"
        heavy = sorted(HEAVY & set(json.loads(answer.stdout.splitlines()[-1])))

        assert not heavy, f"The plugin of {name!r} imports {', '.join(heavy)}: it is not light"

    @asked_where(ANNOUNCED)
    def test_the_plugin_leads_to_this_model(self, embedder: Embedder) -> None:
        """`provider:model` finds this class under this name, and the plugin's cards are the model's.

        If this fails, look at the entry point's name, `provider` on the class, and the factory.
        """
        name, model = embedder.model.provider, embedder.model
        spec = Registry().spec(name)
        found, _ = resolve(f"{name}:{model.name}")

        assert spec.name == name, f"The plugin says {spec.name!r}, its entry point {name!r}"
        assert isinstance(model, found), f"{spec.factory} is not the class of {model!r}"
        told = {card.name: card for card in spec.cards}
        known = {card.name: card for card in model.cards}
        strange = sorted(told.keys() - known.keys())
        assert not strange, (
            f"The plugin announces models that the class has no cards for: {strange}"
        )
        silent = sorted(known.keys() - told.keys())
        assert not silent, f"The plugin does not announce the class's cards for: {silent}"
        wrong = [card for card in told if told[card] != known[card]]
        assert not wrong, f"Plugin and model have different cards for {wrong}"


@cache  # a provider has a suite for each kind of model, and one plugin
def _import_alone(name: str, path: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-c", LIGHT, path, ENTRY_POINT_GROUP, name]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own code
