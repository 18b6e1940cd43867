"""What all estimators with a reservoir share: its parameters, its layers, its features."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from joblib import parallel_config
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklseq import __version__
from sklseq.base import attribute, choice, estimator, integer, param
from sklseq.base.sequences import SequenceEstimator
from sklseq.data import Sequences
from sklseq.nn.reservoir import Reservoir
from sklseq.reservoir._layers import draw_layers, from_plain, spread_leak_rates, to_plain
from sklseq.reservoir._parameters import ReservoirParameters
from sklseq.reservoir._pooling import POOLINGS, Block, check_lengths
from sklseq.reservoir._shared_work import is_sharing, shared, shared_rows
from sklseq.reservoir._states import FEATURES, StateFeatures
from sklseq.reservoir._sums import Source
from sklseq.reservoir._threads import one_blas_thread
from sklseq.training.placement import resolve_device

__all__ = ["BaseESN"]


@estimator
class BaseESN(ReservoirParameters, SequenceEstimator):
    """Echo state network over sequences."""

    washout: int = param(
        0,
        "First steps of each sequence whose states are not used, in each direction: they still "
        "depend on the zero they start from. With target='step' nothing is fitted to them; "
        "they are predicted.",
        integer(0),
    )
    features: str = param(
        "state",
        "What the readout sees of a step: the states, also with the input, their squares, or both.",
        choice(*FEATURES),
    )
    pooling: str = param(
        "last",
        "How the features of a sequence's steps become one vector: those of the 'last' step read, "
        "their 'mean' or 'max'. Not used with target='step'.",
        choice(*POOLINGS),
    )
    n_slices: int = param(
        1,
        "Slices of equal length that are pooled each on its own, side by side. Not used with "
        "target='step'.",
        integer(1),
    )
    dtype: str = param(
        "float64",
        "Type of the states; the readout is always solved in float64.",
        choice("float64", "float32"),
    )
    n_jobs: int | None = param(
        None,
        "Workers that share the sequences, or segments of long ones; -1 for all processors. "
        "Results are the same for any number.",
        Integral,
        None,
    )
    device: str = param(
        "cpu",
        "Where states are computed: 'cpu', 'cuda', 'cuda:1', 'mps', or 'auto' for the best there.",
        str,
    )
    random_state: Any = param(None, "Seed of the weights.", "random_state")

    _attributes = {
        "layers_": attribute("list of Reservoir", "The reservoir's layers, the lowest first."),
        "backward_layers_": attribute(
            "list of Reservoir or None", "Those that read backward, if `bidirectional`."
        ),
        "n_features_in_": attribute("int", "Number of features seen in `fit`."),
        "feature_names_in_": attribute(
            "ndarray of shape (n_features_in_,)", "Column names, where X was a DataFrame."
        ),
    }

    @property
    def _reading(self) -> dict[str, Any]:
        """How `_read_X` is to read X."""
        return {"dtype": self.dtype}

    def _read_steps(self, X: Any, reset: bool) -> Sequences:
        sequences = self._read_X(X, reset=reset, **self._reading)
        if sequences.symbolic:
            raise ValueError(
                f"X holds symbols, but {type(self).__name__} takes numbers: encode them first, "
                "for example one-hot."
            )
        return sequences

    def _read_training(self, X: Any, fresh: bool) -> Sequences:
        """X as read; a fresh fit draws the reservoir for it."""
        resolve_device(self.device)
        sequences = self._read_steps(X, reset=fresh)
        if fresh:
            self._draw_layers(sequences.steps.shape[1])
        if self._per_step:
            check_lengths(sequences.lengths, self.washout * (1 + self.bidirectional), 1)
        return sequences

    def _draw_layers(self, n_inputs: int) -> None:
        spread_leak_rates(self.leak_rate, self.reservoir_size)
        scaling = np.asarray(self.input_scaling, dtype=np.float64)
        if scaling.shape not in ((), (n_inputs,)) or not (scaling >= 0).all():
            raise ValueError(
                f"input_scaling={self.input_scaling!r}: it must be one number, or one for each of "
                f"the {n_inputs} features, at least 0."
            )
        if not np.isfinite(scaling).all():
            raise ValueError(f"input_scaling={self.input_scaling!r} is not finite.")
        seed = _draw_seed(self.random_state)

        def draw() -> list[list[Reservoir]]:
            return [draw_layers(self, n_inputs, seed, d) for d in range(1 + self.bidirectional)]

        ahead, *back = shared(self, "layers", n_inputs, draw)
        self.layers_, self.backward_layers_ = list(ahead), list(back[0]) if back else None

    def _state_features(self) -> StateFeatures:
        device = _device_or_cpu(self.device)
        both = [
            None if layers is None else [replace(layer, device=device) for layer in layers]
            for layers in (self.layers_, self.backward_layers_)
        ]
        return StateFeatures(both[0] or [], both[1], self.features, self.n_jobs)

    @property
    def _n_columns(self) -> int:
        """Features that the readout sees of a row."""
        return self._state_features().n_features * (1 if self._per_step else self.n_slices)

    def _source(self, X: Sequences) -> Source:
        """What gives the features of X block by block, as often as asked."""
        run = self._state_features()
        if self._per_step:
            return lambda consume: run.over_steps(X.steps, X.lengths, consume)
        check_lengths(X.lengths, self.washout, self.n_slices)
        each = np.split(X.steps, X.starts[1:])

        def pooled(chosen: NDArray[np.int64]) -> NDArray[np.float64]:
            all_of_them = len(chosen) == len(X)
            steps = X.steps if all_of_them else np.concatenate([each[i] for i in chosen])
            return run.pooled(steps, X.lengths[chosen], self.washout, self.pooling, self.n_slices)

        rows = shared_rows(self, "pooled", each, pooled)
        return lambda consume: [consume([(np.arange(len(X)), rows)])]

    def _map_rows(
        self, X: Any, function: Callable[[NDArray[Any]], Any], width: int, dtype: Any = np.float64
    ) -> tuple[Sequences, NDArray[Any]]:
        """X as read, and a function of the features of its sequences, or of its stacked steps.

        The function gives an array (n_rows, width) of features (n_rows, n_features).
        """
        check_is_fitted(self)
        sequences = self._read_steps(X, reset=False)
        n_rows = len(sequences.steps) if self._per_step else len(sequences)

        def fill(results: NDArray[Any], function: Callable[[NDArray[Any]], Any]) -> NDArray[Any]:
            def write(blocks: Iterable[Block]) -> None:
                for rows, features in blocks:
                    results[rows] = function(features)

            # Workers of another process would write to a copy.
            with one_blas_thread(), parallel_config(backend="threading"):
                self._source(sequences)(write)
            return results

        results = np.empty((n_rows, width), dtype=dtype)
        shape = n_rows, self._n_columns
        if not self._per_step or not is_sharing(self, shape):
            return sequences, fill(results, function)
        features = shared(
            self,
            "features",
            (sequences.steps, sequences.lengths),
            lambda: fill(np.empty(shape, dtype=self.dtype), lambda x: x),
        )
        results[:] = function(features)
        return sequences, results

    @contextmanager
    def _reported(self, data: dict[str, Any]) -> Iterator[None]:
        """A fit that scikit-learn's callbacks see begin and end."""
        context = self._init_callback_context()
        context.call_on_fit_task_begin(estimator=self, **data)
        yield
        fitted = {k: v for k, v in vars(self).items() if k not in self.get_params(deep=False)}
        context.call_on_fit_task_end(
            estimator=self,
            **data,
            reconstruction_attributes={k: v for k, v in fitted.items() if "callback" not in k},
        )

    def _without_washout(self, weights: NDArray[Any], X: Sequences) -> NDArray[Any]:
        """Weights of rows, 0 in the washout of steps."""
        if not self._per_step or self.washout == 0:
            return weights
        position = np.arange(len(X.steps)) - np.repeat(X.starts, X.lengths)
        kept = position >= self.washout
        if self.bidirectional:
            kept &= position < np.repeat(X.lengths, X.lengths) - self.washout
        return weights * (kept if weights.ndim == 1 else kept[:, None])

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "layers_")

    def __getstate__(self) -> dict[str, Any]:
        """Plain arrays instead of reservoirs: safe to read, on any machine."""
        state = dict(super().__getstate__())
        state["_sklseq_version"] = __version__
        for name in ("layers_", "backward_layers_"):
            if state.get(name) is not None:
                state[name] = [to_plain(layer) for layer in state[name]]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        version = state.pop("_sklseq_version", __version__)
        if version != __version__:
            warnings.warn(
                f"This {type(self).__name__} was saved by sklseq {version} and is loaded by "
                f"{__version__}; its results may differ.",
                UserWarning,
                stacklevel=2,
            )
        for name in ("layers_", "backward_layers_"):
            if state.get(name) is not None:
                state[name] = [from_plain(layer) for layer in state[name]]
        super().__setstate__(state)


def _draw_seed(random_state: Any) -> int:
    """A seed; None takes fresh entropy and leaves numpy's global generator alone."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _device_or_cpu(device: str) -> str:
    try:
        return str(resolve_device(device))
    except ValueError:  # fitted where there was one
        return "cpu"
