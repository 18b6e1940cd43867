"""How the gradient of a recurrent network falls or rises with the time lag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sklseq._compat.sklearn import check_matplotlib_support
from sklseq.inspection.displays._axes import new_axes, style_of, whole_numbers
from sklseq.inspection.models import inner
from sklseq.inspection.networks.gradients import gradient_flow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

__all__ = ["GradientFlowDisplay"]


class GradientFlowDisplay:
    """Visualization of how far back the gradient of a recurrent network reaches.

    The norm of the gradient with respect to the state is drawn against the lag: the median over
    sequences, in a band from the tenth to the ninetieth percentile. The legend says by which factor
    it changes per step, and whether it vanishes or explodes. Several displays can share one `ax`.

    It is recommended to use :meth:`from_estimator` to create an instance. All parameters are stored
    as attributes.

    Parameters
    ----------
    norms : ndarray of shape (n_sequences, n_lags)
        As of `gradient_flow`, as are the next two.
    rate : float
    verdict : str
    estimator_name : str or None, default=None
        Name for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curve.
    figure_ : matplotlib Figure
        Figure with the axes.
    line_ : matplotlib Line2D
        The median.
    band_ : matplotlib PolyCollection
        The band around it.

    See Also
    --------
    gradient_flow : The numbers.
    JacobianSpectrumDisplay : Where they come from.
    """

    ax_: Axes
    figure_: Figure | SubFigure
    line_: Line2D
    band_: Any

    def __init__(
        self,
        *,
        norms: NDArray[Any],
        rate: float,
        verdict: str,
        estimator_name: str | None = None,
    ) -> None:
        self.norms = norms
        self.rate = rate
        self.verdict = verdict
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        layer: int = 0,
        context: Any = None,
        ax: Axes | None = None,
        name: str | None = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> GradientFlowDisplay:
        """Draw the gradient of a fitted recurrent network against the lag.

        Parameters
        ----------
        estimator, X, y, layer, context
            As of `gradient_flow`.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.
        name : str, default=None
            Name for the legend. If None, the estimator's class.
        line_kwargs : dict, default=None
            Passed to matplotlib's `plot`.

        Returns
        -------
        display : GradientFlowDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As of `gradient_flow`.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from sklseq.inspection import GradientFlowDisplay
        >>> from sklseq.recurrent import RNNRegressor
        >>> X = np.random.default_rng(0).normal(size=(20, 30, 1))
        >>> model = RNNRegressor(hidden_size=8, max_epochs=3, random_state=0).fit(X, X[:, -1, 0])
        >>> GradientFlowDisplay.from_estimator(model, X, X[:, -1, 0])
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        flow = gradient_flow(estimator, X, y, layer=layer, context=context)
        display = cls(
            norms=flow.norms,
            rate=flow.rate,
            verdict=flow.verdict,
            estimator_name=type(inner(estimator)).__name__ if name is None else name,
        )
        return display.plot(ax, line_kwargs=line_kwargs)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        name: str | None = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> GradientFlowDisplay:
        """Draw the gradient against the lag.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.
        name : str, default=None
            Name for the legend. If None, `estimator_name`.
        line_kwargs : dict, default=None
            Passed to matplotlib's `plot`.

        Returns
        -------
        display : GradientFlowDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = new_axes(self, ax)
        name = self.estimator_name if name is None else name
        prefix = "" if name is None else f"{name}: "
        change = "" if np.isnan(self.rate) else f", factor {self.rate:.2g} per step"
        low, median, high = np.nanquantile(self.norms, [0.1, 0.5, 0.9], axis=0)
        lags = np.arange(len(median))
        # A logarithmic axis has no zero.
        shown = np.where(median > 0, median, np.nan)
        style = style_of("line", line_kwargs, label=f"{prefix}{self.verdict}{change}")
        (self.line_,) = ax.plot(lags, shown, **style)
        tiny = np.finfo(float).tiny
        self.band_ = ax.fill_between(
            lags,
            np.maximum(low, tiny),
            np.maximum(high, tiny),
            where=median > 0,
            color=self.line_.get_color(),
            alpha=0.2,
            linewidth=0,
        )
        ax.set(xlabel="Lag, steps back", ylabel="Norm of the gradient of the state", yscale="log")
        whole_numbers(ax.xaxis)
        ax.legend()
        return self
