"""What the gates of a recurrent network let through, step by step."""

from typing import Any

import numpy as np
import torch
from sklearn.utils import Bunch

from sklseq.inspection.models import read_one
from sklseq.inspection.networks.recording import layer_of, recorded, recurrent

__all__ = ["gate_activations"]


def gate_activations(estimator: Any, X: Any, *, layer: int = 0, context: Any = None) -> Bunch:
    """Values of a layer's gates at each step of a sequence.

    Gates are named as in the equations of the cells: "input", "forget" and "output" of an LSTM,
    "reset" and "update" of a GRU (torch's, which keeps the old state where "update" is 1), "forget"
    of the minimal gated unit, "input" and "forget" of the cells that train in parallel. What takes
    the place of gates counts, too: "leak rate" of leaky units, "ticks" of a clockwork network.

    Parameters
    ----------
    estimator : estimator instance
        A fitted classifier, regressor or transformer of `sklseq.recurrent`, or a pipeline or
        search with one.
    X : sequences
        One sequence, in a container as in `predict`.
    layer : int, default=0
        Which recurrent layer, from 0 for the lowest; of both directions the forward one.
    context : array-like of shape (1, n_context_features) or None, default=None
        As in `fit`.

    Returns
    -------
    gates : :class:`~sklearn.utils.Bunch`
        Of each gate an ndarray of shape (n_steps, hidden_size), or (n_steps, 1) where it has one
        value for all units; all between 0 and 1.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is not such an estimator.
    ValueError
        If X is not one sequence, there is no such layer, or its cell has no gates.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.inspection import gate_activations
    >>> from sklseq.recurrent import LSTMRegressor
    >>> X = np.random.default_rng(0).normal(size=(20, 30, 1))
    >>> model = LSTMRegressor(hidden_size=8, max_epochs=3, random_state=0).fit(X, X[:, -1, 0])
    >>> gates = gate_activations(model, X[:1])
    >>> sorted(gates), gates.forget.shape
    (['forget', 'input', 'output'], (30, 8))
    """
    model, data = recurrent(estimator, X, context)
    run = recorded(model, read_one(data, "gates are those"))
    chosen = layer_of(run, layer)
    cell, found = chosen.layer, []
    with torch.no_grad():
        for x_t, before in zip(chosen.x.split(1), [None, *chosen.states[:-1]], strict=True):
            found.append(cell.gate_values(x_t, before))
    if not found[0]:
        raise ValueError(
            f"cell={model.cell!r} has no gates to be shown: a network of 'lstm' or 'gru' has."
        )
    return Bunch(
        **{name: np.concatenate([values[name].numpy() for values in found]) for name in found[0]}
    )
