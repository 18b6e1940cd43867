"""What the gates of a recurrent network let through along a sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sklseq._compat.sklearn import check_matplotlib_support
from sklseq.inspection.displays._axes import COLORS, new_axes, symbol_ticks, whole_numbers
from sklseq.inspection.models import symbols_of
from sklseq.inspection.networks.gates import gate_activations

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["GateActivationDisplay"]


class GateActivationDisplay:
    """Visualization of the gates of a recurrent network along the steps of a sequence.

    All gates are drawn as their mean over the units, in a band from the tenth to the ninetieth
    percentile; or one gate as an image, a row for each unit, units ordered by their mean.

    It is recommended to use :meth:`from_estimator` to create an instance. All parameters are stored
    as attributes.

    Parameters
    ----------
    gates : dict of str to ndarray of shape (n_steps, n_units)
        As of `gate_activations`.
    symbols : sequence of str, default=()
        Symbols of the steps, where these are symbols.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the gates.
    figure_ : matplotlib Figure
        Figure with the axes.
    image_ : matplotlib AxesImage or None
        The image of one gate.

    See Also
    --------
    gate_activations : The numbers.
    """

    ax_: Axes
    figure_: Figure | SubFigure
    image_: Any

    def __init__(self, *, gates: Mapping[str, NDArray[Any]], symbols: Sequence[str] = ()) -> None:
        self.gates = gates
        self.symbols = symbols

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        layer: int = 0,
        gate: str | None = None,
        context: Any = None,
        ax: Axes | None = None,
    ) -> GateActivationDisplay:
        """Draw the gates of a fitted recurrent network along a sequence.

        Parameters
        ----------
        estimator, X, layer, context
            As of `gate_activations`.
        gate : str or None, default=None
            Gate to draw unit by unit, such as "forget"; None draws the means of all.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : GateActivationDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As of `gate_activations`; and ValueError if there is no such gate.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from sklseq.inspection import GateActivationDisplay
        >>> from sklseq.recurrent import LSTMRegressor
        >>> X = np.random.default_rng(0).normal(size=(20, 30, 1))
        >>> model = LSTMRegressor(hidden_size=8, max_epochs=3, random_state=0).fit(X, X[:, -1, 0])
        >>> GateActivationDisplay.from_estimator(model, X[:1])
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        gates = gate_activations(estimator, X, layer=layer, context=context)
        display = cls(gates=dict(gates), symbols=symbols_of(estimator, X))
        return display.plot(ax, gate=gate)

    def plot(self, ax: Axes | None = None, *, gate: str | None = None) -> GateActivationDisplay:
        """Draw the gates.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.
        gate : str or None, default=None
            Gate to draw unit by unit; None draws the means of all.

        Returns
        -------
        display : GateActivationDisplay
            This display.

        Raises
        ------
        ValueError
            If there is no such gate.
        ImportError
            If matplotlib is not installed.
        """
        if gate is not None and gate not in self.gates:
            raise ValueError(f"gate={gate!r} is none of the gates {sorted(self.gates)}.")
        ax = new_axes(self, ax, (6.4, 3.6))
        self.image_ = None
        if gate is None:
            for (name, values), color in zip(self.gates.items(), COLORS, strict=False):
                low, high = np.quantile(values, [0.1, 0.9], axis=1)
                ax.plot(values.mean(axis=1), color=color, label=name)
                ax.fill_between(
                    np.arange(len(values)), low, high, color=color, alpha=0.08, linewidth=0
                )
            ax.set(ylim=(-0.02, 1.02), ylabel="Gate, mean over units")
            ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
        else:
            values = self.gates[gate]
            values = values[:, np.argsort(values.mean(axis=0), kind="stable")]
            self.image_ = ax.imshow(
                values.T, aspect="auto", vmin=0, vmax=1, cmap="cividis", interpolation="nearest"
            )
            ax.figure.colorbar(self.image_, ax=ax, label=f"{gate} gate")
            ax.set_ylabel("Unit, by its mean")
            whole_numbers(ax.yaxis)
        ax.set_xlabel("Step")
        symbol_ticks(ax.xaxis, self.symbols)
        return self
