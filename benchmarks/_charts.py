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
"""In inches."""
DOTS_PER_INCH = 140
MARGIN, GAP = 0.02, 0.012
"""Shares of the width: beside everything, and between names and bars."""


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
        # In inches from the top, so that all charts have the same head.
        title: dict[str, Any] = {"size": 13, "weight": "bold", "color": INK}
        figure.text(MARGIN, 1 - 0.30 / height, chart.title, va="center", **title)
        figure.text(MARGIN, 1 - 0.62 / height, chart.subtitle, va="center", size=9.5, color=FAINT)
        left = MARGIN + _draw_labels(figure, chart, height) + GAP
        right = _width_of_figures(figure, chart) + GAP
        box = (left, 0.18 / height, 1 - right - left, (height - 1.02) / height)
        _draw_bars(figure.add_axes(box), chart)
        figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
        plt.close(figure)
    _shrink(path)


def _draw_labels(figure: Any, chart: Chart, height: float) -> float:
    """The names of the bars, as wide as they are; returns the share of the width."""
    area, step = (height - 1.02) / height, (height - 1.02) / height / len(chart.bars)
    texts = [
        figure.text(
            MARGIN,
            0.18 / height + area - step * (place + 0.5),
            bar.label,
            va="center",
            color=INK,
            size=9,
            weight="bold" if bar.ours else "normal",
        )
        for place, bar in enumerate(chart.bars)
    ]
    return _widest(figure, texts)


def _width_of_figures(figure: Any, chart: Chart) -> float:
    """The share of the width that is needed behind the longest bar."""
    texts = [figure.text(0, 0, f"{bar.shown}    {bar.detail}", weight="bold") for bar in chart.bars]
    widest = _widest(figure, texts)
    for text in texts:
        text.remove()
    return widest


def _widest(figure: Any, texts: Sequence[Any]) -> float:
    return float(max(text.get_window_extent().width for text in texts) / figure.bbox.width)


def _draw_bars(axes: Any, chart: Chart) -> None:
    places = range(len(chart.bars))
    longest = max(bar.value for bar in chart.bars)
    axes.barh(
        places,
        # The shortest is still to be seen.
        [max(bar.value, longest / 150) for bar in chart.bars],
        height=0.68,
        color=[OURS if bar.ours else THEIRS for bar in chart.bars],
    )
    beside: dict[str, Any] = {"textcoords": "offset points", "va": "center", "bbox": BEHIND}
    for place, bar in zip(places, chart.bars, strict=True):
        value = axes.annotate(
            bar.shown, (bar.value, place), (6, 0), color=INK, weight="bold", **beside
        )
        axes.annotate(bar.detail, (1, 0.5), (6, 0), xycoords=value, color=FAINT, size=9, **beside)
    if chart.mark is not None:
        axes.axvline(chart.mark, color=FAINT, linewidth=0.8, linestyle=(0, (3, 3)), zorder=0)
    axes.set_xlim(0, longest)
    axes.set_ylim(len(chart.bars) - 0.5, -0.5)  # the first one on top
    axes.set_axis_off()


def _shrink(path: Path) -> None:
    """Few colours are enough for bars and letters, and make a small file."""
    from PIL import Image

    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(64, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
