"""Which modes of the data the samples of a generative model reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sklseq._compat.sklearn import check_matplotlib_support
from sklseq.inspection.displays._axes import BLUE, ORANGE, new_axes
from sklseq.inspection.latent.modes import mode_coverage
from sklseq.inspection.models import unwrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["ModeCoverageDisplay"]


class ModeCoverageDisplay:
    """Visualization of how often samples fall on each mode of the data.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions` to create an
    instance. All parameters are stored as attributes.

    Parameters
    ----------
    modes : ndarray of shape (n_modes,)
        As of `mode_coverage`, as are the others.
    data_share, sample_share : ndarray of shape (n_modes,)
    off_share : float
    n_covered : int

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bars.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    mode_coverage : The numbers.
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(
        self,
        *,
        modes: NDArray[Any],
        data_share: NDArray[Any],
        sample_share: NDArray[Any],
        off_share: float,
        n_covered: int,
    ) -> None:
        self.modes = modes
        self.data_share = data_share
        self.sample_share = sample_share
        self.off_share = off_share
        self.n_covered = n_covered

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        n_samples: int | None = None,
        random_state: Any = 0,
        ax: Axes | None = None,
    ) -> ModeCoverageDisplay:
        """Draw how often samples of a fitted generative model fall on each mode.

        Parameters
        ----------
        estimator : estimator instance
            A fitted generative model of tables of numbers, or a pipeline or search with one, of
            which X is what the steps before it give.
        X, y : array-like
            Rows of the data and their modes, as of `mode_coverage`.
        n_samples : int or None, default=None
            Number of samples; None takes as many as rows.
        random_state : int, RandomState instance or None, default=0
            Seed of the samples.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : ModeCoverageDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it draws no samples.
        ValueError
            As of `mode_coverage`.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from sklseq.generative import GAN
        >>> from sklseq.inspection import ModeCoverageDisplay
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(3, size=300)
        >>> X = 5 * np.eye(3)[y][:, :2] + rng.normal(size=(300, 2))
        >>> model = GAN(max_epochs=20, random_state=0).fit(X)
        >>> ModeCoverageDisplay.from_estimator(model, X, y)
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        model, rows = unwrapped(estimator, X)
        if not hasattr(model, "sample") or not hasattr(model, "conditional"):
            raise TypeError(
                f"{type(model).__name__} draws no samples: give a fitted generative model."
            )
        n = len(rows) if n_samples is None else n_samples
        samples = model.sample(n, random_state=random_state)
        return cls.from_predictions(rows, y, samples, ax=ax)

    @classmethod
    def from_predictions(
        cls, X: Any, y: Any, samples: Any, *, ax: Axes | None = None
    ) -> ModeCoverageDisplay:
        """Draw how often samples that were drawn already fall on each mode.

        Parameters
        ----------
        X, y, samples : array-like
            As of `mode_coverage`.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : ModeCoverageDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            As of `mode_coverage`.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from sklseq.inspection import ModeCoverageDisplay
        >>> X = np.random.default_rng(0).normal(size=(300, 2))
        >>> ModeCoverageDisplay.from_predictions(X, X[:, 0] > 0, X[X[:, 0] > 0])
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_predictions")
        return cls(**mode_coverage(X, y, samples)).plot(ax)

    def plot(self, ax: Axes | None = None) -> ModeCoverageDisplay:
        """Draw the shares.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : ModeCoverageDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = new_axes(self, ax, (6.8, 3.4))
        places = np.arange(len(self.modes))
        ax.bar(places - 0.2, self.data_share, 0.4, color="0.6", label="data")
        ax.bar(places + 0.2, self.sample_share, 0.4, color=BLUE, label="samples")
        ax.bar([len(places)], [self.off_share], 0.4, color=ORANGE, label="samples off the data")
        ax.set_xticks([*places, len(places)], [*map(str, self.modes), "off"])
        ax.set(xlabel="Mode", ylabel="Share")
        ax.set_title(f"{self.n_covered} of {len(places)} modes covered")
        ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
        return self
