"""To which steps of its input each step of an output attends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sklseq._compat.sklearn import check_matplotlib_support
from sklseq.inspection.displays._axes import new_axes, symbol_ticks
from sklseq.inspection.models import symbols_of, unwrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.image import AxesImage

__all__ = ["AttentionDisplay"]


class AttentionDisplay:
    """Visualization of the attention weights of one input and its output.

    A row for each step that is put out, a column for each step of the input; rows sum to one.
    Attention says what the decoder reads, not why it decides: other weights may give the same
    output (Jain and Wallace 2019, Attention is not explanation).

    It is recommended to use :meth:`from_estimator` to create an instance. All parameters are stored
    as attributes.

    Parameters
    ----------
    weights : ndarray of shape (n_output_steps, n_input_steps)
    inputs, outputs : sequence of str, default=()
        Symbols of the steps, where these are symbols.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the weights.
    figure_ : matplotlib Figure
        Figure with the axes.
    image_ : matplotlib AxesImage
        The weights.
    """

    ax_: Axes
    figure_: Figure | SubFigure
    image_: AxesImage

    def __init__(
        self,
        *,
        weights: NDArray[Any],
        inputs: Sequence[str] = (),
        outputs: Sequence[str] = (),
    ) -> None:
        self.weights = weights
        self.inputs = inputs
        self.outputs = outputs

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, ax: Axes | None = None
    ) -> AttentionDisplay:
        """Draw what a fitted encoder-decoder network attends to.

        Parameters
        ----------
        estimator : estimator instance
            A fitted `Seq2SeqClassifier` or `Seq2SeqRegressor` with attention, or a pipeline or
            search with one.
        X : sequences
            One input, in a container as in `predict`.
        y : sequences or None, default=None
            Its output; None takes that which `predict` gives.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : AttentionDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it is no encoder-decoder network.
        ValueError
            If it has no attention, X is not one input, or its output is empty.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklseq.inspection import AttentionDisplay
        >>> from sklseq.seq2seq import Seq2SeqClassifier
        >>> words = ["abc", "bca", "cab", "ab", "ba", "ca"] * 5
        >>> model = Seq2SeqClassifier(hidden_size=8, max_epochs=5, random_state=0)
        >>> model = model.fit(words, [word[::-1] for word in words])
        >>> AttentionDisplay.from_estimator(model, ["abc"], ["cba"])
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        model, X = unwrapped(estimator, X)
        if not hasattr(model, "attention_weights"):
            raise TypeError(
                f"{type(model).__name__} has no attention weights: give a fitted estimator of "
                "sklseq.seq2seq."
            )
        if len(X) != 1:
            raise ValueError(f"X holds {len(X)} inputs, and one is shown: give one, such as X[:1].")
        y = model.predict(X) if y is None else y
        (weights,) = model.attention_weights(X, y)
        if not len(weights):
            raise ValueError("The output has no steps: give another input, or y.")
        outputs = map(str, y[0]) if hasattr(model, "target_vocabulary_") else ()
        return cls(weights=weights, inputs=symbols_of(model, X), outputs=list(outputs)).plot(ax)

    def plot(self, ax: Axes | None = None) -> AttentionDisplay:
        """Draw the weights.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : AttentionDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n_out, n_in = np.shape(self.weights)
        size = (min(9.0, 2.5 + 0.35 * n_in), min(9.0, 1.5 + 0.35 * n_out))
        ax = new_axes(self, ax, size)
        self.image_ = ax.imshow(self.weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        ax.figure.colorbar(self.image_, ax=ax, label="Attention weight")
        ax.set(xlabel="Input", ylabel="Output")
        symbol_ticks(ax.xaxis, self.inputs)
        symbol_ticks(ax.yaxis, self.outputs)
        return self
