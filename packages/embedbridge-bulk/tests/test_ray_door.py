"""The doors to Ray without Ray: a stand-in calls the actors in this process; real ones are in `engines/`."""

import pickle
import sys
import threading
from concurrent.futures import Future
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from embedbridge.bulk import Columns, EmbedStage, EngineError, RayEngine, run
from embedbridge.bulk.engines.ray import embed_dataset
from embedbridge.bulk.engines.ray_engine import WINDOW
from embedbridge.bulk.paying import ChunkRows
from embedbridge.bulk.reading import Chunk, Sizes, partitioned
from embedbridge.bulk.windows import ClosedError
from embedbridge.contract import ConfigurationError, InvalidOptionError
from embedbridge.contract.errors import AuthenticationError
from embedbridge.core import load_embedder
from embedbridge.testing import tiny_png

MACHINES = ({"CPU": 8.0, "GPU": 2.0}, {"CPU": 4.0}, {"memory": 1.0})


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause: Exception) -> None:
        super().__init__("The traceback of the worker.")
        self.cause = cause


class StandIn(ModuleType):
    """A cluster of three machines, on one of which nothing computes."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self) -> None:
        super().__init__("ray")
        self.running = False
        self.log: list[str] = []
        self.actors: list[Any] = []
        self.rows: list[int] = []
        self.options: dict[str, Any] = {}
        self.failure: Exception | None = None
        self.room: int | None = None

    def is_initialized(self) -> bool:
        return self.running

    def init(self) -> None:
        self.running = True
        self.log.append("init")

    def shutdown(self) -> None:
        self.running = False
        self.log.append("shutdown")

    def nodes(self) -> list[Any]:
        return [{"Alive": True, "Resources": found} for found in MACHINES] + [
            {"Alive": False, "Resources": {"CPU": 100.0}}
        ]

    def kill(self, actor: Any) -> None:
        self.actors.remove(actor)
        self.rows.append(actor.rows)
        self.log.append("kill")

    def remote(self, kind: Any) -> Any:
        def start(*arguments: Any) -> Any:
            has_room = self.room is None or len(self.actors) < self.room
            worker = kind(*pickle.loads(pickle.dumps(arguments)))
            self.actors.append(Actor(worker, has_room=has_room))
            return self.actors[-1]

        def options(**given: Any) -> Any:
            self.options = given
            return SimpleNamespace(remote=start)

        return SimpleNamespace(options=options)

    def get(self, call: Any) -> Any:
        if self.failure is not None:
            raise self.failure
        return call()


class Actor:
    """Runs its calls where they are waited for, and counts those at once; without room it never begins."""

    def __init__(self, worker: Any, *, has_room: bool) -> None:
        self.worker, self.running, self.rows = worker, 0, 0
        self.has_room, self.begun = has_room, Future[None]()
        self.begin = SimpleNamespace(remote=self.answer)
        self.embed = SimpleNamespace(remote=self.call)

    def answer(self) -> Any:
        if self.has_room:
            self.begun.set_result(self.worker.begin())
        return SimpleNamespace(future=lambda: self.begun)

    def call(self, table: Any) -> Any:
        def do() -> Any:
            assert self.has_room, "It would be waited for for ever."
            self.running += 1
            assert self.running == 1
            self.rows += table.num_rows
            result = self.worker.embed(table)
            self.running -= 1
            return pickle.loads(pickle.dumps(result))

        return do


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "ray", stand_in)
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    return stand_in


def test_actors_make_what_this_process_makes(ray: StandIn, job: Any, out: Any, rows: Any) -> None:
    """The same report and the same rows, with errors, nulls and repeats among them."""
    texts = rows(3000)
    bad = pa.table({"id": [3000, 3001], "text": [" ", None]})
    source = pa.concat_tables([texts, bad])
    report = job(source, model="fake:small", engine="ray", errors="column")
    made = out()
    again = job(source, model="fake:small", errors="column", replace=True)

    assert out().equals(made)
    assert again.kept == report.embedded + report.repeated  # as by `local`: nothing is to be done
    assert (report.rows, report.failed, report.empty) == (3002, 1, 1)
    assert again.parts_written == 0


def test_a_finished_job_starts_no_ray(ray: StandIn, job: Any, rows: Any) -> None:
    """What is in the target is not sent anywhere; one changed row is all that an actor gets."""
    job(rows(100), model="fake:small", engine="ray")
    ray.log.clear()
    job(rows(100), model="fake:small", engine="ray")
    untouched = list(ray.log)
    report = job(rows(101), model="fake:small", engine="ray")

    assert untouched == []
    assert report.embedded == 1


def test_ray_is_left_as_it_was_found(ray: StandIn, job: Any, rows: Any, monkeypatch: Any) -> None:
    """A cluster of ours is shut down and reports to nobody; one that was there stays. Actors end."""
    job(rows(10), model="fake:small", engine=RayEngine(actors=2))
    ours = list(ray.log)
    ray.running = True
    ray.log.clear()
    job(rows(20), model="fake:small", engine=RayEngine(actors=2))

    assert ours == ["init", "kill", "kill", "shutdown"]
    assert ray.log == ["kill", "kill"]


@pytest.mark.parametrize(
    ("engine", "count", "cpus"),
    [
        (RayEngine(), 2 + 4, 2),
        (RayEngine(cpus=4), 1 + 2, 4),
        (RayEngine(cpus=1, gpus=0.5), 4, 1),
        (RayEngine(actors=5), 5, 2),
    ],
)
def test_actors_fill_the_cluster(ray: StandIn, engine: RayEngine, count: int, cpus: int) -> None:
    """Each with the threads that Ray assigns."""
    workers = engine.open(EmbedStage("fake:small", Columns(text="text")))

    assert len(ray.actors) == count
    assert ray.options["num_cpus"] == cpus
    assert ray.options["num_gpus"] == engine.gpus
    workers.windows.close()


@pytest.mark.parametrize(
    ("engine", "count", "says"),
    [
        (RayEngine(cpus=64), 1, "room for 0 of 1 actors with 64 CPUs now: the job waits"),
        (RayEngine(gpus=3), 1, "room for 0 of 1 actors with 2 CPUs and 3 GPUs now"),
        (RayEngine(actors=8), 8, "room for 6 of 8 actors with 2 CPUs now: 2 wait"),
    ],
)
def test_actors_without_room_are_told_of(
    ray: StandIn, engine: RayEngine, count: int, says: str
) -> None:
    """The cluster may grow; if it does not, Ray waits silently, and for ever."""
    with pytest.warns(UserWarning, match=says):
        workers = engine.open(EmbedStage("fake:small", Columns(text="text")))

    assert len(ray.actors) == count
    workers.windows.close()


@pytest.mark.filterwarnings("ignore:This cluster has room")
def test_an_actor_that_never_begins_gets_no_window(ray: StandIn, job: Any, rows: Any) -> None:
    """The others do all the work, and the job ends."""
    ray.room = 2
    report = job(
        rows(20 * WINDOW), model="fake:small", engine=RayEngine(actors=9), part_bytes=1 << 20
    )

    assert report.rows == 20 * WINDOW
    assert [bool(count) for count in ray.rows] == [True, True, *[False] * 7]


@pytest.mark.filterwarnings("ignore:This cluster has room")
def test_a_job_whose_actors_never_begin_can_be_given_up(ray: StandIn, rows: Any) -> None:
    """As by Ctrl-C: nothing waits for an actor any more."""
    ray.room = 0
    columns = Columns(id="id", text="text")
    workers = RayEngine(actors=9).open(EmbedStage("fake:small", columns))
    chunk, _ = partitioned([rows(4)], columns, Sizes.of(8), {})
    assert isinstance(chunk, Chunk)
    window = [ChunkRows(chunk, np.arange(4), np.arange(4))]
    begun = threading.Event()

    def work(_: Any) -> Any:
        begun.set()
        return workers.embed(window, lambda *_: None)

    waiting = workers.windows.submit(work, 4)
    begun.wait()
    workers.windows.close()  # which waits for the window

    with pytest.raises(ClosedError):
        waiting.result()
    workers.close()
    assert not ray.actors


def test_an_actor_may_reserve_no_processor(ray: StandIn) -> None:
    """0 is not the default: a model on a GPU may need none for itself."""
    workers = RayEngine(cpus=0, gpus=1).open(EmbedStage("fake:small", Columns(text="text")))

    assert ray.options["num_cpus"] == 0
    workers.windows.close()


NO_ACTORS = [
    {"actors": 0}, {"actors": -1}, {"actors": 1.5}, {"actors": "2"}, {"actors": True},
    {"cpus": -1}, {"cpus": float("nan")}, {"cpus": "2"},
    {"gpus": -0.5}, {"gpus": float("inf")}, {"gpus": None},
]  # fmt: skip


@pytest.mark.parametrize("asked", NO_ACTORS, ids=str)
def test_numbers_that_cannot_be_are_refused(ray_data: StandIn, rows: Any, asked: Any) -> None:
    """Before Ray is started, and by both doors; 0 actors were taken for the default."""
    stage = EmbedStage("fake:small", Columns(id="id", text="text"))
    (name,) = asked

    with pytest.raises(InvalidOptionError, match=f"{name}=.* is no "):
        RayEngine(**asked)
    with pytest.raises(InvalidOptionError, match=f"{name}=.* is no "):
        embed_dataset(DataSet(rows(10)), stage, **asked)
    with pytest.raises(InvalidOptionError, match="block_rows=0 is no whole number"):
        embed_dataset(DataSet(rows(10)), stage, block_rows=0)
    assert not ray_data.log


@pytest.mark.parametrize("was_there", [False, True])
def test_what_cannot_be_opened_leaves_ray_as_it_was(
    ray: StandIn, monkeypatch: pytest.MonkeyPatch, was_there: bool
) -> None:
    """A cluster that was started for it ends; actors of one that was there end."""
    ray.running = was_there
    remote = ray.remote

    def breaks(kind: Any) -> Any:
        found = remote(kind)

        def options(**given: Any) -> Any:
            start = found.options(**given).remote

            def second_fails(*arguments: Any) -> Any:
                if ray.actors:
                    raise ValueError("The cluster does not want it.")
                return start(*arguments)

            return SimpleNamespace(remote=second_fails)

        return SimpleNamespace(options=options)

    monkeypatch.setattr(ray, "remote", breaks)
    with pytest.raises(ValueError, match="does not want"):
        RayEngine(actors=2).open(EmbedStage("fake:small", Columns(text="text")))

    assert ray.running == was_there
    assert not ray.actors


def test_a_model_behind_a_wire_has_an_actor_on_each_machine(ray: StandIn) -> None:
    """What it takes is connections; a window is what one process has in flight."""
    stage = EmbedStage(
        "openai:text-embedding-3-small", Columns(text="text"), api_key="sk-" + "a" * 40
    )
    workers = RayEngine().open(stage)
    settings = stage.embedder.settings

    assert len(ray.actors) == 2
    assert ray.options["num_cpus"] == 1
    assert workers.windows.size % settings.max_concurrency == 0
    workers.windows.close()


def test_all_actors_work_and_none_gets_two_windows(ray: StandIn, job: Any, rows: Any) -> None:
    """Else a kill would cost more than one window of each."""
    job(rows(20 * WINDOW), model="fake:small", engine=RayEngine(actors=3), part_bytes=1 << 20)

    assert len(ray.rows) == 3
    assert all(ray.rows)


def test_an_actor_waits_for_the_journal(
    ray: StandIn, job: Any, rows: Any, monkeypatch: Any
) -> None:
    """The next window is asked for when the last one cannot be lost any more."""
    from embedbridge.bulk.journal import Journal

    log: list[str] = []
    append, get = Journal.append, ray.get

    def appended(self: Any, *arguments: Any) -> Any:
        log.append("kept")
        return append(self, *arguments)

    def asked(call: Any) -> Any:
        log.append("asked")
        return get(call)

    monkeypatch.setattr(Journal, "append", appended)
    monkeypatch.setattr(ray, "get", asked)
    job(rows(5 * WINDOW), model="fake:small", engine=RayEngine(actors=1), part_bytes=1 << 20)

    assert log == ["asked", "kept"] * (len(log) // 2)
    assert len(log) > 4


def test_a_key_that_is_refused_ends_the_job(ray: StandIn, job: Any, rows: Any) -> None:
    """The worker's own error, not one of Ray's."""
    ray.failure = RayTaskError(AuthenticationError("The key is refused."))

    with pytest.raises(AuthenticationError, match="The key is refused"):
        job(rows(10), model="fake:small", engine="ray")


def test_actors_that_die_end_the_job(ray: StandIn, job: Any, rows: Any) -> None:
    """What was paid is kept, and goes on elsewhere."""
    ray.failure = RayError("The actor died.\nAnd much more.")
    with pytest.raises(EngineError, match="The actor died"):
        job(rows(10), model="fake:small", engine="ray")

    assert job(rows(10), model="fake:small").rows == 10


def test_a_worker_with_another_model_is_refused(ray: StandIn, job: Any, rows: Any) -> None:
    """Two revisions of one model would make one target that nobody can search."""
    get = ray.get

    def other(call: Any) -> Any:
        result = get(call)
        return load_embedder("fake:small", seed=1).embed(["a"] * len(result), role="document")

    ray.get = other  # type: ignore[method-assign]
    with pytest.raises(ConfigurationError, match="other vectors"):
        job(rows(10), model="fake:small", engine="ray")


def test_an_image_has_its_path_from_this_process(
    ray: StandIn, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker stands in a folder of its own."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(tiny_png(1, 2, 3))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    get = ray.get

    def elsewhere(call: Any) -> Any:
        with monkeypatch.context() as other:
            other.chdir(tmp_path / "elsewhere")
            return get(call)

    ray.get = elsewhere  # type: ignore[method-assign]

    assert run("photos", "out", model="fake:small", engine="ray").embedded == 1


def test_an_engine_of_another_name_is_refused(job: Any, rows: Any) -> None:
    """Before anything is read."""
    with pytest.raises(InvalidOptionError, match="local, ray"):
        job(rows(1), engine="dask")


class DataSet:
    """Deals blocks out to one callable, as Ray does."""

    def __init__(self, table: Any, rows: int | None = None) -> None:
        self.table, self.rows = table, rows

    def repartition(self, *, target_num_rows_per_block: int) -> Any:
        return DataSet(self.table, target_num_rows_per_block)

    def map_batches(self, kind: Any, **options: Any) -> Any:
        assert options["batch_format"] == "pyarrow"
        assert options["batch_size"] is None
        call = kind(*pickle.loads(pickle.dumps(options["fn_constructor_args"])))
        starts = range(0, self.table.num_rows, self.rows or self.table.num_rows)
        blocks = [call(self.table.slice(start, self.rows)) for start in starts]
        return SimpleNamespace(blocks=blocks, options=options)


@pytest.fixture
def ray_data(ray: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """A cluster that runs, as it does where there is a data set."""
    monkeypatch.setitem(sys.modules, "ray.data", SimpleNamespace(ActorPoolStrategy=dict))
    ray.running = True
    return ray


def test_a_data_set_is_embedded_in_small_blocks(ray_data: StandIn, rows: Any) -> None:
    """Ray reads a file as one, which one actor would embed alone. A block's rows stay in order."""
    stage = EmbedStage("fake:small", Columns(id="id", text="text"))
    made = embed_dataset(DataSet(rows(1000)), stage, cpus=2, gpus=1, block_rows=300)

    assert [block.num_rows for block in made.blocks] == [300, 300, 300, 100]
    assert pa.concat_tables(made.blocks).equals(stage(rows(1000)))
    assert (made.options["num_cpus"], made.options["num_gpus"]) == (2, 1)


