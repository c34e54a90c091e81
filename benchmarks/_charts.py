"""The one style of our charts: horizontal bars, ours in colour, the peers in grey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OURS, THEIRS = "#3949ab", "#b4bac4"
INK, FAINT = "#1f2430", "#6b7280"
BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
"""Keeps a line from crossing the figures."""
WIDTH = 8.4
DOTS_PER_INCH = 140


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One route."""

    label: str
    value: float
    shown: str
    """The value as a reader wants it: `5.6 ×`."""
    detail: str = ""
    """What stands behind it in grey: `2.21 s`."""
    ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Bars that may be compared."""

    title: str
    """What is compared."""
    subtitle: str
    """What a bar's length is, and which direction is good."""
    bars: Sequence[Bar]
    mark: float | None = None
    """Where a dashed line stands."""

    @property
    def description(self) -> str:
        """The chart in words, for those who do not see it."""
        told = "; ".join(f"{bar.label} {bar.shown}" for bar in self.bars)
        return f"{self.title}, {self.subtitle}: {told}"


def draw(chart: Chart, path: Path) -> None:
    """Write the chart as a PNG file."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    height = 1.12 + 0.34 * len(chart.bars)
    with plt.rc_context({"font.family": "DejaVu Sans", "font.size": 10}):
        figure = plt.figure(figsize=(WIDTH, height), facecolor="white")
        axes = figure.add_axes((0.385, 0.18 / height, 0.455, (height - 1.02) / height))
        _draw_bars(axes, chart)
        top = 1 - 0.30 / height
        figure.text(0.02, top, chart.title, size=13, weight="bold", color=INK, va="center")
        figure.text(0.02, 1 - 0.62 / height, chart.subtitle, size=9.5, color=FAINT, va="center")
        # Neither date nor version inside: the same figures give the same file.
        figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
        plt.close(figure)
    _shrink(path)


def _draw_bars(axes: Any, chart: Chart) -> None:
    places = range(len(chart.bars))
    longest = max(bar.value for bar in chart.bars)
    axes.barh(
        places,
        [bar.value for bar in chart.bars],
        height=0.68,
        color=[OURS if bar.ours else THEIRS for bar in chart.bars],
    )
    for place, bar in zip(places, chart.bars, strict=True):
        axes.text(
            -0.02 * longest,
            place,
            bar.label,
            ha="right",
            va="center",
            color=INK,
            weight="bold" if bar.ours else "normal",
            size=9,
        )
        value = axes.annotate(
            bar.shown,
            (bar.value, place),
            (5, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            weight="bold",
            bbox=BEHIND,
        )
        axes.annotate(
            bar.detail,
            (1, 0.5),
            (6, 0),
            xycoords=value,
            textcoords="offset points",
            va="center",
            color=FAINT,
            size=9,
            bbox=BEHIND,
        )
    if chart.mark is not None:
        axes.axvline(chart.mark, color=FAINT, linewidth=0.8, linestyle=(0, (3, 3)), zorder=0)
    axes.set_xlim(0, longest * 1.02)
    axes.set_ylim(len(chart.bars) - 0.5, -0.5)  # the first one on top
    axes.set_axis_off()


def _shrink(path: Path) -> None:
    """Few colours are enough for bars and letters, and make a small file."""
    from PIL import Image

    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(64, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
