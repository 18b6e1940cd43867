"""Densities of generative models over the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sklseq._compat.sklearn import check_matplotlib_support
from sklseq.inspection.displays._axes import ORANGE, new_axes
from sklseq.inspection.latent.modes import density_grid
from sklseq.inspection.models import inner, unwrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["DensityDisplay"]


class DensityDisplay:
    """Visualization of the density that a generative model of two features has learned.

    It is recommended to use :meth:`from_estimator` to create an instance. All parameters are stored
    as attributes.

    Parameters
    ----------
    x, y : ndarray of shape (n_points,)
        As of `density_grid`, as is the next.
    density : ndarray of shape (n_points, n_points)
    rows : ndarray of shape (n_rows, 2) or None, default=None
        Rows of data to draw on top.
    estimator_name : str or None, default=None
        Name for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the density.
    figure_ : matplotlib Figure
        Figure with the axes.
    image_ : matplotlib QuadMesh
        The density.

    See Also
    --------
    density_grid : The numbers.
    """

    ax_: Axes
    figure_: Figure | SubFigure
    image_: Any

    def __init__(
        self,
        *,
        x: NDArray[Any],
        y: NDArray[Any],
        density: NDArray[Any],
        rows: NDArray[Any] | None = None,
        estimator_name: str | None = None,
    ) -> None:
        self.x = x
        self.y = y
        self.density = density
        self.rows = rows
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        n_points: int = 100,
        margin: float = 0.1,
        n_samples: int = 2000,
        random_state: Any = 0,
        show_rows: bool = True,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> DensityDisplay:
        """Draw the density of a fitted generative model.

        Parameters
        ----------
        estimator, X, n_points, margin, n_samples, random_state
            As of `density_grid`.
        show_rows : bool, default=True
            Whether the rows of X are drawn on top, at most 1000 of them.
        name : str, default=None
            Title. If None, the estimator's class.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : DensityDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As of `density_grid`.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from sklseq.generative import RealNVP
        >>> from sklseq.inspection import DensityDisplay
        >>> X = np.random.default_rng(0).normal(size=(500, 2))
        >>> model = RealNVP(max_epochs=3, random_state=0).fit(X)
        >>> DensityDisplay.from_estimator(model, X)
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        grid = density_grid(
            estimator,
            X,
            n_points=n_points,
            margin=margin,
            n_samples=n_samples,
            random_state=random_state,
        )
        rows = None
        if show_rows:
            rows = np.asarray(unwrapped(estimator, X)[1], dtype=float)
            rows = rows[:: -(-len(rows) // 1000)]
        name = type(inner(estimator)).__name__ if name is None else name
        display = cls(x=grid.x, y=grid.y, density=grid.density, rows=rows, estimator_name=name)
        return display.plot(ax)

    def plot(self, ax: Axes | None = None) -> DensityDisplay:
        """Draw the density.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : DensityDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = new_axes(self, ax, (5.4, 4.4))
        # A few points where the model is nearly sure would leave the rest dark.
        most = float(np.quantile(self.density, 0.998)) or None
        self.image_ = ax.pcolormesh(
            self.x, self.y, self.density, cmap="Blues", vmin=0, vmax=most, rasterized=True
        )
        extend = "max" if most is not None and self.density.max() > most else "neither"
        ax.figure.colorbar(self.image_, ax=ax, label="Density", extend=extend)
        if self.rows is not None:
            x, y = self.rows.T
            ax.scatter(x, y, s=3, color=ORANGE, alpha=0.35, linewidths=0)
        ax.set(xlabel="Feature 0", ylabel="Feature 1")
        if self.estimator_name is not None:
            ax.set_title(self.estimator_name)
        return self
