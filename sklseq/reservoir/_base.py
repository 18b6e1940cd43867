"""What all echo state networks share: the reservoir's parameters, its layers, its features."""

from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from sklseq.base import attribute, choice, estimator, integer, param, real
from sklseq.base.randomness import draw_seed
from sklseq.base.scale_warnings import warn_of_offsets
from sklseq.base.sequences import SequenceEstimator
from sklseq.data import Sequences, number_hint
from sklseq.nn.reservoir import RESERVOIR_ACTIVATIONS, TOPOLOGIES
from sklseq.reservoir._features import (
    FEATURES,
    FeatureSource,
    PooledFeatures,
    StateFeatures,
    StepFeatures,
)
from sklseq.reservoir._layers import (
    check_stack,
    checked_scaling,
    draw_layers,
    from_plain,
    spread_leak_rates,
    to_plain,
)
from sklseq.reservoir._pooling import POOLING_UFUNCS, Pooling, check_washout
from sklseq.reservoir._shared_work import shared_rows, shared_slot
from sklseq.training.placement import device_or_cpu, resolve_device

__all__ = ["BaseESN", "PoolingESN"]

_DISTRIBUTIONS = ("normal", "uniform", "bernoulli")
_ROTATIONS = ("orthogonal", "ring", "cosine", "hadamard")


@estimator
class BaseESN(SequenceEstimator):
    """Echo state network over sequences."""

    reservoir_size: int = param(100, "Units of each layer and direction.", integer(1))
    spectral_radius: float = param(
        0.9,
        "Largest modulus of the eigenvalues of the recurrent weights. A 'delay_line' has spectral "
        "radius 0; there this is the weight of its connections.",
        real(0),
    )
    leak_rate: Any = param(
        1.0,
        "Share of a unit's state that is new in each step, in (0, 1]. A tuple gives several time "
        "scales, each used for an equal share of the units; an array of length `reservoir_size` "
        "sets each unit. With `rotation`, the proximity to the edge of stability.",
        real(0, 1, "right"),
        "array-like",
    )
    input_scaling: Any = param(
        0.5,
        "Factor on the input weights, one for all features or one for each.",
        real(0),
        "array-like",
    )
    bias_scaling: float = param(0.2, "Factor on the biases, which are uniform in [-1, 1].", real(0))
    layer_scaling: float = param(
        1.0,
        "Factor on the weights from one layer to the next, whose variance is otherwise one "
        "divided by `reservoir_size`. Not used with one layer.",
        real(0),
    )
    density: float = param(
        0.1,
        "Share of the recurrent weights that are not zero, in the topologies 'random', "
        "'small_world' and 'blocks', and of those between layers.",
        real(0, 1, "right"),
    )
    topology: str = param(
        "random",
        "Connection pattern of the recurrent weights: 'random'; a 'ring', cut as a 'delay_line' or "
        "with 'jumps'; a random 'orthogonal' matrix; a 'small_world'; four 'blocks'; or an "
        "orthogonal matrix by a fast 'cosine' or 'hadamard' transform, for very large reservoirs.",
        choice(*TOPOLOGIES),
    )
    weight_distribution: str = param(
        "normal",
        "Distribution of the recurrent weights that are not zero: standard normal, uniform in "
        "[-1, 1], or -1 and 1; all before scaling.",
        choice(*_DISTRIBUTIONS),
    )
    input_distribution: str = param(
        "uniform", "Distribution of the input weights, in the same way.", choice(*_DISTRIBUTIONS)
    )
    rotation: str | None = param(
        None,
        "Edge of stability network (ES2N): topology of an orthogonal matrix that turns the share "
        "of the state that is kept. None keeps it as it is (leaky units).",
        choice(*_ROTATIONS),
        None,
    )
    activation: str = param("tanh", "Activation of the units.", choice(*RESERVOIR_ACTIVATIONS))
    num_layers: int = param(
        1,
        "Reservoirs on top of each other, each driven by the one below; the readout sees all.",
        integer(1),
    )
    washout: int = param(
        0,
        "First steps of each sequence whose states are not used, in each direction: they still "
        "depend on the zero they start from. With target='step' nothing is fitted to them; "
        "they are predicted, and do not count in `score`.",
        integer(0),
    )
    features: str = param(
        "state",
        "Features of a step for the readout: the states, also with the input, their squares, or "
        "both.",
        choice(*FEATURES),
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
        "Device that computes the states: 'cpu', 'cuda', 'cuda:1', 'mps', or 'auto' for the best "
        "there.",
        str,
    )
    random_state: Any = param(None, "Seed of the weights.", "random_state")

    _attributes = {
        "layers_": attribute("list of Reservoir", "The reservoir's layers, the lowest first."),
        "backward_layers_": attribute(
            "list of Reservoir or None", "Those that read each sequence backward, if there are any."
        ),
        "n_features_in_": attribute("int", "Number of features seen in `fit`."),
        "feature_names_in_": attribute(
            "ndarray of shape (`n_features_in_`,)", "Column names, where X was a DataFrame."
        ),
    }

    # Parameters of most estimators, with the only values that the others know.
    bidirectional, dtype = False, "float64"

    # Parameters that decide which features a fitted readout takes of a row.
    _of_features: ClassVar[tuple[str, ...]] = ("features",)

    # -- reading and drawing ---------------------------------------------------------------

    def _read_steps(self, X: Any, reset: bool) -> Sequences:
        settings = {name: getattr(self, name) for name in self._of_features}
        if reset:
            self._fitted_settings = settings
        for name, value in settings.items():
            if value != (fitted := self._fitted_settings[name]):
                raise ValueError(
                    f"{name}={value!r}, but {type(self).__name__} was fitted with "
                    f"{name}={fitted!r}: set it back, or fit again."
                )
        sequences = self._read_X(X, reset=reset, dtype=self.dtype)
        if sequences.symbolic:
            raise ValueError(
                f"X holds symbols, but {type(self).__name__} takes numbers: encode them first, "
                "for example one-hot."
                f"{number_hint(sequences.steps)}"
            )
        return sequences

    def _draw_layers(self, n_inputs: int) -> None:
        spread_leak_rates(self.leak_rate, self.reservoir_size)
        checked_scaling("input_scaling", self.input_scaling, n_inputs)
        known = shared_slot(self, "layers", n_inputs)
        if known.value is None:
            seed = draw_seed(self.random_state)
            known.value = [
                draw_layers(self, n_inputs, seed, direction, self.dtype)
                for direction in range(1 + self.bidirectional)
            ]
        ahead, *back = known.value
        self.layers_, self.backward_layers_ = list(ahead), list(back[0]) if back else None

    def _state_features(self) -> StateFeatures:
        device = str(device_or_cpu(self.device))
        both = [
            None if layers is None else [replace(layer, device=device) for layer in layers]
            for layers in (self.layers_, self.backward_layers_)
        ]
        return StateFeatures(both[0] or [], both[1], self.features, self.n_jobs)

    # -- storage ---------------------------------------------------------------------------

    _stored: ClassVar[dict[str, Any]] = {
        "layers_": "restored",
        "backward_layers_": "restored",
        "_n_step_features": "int",
        "_fitted_settings": "data",
    }

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "layers_")

    def __getstate__(self) -> dict[str, Any]:
        """Plain arrays instead of reservoirs: safe to read, on any machine."""
        state = super().__getstate__()
        for name in ("layers_", "backward_layers_"):
            if state.get(name) is not None:
                state[name] = [to_plain(layer) for layer in state[name]]
        return state

    def _restored(self, state: dict[str, Any]) -> dict[str, Any]:
        state = dict(super()._restored(state))
        for name in ("layers_", "backward_layers_"):
            if state[name] is not None or name == "layers_":
                state[name] = [from_plain(layer) for layer in state[name]]
                check_stack(state[name], name, self._n_inputs(state))
        return state

    def _n_inputs(self, state: dict[str, Any]) -> int:
        """Inputs of the lowest layer, its feedback not counted."""
        return int(state["_n_step_features"])

    def _check_learned(self) -> None:
        if self._fitted_settings.keys() != set(self._of_features):
            raise ValueError(f"_fitted_settings holds {sorted(self._fitted_settings)}.")


