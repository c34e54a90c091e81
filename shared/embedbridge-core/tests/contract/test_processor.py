"""Processor features: read from what Linux lists, and never guessed."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from embedbridge.contract.local import Processor, this_processor, warn_of_imitated_bf16
from embedbridge.contract.local import processor as processor_module
from embedbridge.contract.local.processor import read_processor

X86 = "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: {name}\nflags\t\t: fpu sse2 avx2 {flags}\n\nprocessor\t: 1\n"
ARM = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd {flags}\nCPU part\t: 0xd40\n"


@pytest.mark.parametrize(
    ("text", "bf16", "int8", "tiles"),
    [
        (X86.format(name="Sapphire Rapids", flags="avx512_bf16 avx512_vnni amx_bf16 amx_tile amx_int8"), True, True, True),
        (X86.format(name="Cascade Lake", flags="avx512f avx512_vnni"), False, True, False),
        (X86.format(name="Zen 3", flags=""), False, False, False),
        (X86.format(name="Alder Lake", flags="avx_vnni"), False, True, False),
        (ARM.format(flags="asimddp i8mm bf16"), True, True, False),
        (ARM.format(flags="asimddp"), False, True, False),
        ("processor\t: 0\nsomething\t: else\n", None, None, None),
        ("", None, None, None),
    ],
)  # fmt: skip
def test_flags_say_what_is_fast(
    text: str, bf16: bool | None, int8: bool | None, tiles: bool | None
) -> None:
    """Of x86 and Arm; a text without flags says nothing."""
    found = read_processor(text)

    assert (found.bf16, found.int8, found.tiles) == (bf16, int8, tiles)


@pytest.mark.parametrize(
    ("text", "maker"), [(X86.format(name="Zen 5", flags=""), "AuthenticAMD"), ("", None)]
)
def test_the_maker_is_named_as_it_names_itself(text: str, maker: str | None) -> None:
    """By it, matrix products of torch go to another library."""
    assert read_processor(text).maker == maker


@pytest.mark.parametrize(
    ("described", "maker"),
    [("AMD64 Family 25 Model 33 Stepping 0, AuthenticAMD", "AuthenticAMD"), ("arm", None)],
)
def test_windows_names_the_maker_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, described: str, maker: str | None
) -> None:
    """Where there is no such file; an architecture is no maker."""
    monkeypatch.setattr(processor_module, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr("platform.processor", lambda: described)
    this_processor.cache_clear()
    try:
        assert this_processor() == Processor(maker=maker)
    finally:
        this_processor.cache_clear()


def test_a_part_of_a_flag_is_no_flag() -> None:
    """`avx512_bf16_something` or a model's name that mentions AMX are not instructions."""
    text = X86.format(name="amx_bf16 inside", flags="avx512_bf16x")

    assert read_processor(text).bf16 is False


@pytest.mark.parametrize(
    ("here", "device", "warned"),
    [
        (Processor(bf16=False), "cpu", True),
        (Processor(bf16=True), "cpu", False),
        (Processor(), "cpu", False),
        (Processor(bf16=False), "cuda:0", False),
    ],
)
def test_imitated_bf16_is_told(
    monkeypatch: pytest.MonkeyPatch, here: Processor, device: str, warned: bool
) -> None:
    """Where the processor computes, and is known to lack it: with the figure, and the remedy."""
    monkeypatch.setattr(processor_module, "this_processor", lambda: here)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        warn_of_imitated_bf16(device)

    assert [str(one.message).endswith("Leave out precision.") for one in told] == [True] * warned


@pytest.mark.parametrize(
    ("here", "words"),
    [
        (Processor(), "not known"),
        (Processor(bf16=False, int8=False), "nothing else is faster"),
        (Processor(bf16=False, int8=True), "faster: 'int8' (onnx)"),
        (Processor(bf16=True, int8=True), "faster: 'bf16', 'int8' (onnx)"),
    ],
)
def test_the_advice_names_what_pays(here: Processor, words: str) -> None:
    """One sentence, for `embedbridge doctor`."""
    assert words in here.advice


def test_without_the_file_nothing_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on macOS and Windows: no warning is better than a wrong one."""
    monkeypatch.setattr(processor_module, "CPUINFO", tmp_path / "cpuinfo")
    this_processor.cache_clear()
    try:
        assert this_processor() == Processor()
    finally:
        this_processor.cache_clear()
