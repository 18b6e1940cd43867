"""The computation of a recurrent or recursive network, unfolded over its input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sklseq._compat.sklearn import check_matplotlib_support
from sklseq.inspection.displays._axes import COLORS, ORANGE, new_axes
from sklseq.inspection.networks.graph import UnfoldedGraph, UnfoldedNode, unfolded_graph

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["UnfoldedGraphDisplay"]

# Nodes beyond this cannot be told apart.
_MOST_STEPS, _MOST_NODES = 12, 40
# Distances of columns and rows, and of an arc's two directions.
_WIDE, _HIGH, _APART = 1.75, 1.25, 0.075
_FILLS = {"input": "#FFFFFF", "state": "#DCEAF4", "output": "#F4E7DC", "loss": "#EEEEEE"}


class UnfoldedGraphDisplay:
    """Visualization of a recurrent network as a circuit, and unfolded over the steps of an input.

    On the left is the circuit, whose state is fed back with a delay of one step. It unfolds to a
    graph without cycles, in which all arcs of one color share their weights. Numbers are norms, or
    the value itself where it is one number: in black of what goes forward along an arc, in orange
    of the gradient of the loss that comes back along it. Of a recursive network it is the tree of
    its computation.

    It is recommended to use :meth:`from_estimator` to create an instance. All parameters are stored
    as attributes.

    Parameters
    ----------
    graph : UnfoldedGraph
        As of `unfolded_graph`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the graph.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    unfolded_graph : The numbers.
    GradientFlowDisplay : How the gradient goes on over many steps.
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(self, *, graph: UnfoldedGraph) -> None:
        self.graph = graph

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        context: Any = None,
        show_values: bool = True,
        ax: Axes | None = None,
    ) -> UnfoldedGraphDisplay:
        """Draw the graph of a fitted network for one sequence, or tree.

        Parameters
        ----------
        estimator, X, y, context
            As of `unfolded_graph`. A sequence has at most 12 steps, a tree at most 40 nodes.
        show_values : bool, default=True
            Whether numbers stand beside the arcs.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : UnfoldedGraphDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As of `unfolded_graph`; and ValueError if X is too long to be drawn.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from sklseq.inspection import UnfoldedGraphDisplay
        >>> from sklseq.recurrent import RNNRegressor
        >>> X = np.random.default_rng(0).normal(size=(20, 4, 1))
        >>> model = RNNRegressor(hidden_size=8, max_epochs=3, random_state=0).fit(X, X[:, 0, 0])
        >>> UnfoldedGraphDisplay.from_estimator(model, X[:1], X[:1, 0, 0])
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        graph = unfolded_graph(estimator, X, y, context=context)
        return cls(graph=graph).plot(ax, show_values=show_values)

    def plot(self, ax: Axes | None = None, *, show_values: bool = True) -> UnfoldedGraphDisplay:
        """Draw the graph.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.
        show_values : bool, default=True
            Whether numbers stand beside the arcs.

        Returns
        -------
        display : UnfoldedGraphDisplay
            This display.

        Raises
        ------
        ValueError
            If there are too many nodes to be drawn.
        ImportError
            If matplotlib is not installed.
        """
        nodes = self.graph.nodes
        self._check_size()
        left = 0.0 if self.graph.is_tree else 1.9 * _WIDE
        wide = _WIDE * (1.25 if self.graph.is_tree else 1)
        places = np.array([(left + n.column * wide, n.row * _HIGH) for n in nodes])
        high = float(places[:, 1].max())
        wide = float(places[:, 0].max())
        ax = new_axes(self, ax, (min(18.0, 1.8 + 0.82 * wide), 1.3 + 0.82 * high))
        colors = self._colors()
        for arc in self.graph.arcs:
            ends = places[arc.source], places[arc.target]
            _draw_arc(ax, *ends, colors[arc.weights])
            if show_values:
                _draw_numbers(ax, *ends, arc.value, arc.gradient)
        _draw_nodes(ax, places, nodes)
        if not self.graph.is_tree:
            self._draw_circuit(ax, colors)
        self._finish(ax, colors, places, show_values)
        return self

    def _check_size(self) -> None:
        nodes = self.graph.nodes
        n_steps = sum(node.kind == "input" for node in nodes)
        if n_steps > _MOST_STEPS:
            raise ValueError(
                f"The sequence has {n_steps} steps, too many to be drawn: give its first ones, "
                f"such as x[:{_MOST_STEPS}], or look at GradientFlowDisplay."
            )
        if self.graph.is_tree and len(nodes) > _MOST_NODES:
            raise ValueError(
                f"The tree has {len(nodes)} nodes, too many to be drawn: give one of at most "
                f"{_MOST_NODES}, or look at TreeDisplay."
            )

    def _colors(self) -> dict[str, str]:
        """A color for each of the shared weights, none of which is that of gradients."""
        used = {arc.weights for arc in self.graph.arcs} - {""}
        names = sorted(used, key=lambda name: ("UWV".index(name[0]), name))
        palette = [color for color in COLORS if color not in (ORANGE, "#E69F00", "#000000")]
        found = {name: palette[i % len(palette)] for i, name in enumerate(names)}
        return found | {"": "0.4"}

    def _draw_circuit(self, ax: Axes, colors: dict[str, str]) -> None:
        """The network before it is unfolded: one column, and a delayed arc back to each state."""
        rows: dict[int, UnfoldedNode] = {}
        for node in self.graph.nodes:
            rows.setdefault(node.row, node)
        place = {row: np.array([0.0, row * _HIGH]) for row in rows}
        drawn = set()
        for arc in self.graph.arcs:
            source, target = self.graph.nodes[arc.source], self.graph.nodes[arc.target]
            key = (source.row, target.row)
            if key in drawn:
                continue
            drawn.add(key)
            color = colors[arc.weights]
            if source.row != target.row:
                _draw_arc(ax, place[source.row], place[target.row], color, back=False)
                middle = (place[source.row] + place[target.row]) / 2
                ax.text(
                    middle[0] - 0.14, middle[1], arc.weights, color=color, ha="right", va="center"
                )
                continue
            x, y = place[source.row]
            ax.annotate(
                "",
                (x + 0.03, y - 0.2),
                (x + 0.03, y + 0.2),
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": color,
                    "connectionstyle": "arc3,rad=-2.2",
                    "shrinkA": 4,
                    "shrinkB": 4,
                },
            )
            ax.plot([x + 0.55], [y], marker="s", markersize=7, color="black", zorder=3)
            ax.text(x + 0.72, y, arc.weights, color=color, ha="left", va="center")
        plain = [
            UnfoldedNode(n.name.split("(")[0], n.kind, 0, row, np.empty(0), np.empty(0))
            for row, n in rows.items()
        ]
        _draw_nodes(ax, np.array([place[row] for row in rows]), plain)
        middle = (0.5 * max(rows) + 0.5) * _HIGH
        ax.annotate(
            "",
            (1.45 * _WIDE, middle),
            (0.85 * _WIDE, middle),
            arrowprops={"arrowstyle": "simple", "color": "0.75"},
        )
        ax.text(1.13 * _WIDE, middle + 0.2, "unfold", ha="center", color="0.45")

    def _finish(
        self, ax: Axes, colors: dict[str, str], places: NDArray[Any], show_values: bool
    ) -> None:
        from matplotlib.lines import Line2D

        handles = [
            Line2D([], [], color=color, label=f"weights {name}")
            for name, color in colors.items()
            if name
        ]
        forward = "forward: value" if show_values else "forward"
        handles.append(Line2D([], [], color="black", linestyle="none", marker="$1$", label=forward))
        handles.append(Line2D([], [], color=ORANGE, linestyle=(0, (2, 1)), label="back: gradient"))
        if not show_values:
            del handles[-2]
        ax.legend(
            handles=handles,
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=len(handles),
            frameon=False,
            fontsize=9,
            handlelength=1.5,
            columnspacing=1.2,
        )
        low = 0.0 if self.graph.is_tree else -0.6
        ax.set_xlim(min(low, places[:, 0].min() - 0.6), places[:, 0].max() + 0.8)
        ax.set_ylim(places[:, 1].min() - 0.75, places[:, 1].max() + 0.45)
        ax.set_axis_off()


def _draw_arc(
    ax: Axes, source: NDArray[Any], target: NDArray[Any], color: str, back: bool = True
) -> None:
    """An arrow forward and, beside it, one back."""
    aside = _aside(source, target) * _APART * back
    style = {"arrowstyle": "-|>", "shrinkA": 13, "shrinkB": 13, "mutation_scale": 10}
    ax.annotate(
        "", (*(target + aside),), (*(source + aside),), arrowprops={**style, "color": color}
    )
    if back:
        dashed = {**style, "color": ORANGE, "linestyle": (0, (2, 1)), "linewidth": 0.9}
        ax.annotate("", (*(source - aside),), (*(target - aside),), arrowprops=dashed)


def _draw_numbers(
    ax: Axes, source: NDArray[Any], target: NDArray[Any], value: Any, gradient: Any
) -> None:
    """What goes forward on one side of an arc, what comes back on the other."""
    # Arcs that meet in a node are farther from each other where they begin.
    is_slanted = np.abs(target - source).min() > 0.01
    place, aside = (0.36 if is_slanted else 0.5), _aside(source, target)
    middle = source + place * (target - source)
    is_level = abs(aside[1]) > 0.8
    for numbers, side, color in ((value, 1, "black"), (gradient, -1, ORANGE)):
        x, y = middle + side * aside * (_APART + 0.05)
        ax.text(
            x,
            y,
            _number(numbers),
            color=color,
            fontsize=7.5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.3},
            ha="center" if is_level else ("right" if side * aside[0] < 0 else "left"),
            va=("bottom" if side * aside[1] > 0 else "top") if is_level else "center",
        )


def _aside(source: NDArray[Any], target: NDArray[Any]) -> NDArray[Any]:
    """To the left of the way, as a vector of length 1."""
    x, y = target - source
    return np.array([-y, x]) / np.hypot(x, y)


def _number(values: NDArray[Any]) -> str:
    size = float(values[0]) if len(values) == 1 else float(np.linalg.norm(values))
    return "0" if size == 0 else f"{size:.2g}"


def _draw_nodes(ax: Axes, places: NDArray[Any], nodes: list[UnfoldedNode]) -> None:
    for (x, y), node in zip(places, nodes, strict=True):
        ax.scatter(
            [x],
            [y],
            s=560,
            color=_FILLS[node.kind],
            edgecolors="0.25",
            linewidths=1,
            marker="s" if node.kind == "input" else "o",
            zorder=2,
        )
        name = node.name if not node.label or node.kind == "input" else node.label
        ax.text(x, y, name, ha="center", va="center", fontsize=8.5, zorder=3)
        if node.kind == "input" and node.label:
            ax.text(x, y - 0.38, node.label, ha="center", va="top", fontsize=9)
        if node.kind == "loss" and len(node.value):
            ax.text(x + 0.28, y, f"= {_number(node.value)}", ha="left", va="center", fontsize=8.5)
