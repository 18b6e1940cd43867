"""What rows become along latent coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sklseq._compat.sklearn import check_matplotlib_support
from sklseq.inspection.displays._axes import BLUE, draw_cell, new_axes
from sklseq.inspection.latent.space import latent_traversal
from sklseq.inspection.models import image_shape_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["LatentTraversalDisplay"]


class LatentTraversalDisplay:
    """Visualization of what is decoded along each latent coordinate: a line of pictures for each.

    Rows are drawn as images, sequences and rows of tables as curves.

    It is recommended to use :meth:`from_estimator` to create an instance. All parameters are stored
    as attributes.

    Parameters
    ----------
    components : sequence of int
        As of `latent_traversal`, as are the next two.
    code_values : ndarray of shape (n_components, n_points)
    rows : list of list of ndarray
    image_shape : tuple of int or None, default=None
        Shape that rows are drawn in as images; None draws curves.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes in which the pictures stand.
    axes_ : ndarray of matplotlib Axes of shape (n_components, n_points)
        Those of the pictures.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    latent_traversal : The numbers.
    """

    ax_: Axes
    axes_: NDArray[np.object_]
    figure_: Figure | SubFigure

    def __init__(
        self,
        *,
        components: Sequence[int],
        code_values: NDArray[Any],
        rows: list[list[NDArray[Any]]],
        image_shape: tuple[int, ...] | None = None,
    ) -> None:
        self.components = components
        self.code_values = code_values
        self.rows = rows
        self.image_shape = image_shape

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        components: Any = None,
        n_points: int = 7,
        coverage: float = 0.98,
        y: Any = None,
        image_shape: tuple[int, ...] | None = None,
        ax: Axes | None = None,
    ) -> LatentTraversalDisplay:
        """Draw what a fitted model decodes along its latent coordinates.

        Parameters
        ----------
        estimator, X, components, n_points, coverage, y
            As of `latent_traversal`.
        image_shape : tuple of int or None, default=None
            Shape of the rows as images, such as (8, 8); None takes that of images, and draws other
            rows as curves.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : LatentTraversalDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As of `latent_traversal`; and ValueError if rows have not this shape.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_digits
        >>> from sklseq.generative import VAE
        >>> from sklseq.inspection import LatentTraversalDisplay
        >>> X = load_digits().data[:300] / 16
        >>> model = VAE(n_components=2, max_epochs=5, random_state=0).fit(X)
        >>> LatentTraversalDisplay.from_estimator(model, X, image_shape=(8, 8))
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        found = latent_traversal(
            estimator, X, components=components, n_points=n_points, coverage=coverage, y=y
        )
        shape = image_shape_of(estimator, found.rows[0][0], image_shape)
        return cls(**found, image_shape=shape).plot(ax)

    def plot(self, ax: Axes | None = None) -> LatentTraversalDisplay:
        """Draw the pictures.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : LatentTraversalDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n, m = np.shape(self.code_values)
        ax = new_axes(self, ax, (1.0 * m + 1.0, 1.0 * n + 0.6))
        ax.set(xlim=(0, m), ylim=(n, 0))
        stacked = np.concatenate([np.ravel(row) for line in self.rows for row in line])
        limits = float(stacked.min()), float(stacked.max())
        self.axes_ = np.empty((n, m), dtype=object)
        for i, line in enumerate(self.rows):
            for j, row in enumerate(line):
                cell = ax.inset_axes((j + 0.04, i + 0.04, 0.92, 0.92), transform=ax.transData)
                draw_cell(cell, row, self.image_shape, limits, color=BLUE)
                self.axes_[i, j] = cell
        ends = [f"coordinate {c}" for c in self.components]
        ax.set_yticks(np.arange(n) + 0.5, ends)
        ax.set_xticks([0.5, m - 0.5], ["low", "high"])
        ax.tick_params(length=0)
        for side in ax.spines.values():
            side.set_visible(False)
        return self
