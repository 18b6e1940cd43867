"""Targets and predictions of steps and nodes as flat arrays, for scikit-learn's reports."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data import read_nodes
from sklseq.metrics._steps import (
    StepTargets,
    check_weights,
    incomplete,
    labels_of_one_kind,
    matched_steps,
)

__all__ = ["flatten_nodes", "flatten_steps"]


def flatten_steps(
    y_true: StepTargets, y_pred: StepTargets, *, sample_weight: StepTargets | None = None
) -> tuple[NDArray[Any], ...]:
    """Targets and predictions of all steps, one after the other, for scikit-learn's reports.

    Steps without a target are left out, so that ``classification_report(*flatten_steps(y_true,
    y_pred))`` counts the labeled steps of all sequences.

    Parameters
    ----------
    y_true : array-like
        A target for each step: an array of shape (n_sequences, n_steps[, n_outputs]); a list or
        1-D object array of arrays of shape (n_steps_i[, n_outputs]); one series of shape
        (n_steps,), or a DataFrame of shape (n_steps, n_outputs). A step is without a target where
        None or NaN stands, in one of several outputs too.
    y_pred : array-like
        What `predict`, `predict_proba` or `decision_function` gives for the same steps, in any of
        these containers. What stands at steps without a target does not matter.
    sample_weight : array-like, default=None
        A weight for each sequence, of shape (n_sequences,), which all its steps get; or one for
        each step, in the form of `y_true`.

    Returns
    -------
    y_true : ndarray of shape (n_steps_in_all,) or (n_steps_in_all, n_outputs)
    y_pred : ndarray of shape (n_steps_in_all,) or (n_steps_in_all, n_outputs)
    sample_weight : ndarray of shape (n_steps_in_all,)
        Only if it was given.

    Raises
    ------
    ValueError
        If sequences do not match (the message names the first), no step has a target, or a
        prediction is missing where there is one.

    See Also
    --------
    flatten_nodes : The same for the nodes of trees.
    step_accuracy_score : A score that needs no flattening.

    Examples
    --------
    >>> from sklearn.metrics import confusion_matrix
    >>> from sklseq.metrics import flatten_steps
    >>> y_true, y_pred = flatten_steps([[0, 1, 1], [1, None]], [[0, 1, 0], [1, 0]])
    >>> confusion_matrix(y_true, y_pred)
    array([[1, 0],
           [1, 2]])
    """
    steps = matched_steps(y_true, y_pred, sample_weight)
    flat = (steps.y_true, steps.y_pred)
    return flat if steps.sample_weight is None else (*flat, steps.sample_weight)


def flatten_nodes(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None
) -> tuple[NDArray[Any], ...]:
    """Targets and predictions of all nodes, one after the other, for scikit-learn's reports.

    Nodes without a target are left out.

    Parameters
    ----------
    y_true : array-like of length n_trees
        For each tree nested tuples ``(target, child, ...)`` in its shape, or a list or array with
        a target for each of its nodes. A node whose target is None or NaN is without one.
    y_pred : array-like of length n_trees
        What `predict` or `predict_proba` gives with ``target="node"``, in either form.
    sample_weight : array-like of length n_trees, default=None
        A weight for each tree, which all its nodes get; or those of its nodes, in either form.

    Returns
    -------
    y_true : ndarray of shape (n_nodes_in_all,) or (n_nodes_in_all, n_outputs)
    y_pred : ndarray of shape (n_nodes_in_all,) or (n_nodes_in_all, n_outputs)
    sample_weight : ndarray of shape (n_nodes_in_all,)
        Only if it was given.

    Raises
    ------
    ValueError
        If trees do not match (the message names the first), no node has a target, or a prediction
        is missing where there is one.

    See Also
    --------
    flatten_steps : The same for the steps of sequences.

    Examples
    --------
    >>> from sklseq.metrics import flatten_nodes
    >>> y_true, y_pred = flatten_nodes([("a", "b", ("b", "a"))], [("a", "b", ("a", "a"))])
    >>> y_true.tolist(), y_pred.tolist()
    (['a', 'b', 'b', 'a'], ['a', 'b', 'a', 'a'])
    """
    true = read_nodes(y_true, "y_true")
    pred = read_nodes(y_pred, "y_pred", true, "y_true").values
    present = ~incomplete(true.values)
    if not present.any():
        raise ValueError("y_true has no labeled node.")
    for absent in np.flatnonzero(incomplete(pred) & present)[:1]:
        ends = np.cumsum(true.sizes)
        tree = int(np.searchsorted(ends, absent, side="right"))
        raise ValueError(
            f"tree {tree}, node {absent - ends[tree] + true.sizes[tree]}: the prediction is None "
            "or NaN where y_true has a label."
        )
    flat = labels_of_one_kind(true.values[present]), labels_of_one_kind(pred[present])
    if sample_weight is None:
        return flat
    weights = read_nodes(sample_weight, "sample_weight")
    if set(weights.sizes) == {1} and len(weights.sizes) == len(true.sizes):  # those of trees
        found = np.repeat(weights.values, true.sizes)
    else:
        found = read_nodes(sample_weight, "sample_weight", true, "y_true").values
    return *flat, check_weights(found.astype(np.float64)[present])
