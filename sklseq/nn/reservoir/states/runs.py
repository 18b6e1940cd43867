"""Whole runs of reservoirs: all states, the last ones, and runs on their own output."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from joblib import parallel_config
from numpy.typing import ArrayLike, NDArray

from sklseq.nn.reservoir.states.blocks import Layers, map_states, one_thread, prepare
from sklseq.nn.reservoir.states.columns import Block, split_layers
from sklseq.nn.reservoir.states.kernel import Reservoir

__all__ = ["all_states", "final_states", "free_run"]


def all_states(
    layers: Layers,
    steps: ArrayLike,
    lengths: ArrayLike | None = None,
    *,
    feedback: ArrayLike | None = None,
    initial_state: ArrayLike | None = None,
    n_jobs: int | None = None,
) -> NDArray[Any]:
    """All states, in the order of the steps.

    Parameters
    ----------
    layers, steps, lengths, feedback, initial_state, n_jobs
        As of `map_states`.

    Returns
    -------
    states : ndarray of shape (sum of lengths, units)
        After each step.

    Examples
    --------
    >>> import numpy as np
    >>> r = Reservoir(np.full((1, 1), 0.5), np.ones((1, 1)), activation="identity")
    >>> all_states(r, [[1.0], [0.0], [0.0]]).ravel()
    array([1.  , 0.5 , 0.25])
    """
    stack = (layers,) if isinstance(layers, Reservoir) else tuple(layers)
    out = np.empty((len(np.asarray(steps)), sum(r.units for r in stack)), dtype=stack[0].dtype)

    def write(blocks: Iterable[Block]) -> None:
        for rows, block in blocks:
            out[rows] = block

    # Workers of another process would write to a copy.
    with parallel_config(backend="threading"):
        map_states(
            stack,
            steps,
            write,
            lengths,
            feedback=feedback,
            initial_state=initial_state,
            n_jobs=n_jobs,
        )
    return out


def final_states(
    layers: Layers,
    steps: ArrayLike,
    lengths: ArrayLike | None = None,
    *,
    feedback: ArrayLike | None = None,
    initial_state: ArrayLike | None = None,
    n_jobs: int | None = None,
) -> NDArray[Any]:
    """The state after the last step of each sequence.

    Parameters
    ----------
    layers, steps, lengths, feedback, initial_state, n_jobs
        As of `map_states`.

    Returns
    -------
    states : ndarray of shape (n_sequences, units)

    Raises
    ------
    ValueError
        If a sequence has no step.

    Examples
    --------
    >>> import numpy as np
    >>> r = Reservoir(np.full((1, 1), 0.5), np.ones((1, 1)), activation="identity")
    >>> final_states(r, [[1.0], [0.0], [3.0]], lengths=[2, 1]).ravel()
    array([0.5, 3. ])
    """
    n_steps = len(np.asarray(steps))
    sizes = np.asarray([n_steps] if lengths is None else lengths)
    if (sizes < 1).any():
        raise ValueError(f"Sequence {int(np.argmin(sizes))} has no step and so no final state.")
    sequence_of = np.full(n_steps, -1)
    sequence_of[np.cumsum(sizes) - 1] = np.arange(len(sizes))

    def last(blocks: Iterable[Block]) -> list[Block]:
        found = []
        for rows, block in blocks:
            ending = sequence_of[rows] >= 0
            found.append((sequence_of[rows[ending]], block[ending]))
        return found

    parts = map_states(
        layers,
        steps,
        last,
        lengths,
        feedback=feedback,
        initial_state=initial_state,
        n_jobs=n_jobs,
    )
    sequences, found = zip(*(pair for part in parts for pair in part), strict=True)
    return np.concatenate(found)[np.argsort(np.concatenate(sequences))]


def free_run(
    layers: Layers,
    readout: Callable[[NDArray[Any]], ArrayLike],
    state: ArrayLike,
    output: ArrayLike,
    n_steps: int,
    inputs: ArrayLike | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Let reservoirs run on their own output.

    Parameters
    ----------
    layers : Reservoir or sequence of Reservoir
        The reservoir, with feedback weights, or several stacked.
    readout : callable
        Output (n_sequences, n_outputs) of states (n_sequences, units). It is called once a
        step, in order, so it may also learn (see `RecursiveLeastSquares.force`).
    state : array-like of shape (n_sequences, units)
        States to start from, such as of `final_states`.
    output : array-like of shape (n_sequences, n_outputs)
        The last outputs, fed back into the first step.
    n_steps : int
        Steps to run.
    inputs : array-like of shape (n_sequences, n_steps, n_inputs) or None, default=None
        Inputs from outside; None if the reservoir has none.

    Returns
    -------
    outputs : ndarray of shape (n_sequences, n_steps, n_outputs)
        What the readout said.
    state : ndarray of shape (n_sequences, units)
        After the last step.

    Examples
    --------
    >>> import numpy as np
    >>> r = Reservoir(np.zeros((1, 1)), np.ones((1, 0)), feedback_weights=np.ones((1, 1)),
    ...               activation="identity")
    >>> free_run(r, lambda x: 2 * x, [[0.0]], [[1.0]], n_steps=3)[0].ravel()
    array([2., 4., 8.])
    """
    stack = (layers,) if isinstance(layers, Reservoir) else tuple(layers)
    y = np.asarray(output, dtype=stack[0].dtype)
    n_sequences = len(y)
    if inputs is None:
        outside = np.empty((n_sequences, n_steps, 0), dtype=y.dtype)
    else:
        outside = np.asarray(inputs, dtype=y.dtype)
    data = prepare(stack, outside[:, 0], np.ones(n_sequences), y, state)
    kernels = data.kernels()
    layer_states, x = split_layers(kernels, data.initial), data.initial
    outputs = np.empty((n_sequences, n_steps, y.shape[1]), dtype=y.dtype)
    with one_thread():
        for t in range(n_steps):
            drive = torch.from_numpy(np.hstack([outside[:, t], y]).T[None]).to(kernels[0].device)
            for i, kernel in enumerate(kernels):
                drive = kernel.run(layer_states[i], drive)
                layer_states[i] = drive[0].clone()
            x = torch.cat(layer_states).t().cpu().numpy()
            y = outputs[:, t] = np.asarray(readout(x))
    return outputs, x
