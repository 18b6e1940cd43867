"""A tree with the predictions of its nodes and the importance of its subtrees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from sklseq._compat.sklearn import check_matplotlib_support
from sklseq.data import without_subtrees
from sklseq.inspection.displays._axes import new_axes
from sklseq.inspection.models import unwrapped
from sklseq.inspection.networks.trees import layout_of, one_tree, subtree_predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["TreeDisplay"]

_MOST_NODES = 120


class TreeDisplay:
    """Visualization of what a recursive network predicts for the nodes of a tree.

    The color of a node is its prediction: that for the subtree below it or, with
    ``target="node"``, that for the node. The area of a node grows with the importance of its
    subtree: how far the prediction for the tree falls when it is left out.

    It is recommended to use :meth:`from_estimator` to create an instance. All parameters are stored
    as attributes.

    Parameters
    ----------
    parents : sequence of int of shape (n_nodes,)
        Number of each node's parent; -1 of the root, which comes first.
    columns, heights : sequence of float of shape (n_nodes,)
        Where nodes stand.
    labels : sequence of str of shape (n_nodes,)
    predictions : ndarray of shape (n_nodes,)
        Probability of a class, or a value; NaN where there is none.
    importances : ndarray of shape (n_nodes,) or None, default=None
    prediction_name : str, default="Prediction"
    is_probability : bool, default=False

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the tree.
    figure_ : matplotlib Figure
        Figure with the axes.
    points_ : matplotlib PathCollection
        The nodes.

    See Also
    --------
    subtree_predictions : The predictions.
    UnfoldedGraphDisplay : The computation behind them.
    """

    ax_: Axes
    figure_: Figure | SubFigure
    points_: Any

    def __init__(
        self,
        *,
        parents: Sequence[int],
        columns: Sequence[float],
        heights: Sequence[float],
        labels: Sequence[str],
        predictions: NDArray[Any],
        importances: NDArray[Any] | None = None,
        prediction_name: str = "Prediction",
        is_probability: bool = False,
    ) -> None:
        self.parents = parents
        self.columns = columns
        self.heights = heights
        self.labels = labels
        self.predictions = predictions
        self.importances = importances
        self.prediction_name = prediction_name
        self.is_probability = is_probability

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *, output: Any = None, ax: Axes | None = None
    ) -> TreeDisplay:
        """Draw what a fitted recursive network predicts for the nodes of a tree.

        Parameters
        ----------
        estimator : estimator instance
            A fitted classifier or regressor of `sklseq.recursive` without `pairs`, or a pipeline or
            search with one.
        X : trees
            One tree, in a container as in `predict`.
        output : class label, int or None, default=None
            Class whose probability is drawn; of a regressor, number of the output. None is the
            class predicted for the tree, or the first output.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : TreeDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it is no such estimator.
        ValueError
            If X is not one tree, has more than 120 nodes, or there is no such output.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklseq.inspection import TreeDisplay
        >>> from sklseq.recursive import RecursiveClassifier
        >>> X = [("not", "true"), ("not", "false"), ("not", ("not", "true")), ("true",)]
        >>> model = RecursiveClassifier(hidden_size=8, max_epochs=5, random_state=0)
        >>> model = model.fit(X, [False, True, True, True])
        >>> TreeDisplay.from_estimator(model, X[2:3])
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        model, forest = one_tree(estimator, X)
        read = unwrapped(estimator, X)[1]
        if forest.n_nodes > _MOST_NODES:
            raise ValueError(
                f"The tree has {forest.n_nodes} nodes, too many to be drawn: give one of at most "
                f"{_MOST_NODES}, or look at subtree_predictions."
            )
        layout = layout_of(forest)
        values = subtree_predictions(model, read)
        root = values[0] if model._per_node else values[layout.order[0]]
        column = _column(model, root, output)
        # Of nodes with results alone, where sequences are composed as trees.
        known = np.full(forest.n_nodes, np.nan)
        known[forest.results if model._per_node else slice(None)] = values[:, column]
        importances = None
        if not model._per_node:
            importances = _importances(model, forest, column, root)[layout.order]
        name = f"Probability of {model.classes_[column]}" if is_classifier(model) else "Prediction"
        display = cls(
            parents=layout.parents,
            columns=layout.columns,
            heights=layout.heights,
            labels=layout.labels,
            predictions=known[layout.order],
            importances=importances,
            prediction_name=name,
            is_probability=is_classifier(model),
        )
        return display.plot(ax)

    def plot(self, ax: Axes | None = None) -> TreeDisplay:
        """Draw the tree.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : TreeDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        x, y = np.asarray(self.columns, float), np.asarray(self.heights, float)
        size = (min(14.0, 2.6 + 0.75 * (x.max() + 1)), min(9.0, 1.6 + 0.75 * (y.max() + 1)))
        ax = new_axes(self, ax, size)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                ax.plot(x[[node, parent]], y[[node, parent]], color="0.7", linewidth=1, zorder=0)
        values = np.asarray(self.predictions, dtype=float)
        low, high = (0.0, 1.0) if self.is_probability else _range(values)
        self.points_ = ax.scatter(
            x,
            y,
            s=self._areas(),
            c=values,
            cmap="PuOr_r",
            vmin=low,
            vmax=high,
            edgecolors="0.3",
            linewidths=0.8,
            plotnonfinite=True,
            zorder=2,
        )
        ax.figure.colorbar(self.points_, ax=ax, label=self.prediction_name)
        inner_nodes = set(self.parents)
        for node, label in enumerate(self.labels):
            if not label:
                continue
            is_leaf = node not in inner_nodes
            crowded = is_leaf and x.max() > 12 and max(map(len, self.labels)) > 3
            ax.annotate(
                label,
                (x[node], y[node]),
                (0, -12) if is_leaf else (9, 9),
                textcoords="offset points",
                ha="center" if is_leaf else "left",
                va="top" if is_leaf else "bottom",
                rotation=90 if crowded else 0,
                fontsize=9,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
            )
        ax.set(xticks=[], yticks=[], xlim=(x.min() - 0.7, x.max() + 0.7))
        ax.set_ylim(y.min() - 0.9, y.max() + 0.5)
        for side in ax.spines.values():
            side.set_visible(False)
        if self.importances is not None:
            ax.set_title("Larger nodes matter more to the prediction", fontsize=9, color="0.3")
        return self

    def _areas(self) -> NDArray[Any]:
        if self.importances is None:
            return np.full(len(self.parents), 90.0)
        size = np.abs(np.asarray(self.importances, dtype=float))
        # Without the root nothing is left, which says little of the others.
        most = size[1:].max(initial=0.0) or 1.0
        return 30 + 250 * np.minimum(size / most, 1)


def _column(model: Any, root: NDArray[Any], output: Any) -> int:
    if output is None:
        return int(root.argmax()) if is_classifier(model) else 0
    known = list(model.classes_) if is_classifier(model) else list(range(len(root)))
    if output not in known:
        raise ValueError(f"output={output!r} is none of {known!r:.200}.")
    return known.index(output)


def _importances(model: Any, forest: Any, column: int, root: NDArray[Any]) -> NDArray[Any]:
    """Fall of one output of the prediction for the tree, without the subtree of each node."""
    outputs = np.concatenate([model._run("forward", part) for part in without_subtrees(forest, 0)])
    if is_classifier(model):
        without = model._probabilities(outputs)
    else:
        without = model._unscaled(outputs).reshape(len(outputs), -1)
    return root[column] - without[:, column]


def _range(values: NDArray[Any]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
