"""Room on a Ray cluster: how many actors its machines can hold."""

from __future__ import annotations

from typing import Any


def machines(ray: Any) -> list[dict[str, float]]:
    """What each machine has that is up, as Ray counts it; nothing before Ray is started."""
    if not ray.is_initialized():
        return []
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def room(found: list[dict[str, float]], *, cpus: float, gpus: float, spare: float = 0) -> int:
    """How many actors there is room for.

    Args:
        found: What the machines have.
        cpus: Of each actor.
        gpus: Of each actor.
        spare: Processors that are left for something else, on any machine.
    """
    count = sum(_on_one(machine, cpus, gpus) for machine in found)
    all_cpus = sum(machine.get("CPU", 0) for machine in found)
    if not cpus:
        return count
    return max(0, min(count, int((all_cpus - spare) // cpus)))


def _on_one(machine: dict[str, float], cpus: float, gpus: float) -> int:
    wanted = {"CPU": cpus, "GPU": gpus}
    fit = (machine.get(kind, 0) // each for kind, each in wanted.items() if each)
    return int(min(fit, default=1))
