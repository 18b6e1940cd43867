"""Axes, colors and legends that displays share; matplotlib is imported where it is used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sklseq._compat.sklearn import check_matplotlib_support

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = [
    "BLUE",
    "COLORS",
    "MARKERS",
    "ORANGE",
    "draw_cell",
    "new_axes",
    "place_legend",
    "style_of",
    "symbol_ticks",
    "whole_numbers",
]

# Told apart with any kind of color vision (Okabe and Ito 2008).
BLUE, ORANGE = "#0072B2", "#D55E00"
COLORS = (
    *(BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999"),
    *("#882255", "#999933"),
)
MARKERS = "osD^vP*X"


def new_axes(display: Any, ax: Axes | None, size: tuple[float, float] | None = None) -> Axes:
    """The axes to draw on, in a new figure if there are none; they become `ax_` and `figure_`.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    check_matplotlib_support(f"{type(display).__name__}.plot")
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=size, layout="constrained")[1]
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def style_of(artist: str, kwargs: dict[str, Any] | None, **defaults: Any) -> dict[str, Any]:
    """Let the user's style win, also where it is given by an alias such as `c` or `ls`."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.collections import PathCollection
    from matplotlib.lines import Line2D

    kind: Any = Line2D if artist == "line" else PathCollection
    return {**defaults, **normalize_kwargs(kwargs or {}, kind)}


def whole_numbers(axis: Any) -> None:
    """Ticks at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True))


def symbol_ticks(axis: Any, symbols: Sequence[str], most: int = 60) -> None:
    """Symbols as ticks, where there is room for them; else numbers."""
    if not len(symbols) or len(symbols) > most:
        whole_numbers(axis)
        return
    longest = max(map(len, symbols))
    is_x = axis.axis_name == "x"
    turned = is_x and longest * len(symbols) > 60
    axis.set_ticks(np.arange(len(symbols)), symbols, rotation=90 if turned else 0)


def _points(lines: Iterable[Line2D]) -> Any:
    """Points of lines in pixels, as they are drawn, with some between each two."""
    found = []
    for line in lines:
        xy = line.get_transform().transform(
            np.column_stack([line.get_xdata(orig=False), line.get_ydata(orig=False)])
        )
        xy = xy[np.isfinite(xy).all(axis=1)]
        if len(xy) > 1:
            share = np.linspace(0, 1, 8)[:, None, None]
            xy = np.concatenate([xy, (xy[:-1] + share * np.diff(xy, axis=0)).reshape(-1, 2)])
        found.append(xy)
    return np.concatenate(found) if found else np.empty((0, 2))


def place_legend(ax: Axes, handles: Sequence[Any], others: Sequence[Axes] = ()) -> None:
    """A legend clear of all lines: in a corner that is free, or else above the axes."""
    root: Any = ax.get_figure(root=True)
    root.draw_without_rendering()  # only then are limits and places known
    points = np.concatenate([_points(axes.get_lines()) for axes in (ax, *others)])
    for place in ("upper right", "lower left", "upper left", "lower right"):
        legend = ax.legend(handles=handles, loc=place)
        box = legend.get_window_extent().padded(3)
        inside = (points > box.min).all(axis=1) & (points < box.max).all(axis=1)
        if not inside.any():
            return
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.01), borderaxespad=0)


def draw_cell(ax: Axes, row: Any, shape: tuple[int, ...] | None, limits: Any, **style: Any) -> None:
    """One row of data: an image, a sequence as curves, or a row of a table as its values."""
    row = np.asarray(row, dtype=float)
    ax.set(xticks=[], yticks=[])
    if shape is not None:
        low, high = limits
        ax.imshow(row.reshape(shape).squeeze(), cmap="gray", vmin=low, vmax=high)
        return
    if row.ndim == 1:
        row = row[:, None]
    for k, column in enumerate(row.T):
        own = style if "color" in style else {"color": COLORS[k % len(COLORS)], **style}
        ax.plot(column, **own)
    ax.margins(x=0.02)
    low, high = limits
    ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low) + (high == low))
