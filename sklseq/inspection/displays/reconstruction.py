"""Rows beside their reconstructions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sklseq._compat.sklearn import check_matplotlib_support
from sklseq.inspection.displays._axes import BLUE, ORANGE, draw_cell, new_axes
from sklseq.inspection.latent.space import reconstructions
from sklseq.inspection.models import image_shape_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["ReconstructionDisplay"]


class ReconstructionDisplay:
    """Visualization of rows and their reconstructions.

    Images stand above their reconstructions; of sequences and rows of tables, curves of both lie in
    one picture. Below is the root mean squared error of each.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions` to create an
    instance. All parameters are stored as attributes.

    Parameters
    ----------
    rows, reconstructed : sequence of ndarray
    errors : ndarray of shape (n_samples,)
        As of `reconstructions`.
    image_shape : tuple of int or None, default=None
        Shape that rows are drawn in as images; None draws curves.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes in which the pictures stand.
    axes_ : ndarray of matplotlib Axes of shape (n_lines, n_samples)
        Those of the pictures: two lines of images, or one of curves.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    reconstructions : The numbers.
    """

    ax_: Axes
    axes_: NDArray[np.object_]
    figure_: Figure | SubFigure

    def __init__(
        self,
        *,
        rows: Sequence[NDArray[Any]],
        reconstructed: Sequence[NDArray[Any]],
        errors: NDArray[Any],
        image_shape: tuple[int, ...] | None = None,
    ) -> None:
        self.rows = rows
        self.reconstructed = reconstructed
        self.errors = errors
        self.image_shape = image_shape

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        image_shape: tuple[int, ...] | None = None,
        ax: Axes | None = None,
    ) -> ReconstructionDisplay:
        """Draw rows, and what a fitted model makes of their latent codes.

        Parameters
        ----------
        estimator, y
            As of `reconstructions`.
        X : array-like or sequences
            The rows to draw, as in `transform`; at most 20.
        image_shape : tuple of int or None, default=None
            Shape of the rows as images, such as (8, 8); None takes that of images, and draws other
            rows as curves.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : ReconstructionDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As of `reconstructions`; and ValueError if rows are too many, or have not this shape.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_digits
        >>> from sklseq.autoencoder import Autoencoder
        >>> from sklseq.inspection import ReconstructionDisplay
        >>> X = load_digits().data[:300] / 16
        >>> model = Autoencoder(n_components=8, max_epochs=5, random_state=0).fit(X)
        >>> ReconstructionDisplay.from_estimator(model, X[:6], image_shape=(8, 8))
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        found = reconstructions(estimator, X, y)
        shape = image_shape_of(estimator, found.rows[0], image_shape)
        return cls(**found, image_shape=shape).plot(ax)

    @classmethod
    def from_predictions(
        cls,
        X: Any,
        reconstructed: Any,
        *,
        image_shape: tuple[int, ...] | None = None,
        ax: Axes | None = None,
    ) -> ReconstructionDisplay:
        """Draw rows, and reconstructions that were made already.

        Parameters
        ----------
        X, reconstructed : array-like or list of ndarray
            The rows to draw, at most 20.
        image_shape : tuple of int or None, default=None
            Shape of the rows as images; None draws curves.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : ReconstructionDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the rows do not fit each other, are too many, or have not this shape.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from sklseq.inspection import ReconstructionDisplay
        >>> X = np.random.default_rng(0).normal(size=(4, 30))
        >>> ReconstructionDisplay.from_predictions(X, 0.9 * X)
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_predictions")
        rows = [np.asarray(row, dtype=float) for row in X]
        found = [np.asarray(row, dtype=float) for row in reconstructed]
        if [row.shape for row in rows] != [row.shape for row in found]:
            raise ValueError("X and reconstructed have rows of other shapes, or not as many.")
        errors = np.array([np.mean((a - b) ** 2) for a, b in zip(rows, found, strict=True)])
        shape = image_shape_of(None, rows[0], image_shape)
        return cls(rows=rows, reconstructed=found, errors=errors, image_shape=shape).plot(ax)

    def plot(self, ax: Axes | None = None) -> ReconstructionDisplay:
        """Draw the rows and their reconstructions.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : ReconstructionDisplay
            This display.

        Raises
        ------
        ValueError
            If rows are too many to be drawn side by side.
        ImportError
            If matplotlib is not installed.
        """
        n = len(self.rows)
        if n > 20:
            raise ValueError(f"X holds {n} rows, too many to be drawn: give some, such as X[:8].")
        n_lines = 1 if self.image_shape is None else 2
        width = 1.0 if self.image_shape is not None else min(2.0, 12 / n)
        ax = new_axes(self, ax, (width * n + 1.2, 1.0 * n_lines + 0.9))
        ax.set(xlim=(0, n), ylim=(n_lines, 0))
        values = np.concatenate([np.ravel(row) for row in (*self.rows, *self.reconstructed)])
        limits = float(values.min()), float(values.max())
        self.axes_ = np.empty((n_lines, n), dtype=object)
        for j in range(n):
            for i in range(n_lines):
                cell = ax.inset_axes((j + 0.04, i + 0.04, 0.92, 0.92), transform=ax.transData)
                self.axes_[i, j] = cell
            if self.image_shape is None:
                draw_cell(cell, self.rows[j], None, limits, color=BLUE, linewidth=1)
                dashed = {"color": ORANGE, "linewidth": 1, "linestyle": "--"}
                draw_cell(cell, self.reconstructed[j], None, limits, **dashed)
            else:
                for i, row in enumerate((self.rows[j], self.reconstructed[j])):
                    draw_cell(self.axes_[i, j], row, self.image_shape, limits)
        ax.set_xticks(np.arange(n) + 0.5, [f"{np.sqrt(e):.2g}" for e in self.errors])
        ax.set_xlabel("Root mean squared error")
        if self.image_shape is None:
            ax.set_yticks([])
            lines = cell.get_lines()
            handles = [lines[0], lines[-1]]
            ax.legend(
                handles,
                ["X", "reconstruction"],
                loc="lower right",
                bbox_to_anchor=(1, 1.01),
                ncols=2,
                borderaxespad=0,
            )
        else:
            ax.set_yticks([0.5, 1.5], ["X", "reconstruction"])
        ax.tick_params(length=0)
        for side in ax.spines.values():
            side.set_visible(False)
        return self
