"""The one number of each prediction that importances explain."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import is_classifier
from torch import Tensor

from sklseq.data import Sequences
from sklseq.nn.layers.losses import Loss
from sklseq.parts.losses import fitted_loss, nearest_to_median

__all__ = ["Explained"]

Array = NDArray[Any]


@dataclass
class Explained:
    """Probability of a class, or a predicted value, of sequences or of one step of each.

    Parameters
    ----------
    model : SequenceEstimator
        A fitted classifier or regressor.
    steps : ndarray of int of shape (n_sequences,) or None
        Of which step of each sequence, counted from 0; None where sequences have one prediction.
    outputs : ndarray of int of shape (n_sequences,)
        Number of the class, or of the output.
    """

    model: Any
    steps: Array | None
    outputs: Array

    @classmethod
    def of(cls, model: Any, data: Sequences, output: Any, step: int) -> Self:
        """That of the predictions of these sequences.

        Raises
        ------
        ValueError
            If there is no such class, output or step.
        """
        steps = _steps(data.lengths, step) if model._per_step else None
        found = cls(model, steps, np.zeros(len(data), dtype=np.int64))
        values = found.values(data, np.arange(len(data)))
        found.outputs = _outputs(model, values, output)
        return found

    def __call__(self, data: Sequences, rows: Array) -> Array:
        """The number for each sequence, each of which stands for one of the rows it was made of."""
        return self.values(data, rows)[np.arange(len(rows)), self.outputs[rows]]

    def values(self, data: Sequences, rows: Array) -> Array:
        """All classes' probabilities, or all outputs, ``(n_sequences, n_outputs)``."""
        model = self.model
        if hasattr(model, "module_"):
            outputs = model._run("forward", data)
            if is_classifier(model):
                values = model._probabilities(outputs)
            else:
                values = nearest_to_median(fitted_loss(model), model._unscaled(outputs))
        else:
            given = np.empty(len(data), dtype=object)
            given[:] = np.split(data.steps, np.cumsum(data.lengths)[:-1])
            values = (model.predict_proba if is_classifier(model) else model.predict)(given)
            if self.steps is not None:
                values = np.concatenate(list(values))
        values = values.reshape(len(values), -1)
        return values if self.steps is None else values[data.starts + self.steps[rows]]

    def of_outputs(self, outputs: Tensor, row: int) -> Tensor:
        """The number for one sequence, of the outputs of its network, with its gradient."""
        model, column = self.model, int(self.outputs[row])
        one = outputs[0 if self.steps is None else int(self.steps[row])]
        if is_classifier(model):
            return torch.sigmoid(one[column]) if model._multilabel else one.softmax(0)[column]
        loss = fitted_loss(model)
        if type(loss).predicted is not Loss.predicted:
            raise ValueError(
                "Integrated gradients are of outputs that are predictions, and with loss="
                f"{model.loss!r} predictions are computed from them: take method='occlusion'."
            )
        scale, mean = float(model.target_scale_[column]), float(model.target_mean_[column])
        return one[column] * scale + mean


def _steps(lengths: Array, step: int) -> Array:
    shortest = int(lengths.min())
    if isinstance(step, bool) or not isinstance(step, (int, np.integer)):
        raise ValueError(f"step={step!r} must be a whole number.")
    if not -shortest <= step < shortest:
        i = int(np.argmin(lengths))
        raise ValueError(f"step={step}: sequence {i} of X has {shortest} steps, from 0 on.")
    return np.full(len(lengths), step) if step >= 0 else lengths + step


def _outputs(model: Any, values: Array, output: Any) -> Array:
    n_rows, n_outputs = values.shape
    if is_classifier(model):
        if output is None:
            return values.argmax(axis=1)
        labels = list(model.classes_)
        if output not in labels:
            raise ValueError(f"output={output!r} is no class of the estimator: {labels!r:.200}.")
        return np.full(n_rows, labels.index(output))
    if output is None and n_outputs > 1:
        raise ValueError(f"There are {n_outputs} outputs: say which one is explained by output=.")
    number = 0 if output is None else output
    if isinstance(number, bool) or not isinstance(number, (int, np.integer)):
        raise ValueError(f"output={output!r} must be the number of an output.")
    if not 0 <= number < n_outputs:
        raise ValueError(f"output={output}: there are {n_outputs} outputs, from 0 on.")
    return np.full(n_rows, number)
