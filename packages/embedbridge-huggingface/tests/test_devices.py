"""Where a model computes: one device, or several at once in a pool of its own."""

import gc
import multiprocessing
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from embedbridge.contract.local import best_device, choose_device, limits_on
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.huggingface._loaded import at_once
from embedbridge.providers.huggingface._pool import DevicePool
from embedbridge.testing import real_texts

TEXTS = real_texts(9, max_words=200)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_the_best_device(cuda: bool, mps: bool, expected: str) -> None:
    """CUDA before MPS before the CPU."""
    assert best_device(cuda=cuda, mps=mps) == expected


def test_a_device_of_this_machine_is_taken() -> None:
    """Without a wish, what is there is used."""
    assert choose_device(choose_device()) == choose_device()


@pytest.mark.parametrize(("before", "expected"), [(2, 1), (1, 1)])
def test_torch_takes_no_more_threads_than_this_process_may(
    own_folder: str, monkeypatch: pytest.MonkeyPatch, before: int, expected: int
) -> None:
    """In a container or in an engine's worker more would wait for each other; fewer stay."""
    own = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(before)
    try:
        load_embedder(f"huggingface:{own_folder}", device="cpu").embed_query("text")
        threads = torch.get_num_threads()
    finally:
        torch.set_num_threads(own)

    assert threads == expected


def test_limits_grow_with_the_device_and_their_number() -> None:
    """A GPU takes more than a CPU, two devices take twice as much as one."""
    cpu, gpu = (
        limits_on(device, at_once(), max_tokens_per_input=None) for device in ("cpu", "cuda:1")
    )
    two = limits_on("cuda", at_once(), devices=2, max_tokens_per_input=None)

    assert gpu.max_tokens_per_request > cpu.max_tokens_per_request  # type: ignore[operator]
    assert two.max_items == 2 * gpu.max_items  # type: ignore[operator]
    assert two.pads


@pytest.fixture(scope="module")
def pooled(prompted_folder: str) -> Iterator[Embedder]:
    with load_embedder(f"huggingface:{prompted_folder}", target_devices=["cpu", "cpu"]) as embedder:
        yield embedder


def workers() -> set[int | None]:
    return {process.pid for process in multiprocessing.active_children()}


def test_a_pool_makes_the_same_vectors(pooled: Embedder, raw_prompted: SentenceTransformer) -> None:
    """Several devices give what one gives, for either role, in order."""
    documents, queries = pooled.embed_documents(TEXTS), pooled.embed_queries(TEXTS)

    np.testing.assert_allclose(documents, raw_prompted.encode_document(TEXTS), rtol=0, atol=1e-6)
    np.testing.assert_allclose(queries, raw_prompted.encode_query(TEXTS), rtol=0, atol=1e-6)


def test_there_is_one_pool_for_all_calls(pooled: Embedder) -> None:
    """Workers are started once and kept, one for each device."""
    pooled.embed_query("first")
    first = workers()
    pooled.embed_documents(TEXTS)

    assert workers() == first
    assert len(first) == 2


def test_close_stops_the_workers(pooled: Embedder) -> None:
    """Nothing is left running after `close`; the next use would start it again."""
    pooled.embed_query("first")
    pooled.close()

    assert workers() == set()


class FakeTransformer:
    """Starts no processes, but counts, and fails when told to."""

    def __init__(self) -> None:
        self.started = 0
        self.stopped: list[object] = []
        self.failure: BaseException | None = None

    def start_multi_process_pool(self, devices: list[str]) -> dict[str, object]:
        self.started += 1
        return {"processes": devices, "number": self.started}

    def stop_multi_process_pool(self, pool: object) -> None:
        self.stopped.append(pool)

    def encode(self, inputs: list[str], **options: Any) -> list[str]:
        if self.failure is not None:
            raise self.failure
        return [f"{options['pool']['number']} {options['chunk_size']} {text}" for text in inputs]


@pytest.mark.parametrize("failure", [ValueError("a worker failed"), KeyboardInterrupt()], ids=repr)
def test_a_failure_costs_the_workers_not_the_next_answer(failure: BaseException) -> None:
    """Workers start anew, so that no answer is left over that a later call would take for its own."""
    fake = FakeTransformer()
    pool = DevicePool(fake, ["cpu", "cpu"])  # type: ignore[arg-type]
    pool.encode(["a"])
    fake.failure = failure
    with pytest.raises(type(failure)):
        pool.encode(["b"])
    fake.failure = None

    assert len(fake.stopped) == 1
    assert pool.encode(["c"]) == ["2 1 c"]


@pytest.mark.parametrize(("count", "share"), [(1, 1), (2, 1), (7, 3), (9, 3)])
def test_every_device_gets_its_share(count: int, share: int) -> None:
    """Inputs are dealt out evenly, in one piece for each device."""
    pool = DevicePool(FakeTransformer(), ["cuda:0", "cuda:1", "cuda:2"])  # type: ignore[arg-type]

    assert pool.encode(["a"] * count)[0] == f"1 {share} a"


def test_forgetting_a_pool_stops_it() -> None:
    """Workers end with their model, even if nobody closes it."""
    fake = FakeTransformer()
    pool = DevicePool(fake, ["cpu"])  # type: ignore[arg-type]
    pool.encode(["a"])
    del pool
    gc.collect()

    assert len(fake.stopped) == 1


def test_a_forked_child_leaves_the_workers_of_its_parent_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a fork, the child starts workers of its own and never stops the parent's."""
    fake = FakeTransformer()
    pool = DevicePool(fake, ["cpu"])  # type: ignore[arg-type]
    pool.encode(["a"])
    monkeypatch.setattr(os, "getpid", lambda: -1)  # what a child would see

    assert pool.encode(["b"]) == ["2 1 b"]
    assert fake.stopped == []
