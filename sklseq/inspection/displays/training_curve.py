"""How the loss, and the validation score if there is one, went from epoch to epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklseq._compat.sklearn import check_matplotlib_support

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D
    from sklearn.base import BaseEstimator


# Marks the right-hand axes, so that a second display on the same axes finds them.
_RIGHT_GID = "sklseq-right-axes"


class TrainingCurveDisplay:
    """Visualization of the training of an iteratively fitted estimator.

    The loss of each epoch is drawn as a line, the best loss as a dotted level. Validation
    scores, which are on another scale, have an axis of their own on the right. Several
    displays can share one `ax`; their scores then share the right axis too.

    It is recommended to use :meth:`from_estimator` to create an instance. All parameters
    are stored as attributes.

    Parameters
    ----------
    loss_curve : sequence of float of shape (n_epochs,)
        Training loss after each epoch.
    validation_scores : sequence of float of shape (n_epochs,) or None, default=None
        Score on held-out data after each epoch.
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
        The loss; then the best loss and the validation scores, as far as they exist.

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
        validation_scores: Sequence[float] | None = None,
        best_loss: float | None = None,
        estimator_name: str | None = None,
    ) -> None:
        self.loss_curve = loss_curve
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
            Passed to matplotlib's `plot` for the validation scores.

        Returns
        -------
        display : TrainingCurveDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        AttributeError
            If the estimator has no `loss_curve_`, or is a search that did not refit.
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
        display = cls(
            loss_curve=trained.loss_curve_,
            validation_scores=getattr(trained, "validation_scores_", None),
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
            Passed to matplotlib's `plot` for the validation scores.

        Returns
        -------
        display : TrainingCurveDisplay
            This display, with the attributes `ax_`, `validation_ax_`, `figure_`, `lines_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        if ax is None:
            import matplotlib.pyplot as plt

            ax = plt.subplots()[1]
        name = self.estimator_name if name is None else name
        prefix = "" if name is None else f"{name}: "

        self.ax_, self.figure_, self.validation_ax_ = ax, ax.figure, None
        self.lines_ = self._draw_loss(prefix, curve_kwargs)
        if self.validation_scores is not None:
            scores = self._draw_validation(self.validation_scores, prefix, validation_kwargs)
            self.lines_.append(scores)
        self._decorate(log_scale)
        return self

    def _draw_loss(self, prefix: str, kwargs: dict[str, Any] | None) -> list[Line2D]:
        style = _line_style(kwargs, label=f"{prefix}loss")
        lines = self.ax_.plot(_epochs(self.loss_curve), self.loss_curve, **style)
        # MLPClassifier keeps None here if it stopped early by its validation score.
        if self.best_loss is not None and np.isfinite(self.best_loss):
            level = self.ax_.axhline(
                self.best_loss,
                label=f"{prefix}best loss, {self.best_loss:.3g}",
                color=lines[0].get_color(),
                linestyle=":",
            )
            lines.append(level)
        return lines

    def _draw_validation(
        self, scores: Sequence[float], prefix: str, kwargs: dict[str, Any] | None
    ) -> Line2D:
        self.validation_ax_ = _right_axes(self.ax_) or _add_right_axes(self.ax_, "Validation score")
        style = _line_style(
            kwargs,
            label=f"{prefix}validation score",
            color=self.lines_[0].get_color(),
            linestyle="--",
        )
        return self.validation_ax_.plot(_epochs(scores), scores, **style)[0]

    def _decorate(self, log_scale: bool) -> None:
        from matplotlib.ticker import MaxNLocator

        self.ax_.set(xlabel="Epoch", ylabel="Loss")
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True))
        if log_scale:
            self.ax_.set_yscale("log")
        right = _right_axes(self.ax_)
        lines = [*self.ax_.get_lines(), *(right.get_lines() if right else ())]
        self.ax_.legend(handles=[line for line in lines if line.get_label()[0] != "_"])


def _epochs(values: Sequence[float]) -> range:
    return range(1, len(values) + 1)


def _trained_estimator(estimator: Any) -> Any:
    """Return the fitted estimator with a `loss_curve_` inside pipelines and searches."""
    while isinstance(estimator, Pipeline) or hasattr(estimator, "best_estimator_"):
        is_pipeline = isinstance(estimator, Pipeline)
        estimator = estimator.steps[-1][1] if is_pipeline else estimator.best_estimator_
    check_is_fitted(estimator)
    if hasattr(estimator, "loss_curve_"):
        return estimator
    name = type(estimator).__name__
    if hasattr(estimator, "cv_results_"):
        raise AttributeError(
            f"This {name} was fitted with refit=False, so it kept no best_estimator_ whose "
            "training could be shown."
        )
    raise AttributeError(
        f"{name} has no attribute loss_curve_: only estimators that are trained in epochs, and "
        "record the loss of each, have a training curve."
    )


def _line_style(kwargs: dict[str, Any] | None, **defaults: Any) -> dict[str, Any]:
    """Let the user's style win, also where it is given by an alias such as `c` or `ls`."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return {**defaults, **normalize_kwargs(kwargs or {}, Line2D)}


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
