"""What the prediction of a sequence owes to each of its steps and features."""

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import is_classifier, is_regressor
from torch import Tensor

from sklseq.base.sequences import SequenceEstimator, holds_vectors
from sklseq.data import Sequences
from sklseq.inspection.models import unwrapped
from sklseq.inspection.networks.recording import network_of
from sklseq.inspection.sequences.explained import Explained
from sklseq.parts.context import read_known
from sklseq.parts.missing_steps import has_gaps
from sklseq.training.placement import parameter_of

__all__ = ["step_importance"]

Array = NDArray[Any]

# Values of the copies of a sequence that are predicted at once.
_MOST_VALUES = 1 << 20


def step_importance(
    estimator: Any,
    X: Any,
    *,
    method: str = "occlusion",
    output: Any = None,
    step: int = -1,
    baseline: Any = None,
    n_points: int = 32,
    context: Any = None,
) -> Array:
    """How much of a prediction each step, and each feature of it, accounts for.

    With "occlusion" one value after the other is replaced by that of the `baseline`; its importance
    is by how much the prediction falls (Zeiler and Fergus 2014 [1]_). With "integrated_gradients"
    the gradient of the prediction is averaged over the straight line from the baseline to the
    sequence, and multiplied by their difference (Sundararajan et al. 2017 [2]_): the importances of
    a sequence sum to the prediction for it less that for the baseline.

    What is explained is the probability of a class, or a predicted value in the units of y.
    Importance says what the model uses, not what would happen in the world: of two features that
    tell the same, either may have it all.

    Parameters
    ----------
    estimator : estimator instance
        A fitted classifier or regressor of sequences, or a pipeline or search that ends in one, of
        which that estimator alone is explained: its X is what the steps before it give.
        "integrated_gradients" needs a network of `sklseq.recurrent`.
    X : sequences
        As in `predict`: numbers or symbols.
    method : {"occlusion", "integrated_gradients"}, default="occlusion"
        The first takes one prediction for each value of X, the second `n_points` gradients for each
        sequence.
    output : class label, int or None, default=None
        Class whose probability is explained; of a regressor, number of the output. None is the
        predicted class of each sequence, or the only output.
    step : int, default=-1
        With ``target="step"`` the step whose prediction is explained, counted as indices are.
    baseline : array-like of shape (n_features,) or None, default=None
        What says nothing. None is the mean of `fit`, where the estimator has learned it, else that
        over X. For symbols it is always the unknown symbol.
    n_points : int, default=32
        Points on the line, by Gauss's quadrature.
    context : array-like of shape (n_sequences, n_context_features) or None, default=None
        As in `fit`; it is not changed.

    Returns
    -------
    importances : ndarray
        In the container of X: ``(n_sequences, n_steps, n_features)``, ``(n_steps, n_features)`` for
        one series, or an object array of such arrays; of symbols and of a table of univariate
        sequences without the last axis.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is no classifier or regressor of sequences or, for "integrated_gradients", no such
        network.
    ValueError
        If X or an argument is not valid.

    See Also
    --------
    sequence_permutation_importance : What a score owes to features, over many sequences.

    References
    ----------
    .. [1] Zeiler and Fergus (2014). "Visualizing and understanding convolutional networks". ECCV,
       section 4.2.
    .. [2] Sundararajan, Taly and Yan (2017). "Axiomatic attribution for deep networks". ICML,
       equation 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.inspection import step_importance
    >>> from sklseq.recurrent import GRURegressor
    >>> X = np.random.default_rng(0).normal(size=(100, 6, 2))
    >>> model = GRURegressor(hidden_size=16, random_state=0).fit(X, X[:, 2, 0])
    >>> importances = np.abs(step_importance(model, X)).mean(axis=0)
    >>> importances.shape, np.unravel_index(importances.argmax(), importances.shape) == (2, 0)
    ((6, 2), True)
    """
    model, X = unwrapped(estimator, X)
    if not isinstance(model, SequenceEstimator) or not (
        is_classifier(model) or is_regressor(model)
    ):
        raise TypeError(
            f"{type(model).__name__} is no classifier or regressor of sequences: give a fitted one "
            "of sklseq.recurrent or sklseq.reservoir."
        )
    if method not in ("occlusion", "integrated_gradients"):
        raise ValueError(f"method={method!r} must be 'occlusion' or 'integrated_gradients'.")
    data = _read(model, X, context)
    explained = Explained.of(model, data, output, step)
    level = None if data.symbolic else _baseline(model, data, baseline)
    if method == "occlusion":
        values = [_occluded(explained, data, level, i) for i in range(len(data))]
    else:
        values = _integrated(model, explained, data, level, n_points)
    stacked = np.concatenate(values)
    flat = data.symbolic or (data.layout not in ("series", "frame") and holds_vectors(X))
    return data.restore(stacked[:, 0] if flat else stacked)