@pytest.mark.parametrize(
    ("asked", "most"),
    [
        # Of 8 and 4 processors one is left for reading, on whichever machine.
        ({"cpus": 1}, 11),
        ({"cpus": 3}, 3),
        ({"cpus": 4}, 2),
        ({"cpus": 0.5}, 22),
        ({"cpus": 1, "gpus": 0.5}, 4),
        ({"cpus": 8, "gpus": 2}, 1),
        ({"cpus": 0, "gpus": 1}, 2),
        ({"cpus": 0}, 3),
    ],
)
def test_actors_are_there_from_the_start(
    ray_data: StandIn, rows: Any, asked: Any, most: int
) -> None:
    """With one to begin with, Ray gives it a second block while others start: of two blocks, all."""
    stage = EmbedStage("fake:small", Columns(id="id", text="text"))

    def pool(**more: Any) -> Any:
        return embed_dataset(DataSet(rows(10)), stage, **asked, **more).options["compute"]

    assert pool() == {"min_size": 1, "max_size": None, "initial_size": most}
    assert pool(actors=most) == {"size": most, "max_tasks_in_flight_per_actor": 1}
    # The others begin when there is room.
    assert pool(actors=most + 1) == {"min_size": 1, "max_size": most + 1, "initial_size": most}


def test_a_pool_without_room_is_told_of(ray_data: StandIn, rows: Any) -> None:
    """Ray would wait silently: actors have all processors, and none is left to read the rows."""
    stage = EmbedStage("fake:small", Columns(id="id", text="text"))

    with pytest.warns(UserWarning, match="room for an actor with 9 CPUs now"):
        embed_dataset(DataSet(rows(10)), stage, cpus=9)
    with pytest.warns(UserWarning, match="with 1 CPUs and 3 GPUs"):
        embed_dataset(DataSet(rows(10)), stage, gpus=3)


def test_nothing_is_said_of_a_cluster_that_is_not_there_yet(ray_data: StandIn, rows: Any) -> None:
    """A data set may have been made elsewhere: how much room there is, Ray will know."""
    ray_data.running = False
    stage = EmbedStage("fake:small", Columns(id="id", text="text"))
    made = embed_dataset(DataSet(rows(10)), stage, cpus=9)

    assert made.options["compute"] == {"min_size": 1, "max_size": None, "initial_size": 1}
