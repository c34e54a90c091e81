"""Room on a Ray cluster: how many actors its machines can hold, and what can be asked for at all."""

from __future__ import annotations

import math
from typing import Any

from embedbridge.contract.errors import InvalidOptionError, short_repr


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


def described(cpus: float, gpus: float) -> str:
    """What an actor wants, for messages."""
    return f"{cpus:g} CPUs" + (f" and {gpus:g} GPUs" if gpus else "")


def check_count(name: str, count: int) -> None:
    """Make sure that something can be there so often.

    Raises:
        InvalidOptionError: It is no whole number above 0.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InvalidOptionError(
            f"{name}={short_repr(count)} is no whole number above 0.", hint="Or leave it out."
        )


def check_share(name: str, share: float) -> None:
    """Make sure that an actor can have so many processors; with 0, none is reserved for it.

    Raises:
        InvalidOptionError: It is no number, or one below 0.
    """
    is_number = isinstance(share, int | float) and not isinstance(share, bool)
    if not is_number or not 0 <= share < math.inf:
        raise InvalidOptionError(
            f"{name}={short_repr(share)} is no number of processors.",
            hint="0 or more; 0.5 is a half.",
        )