def _read(model: Any, X: Any, context: Any) -> Sequences:
    if hasattr(model, "module_"):
        return read_known(model, X, context)
    if context is not None:
        raise ValueError(f"{type(model).__name__} takes no context.")
    return model._read_steps(X, reset=False)


def _baseline(model: Any, data: Sequences, given: Any) -> Array:
    """A value for each feature of a step."""
    n_features = data.steps.shape[1]
    if given is None:
        mean = getattr(model, "feature_mean_", ())
        return np.asarray(mean if len(mean) == n_features else np.nanmean(data.steps, axis=0))
    level = np.asarray(given, dtype=float)
    if level.shape != (n_features,) or not np.isfinite(level).all():
        raise ValueError(
            f"baseline={given!r:.80} must be {n_features} finite numbers, one for each feature."
        )
    return level


def _occluded(explained: Explained, data: Sequences, level: Array | None, i: int) -> Array:
    """Fall of the prediction of sequence i for each of its values, ``(n_steps, n_features)``."""
    one = data.take(np.array([i]))
    steps = one.steps if level is not None else one.steps[:, None]
    n_steps, n_features = steps.shape
    left = np.empty(steps.size)
    # Not all copies at once: memory would grow with the square of the length.
    n_parts = -(-(steps.size**2) // _MOST_VALUES)
    for places in np.array_split(np.arange(steps.size), min(n_parts, steps.size)):
        copies = np.repeat(steps[None], len(places), axis=0)
        step, feature = np.divmod(places, n_features)
        copies[np.arange(len(places)), step, feature] = 0 if level is None else level[feature]
        stacked = copies.reshape(-1, n_features)
        many = Sequences(
            stacked[:, 0] if level is None else stacked,
            np.full(len(places), n_steps),
            "ragged",
            one.feature_names,
            None if one.context is None else np.repeat(one.context, len(places), axis=0),
        )
        left[places] = explained(many, np.full(len(places), i))
    return (explained(one, np.array([i]))[0] - left).reshape(n_steps, n_features)


def _integrated(
    model: Any, explained: Explained, data: Sequences, level: Array | None, n_points: int
) -> list[Array]:
    network = deepcopy(network_of(model)).cpu().double().eval()
    if has_gaps(model):
        raise ValueError(
            "Integrated gradients are of values, and this network reads missing values or times "
            "beside them: take method='occlusion'."
        )
    if isinstance(n_points, bool) or not isinstance(n_points, (int, np.integer)) or n_points < 1:
        raise ValueError(f"n_points={n_points!r} must be a whole number of at least 1.")
    like = parameter_of(network)
    nodes, weights = np.polynomial.legendre.leggauss(n_points)
    points, shares = torch.from_numpy((nodes + 1) / 2), torch.from_numpy(weights / 2)
    found = []
    for i in range(len(data)):
        one = data.take(np.array([i]))
        rows = model._rows(one, like)
        steps, packing, *beside = rows.inputs(np.zeros(1, dtype=np.int64))
        if level is None:
            end = network.embedding(steps).detach()
            start = torch.zeros_like(end)
        else:
            empty = one.with_steps(np.broadcast_to(level, one.steps.shape))
            end = steps
            start = model._rows(empty, like).inputs(np.zeros(1, dtype=np.int64))[0]
        embedding, network.embedding = network.embedding, None
        total = torch.zeros_like(end)
        for point, share in zip(points, shares, strict=True):
            x = torch.lerp(start, end, point).requires_grad_()
            value = explained.of_outputs(network(x, packing, *beside[:1]), i)
            total += share * _gradient(value, x)
        network.embedding = embedding
        values = (total * (end - start)).numpy()
        found.append(values.sum(axis=1, keepdims=True) if level is None else values)
    return found


def _gradient(value: Tensor, x: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(value, [x], allow_unused=True, materialize_grads=True)
    return gradient
