"""Whole runs of reservoirs: all states, the last ones, and runs on their own output."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike

from sklseq.nn.reservoir.states.columns import split_layers
from sklseq.nn.reservoir.states.kernel import Array, Reservoir
from sklseq.nn.reservoir.states.parts import (
    Layers,
    StatePart,
    prepare,
    run_parts,
    stacked,
    state_parts,
)
from sklseq.nn.reservoir.states.threads import one_thread

__all__ = ["all_states", "final_states", "free_run", "gathered"]


def all_states(
    layers: Layers,
    steps: ArrayLike,
    lengths: ArrayLike | None = None,
    *,
    feedback: ArrayLike | None = None,
    initial_state: ArrayLike | None = None,
    n_jobs: int | None = None,
) -> Array:
    """All states, in the order of the steps.

    Parameters
    ----------
    layers, steps, lengths, feedback, initial_state
        As of `state_parts`.
    n_jobs : int or None, default=None
        As of `run_parts`.

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
    layers = stacked(layers)
    parts = state_parts(layers, steps, lengths, feedback=feedback, initial_state=initial_state)
    return gathered(layers, parts, None, len(np.asarray(steps)), n_jobs)


def final_states(
    layers: Layers,
    steps: ArrayLike,
    lengths: ArrayLike | None = None,
    *,
    feedback: ArrayLike | None = None,
    initial_state: ArrayLike | None = None,
    one_width: bool = True,
    n_jobs: int | None = None,
) -> Array:
    """The state after the last step of each sequence.

    Parameters
    ----------
    layers, steps, lengths, feedback, initial_state, one_width
        As of `state_parts`.
    n_jobs : int or None, default=None
        As of `run_parts`.

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
    layers = stacked(layers)
    parts = state_parts(
        layers,
        steps,
        lengths,
        feedback=feedback,
        initial_state=initial_state,
        one_width=one_width,
    )
    return gathered(layers, parts, sequence_of, len(sizes), n_jobs)


def gathered(
    layers: Sequence[Reservoir],
    parts: Sequence[StatePart],
    place: Array | None,
    n_rows: int,
    n_jobs: int | None,
) -> Array:
    """States in row ``place[step]`` of n_rows, where that is not negative; others are zero.

    None places each state in the row of its step.
    """
    out = np.zeros((n_rows, sum(r.units for r in layers)), dtype=layers[0].dtype)

    def write(part: StatePart) -> None:
        for blocks in part.attempts():
            for rows, states in blocks:
                if place is None:
                    out[rows] = states
                else:
                    chosen = place[rows]
                    out[chosen[chosen >= 0]] = states[chosen >= 0]

    run_parts(write, parts, n_jobs=n_jobs)
    return out


def free_run(
    layers: Layers,
    readout: Callable[[Array], ArrayLike],
    state: ArrayLike,
    output: ArrayLike,
    n_steps: int,
    inputs: ArrayLike | None = None,
) -> tuple[Array, Array]:
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
    stack = stacked(layers)
    y = np.asarray(output, dtype=stack[0].dtype)
    n_sequences = len(y)
    outside = np.empty((n_sequences, n_steps, 0)) if inputs is None else inputs
    outside = np.asarray(outside, dtype=y.dtype)
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
