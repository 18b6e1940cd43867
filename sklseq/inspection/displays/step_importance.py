"""What the prediction of one sequence owes to its steps and features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sklseq._compat.sklearn import check_matplotlib_support
from sklseq.data import is_table
from sklseq.inspection.displays._axes import BLUE, ORANGE, new_axes, symbol_ticks
from sklseq.inspection.models import symbols_of, unwrapped
from sklseq.inspection.sequences.importance import step_importance

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["StepImportanceDisplay"]


class StepImportanceDisplay:
    """Visualization of the importance of the steps, and features, of one sequence.

    Of several features it is an image, a row for each; of one, or of symbols, a bar for each step.
    Orange speaks for the prediction, blue or violet against it.

    It is recommended to use :meth:`from_estimator` to create an instance. All parameters are stored
    as attributes.

    Parameters
    ----------
    importances : ndarray of shape (n_steps, n_features) or (n_steps,)
        As of `step_importance`.
    symbols : sequence of str, default=()
        Symbols of the steps, where these are symbols.
    feature_names : sequence of str, default=()

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the importances.
    figure_ : matplotlib Figure
        Figure with the axes.
    image_ : matplotlib AxesImage or None
        The image, of several features.

    See Also
    --------
    step_importance : The numbers.
    """

    ax_: Axes
    figure_: Figure | SubFigure
    image_: Any

    def __init__(
        self,
        *,
        importances: NDArray[Any],
        symbols: Sequence[str] = (),
        feature_names: Sequence[str] = (),
    ) -> None:
        self.importances = importances
        self.symbols = symbols
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        method: str = "occlusion",
        output: Any = None,
        step: int = -1,
        baseline: Any = None,
        context: Any = None,
        feature_names: Sequence[str] = (),
        ax: Axes | None = None,
    ) -> StepImportanceDisplay:
        """Draw what the prediction of a sequence owes to its steps and features.

        Parameters
        ----------
        estimator, method, output, step, baseline, context
            As of `step_importance`.
        X : sequences
            One sequence, in a container as in `predict`.
        feature_names : sequence of str, default=()
            Names of the features, for the axis.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : StepImportanceDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As of `step_importance`; and ValueError if X is not one sequence.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from sklseq.inspection import StepImportanceDisplay
        >>> from sklseq.recurrent import GRURegressor
        >>> X = np.random.default_rng(0).normal(size=(20, 6, 2))
        >>> model = GRURegressor(hidden_size=8, max_epochs=3, random_state=0).fit(X, X[:, 2, 0])
        >>> StepImportanceDisplay.from_estimator(model, X[:1])
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        model, read = unwrapped(estimator, X)
        found = step_importance(
            model,
            read,
            method=method,
            output=output,
            step=step,
            baseline=baseline,
            context=context,
        )
        is_series = model._per_step and (hasattr(read, "iloc") or is_table(read))
        if not is_series:
            if len(found) != 1:
                raise ValueError(
                    f"X holds {len(found)} sequences, and one is shown: give one, such as X[:1]."
                )
            found = found[0]
        display = cls(
            importances=np.asarray(found, dtype=float),
            symbols=symbols_of(model, read),
            feature_names=feature_names,
        )
        return display.plot(ax)

    def plot(self, ax: Axes | None = None) -> StepImportanceDisplay:
        """Draw the importances.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : StepImportanceDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        values = np.asarray(self.importances)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        ax = new_axes(self, ax, (7.0, 3.2))
        self.image_ = None
        if values.ndim == 1:
            colors = [ORANGE if value >= 0 else BLUE for value in values]
            ax.bar(np.arange(len(values)), values, color=colors, width=0.85)
            ax.axhline(0, color="0.4", linewidth=0.8)
            ax.set_ylabel("Importance")
        else:
            most = float(np.abs(values).max()) or 1.0
            self.image_ = ax.imshow(
                values.T,
                aspect="auto",
                cmap="PuOr_r",
                vmin=-most,
                vmax=most,
                interpolation="nearest",
            )
            ax.figure.colorbar(self.image_, ax=ax, label="Importance")
            ax.set_ylabel("Feature")
            symbol_ticks(ax.yaxis, self.feature_names)
        ax.set_xlabel("Step")
        symbol_ticks(ax.xaxis, self.symbols)
        return self
