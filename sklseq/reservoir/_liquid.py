"""Liquid state machines: the activity of fixed spiking neurons as features."""

import math
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, choice, estimator, integer, param, real
from sklseq.base.randomness import draw_seed
from sklseq.base.scale_warnings import warn_of_offsets
from sklseq.base.sequences import SequenceEstimator, SequenceTransformer
from sklseq.data import Sequences
from sklseq.nn.reservoir.liquid import Liquid, liquid_traces, liquid_weights

__all__ = ["LiquidStateTransformer"]

# Milliseconds: no stored liquid takes longer steps than these, or than its parameter says.
_LONG_STEP = 1_000


@estimator
class LiquidStateTransformer(SequenceTransformer, SequenceEstimator):
    """Turn sequences, or their steps, into the activity of a liquid of spiking neurons.

    A liquid is a random network of leaky integrate-and-fire neurons, excitatory and inhibitory,
    with fixed synapses. The sequence drives some of them, each step for `step_duration`
    milliseconds, and the features are the neurons' spike trains, filtered by an exponential: a
    rate in spikes per millisecond that remembers the last `trace_time` milliseconds. Nothing is
    trained, and the spikes of a sequence are the same alone and beside others. Standardized
    features are a good scale for currents.

    Neurons stand on a grid three wide and three deep and are joined, more often the nearer they
    are, as in [1]_, but by static synapses. A neuron fires when its membrane potential reaches 1
    and is then silent at potential 0 for `refractory_time` milliseconds.

    References
    ----------
    .. [1] Maass, Natschlaeger and Markram (2002). "Real-time computing without stable states: a
       new framework for neural computation based on perturbations". Neural Computation 14.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklseq.reservoir import LiquidStateTransformer
    >>> rng = np.random.default_rng(0)
    >>> X = [np.sin((0.4 + i % 2) * np.arange(n)) for i, n in enumerate(rng.integers(9, 15, 60))]
    >>> y = np.arange(60) % 2
    >>> liquid = LiquidStateTransformer(pooling="mean", random_state=0)
    >>> liquid.fit_transform(X).shape
    (60, 135)
    >>> make_pipeline(liquid, RidgeClassifier()).fit(X[:40], y[:40]).score(X[40:], y[40:])
    1.0
    """

    reservoir_size: int = param(135, "Number of neurons.", integer(1))
    excitatory_share: float = param(
        0.8, "Share of neurons that excite others; the rest inhibit.", real(0, 1, "both")
    )
    connection_range: float = param(
        2.0,
        "Distance on the grid at which synapses are rarer by a factor of e.",
        real(0, closed="neither"),
    )
    synapse_scaling: float = param(
        1.0, "Factor on the strength of the synapses between neurons.", real(0)
    )
    encoding: str = param(
        "current",
        "Encoding of X: a 'current' into the neurons, or 'poisson' spike trains, seeded and "
        "the same for equal sequences, whose rates go from 0 to `poisson_rate` as a feature goes "
        "from the smallest to the largest value seen in `fit`, or the other way round.",
        choice("current", "poisson"),
    )
    input_scaling: float = param(1.0, "Factor on the strength of the input.", real(0))
    input_density: float = param(
        0.3, "Share of neurons that each input reaches.", real(0, 1, "right")
    )
    poisson_channels: int = param(
        10,
        "Spike trains a feature with ``encoding='poisson'``: half of them fire more the larger it "
        "is, half the smaller.",
        integer(1),
    )
    poisson_rate: float = param(
        100.0, "Highest rate of a spike train, in spikes per second.", real(0, 1000, "right")
    )
    bias_current: float = param(
        0.95,
        "Mean of the constant current into each neuron, which is spread by 5 % to either side; 1 "
        "alone takes a neuron to its threshold.",
        real(0),
    )
    step_duration: int = param(10, "Milliseconds for which a step of X lasts.", integer(1))
    membrane_time: float = param(
        30.0, "Milliseconds in which a potential falls by a factor of e.", real(0, None, "neither")
    )
    synapse_time: float = param(
        3.0,
        "Milliseconds in which a synapse's current falls by a factor of e.",
        real(0, None, "neither"),
    )
    refractory_time: int = param(3, "Milliseconds of silence after a spike.", integer(0))
    trace_time: float = param(
        30.0,
        "Milliseconds in which the trace of a spike falls by a factor of e.",
        real(0, None, "neither"),
    )
    pooling: str = param(
        "last",
        "Summary of a sequence's traces: the 'last', their 'mean' or 'max'. Not used "
        "with target='step'.",
        choice("last", "mean", "max"),
    )
    random_state: Any = param(
        None, "Seed of synapses, input weights, bias currents and Poisson spikes.", "random_state"
    )

    _attributes = {
        "liquid_": attribute("Liquid", "The neurons: weights and time constants."),
        "input_range_": attribute(
            "ndarray of shape (2, n_step_features)",
            "Smallest and largest value of each feature seen in `fit`.",
        ),
        "n_features_in_": attribute("int", "Number of features seen in `fit`."),
        "feature_names_in_": attribute(
            "ndarray of shape (`n_features_in_`,)", "Column names, where X was a DataFrame."
        ),
    }

    _stored = {"liquid_": Liquid, "_n_step_features": "int"}

    def _check_learned(self) -> None:
        super()._check_learned()
        liquid, n_features = self.liquid_, self._n_step_features
        n_channels = liquid.input_weights.shape[1]
        # The parameters may have been changed since.
        if liquid.step_duration > max(self.step_duration, _LONG_STEP):
            raise ValueError(f"a step lasts {liquid.step_duration} ms.")
        if n_channels % n_features or (liquid.max_rate is None and n_channels != n_features):
            raise ValueError(f"the liquid takes {n_channels} inputs for {n_features} features.")

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Draw the neurons' weights.

        Parameters
        ----------
        X : sequences
            {{X: sequences}} {{X: one series}}
        y : Ignored
            Not used, present for API consistency.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X or a parameter is not valid; the estimator is then as it was before.
        """
        self._refuse_data_as_y(y)
        with self._fitting(X):
            steps = self._read_numbers(X, reset=True).steps
            self.input_range_ = np.stack([steps.min(axis=0), steps.max(axis=0)])
            self.liquid_ = self._draw_liquid(steps.shape[1])
            if self.encoding == "current":
                warn_of_offsets(steps, self.input_scaling, type(self).__name__)
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Filtered spike trains of the neurons.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences, reservoir_size)
            Spikes per millisecond, in [0, 1]. With ``target="step"``: ``(n_sequences, n_steps,
            reservoir_size)``, ``(n_steps, reservoir_size)`` for one series, or an object array
            of them for ragged X.
        """
        check_is_fitted(self)
        sequences = self._read_numbers(X, reset=False)
        blocks = liquid_traces(self.liquid_, self._drive(sequences), sequences.lengths)
        if self._per_step:
            traces = np.empty((len(sequences.steps), self.liquid_.units))
            for rows, block in blocks:
                traces[rows] = block
            return self._as_output(X, sequences, traces)
        return self._as_output(X, sequences, self._pooled(sequences, blocks))

    def _read_numbers(self, X: Any, reset: bool) -> Sequences:
        sequences = self._read_X(X, reset=reset)
        if sequences.symbolic:
            raise ValueError(
                f"X holds symbols, sequence 0, step 0 is {sequences.steps[0]!r}: "
                f"{type(self).__name__} takes numbers. Encode them first, for example one-hot."
            )
        return sequences

    def _draw_liquid(self, n_inputs: int) -> Liquid:
        rng = np.random.default_rng(draw_seed(self.random_state))
        units, poisson = self.reservoir_size, self.encoding == "poisson"
        recurrent = liquid_weights(
            units,
            excitatory_share=self.excitatory_share,
            connection_range=self.connection_range,
            scaling=self.synapse_scaling,
            seed=rng,
        )
        shape = (units, n_inputs * (self.poisson_channels if poisson else 1))
        # Spikes excite; currents go either way.
        inputs = rng.exponential(size=shape) if poisson else rng.uniform(-1, 1, shape)
        inputs = inputs * self.input_scaling * (rng.random(shape) < self.input_density)
        return Liquid(
            recurrent_weights=recurrent,
            input_weights=inputs,
            bias_current=self.bias_current * rng.uniform(0.95, 1.05, units),
            membrane_decay=math.exp(-1 / self.membrane_time),
            synapse_decay=math.exp(-1 / self.synapse_time),
            trace_decay=math.exp(-1 / self.trace_time),
            refractory_steps=self.refractory_time,
            step_duration=self.step_duration,
            max_rate=self.poisson_rate / 1000 if poisson else None,
            seed=int(rng.integers(2**31)),
        )

    def _drive(self, sequences: Sequences) -> NDArray[np.float64]:
        """The steps as currents, or as intensities in [0, 1]."""
        if self.liquid_.max_rate is None:
            return sequences.steps
        low, high = self.input_range_
        # Halved first, so that the width of a range of huge values is finite.
        width = high / 2 - low / 2
        width = np.where(width > 0, width, 1.0)
        return np.clip((sequences.steps / 2 - low / 2) / width, 0, 1)

    def _pooled(self, sequences: Sequences, blocks: Any) -> NDArray[np.float64]:
        of_step = np.repeat(np.arange(len(sequences)), sequences.lengths)
        # Traces are not negative: zero starts a sum and a maximum.
        pooled = np.zeros((len(sequences), self.liquid_.units))
        for rows, block in blocks:
            here = of_step[rows]  # each sequence at most once
            if self.pooling == "last":
                pooled[here] = block
            elif self.pooling == "mean":
                pooled[here] += block
            else:
                pooled[here] = np.maximum(pooled[here], block)
        if self.pooling == "mean":
            pooled /= sequences.lengths[:, None]
        return pooled

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.liquid_.units
