"""`embedbridge doctor` says what is configured, from where, what is broken, and shows no secret."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from embedbridge.cli.doctor.trial import TEXT
from embedbridge.core import Settings, load_embedder
from embedbridge.testing import FaultServer, faults

Run = Callable[..., Result]
Announce = Callable[[str, str], None]
KEY = "sk-canary-5f0c9e8b7a6d4c3b2a190817"


@pytest.fixture(autouse=True)
def _clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings, keys and cache have no say in a test."""
    for name in list(os.environ):
        if name.startswith(("EMBEDBRIDGE_", "OPENAI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("EMBEDBRIDGE_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(dimensions=16) as server:
        yield server


def facts_of(result: Result) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(result.stdout)
    return facts


def setting(result: Result, name: str) -> tuple[Any, str]:
    """A setting's value and source."""
    (found,) = [one for one in facts_of(result)["settings"] if one["name"] == name]
    return found["value"], found["source"]


def test_a_sound_environment_is_exit_code_0(run: Run) -> None:
    """With everything that a bug report needs."""
    result = run("doctor", "--json")
    facts = facts_of(result)

    assert result.exit_code == 0
    assert facts["problems"] == []
    assert facts["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["packages"]["embedbridge-core"] == "0.1.0"
    assert [one["name"] for one in facts["settings"]] == list(Settings.model_fields)
    assert "fake" in [info["name"] for info in facts["providers"]]


def test_where_a_setting_comes_from(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An option over the environment over the default, as for the engine."""
    assert setting(run("doctor", "--json"), "batch_size") == (None, "default")
    monkeypatch.setenv("embedbridge_batch_size", "8")
    assert setting(run("doctor", "--json"), "batch_size") == (8, "environment")
    given = run("doctor", "--option", "batch_size=4", "--json")

    assert setting(given, "batch_size") == (4, "option")


def test_a_setting_by_its_other_name(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """`max_retries` is `max_attempts` less one, in the environment and as an option."""
    monkeypatch.setenv("EMBEDBRIDGE_MAX_RETRIES", "4")
    result = run("doctor", "--json")

    assert result.exit_code == 0
    assert setting(result, "max_attempts") == (5, "environment")
    given = run("doctor", "--option", "max_retries=1", "--json")
    assert setting(given, "max_attempts") == (2, "option")


def test_a_setting_that_cannot_be(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is a problem that names it and its variable; the others are still shown."""
    monkeypatch.setenv("EMBEDBRIDGE_BATCH_SIZE", "many")
    result = run("doctor", "--json")

    assert result.exit_code == 1
    assert "batch_size" in facts_of(result)["problems"][0]
    assert "the environment variable EMBEDBRIDGE_BATCH_SIZE" in facts_of(result)["problems"][0]
    assert setting(result, "batch_size") == ("?", "environment")
    assert setting(result, "window") == (4096, "default")


@pytest.mark.filterwarnings("ignore:The environment variable EMBEDBRIDGE_BATCHSIZE does nothing")
def test_a_misspelt_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does nothing, so somebody should say so."""
    monkeypatch.setenv("EMBEDBRIDGE_BATCHSIZE", "8")
    result = run("doctor")
    told = " ".join(result.stdout.split())

    assert result.exit_code == 1
    assert "EMBEDBRIDGE_BATCHSIZE is no setting. Did you mean EMBEDBRIDGE_BATCH_SIZE?" in told


def test_a_variable_of_a_provider_is_not_misspelt(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also one that begins like ours: somebody else's provider says that it reads it."""
    file = tmp_path / "providers.toml"
    file.write_text(
        '[acme]\nlike = "openai-compatible"\ntitle = "Acme"\nbase_url = "http://127.0.0.1:9/v1"\n'
        'key_variables = ["EMBEDBRIDGE_ACME_KEY"]\n'
    )
    monkeypatch.setenv("EMBEDBRIDGE_PROVIDERS_FILE", str(file))
    monkeypatch.setenv("EMBEDBRIDGE_ACME_KEY", KEY)
    problems = facts_of(run("doctor", "--json"))["problems"]

    assert not [problem for problem in problems if "ACME" in problem]


def test_vendors_variables_are_told_by_name_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set or not set, never to what, in both forms."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    listing = run("doctor", "--json")
    table = " ".join(run("doctor").stdout.split())
    read = {one["name"]: one["is_set"] for one in facts_of(listing)["variables"]}

    assert read["OPENAI_API_KEY"] is True
    assert read["OPENAI_BASE_URL"] is False
    assert "OPENAI_API_KEY set openai" in table
    assert "OPENAI_BASE_URL not set openai" in table
    assert KEY not in table + listing.stdout


def test_providers_without_a_variable_share_a_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two dozen vendors that nobody has set up are one line; all variables are in the JSON."""
    monkeypatch.delenv("TOGETHER_API_KEY", raising=False)
    listing = run("doctor", "--json")
    table = " ".join(run("doctor").stdout.split())

    assert "TOGETHER_API_KEY" not in table
    assert "all others not set" in table
    assert "TOGETHER_API_KEY" in {one["name"] for one in facts_of(listing)["variables"]}
    monkeypatch.setenv("TOGETHER_API_KEY", KEY)
    assert "TOGETHER_API_KEY set together" in " ".join(run("doctor").stdout.split())


def test_a_broken_provider_is_a_problem(run: Run, announce: Announce) -> None:
    """With its reason; the others are fine."""
    announce("evil", "raise ImportError('libgood.so is not there')")
    result = run("doctor", "--json")

    assert result.exit_code == 1
    assert "libgood.so is not there" in facts_of(result)["problems"][0]


def test_the_cache(run: Run, tmp_path: Path) -> None:
    """Where it is and what it holds; looking at it does not make it."""
    path = tmp_path / "cache" / "vectors.sqlite"
    assert facts_of(run("doctor", "--json"))["cache"]["exists"] is False
    assert not path.exists()
    load_embedder("fake:small", cache=path).embed_documents(["a", "b"])
    found = facts_of(run("doctor", "--json"))["cache"]

    assert found == {
        "path": str(path),
        "exists": True,
        "problem": None,
        "vectors": 2,
        "bytes": found["bytes"],
    }


def test_a_cache_that_cannot_be_read(run: Run, tmp_path: Path) -> None:
    """A folder in its place: the problem is told, and nothing fails."""
    (tmp_path / "cache" / "vectors.sqlite").mkdir(parents=True)
    result = run("doctor", "--json")

    assert result.exit_code == 1
    assert "vectors.sqlite" in facts_of(result)["problems"][0]


def test_a_model_is_tried_and_not_its_cache(run: Run, tmp_path: Path) -> None:
    """With `cache=true`, a model that no longer works would be answered for by the cache."""
    path = tmp_path / "own.sqlite"
    for _ in range(2):
        result = run("doctor", "fake:small", "--option", f"cache={path}")
        assert result.exit_code == 0, result.output
    with load_embedder("fake:small", cache=path) as embedder:
        assert embedder.embed([TEXT], role="query").cached == 0


def test_a_model_that_works(run: Run) -> None:
    """One text was embedded: its width, space and how long it took."""
    result = run("doctor", "fake:small", "--option", "seed=3", "--json")
    tried = facts_of(result)["model"]

    assert result.exit_code == 0
    assert tried["works"] is True
    assert (tried["dimensions"], tried["space"]) == (8, "fake:small")
    assert tried["length"] == pytest.approx(1)
    assert tried["seconds"] > 0
    assert tried["fingerprint"] == load_embedder("fake:small", seed=3).fingerprint


@pytest.mark.parametrize(
    ("model", "error", "remedy"),
    [
        ("fakes:small", "UnknownProviderError", "Did you mean 'fake'?"),
        ("fake:small --option seeds=1", "InvalidOptionError", "Did you mean 'seed'?"),
        ("openai:text-embedding-3-small", "InvalidKeyError", "OPENAI_API_KEY"),
    ],
)
def test_a_model_that_fails(run: Run, model: str, error: str, remedy: str) -> None:
    """The kind of the failure and what to do about it, for humans too."""
    result = run("doctor", *model.split(), "--json")
    tried = facts_of(result)["model"]

    assert result.exit_code == 1
    assert tried["error"] == error
    assert remedy in tried["remedy"]
    assert remedy in " ".join(run("doctor", *model.split()).stdout.split())


def test_a_server_that_refuses_the_key(
    run: Run, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request was sent; the answer is explained without the key that it repeats."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    server.always(faults.key_refused())
    result = run("doctor", "openai:text-embedding-3-small", "--json")
    tried = facts_of(result)["model"]

    assert result.exit_code == 1
    assert tried["error"] == "AuthenticationError"
    assert tried["remedy"]
    assert len(server.requests) == 1
    assert KEY not in result.stdout


def test_a_strangers_model_may_fail_in_its_own_way(run: Run, announce: Announce) -> None:
    """No traceback, and everything else is still shown."""
    announce(
        "odd",
        """
        from embedbridge.contract import LocalEmbeddingModel
        from embedbridge.contract.hooks import ProviderSpec, hookimpl

        class Odd(LocalEmbeddingModel):
            provider = "odd"

            def identity(self):
                raise RuntimeError("out of order")

            def embed_batch(self, batch):
                raise NotImplementedError

        @hookimpl
        def embedbridge_provider():
            return ProviderSpec(name="odd", factory="odd_plugin:Odd")
        """,
    )
    result = run("doctor", "odd:one", "--json")

    assert result.exit_code == 1
    assert facts_of(result)["model"]["message"] == "'out of order'"


def test_torch_is_imported_only_when_it_is_asked_for() -> None:
    """It takes seconds, and a look at the configuration should not."""
    code = """
import sys
from typer.testing import CliRunner
from embedbridge.cli.app import app
result = CliRunner().invoke(app, ["doctor", "--json"])
assert result.stdout.startswith("{"), result.output
print(sorted({"torch", "transformers", "langchain_core", "llama_index"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "[]", done.stderr


def test_devices(run: Run) -> None:
    """Asked for, torch tells its version and devices."""
    torch = pytest.importorskip("torch")
    found = facts_of(run("doctor", "--devices", "--json"))["devices"]

    assert found["torch"] == torch.__version__
    assert len(found["cuda"]) == torch.cuda.device_count()
