"""How the loss, and that of validation data, went from epoch to epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklseq._compat.sklearn import check_matplotlib_support
from sklseq.inspection.displays._axes import new_axes, place_legend, style_of, whole_numbers
from sklseq.inspection.models import inner
from sklseq.parts.fit import NeuralEstimator

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D
    from sklearn.base import BaseEstimator


# Marks the right-hand axes, so that a second display on the same axes finds them.
_RIGHT_GID = "sklseq-right-axes"


class TrainingCurveDisplay:
    """Visualization of the training of an iteratively fitted estimator.

    The loss of each epoch is drawn as a line. With early stopping the loss on validation data is
    another on the same axis, on which the best epoch is marked: its weights are those that were
    kept. Validation scores that are no losses, such as those of scikit-learn's estimators, have an
    axis of their own on the right, and the best loss is a dotted level. Several displays can share
    one `ax`; their scores then share the right axis too.

    It is recommended to use :meth:`from_estimator` to create an instance. All parameters
    are stored as attributes.

    Parameters
    ----------
    loss_curve : sequence of float of shape (n_epochs,)
        Training loss after each epoch.
    validation_loss : sequence of float of shape (n_epochs,) or None, default=None
        Loss on validation data after each epoch.
    validation_scores : sequence of float of shape (n_epochs,) or None, default=None
        Score on validation data after each epoch, where it is no loss.
    best_loss : float or None, default=None
        The best loss that was reached.
    estimator_name : str or None, default=None
        Name for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the loss.
    validation_ax_ : matplotlib Axes or None
        Axes on the right with the validation scores, if there are any.
    figure_ : matplotlib Figure
        Figure with the axes.
    lines_ : list of matplotlib Line2D
        The loss; then, as far as they exist, the loss on validation data and the mark of the best
        epoch, or the best loss and the validation scores.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores against the training set's size.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklseq.inspection import TrainingCurveDisplay
    >>> display = TrainingCurveDisplay(loss_curve=[1.0, 0.5, 0.4], best_loss=0.4)
    >>> display.plot()
    <...>
    >>> plt.show()
    """

    ax_: Axes
    validation_ax_: Axes | None
    figure_: Figure | SubFigure
    lines_: list[Line2D]

    def __init__(
        self,
        *,
        loss_curve: Sequence[float],
        validation_loss: Sequence[float] | None = None,
        validation_scores: Sequence[float] | None = None,
        best_loss: float | None = None,
        estimator_name: str | None = None,
    ) -> None:
        self.loss_curve = loss_curve
        self.validation_loss = validation_loss
        self.validation_scores = validation_scores
        self.best_loss = best_loss
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        ax: Axes | None = None,
        name: str | None = None,
        log_scale: bool = False,
        curve_kwargs: dict[str, Any] | None = None,
        validation_kwargs: dict[str, Any] | None = None,
    ) -> TrainingCurveDisplay:
        """Draw the training curve of a fitted estimator.

        Parameters
        ----------
        estimator : estimator instance
            Fitted estimator with the attribute `loss_curve_` and, optionally,
            `validation_scores_` and `best_loss_`; or a pipeline that ends in one, or a
            search whose best estimator is one.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.
        name : str, default=None
            Name for the legend. If None, the estimator's class.
        log_scale : bool, default=False
            Whether the loss has a logarithmic axis.
        curve_kwargs : dict, default=None
            Passed to matplotlib's `plot` for the loss.
        validation_kwargs : dict, default=None
            Passed to matplotlib's `plot` for the loss or scores on validation data.

        Returns
        -------
        display : TrainingCurveDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If the estimator has no `loss_curve_`.
        ValueError
            If it is a search that did not refit.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.neural_network import MLPClassifier
        >>> from sklseq.inspection import TrainingCurveDisplay
        >>> X, y = load_iris(return_X_y=True)
        >>> mlp = MLPClassifier(learning_rate_init=0.1, random_state=0).fit(X, y)
        >>> TrainingCurveDisplay.from_estimator(mlp)
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        trained = _trained_estimator(estimator)
        scores: Any = getattr(trained, "validation_scores_", None)
        losses = None
        if scores is not None and isinstance(trained, NeuralEstimator):
            # Ours are losses with the sign of a score.
            scores, losses = None, [-score for score in scores]
        display = cls(
            loss_curve=trained.loss_curve_,
            validation_loss=losses,
            validation_scores=scores,
            best_loss=getattr(trained, "best_loss_", None),
            estimator_name=type(trained).__name__ if name is None else name,
        )
        return display.plot(
            ax,
            log_scale=log_scale,
            curve_kwargs=curve_kwargs,
            validation_kwargs=validation_kwargs,
        )

    def plot(
        self,
        ax: Axes | None = None,
        *,
        name: str | None = None,
        log_scale: bool = False,
        curve_kwargs: dict[str, Any] | None = None,
        validation_kwargs: dict[str, Any] | None = None,
    ) -> TrainingCurveDisplay:
        """Draw the training curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.
        name : str, default=None
            Name for the legend. If None, `estimator_name`.
        log_scale : bool, default=False
            Whether the loss has a logarithmic axis.
        curve_kwargs : dict, default=None
            Passed to matplotlib's `plot` for the loss.
        validation_kwargs : dict, default=None
            Passed to matplotlib's `plot` for the loss or scores on validation data.

        Returns
        -------
        display : TrainingCurveDisplay
            This display, with the attributes `ax_`, `validation_ax_`, `figure_`, `lines_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = new_axes(self, ax)
        name = self.estimator_name if name is None else name
        prefix = "" if name is None else f"{name}: "

        self.validation_ax_ = None
        style = style_of("line", curve_kwargs, label=f"{prefix}loss")
        self.lines_ = list(ax.plot(_epochs(self.loss_curve), self.loss_curve, **style))
        if self.validation_loss is not None:
            self._draw_validation_loss(self.validation_loss, prefix, validation_kwargs)
        else:
            self._draw_best_loss(prefix)
        if self.validation_scores is not None:
            self._draw_scores(self.validation_scores, prefix, validation_kwargs)
        self._decorate(log_scale)
        return self

    def _draw_validation_loss(
        self, losses: Sequence[float], prefix: str, kwargs: dict[str, Any] | None
    ) -> None:
        color = self.lines_[0].get_color()
        style = style_of(
            "line", kwargs, label=f"{prefix}validation loss", color=color, linestyle="--"
        )
        self.lines_ += self.ax_.plot(_epochs(losses), losses, **style)
        known = np.asarray(losses, dtype=float)
        if np.isfinite(known).any():
            best = int(np.nanargmin(known))
            self.lines_ += self.ax_.plot(
                [best + 1],
                [known[best]],
                marker="o",
                markersize=7,
                linestyle="none",
                markerfacecolor="white",
                markeredgewidth=1.8,
                color=self.lines_[-1].get_color(),
                label=f"{prefix}best epoch {best + 1}, {known[best]:.3g}",
                zorder=3,
            )

    def _draw_best_loss(self, prefix: str) -> None:
        # MLPClassifier keeps None here if it stopped early by its validation score.
        if self.best_loss is None or not np.isfinite(self.best_loss):
            return
        level = self.ax_.axhline(
            self.best_loss,
            label=f"{prefix}best loss, {self.best_loss:.3g}",
            color=self.lines_[0].get_color(),
            linestyle=":",
        )
        self.lines_.append(level)

    def _draw_scores(
        self, scores: Sequence[float], prefix: str, kwargs: dict[str, Any] | None
    ) -> None:
        right = _right_axes(self.ax_) or _add_right_axes(self.ax_, "Validation score")
        self.validation_ax_ = right
        style = style_of(
            "line",
            kwargs,
            label=f"{prefix}validation score",
            color=self.lines_[0].get_color(),
            linestyle="--",
        )
        self.lines_ += right.plot(_epochs(scores), scores, **style)

    def _decorate(self, log_scale: bool) -> None:
        self.ax_.set(xlabel="Epoch", ylabel="Loss")
        whole_numbers(self.ax_.xaxis)
        if log_scale:
            self.ax_.set_yscale("log")
        right = _right_axes(self.ax_)
        lines = [*self.ax_.get_lines(), *(right.get_lines() if right else ())]
        handles = [line for line in lines if line.get_label()[0] != "_"]
        place_legend(self.ax_, handles, [] if right is None else [right])


def _epochs(values: Sequence[float]) -> range:
    return range(1, len(values) + 1)


def _trained_estimator(estimator: Any) -> Any:
    """Return the fitted estimator with a `loss_curve_` inside pipelines and searches."""
    estimator = inner(estimator)
    check_is_fitted(estimator)
    if hasattr(estimator, "loss_curve_"):
        return estimator
    name = type(estimator).__name__
    if hasattr(estimator, "cv_results_"):
        raise ValueError(
            f"This {name} was fitted with refit=False, so it kept no best_estimator_ whose "
            "training could be shown."
        )
    raise TypeError(
        f"{name} has no attribute loss_curve_: only estimators that are trained in epochs, and "
        "record the loss of each, have a training curve."
    )


def _right_axes(ax: Axes) -> Axes | None:
    """Return the axes that an earlier display put on top of `ax`, if any."""
    place = ax.get_position().bounds
    for other in ax.figure.axes:
        if other.get_gid() == _RIGHT_GID and other.get_position().bounds == place:
            return other
    return None


def _add_right_axes(ax: Axes, label: str) -> Axes:
    """Put axes with a scale of their own behind `ax`."""
    right = ax.twinx()
    right.set_gid(_RIGHT_GID)
    right.set_ylabel(label)
    # matplotlib draws it above `ax`, whose legend the scores would then cross.
    right.set_zorder(ax.get_zorder() - 1)
    right.patch.set_visible(True)
    ax.patch.set_visible(False)
    return right
