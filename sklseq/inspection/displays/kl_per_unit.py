"""Which latent variables of a variational autoencoder are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sklseq._compat.sklearn import check_matplotlib_support
from sklseq.inspection.displays._axes import BLUE, new_axes, whole_numbers
from sklseq.inspection.latent.posterior import kl_per_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["KLPerUnitDisplay"]


class KLPerUnitDisplay:
    """Visualization of the KL divergence of each latent variable from the prior.

    Bars in falling order; those of variables that are not active are gray.

    It is recommended to use :meth:`from_estimator` to create an instance. All parameters are stored
    as attributes.

    Parameters
    ----------
    kl : ndarray of shape (n_components,)
        In nats, as of `kl_per_unit`.
    active : ndarray of bool of shape (n_components,)

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bars.
    figure_ : matplotlib Figure
        Figure with the axes.
    bars_ : matplotlib BarContainer
        The bars.

    See Also
    --------
    kl_per_unit : The numbers.
    """

    ax_: Axes
    figure_: Figure | SubFigure
    bars_: Any

    def __init__(self, *, kl: NDArray[Any], active: NDArray[np.bool_]) -> None:
        self.kl = kl
        self.active = active

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, ax: Axes | None = None
    ) -> KLPerUnitDisplay:
        """Draw the KL divergences of a fitted variational autoencoder.

        Parameters
        ----------
        estimator, X, y
            As of `kl_per_unit`.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : KLPerUnitDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As of `kl_per_unit`.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_digits
        >>> from sklseq.generative import VAE
        >>> from sklseq.inspection import KLPerUnitDisplay
        >>> X = load_digits().data[:300] / 16
        >>> model = VAE(n_components=4, max_epochs=10, random_state=0).fit(X)
        >>> KLPerUnitDisplay.from_estimator(model, X)
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        found = kl_per_unit(estimator, X, y)
        return cls(kl=found.kl, active=found.active).plot(ax)

    def plot(self, ax: Axes | None = None) -> KLPerUnitDisplay:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : KLPerUnitDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = new_axes(self, ax, (6.4, 3.4))
        order = np.argsort(-self.kl, kind="stable")
        places = np.arange(len(order))
        colors = [BLUE if self.active[i] else "0.7" for i in order]
        self.bars_ = ax.bar(places, self.kl[order], color=colors, width=0.8)
        if len(order) <= 40:
            ax.set_xticks(places, [str(i) for i in order])
        else:
            whole_numbers(ax.xaxis)
        ax.set(xlabel="Latent variable", ylabel="KL divergence, nats")
        n = int(np.sum(self.active))
        ax.set_title(f"{n} of {len(order)} active, {np.sum(self.kl):.1f} nats in all")
        return self
