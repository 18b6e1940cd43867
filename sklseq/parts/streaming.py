"""Sequences that are read as they come, chunk by chunk."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils.metaestimators import available_if

from sklseq.data import Sequences, as_sequences
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.carried import Carried
from sklseq.parts.missing_steps import check_gaps_as_fitted, has_gaps
from sklseq.training.context import threads
from sklseq.training.placement import parameter_of
from sklseq.training.rows.sequences import steps_at_once
from sklseq.training.run import check_outputs, work_of
from sklseq.training.run_on import run_on

__all__ = ["Stream", "carried_example"]

Array = NDArray[Any]


def _has(method: str) -> Callable[["Stream"], bool]:
    return lambda self: hasattr(self._model, method)


def carried_example(model: Any) -> Carried:
    """What the network of a fitted model carries of one sequence."""
    module, settings, carried = model.module_, model._module_kwargs, Carried()
    like = parameter_of(module)
    size = settings["n_features"]
    steps = like.new_zeros(1, size) if module.embedding is None else like.new_zeros(1).long()
    n_context = settings.get("n_context", 0)
    context = like.new_zeros(1, n_context) if n_context else None
    with torch.inference_mode():
        module(steps, Packing(np.ones(1, dtype=np.int64), like.device), context, carried)
    return carried


class Stream:
    """A fitted network that reads sequences chunk by chunk and remembers where it is.

    Results are those of the estimator for the whole sequences, to rounding, wherever they were
    cut. The method `stream` of an estimator makes it, and has an example. What is fitted later
    does not change it, and it does not change the estimator. It can be pickled and copied at any
    point; `get_state` gives what it remembers without the model.

    A chunk holds the next steps, any number of them, of one sequence: a ``(n_steps,
    n_features)`` or ``(n_steps,)`` array, a DataFrame, symbols. With `n_sequences`, X is a list
    (or array) of chunks, one for each sequence; one without steps is that of a sequence that has
    nothing new. With ``target="step"`` there are results for all steps of a chunk. With
    ``target="sequence"`` there is one for all steps so far.

    Parameters
    ----------
    model : estimator
        Fitted.
    n_sequences : int or None, default=None
        Sequences to read side by side; None reads one, whose results have no axis of sequences.
    context : array-like of shape (n_sequences, n_context_features) or None, default=None
        What is known of each sequence as a whole, where the model was fitted with it.
    """

    def __init__(self, model: Any, n_sequences: int | None = None, context: Any = None):
        whole = isinstance(n_sequences, (int, np.integer)) and not isinstance(n_sequences, bool)
        if n_sequences is not None and not (whole and n_sequences >= 1):
            raise ValueError(f"n_sequences={n_sequences!r} is not None or an int of at least 1.")
        module = model.module_
        if not getattr(module, "reads_on", False):
            raise ValueError(
                f"This {type(model).__name__} reads sequences from their end, too "
                "(bidirectional=True), so that a result depends on all that is to come: there is "
                "no stream. Fit with bidirectional=False."
            )
        # Chunks are read without these checks.
        model._check_as_fitted("target", "step" if module.pooling is None else "sequence")
        check_gaps_as_fitted(model)
        if has_gaps(model):
            raise ValueError(
                f"missing={model.missing!r} and time_feature={model.time_feature!r} read from the "
                "steps before when a value was last observed, which a stream does not keep. Fit "
                "with missing='error' and time_feature=None, for example on imputed values."
            )
        # A shallow copy: fits of the estimator replace what it has learned.
        self._model, self._one = copy(model), n_sequences is None
        self._model.carry_state = False  # a stream has states of its own
        self._pooled = module.pooling is not None
        self._predicted = "_labels" if is_classifier(model) else "_unscaled"
        self._symbolic = hasattr(model, "vocabulary_")
        named = hasattr(model, "feature_names_in_")
        # Features of arrays that there is nothing to ask about but whether they are finite.
        self._plain = None if self._symbolic or named else model._n_step_features
        self._work, self._at_once = work_of(module), steps_at_once(module)
        self._like = parameter_of(module)
        self.n_sequences = 1 if n_sequences is None else int(n_sequences)
        # Of sequences that are not read yet; that of one is also a vector.
        none = Sequences(
            np.empty((0, 1)),
            np.zeros(self.n_sequences, dtype=np.int64),
            "series" if self._one else "ragged",
        )
        self._context = model._with_context(none, context, None, False).context
        self.reset()

    # -- results ---------------------------------------------------------------------------

    @available_if(_has("predict"))
    def predict(self, X: Any) -> Any:
        """Read on, and predict as the estimator does.

        Parameters
        ----------
        X : chunk, or list of chunks

        Returns
        -------
        ndarray
            Of shape ``(n_steps,)`` or ``(n_steps, n_outputs)``; for several sequences in the
            container of X. With ``target="sequence"`` one result, or ``(n_sequences, ...)``.
        """
        return self._read_on(X, "forward", getattr(self._model, self._predicted))

    @available_if(_has("predict_proba"))
    def predict_proba(self, X: Any) -> Any:
        """Read on, and give the probability of each class.

        Parameters
        ----------
        X : chunk, or list of chunks

        Returns
        -------
        ndarray
            As that of `predict`, with an axis of classes.
        """
        return self._read_on(X, "forward", self._model._probabilities)

    @available_if(_has("transform"))
    def transform(self, X: Any) -> Any:
        """Read on, and give the states of the network.

        Parameters
        ----------
        X : chunk, or list of chunks

        Returns
        -------
        ndarray
            Of shape ``(n_steps, n_features_out)``; for several sequences in the container of X.
            With ``target="sequence"`` ``(n_features_out,)``, or ``(n_sequences,
            n_features_out)``.
        """
        return self._read_on(X, "features", lambda states: states)

    # -- what it remembers -----------------------------------------------------------------

    def reset(self, sequences: Any = None) -> Self:
        """Forget what was read: what comes next is the start of a sequence.

        Parameters
        ----------
        sequences : array-like of int or None, default=None
            Numbers of the sequences that begin anew; None for all.

        Returns
        -------
        self
        """
        if sequences is None:
            self._carried: Carried | None = None
            self._outputs: Array | None = None
            self._n_steps = np.zeros(self.n_sequences, dtype=np.int64)
        else:
            n_steps = self._n_steps.copy()
            n_steps[sequences] = 0
            self._n_steps = n_steps
        return self

    @property
    def n_steps(self) -> Any:
        """Steps read so far: an int, or ``(n_sequences,)``."""
        return int(self._n_steps[0]) if self._one else self._n_steps.copy()

    def copy(self) -> Self:
        """A stream that goes on from here on its own."""
        return copy(self)  # what is remembered is replaced, never written to

    def get_state(self) -> dict[str, Any]:
        """What it remembers, in plain arrays; a few numbers for each unit of the network.

        Returns
        -------
        dict
            For `set_state` of a stream of the same model, in any process.
        """
        tensors = [] if self._carried is None else self._carried.tensors()
        return {
            "n_steps": self._n_steps.copy(),
            "tensors": [tensor.cpu().numpy().copy() for tensor in tensors],
            "outputs": None if self._outputs is None else self._outputs.copy(),
        }

    def set_state(self, state: dict[str, Any]) -> Self:
        """Go on from what a stream of the same model remembered.

        Parameters
        ----------
        state : dict
            As `get_state` gives it.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If it is that of another model, or of another number of sequences.
        """
        example = carried_example(self._model)
        expected = [(self.n_sequences, *tensor.shape[1:]) for tensor in example.tensors()]
        try:
            n_steps = np.array(state["n_steps"], dtype=np.int64)
            given = [np.asarray(s) for s in state["tensors"]]
            outputs = None if state["outputs"] is None else np.array(state["outputs"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("state is not what get_state gives.") from error
        if n_steps.shape != (self.n_sequences,):
            raise ValueError(
                f"state is that of {n_steps.size} sequences, and this stream has "
                f"{self.n_sequences}."
            )
        shapes = [s.shape for s in given]
        if shapes != expected and (given or n_steps.any()):
            raise ValueError(f"state has arrays of shapes {shapes}, expected {expected}.")
        if self._pooled and given and (outputs is None or len(outputs) != self.n_sequences):
            raise ValueError("state lacks the outputs of its sequences.")
        left = iter(given)
        self._carried = None
        if given:
            self._carried = example.mapped(lambda like: torch.tensor(next(left)).to(like))
        self._n_steps, self._outputs = n_steps, outputs
        return self

    def __getstate__(self) -> dict[str, Any]:
        n_sequences = None if self._one else self.n_sequences
        return {
            "model": self._model,
            "n_sequences": n_sequences,
            "context": self._context,
            "state": self.get_state(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(  # type: ignore[misc]
            state["model"], state["n_sequences"], state["context"]
        )
        self.set_state(state["state"])

    def __copy__(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __repr__(self) -> str:
        n_sequences = None if self._one else self.n_sequences
        return f"{self._model!r}.stream({n_sequences})"

    # -- reading on ------------------------------------------------------------------------

    def _read_on(self, X: Any, function: str, result_of: Callable[[Array], Array]) -> Any:
        data = replace(self._read(X), context=self._context)
        model, module, n_steps = self._model, self._model.module_, self._n_steps + data.lengths
        if self._pooled and not n_steps.all():
            raise ValueError(
                f"X, sequence {int(np.argmin(n_steps))} has no step yet: there is nothing to "
                'predict from with target="sequence".'
            )
        rows = model._rows(data, self._like)
        with torch.inference_mode(), threads(model.n_threads, self._work):
            outputs, carried = run_on(
                getattr(module, function),
                rows,
                self._carried,
                self._n_steps > 0,
                per_part=not self._pooled,
                at_once=self._at_once,
            )
        if self._outputs is not None:  # also those of sequences that have nothing new
            outputs = np.where(data.lengths[:, None] > 0, outputs, self._outputs)
        check_outputs(outputs, rows, not self._pooled)
        result = result_of(outputs)
        # From here on nothing fails.
        self._carried, self._n_steps = carried, n_steps
        if self._pooled:
            self._outputs = outputs
            return result[0] if self._one else result
        return result if self._one else data.restore(result)

    def _read(self, X: Any) -> Sequences:
        """Chunks as the estimator reads sequences; those without steps have length 0."""
        if self._one:
            plain = type(X) is np.ndarray and X.ndim == 2 and X.shape[1] == self._plain
            if plain and len(X) and X.dtype.kind in "fiu":
                # Whether its numbers are finite is asked once they are scaled.
                return Sequences(X.astype(np.float64, copy=False), np.array([len(X)]))
            return self._model._read_fitted([self._as_chunk(X)])
        X = as_sequences(X)
        if hasattr(X, "columns") or (isinstance(X, np.ndarray) and X.ndim == 3):
            data = self._model._read_fitted(X)
        else:
            data = self._read_chunks([self._as_chunk(chunk) for chunk in X])
        if len(data) != self.n_sequences:
            raise ValueError(
                f"X has {len(data)} chunks, expected one for each of the "
                f"{self.n_sequences} sequences."
            )
        return data

    def _read_chunks(self, chunks: list[Any]) -> Sequences:
        """A list of chunks, some of which may be empty."""
        empty = np.array([len(chunk) == 0 for chunk in chunks], dtype=bool)
        if not empty.any():
            return self._model._read_fitted(chunks)
        if empty.all():
            raise ValueError("X has no step: give at least one chunk that is not empty.")
        # With a step that is taken out again, errors have the number of the sequence.
        step = chunks[int(np.argmin(empty))][:1]
        filled = [step if is_empty else c for c, is_empty in zip(chunks, empty, strict=True)]
        data = self._model._read_fitted(filled)
        steps = np.delete(data.steps, data.starts[empty], axis=0)
        return Sequences(steps, np.where(empty, 0, data.lengths), "ragged")

    def _as_chunk(self, chunk: Any) -> Any:
        """A list of numbers as an array, which cannot be taken for a table."""
        if self._symbolic or not isinstance(chunk, (list, tuple)):
            return chunk
        return np.asarray(chunk)
