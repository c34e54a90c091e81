"""Processor features: which number formats this machine's processors multiply in hardware.

A format without instructions of its own is imitated, and is then slower than exact arithmetic.
Sources: https://docs.kernel.org/arch/x86/cpuinfo.html and
https://docs.kernel.org/arch/arm64/elf_hwcaps.html for the names of the flags.
"""

from __future__ import annotations

import platform
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from embedbridge.contract.callers import level_of_caller

CPUINFO = Path("/proc/cpuinfo")
"""Where Linux lists them; elsewhere no features are known, and nothing is said."""
BF16 = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
"""Flags of x86 and Arm for products of bfloat16."""
INT8 = frozenset({"amx_int8", "asimddp", "avx512_vnni", "avx_vnni", "i8mm"})
"""Flags for products of 8-bit integers (VNNI; on Arm the dot product)."""
TILES = frozenset({"amx_tile", "sme"})
"""Flags for units that multiply whole matrices (AMX)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """What this machine's processors compute fast; `None` where that is not known."""

    name: str | None = None
    """As its maker calls it."""
    maker: str | None = None
    """Of x86: `AuthenticAMD`, `GenuineIntel`."""
    bf16: bool | None = None
    """Whether it has instructions for bfloat16."""
    int8: bool | None = None
    """Whether it has instructions for products of 8-bit integers."""
    tiles: bool | None = None
    """Whether it has a unit for products of matrices, which makes both several times faster."""

    @property
    def advice(self) -> str:
        """Which precision of a local model pays here."""
        if self.bf16 is None:
            return "precision='exact'; what else is fast here is not known"
        faster = [
            *(["'bf16'"] if self.bf16 else []),
            *(["'int8' (onnx)"] if self.int8 else []),
        ]
        if not faster:
            return "precision='exact': nothing else is faster here"
        return f"precision='exact' for the model's own vectors; faster: {', '.join(faster)}"


def read_processor(text: str) -> Processor:
    """The features in the text of `/proc/cpuinfo`; of the first processor, for all are alike."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        field, colon, value = line.partition(":")
        if colon:
            fields.setdefault(field.strip().lower(), value.strip())
    name, maker = fields.get("model name"), fields.get("vendor_id")
    listed = fields.get("flags") or fields.get("features")
    if listed is None:
        return Processor(name=name, maker=maker)
    flags = frozenset(listed.split())
    return Processor(
        name=name,
        maker=maker,
        bf16=bool(flags & BF16),
        int8=bool(flags & INT8),
        tiles=bool(flags & TILES),
    )


@cache
def this_processor() -> Processor:
    """The features of this machine."""
    try:
        return read_processor(CPUINFO.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        _, comma, maker = platform.processor().rpartition(", ")  # of Windows: "…, AuthenticAMD"
        return Processor(maker=maker if comma else None)


def warn_of_imitated_bf16(device: str) -> None:
    """Warn where bf16 was asked for, and this machine only imitates it.

    Args:
        device: Where the model computes.
    """
    if device.startswith("cpu") and this_processor().bf16 is False:
        warnings.warn(
            "This processor computes bf16 in software: on one like it (Intel Cascade Lake) that took "
            "three times as long as precision='exact', which is also the more accurate. Leave out "
            "precision.",
            UserWarning,
            stacklevel=level_of_caller(),
        )
