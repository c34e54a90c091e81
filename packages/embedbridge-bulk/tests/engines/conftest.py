"""Real engines, each started once: what is not installed is not checked here. `nox -s engines` installs all."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

CPUS = 4
"""Of the cluster, whatever the machine has: Ray counts them, it does not look."""
SPARK_KEY = "key-for-spark-0123456789"


NO_TOKEN = {"RAY_AUTH_MODE": "disabled"}
"""The cluster is reached from this machine only."""


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """A Ray cluster in processes of its own, which outlives the drivers that are killed."""
    pytest.importorskip("ray", reason="Ray is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    head = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    options = ["--node-ip-address=127.0.0.1", f"--port={port}", f"--num-cpus={CPUS}"]
    quiet = ["--include-dashboard=false", "--disable-usage-stats"]
    # In a short folder of its own, so that no other program takes it for the cluster of this machine.
    folder = tempfile.mkdtemp(prefix="ray-")
    environment = {
        **os.environ,
        **NO_TOKEN,
        "EMBEDBRIDGE_TEST_CLUSTER": str(port),
        "OPENAI_API_KEY": "sk-none",
        "PYTHONUNBUFFERED": "1",  # so that it is heard when it is there
    }
    with subprocess.Popen(
        [*head, *options, *quiet, f"--temp-dir={folder}"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as cluster:
        try:
            assert cluster.stdout is not None
            for line in cluster.stdout:
                if "Ray runtime started" in line:
                    break
            yield f"127.0.0.1:{port}"
        finally:
            cluster.terminate()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def ray_data() -> Iterator[Any]:
    """`ray.data`, on a cluster of this process until the end of a file."""
    pytest.importorskip("ray", reason="Ray is not installed")
    import ray
    import ray.data

    keys = {"env_vars": {"OPENAI_API_KEY": "sk-for-tests-0123456789"}}  # of the workers
    ray.init(
        address="local",
        num_cpus=CPUS,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env=keys,
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield ray.data
    ray.shutdown()


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """Spark with two worker processes, which find a key in their environment."""
    sql = pytest.importorskip("pyspark.sql", reason="Spark is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("CO_API_KEY", SPARK_KEY)
        builder = sql.SparkSession.builder.master("local[2]")
        for name in ("spark.ui.enabled", "spark.ui.showConsoleProgress"):
            builder = builder.config(name, "false")
        session = builder.getOrCreate()
        yield session
        session.stop()
