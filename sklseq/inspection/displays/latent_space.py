"""Latent codes of rows in the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import type_of_target

from sklseq._compat.sklearn import check_matplotlib_support
from sklseq.inspection.displays._axes import COLORS, MARKERS, new_axes, style_of
from sklseq.inspection.latent.space import latent_projection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure, SubFigure

__all__ = ["LatentSpaceDisplay"]

# More classes than this are told apart by no colors.
_MOST_CLASSES = 16


class LatentSpaceDisplay:
    """Visualization of latent codes, colored by what is known of the rows.

    Codes of more than two dimensions are shown by their first two principal components: what looks
    mixed there may be apart in others.

    It is recommended to use :meth:`from_estimator` to create an instance. All parameters are stored
    as attributes.

    Parameters
    ----------
    coordinates : ndarray of shape (n_samples, n_coordinates)
        One or two coordinates, as of `latent_projection`.
    explained_variance_ratio : ndarray of shape (n_coordinates,) or None, default=None
    y : array-like of shape (n_samples,) or None, default=None
        Classes or values of the rows.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the codes.
    figure_ : matplotlib Figure
        Figure with the axes.
    points_ : list of matplotlib PathCollection
        Those of each class.

    See Also
    --------
    latent_projection : The numbers.
    """

    ax_: Axes
    figure_: Figure | SubFigure
    points_: list[PathCollection]

    def __init__(
        self,
        *,
        coordinates: NDArray[Any],
        explained_variance_ratio: NDArray[Any] | None = None,
        y: Any = None,
    ) -> None:
        self.coordinates = coordinates
        self.explained_variance_ratio = explained_variance_ratio
        self.y = y

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        ax: Axes | None = None,
        scatter_kwargs: dict[str, Any] | None = None,
    ) -> LatentSpaceDisplay:
        """Draw the latent codes of rows.

        Parameters
        ----------
        estimator, X
            As of `latent_projection`.
        y : array-like of shape (n_samples,) or None, default=None
            Classes or values of the rows, for their colors; they are not given to the estimator.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.
        scatter_kwargs : dict, default=None
            Passed to matplotlib's `scatter`.

        Returns
        -------
        display : LatentSpaceDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As of `latent_projection`.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_iris
        >>> from sklseq.autoencoder import Autoencoder
        >>> from sklseq.inspection import LatentSpaceDisplay
        >>> X, y = load_iris(return_X_y=True)
        >>> model = Autoencoder(n_components=2, max_epochs=5, random_state=0).fit(X)
        >>> LatentSpaceDisplay.from_estimator(model, X, y)
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        found = latent_projection(estimator, X)
        if y is not None:
            check_consistent_length(found.coordinates, y)
        return cls(**found, y=y).plot(ax, scatter_kwargs=scatter_kwargs)

    def plot(
        self, ax: Axes | None = None, *, scatter_kwargs: dict[str, Any] | None = None
    ) -> LatentSpaceDisplay:
        """Draw the codes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.
        scatter_kwargs : dict, default=None
            Passed to matplotlib's `scatter`.

        Returns
        -------
        display : LatentSpaceDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = new_axes(self, ax, (6.2, 4.8))
        codes, labels = self.coordinates, None if self.y is None else np.asarray(self.y)
        classes = np.unique(labels) if labels is not None and _are_classes(labels) else None
        points = codes
        if codes.shape[1] == 1:
            # Side by side, so that points of one code do not hide each other.
            spread = np.random.default_rng(0).uniform(-0.3, 0.3, len(codes))
            rows: Any = 0 if classes is None else np.searchsorted(classes, np.asarray(labels))
            points = np.column_stack([codes[:, 0], rows + spread])
        self.points_ = []
        defaults: dict[str, Any] = {"s": 14, "alpha": 0.75, "linewidths": 0}
        if classes is not None:
            for i, label in enumerate(classes):
                own = points[labels == label]
                look = {"color": COLORS[i % len(COLORS)], "marker": MARKERS[i % len(MARKERS)]}
                if i >= len(COLORS):
                    look |= {"marker": MARKERS[(i + 1) % len(MARKERS)]}
                style = style_of("points", scatter_kwargs, **defaults, **look, label=str(label))
                self.points_.append(ax.scatter(*own.T, **style))
            ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), markerscale=1.6)
        else:
            if labels is not None:
                defaults |= {"c": labels.astype(float), "cmap": "viridis"}
            else:
                defaults |= {"color": COLORS[0]}
            self.points_.append(
                ax.scatter(*points.T, **style_of("points", scatter_kwargs, **defaults))
            )
            if labels is not None:
                ax.figure.colorbar(self.points_[0], ax=ax, label="y")
        self._name_axes(ax)
        return self

    def _name_axes(self, ax: Axes) -> None:
        ratio = self.explained_variance_ratio
        if self.coordinates.shape[1] == 1:
            ax.set(xlabel="Latent coordinate", yticks=[])
        elif ratio is None:
            ax.set(xlabel="Latent coordinate 0", ylabel="Latent coordinate 1")
        else:
            first, second = (f"{r:.0%}" for r in ratio)
            ax.set_xlabel(f"Principal component 1 of the codes ({first})")
            ax.set_ylabel(f"Principal component 2 of the codes ({second})")


def _are_classes(labels: NDArray[Any]) -> bool:
    if labels.dtype.kind in "OUSTb":
        return True
    return "continuous" not in type_of_target(labels) and len(np.unique(labels)) <= _MOST_CLASSES