@estimator
class PoolingESN(BaseESN):
    """Echo state network whose rows are steps, or sequences whose steps are pooled."""

    bidirectional: bool = param(
        False,
        "Whether a second reservoir reads each sequence backward. Per step, the prediction then "
        "depends on later steps too.",
        "boolean",
    )
    pooling: str = param(
        "last",
        "Summary of the features of a sequence's steps: those of the 'last' step read, their "
        "'mean' or 'max'. Not used with target='step'.",
        choice(*POOLING_UFUNCS),
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

    _of_features = ("target", "features", "pooling", "n_slices", "washout")

    def _read_training(self, X: Any, fresh: bool) -> Sequences:
        """X as read; a fresh fit draws the reservoir for it."""
        resolve_device(self.device)
        sequences = self._read_steps(X, reset=fresh)
        if fresh:
            self._draw_layers(sequences.steps.shape[1])
            warn_of_offsets(sequences.steps, self.input_scaling, type(self).__name__)
        if self._per_step:
            check_washout(sequences.lengths, self.washout * (1 + self.bidirectional))
        return sequences

    @property
    def _n_columns(self) -> int:
        """Features of a row."""
        return self._state_features().n_features * (1 if self._per_step else self.n_slices)

    def _source(self, X: Sequences, training: bool = False, begin: Any = None) -> FeatureSource:
        """The features of the rows of X; of steps with these states before the first ones."""
        run = self._state_features()
        if self._per_step:
            return StepFeatures(
                run, X.steps, X.lengths, one_width=not training, initial_state=begin
            )
        pooling = Pooling(self.pooling, self.washout, self.n_slices)
        check_washout(X.lengths, pooling.washout, pooling.n_slices)
        sequences = np.split(X.steps, X.starts[1:])
        slots = shared_rows(self, "pooled", sequences)
        new = [i for i, slot in enumerate(slots) if slot.value is None]
        if new:
            steps = X.steps if len(new) == len(X) else np.concatenate([sequences[i] for i in new])
            for i, row in zip(new, run.pooled(steps, X.lengths[new], pooling), strict=True):
                slots[i].value = row
        return PooledFeatures(np.stack([slot.value for slot in slots]), self.dtype)
