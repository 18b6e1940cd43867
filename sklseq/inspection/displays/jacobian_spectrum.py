"""Eigenvalues of the state-to-state Jacobian against the unit circle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sklseq._compat.sklearn import check_matplotlib_support
from sklseq.inspection.displays._axes import new_axes, style_of
from sklseq.inspection.models import inner
from sklseq.inspection.reservoirs.dynamics import jacobian_eigenvalues

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure, SubFigure

__all__ = ["JacobianSpectrumDisplay"]


class JacobianSpectrumDisplay:
    """Visualization of the eigenvalues of the Jacobian from one state to the next.

    Where all lie inside the unit circle, small differences of states, and gradients, mostly die
    out; near it they last, outside they grow. Colors are the steps of a sequence or, of several
    models, the models: copies that were made in the course of training, say.

    It is recommended to use :meth:`from_estimator` to create an instance. All parameters are stored
    as attributes.

    Parameters
    ----------
    eigenvalues : dict of str to complex ndarray of shape (n_steps, n_states)
        Of each model, by its name; as of `jacobian_eigenvalues`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the eigenvalues.
    figure_ : matplotlib Figure
        Figure with the axes.
    points_ : list of matplotlib PathCollection
        Those of each model.

    See Also
    --------
    jacobian_eigenvalues : The numbers.
    """

    ax_: Axes
    figure_: Figure | SubFigure
    points_: list[PathCollection]

    def __init__(self, *, eigenvalues: Mapping[str, NDArray[Any]]) -> None:
        self.eigenvalues = eigenvalues

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        context: Any = None,
        ax: Axes | None = None,
        scatter_kwargs: dict[str, Any] | None = None,
    ) -> JacobianSpectrumDisplay:
        """Draw the eigenvalues of one model along a sequence, or of several.

        Parameters
        ----------
        estimator : estimator instance or dict of str to estimator instance
            A fitted recurrent or echo state network, or several by name, such as those of several
            epochs.
        X : sequences
            One sequence; see `jacobian_eigenvalues`.
        context : array-like of shape (1, n_context_features) or None, default=None
            As in `fit`.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.
        scatter_kwargs : dict, default=None
            Passed to matplotlib's `scatter`.

        Returns
        -------
        display : JacobianSpectrumDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As of `jacobian_eigenvalues`.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from sklseq.inspection import JacobianSpectrumDisplay
        >>> from sklseq.recurrent import RNNRegressor
        >>> X = np.random.default_rng(0).normal(size=(20, 30, 1))
        >>> model = RNNRegressor(hidden_size=8, max_epochs=3, random_state=0).fit(X, X[:, -1, 0])
        >>> JacobianSpectrumDisplay.from_estimator(model, X[:1])
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        models = estimator
        if not isinstance(estimator, Mapping):
            models = {type(inner(estimator)).__name__: estimator}
        display = cls(
            eigenvalues={
                name: jacobian_eigenvalues(model, X, context=context)
                for name, model in models.items()
            }
        )
        return display.plot(ax, scatter_kwargs=scatter_kwargs)

    def plot(
        self, ax: Axes | None = None, *, scatter_kwargs: dict[str, Any] | None = None
    ) -> JacobianSpectrumDisplay:
        """Draw the eigenvalues and the unit circle.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.
        scatter_kwargs : dict, default=None
            Passed to matplotlib's `scatter`.

        Returns
        -------
        display : JacobianSpectrumDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = new_axes(self, ax, (5.2, 4.6))
        angle = np.linspace(0, 2 * np.pi, 200)
        ax.plot(np.cos(angle), np.sin(angle), color="0.5", linewidth=1, zorder=0)
        self.points_ = []
        several = len(self.eigenvalues) > 1
        shades = np.linspace(0, 0.9, len(self.eigenvalues))
        for (name, values), shade in zip(self.eigenvalues.items(), shades, strict=True):
            defaults: dict[str, Any] = {"s": 10, "alpha": 0.7, "linewidths": 0, "cmap": "viridis"}
            if several:
                defaults |= {"color": [_shade(shade)], "label": name}
                del defaults["cmap"]
            else:
                steps = np.arange(len(values))[:, None]
                defaults["c"] = np.broadcast_to(steps, values.shape).ravel()
            style = style_of("points", scatter_kwargs, **defaults)
            self.points_.append(ax.scatter(values.real.ravel(), values.imag.ravel(), **style))
        if several:
            ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), markerscale=2)
        elif not {"c", "color"} & set(scatter_kwargs or ()):
            ax.figure.colorbar(self.points_[0], ax=ax, label="Step", shrink=0.85)
        ax.set(xlabel="Real part", ylabel="Imaginary part", aspect="equal")
        if not several:
            ax.set_title(next(iter(self.eigenvalues)))
        return self


def _shade(share: float) -> Any:
    from matplotlib import colormaps

    return colormaps["viridis"](share)
