"""Regression metrics for sequences with a target for each step."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import r2_score

from sklseq.data import Sequences, missing, read_steps, stack_steps
from sklseq.metrics._steps import StepTargets, place_of, read_step_weights


def masked_r2_score(
    y_true: StepTargets,
    y_pred: StepTargets,
    *,
    sample_weight: StepTargets | None = None,
    multioutput: Literal["raw_values", "uniform_average", "variance_weighted"]
    | ArrayLike = "uniform_average",
    force_finite: bool = True,
    panel: bool = True,
) -> float | NDArray[np.float64]:
    """Coefficient of determination over the steps that have a target.

    Equals :func:`sklearn.metrics.r2_score` of the steps of all sequences if no target is
    missing. Each output has its own missing targets.

    Parameters
    ----------
    y_true : array-like
        A target for each step: an array of shape (n_sequences, n_steps) or (n_sequences,
        n_steps, n_outputs); a list or 1-D object array of arrays of shape (n_steps_i,) or
        (n_steps_i, n_outputs); or one series of shape (n_steps,). NaN and None are
        missing targets and do not count.
    y_pred : array-like
        Predictions for the same steps, in any of these containers. What stands where the
        target is missing does not matter.
    sample_weight : array-like, default=None
        A weight for each sequence, of shape (n_sequences,), which all its steps get; or
        one for each step, in the form of `y_true` without outputs.
    multioutput : {"raw_values", "uniform_average", "variance_weighted"} or array-like of \
            shape (n_outputs,), default="uniform_average"
        Averaging of the scores of the outputs: not at all, by their mean, or by their
        mean weighted by each target's sum of squares about its mean or by these numbers.
    force_finite : bool, default=True
        Whether a constant target gives 1.0 (predicted perfectly) or 0.0 instead of NaN
        or minus infinity.
    panel : bool, default=True
        Whether a 2-D array is a panel of shape (n_sequences, n_steps) or, if False, one
        series of shape (n_steps, n_outputs), as a DataFrame always is. Other containers are
        unambiguous.

    Returns
    -------
    float, or ndarray of shape (n_outputs,) if `multioutput="raw_values"`
        At most 1.

    Raises
    ------
    ValueError
        If sequences do not match (the message names the first), an output has no target
        at all, or a prediction is missing where there is a target.

    See Also
    --------
    step_accuracy_score : The same for labels.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.metrics import masked_r2_score
    >>> masked_r2_score([[1.0, 2.0, np.nan], [3.0]], [[1.0, 2.0, 9.0], [2.0]])
    0.5
    """
    series = not panel or hasattr(y_true, "columns")
    steps = read_steps(y_true, "y_true", series=series)
    true = _as_outputs(steps.steps, "y_true")
    pred = _as_outputs(stack_steps(y_pred, steps, "y_pred", "y_true"), "y_pred")
    if true.shape != pred.shape:
        raise ValueError(f"y_true has {true.shape[1]} outputs, y_pred {pred.shape[1]}.")
    present = ~np.isnan(true)
    _check_present(pred, present, steps)
    weights = read_step_weights(sample_weight, steps)
    if weights is None:
        weights = np.ones(len(true))

    scores, spreads = np.empty((2, true.shape[1]))
    for k, mask in enumerate(present.T):
        target, weight = true[mask, k], weights[mask]
        scores[k] = r2_score(target, pred[mask, k], sample_weight=weight, force_finite=force_finite)
        spreads[k] = weight @ (target - np.average(target, weights=weight)) ** 2
    return _average_outputs(scores, spreads, multioutput)


def _as_outputs(values: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Targets as floats of shape (n_steps_in_all, n_outputs)."""
    if values.dtype == object:
        values = np.where(missing(values), np.nan, values)
    values = values.astype(np.float64)
    if values.ndim > 2:
        raise ValueError(f"{name} must have at most 3 dimensions, got {values.ndim + 1}.")
    return values[:, np.newaxis] if values.ndim == 1 else values


def _check_present(pred: NDArray[np.float64], present: NDArray[np.bool_], steps: Sequences) -> None:
    for absent in np.flatnonzero((np.isnan(pred) & present).any(axis=1))[:1]:
        raise ValueError(
            f"{place_of(steps, int(absent))}: the prediction is missing where y_true has a target."
        )
    for k in np.flatnonzero(~present.any(axis=0)):
        raise ValueError(f"y_true has no target for output {k}.")


def _average_outputs(
    scores: NDArray[np.float64], spreads: NDArray[np.float64], multioutput: str | ArrayLike
) -> float | NDArray[np.float64]:
    if not isinstance(multioutput, str):
        return float(np.average(scores, weights=np.asarray(multioutput)))
    if multioutput == "raw_values":
        return scores
    if multioutput == "uniform_average":
        return float(np.mean(scores))
    if multioutput == "variance_weighted":
        # Constant targets have no spread to weight by; then all outputs count the same.
        return float(np.average(scores, weights=spreads if spreads.any() else None))
    raise ValueError(
        "multioutput must be 'raw_values', 'uniform_average', 'variance_weighted' or one "
        f"weight for each output, got {multioutput!r}."
    )
