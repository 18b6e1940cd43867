"""How far back in time the gradient of a recurrent network reaches."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import Bunch

from sklseq.inspection.networks.loss import last_loss
from sklseq.inspection.networks.recording import (
    LayerPass,
    float_parts,
    layer_of,
    recorded,
    recurrent,
)

__all__ = ["gradient_flow", "gradients_of_states"]

# By which factor the gradient has to fall, or rise, over all lags to be called so.
_FACTOR = 100.0


def gradient_flow(
    estimator: Any, X: Any, y: Any = None, *, layer: int = 0, context: Any = None
) -> Bunch:
    """Norm of the gradient of the loss with respect to the state of k steps before.

    For each sequence the loss at its last step with a target is differentiated with respect to the
    state after that step (lag 0), the one before (lag 1), and so on: what training can learn of a
    step k back goes through that gradient [1]_ [2]_. The state is all of what a layer carries, of
    an LSTM hidden state and cell; the gradient goes through the later steps alone, and with
    `pooling` other than "last" from all steps to the summary. The network runs without dropout, in
    float64.

    Parameters
    ----------
    estimator : estimator instance
        A fitted classifier or regressor of `sklseq.recurrent`, or a pipeline or search with one.
    X : sequences
        As in `predict`.
    y : array-like or None, default=None
        Targets, as in `fit`. Without, the loss is that of the predicted class, or the prediction
        of a regressor takes its place.
    layer : int, default=0
        Which recurrent layer, from 0 for the lowest; of both directions the forward one.
    context : array-like of shape (n_sequences, n_context_features) or None, default=None
        As in `fit`.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        norms : ndarray of shape (n_sequences, n_lags)
            NaN at lags beyond the beginning of a sequence.
        lags : ndarray of shape (n_lags,)
            Steps back from the last one.
        rate : float
            Factor per step back by which the median over sequences falls or rises, by a line
            through its logarithm; NaN with a single lag.
        verdict : {"vanishing", "exploding", "steady"}
            Whether this makes a factor of more than 100 over all lags.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is not such an estimator.
    ValueError
        If X or y are not valid, or there is no such layer.

    References
    ----------
    .. [1] Bengio, Simard and Frasconi (1994). "Learning long-term dependencies with gradient
       descent is difficult". IEEE Transactions on Neural Networks 5.
    .. [2] Pascanu, Mikolov and Bengio (2013). "On the difficulty of training recurrent neural
       networks". ICML, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.inspection import gradient_flow
    >>> from sklseq.recurrent import RNNRegressor
    >>> X = np.random.default_rng(0).normal(size=(20, 30, 1))
    >>> model = RNNRegressor(hidden_size=8, max_epochs=3, random_state=0).fit(X, X[:, -1, 0])
    >>> flow = gradient_flow(model, X, X[:, -1, 0])
    >>> flow.norms.shape, flow.verdict
    ((20, 30), 'vanishing')
    """
    model, data = recurrent(estimator, X, context)
    run = recorded(model, data)
    chosen = layer_of(run, layer)
    loss, last = last_loss(model, data, run, y)
    gradients = gradients_of_states(loss, chosen)
    order = run.packing.order.numpy()
    norms = np.full((len(data), int(last.max()) + 1), np.nan)
    for step, parts in enumerate(gradients):
        size = torch.linalg.vector_norm(torch.cat(parts, dim=1), dim=1).numpy()
        rows = order[: len(size)]
        reached = last[rows] >= step
        norms[rows[reached], last[rows[reached]] - step] = size[reached]
    rate = _rate(np.nanmedian(norms, axis=0))
    total = rate ** (norms.shape[1] - 1)
    return Bunch(
        norms=norms, lags=np.arange(norms.shape[1]), rate=rate, verdict=_verdict(float(total))
    )


def gradients_of_states(loss: torch.Tensor, layer: LayerPass) -> list[list[torch.Tensor]]:
    """Gradient with respect to the float parts of the states after each packed step."""
    parts = [float_parts(state) for state in layer.states]
    every = [part for one in parts for part in one]
    found = iter(
        torch.autograd.grad(
            loss, every, retain_graph=True, allow_unused=True, materialize_grads=True
        )
    )
    return [[next(found) for _ in one] for one in parts]


def _rate(curve: NDArray[np.float64]) -> float:
    """Factor per lag, of what is not zero."""
    lags = np.flatnonzero(curve > 0)
    if len(lags) < 2:
        # Nothing comes back at all, or there is nothing to come back from.
        return 0.0 if len(curve) > 1 else float("nan")
    return float(np.exp(np.polyfit(lags, np.log(curve[lags]), 1)[0]))


def _verdict(total: float) -> str:
    if total < 1 / _FACTOR:
        return "vanishing"
    return "exploding" if total > _FACTOR else "steady"
