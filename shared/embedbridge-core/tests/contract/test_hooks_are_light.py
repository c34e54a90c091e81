"""Being discovered costs nothing: what a plugin imports, and what listing imports."""

import subprocess
import sys

import pytest

HEAVY = ["torch", "transformers", "openai", "llama_index", "langchain", "langchain_core", "PIL"]
LIGHT = [*HEAVY, "numpy", "pydantic", "asyncio", "tqdm"]


@pytest.mark.parametrize(
    ("code", "forbidden"),
    [
        pytest.param(
            "from embedbridge.contract.hooks import ProviderSpec, hookimpl", LIGHT, id="hooks"
        ),
        pytest.param("from embedbridge.contract import ModelCard, Limits", LIGHT, id="cards"),
        pytest.param("import embedbridge.contract, embedbridge.core", LIGHT, id="the packages"),
        pytest.param(
            "from embedbridge.core import list_providers; list_providers()", LIGHT, id="listing"
        ),
        pytest.param("from embedbridge.core import Registry; Registry()", LIGHT, id="registry"),
        pytest.param("from embedbridge.core import Embedder, load_embedder", HEAVY, id="embedder"),
        pytest.param(
            "from embedbridge.core import load_embedder; load_embedder('fake:small')",
            [*HEAVY, "tqdm", "safetensors", "sqlite3"],
            id="an embedder without extras",
        ),
    ],
)
def test_an_import_brings_nothing_heavy(code: str, forbidden: list[str]) -> None:
    """In a fresh interpreter, none of these packages is there afterwards."""
    check = f"import sys; {code}; print([n for n in {forbidden!r} if n in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", check], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "[]"
    assert answer.stderr == ""


def test_listing_imports_no_plugin() -> None:
    """The plugin's module is not even loaded."""
    code = (
        "import sys; from embedbridge.core import list_providers;"
        "names = [info.name for info in list_providers()];"
        "print('fake' in names, [m for m in sys.modules if m.startswith('embedbridge.testing')],"
        " [m for m in sys.modules if m.startswith('embedbridge.providers.')])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "True [] []"
