"""Variational autoencoders of sequences as estimators."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from torch import Tensor, nn

from sklseq.base import attribute, choice, estimator, integer, other_default, param, real, same
from sklseq.base.outliers import OutlierDetector
from sklseq.base.sequences import (
    SequenceEstimator,
    check_lengths,
    check_lengths_seen,
    holds_vectors,
    names_of_features,
    unpacked,
)
from sklseq.data import Sequences, as_array, as_sequences
from sklseq.generative._base import Generator, check_enough_rows, checked_codes
from sklseq.generative._variational import (
    VARIATIONAL_ATTRIBUTES,
    VARIATIONAL_STORED,
    VariationalParameters,
    check_variational,
    evidence_bound,
    finish_variational,
    variational_loss,
)
from sklseq.nn.codes.sequence_variational import SequenceVariationalNetwork
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.parts.conditions import OneHot, with_classes
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.latent_priors import LatentPriorParameters
from sklseq.parts.scaled_steps import (
    SCALE_ATTRIBUTES,
    check_scale,
    learn_scale,
    scaled_steps,
    unscaled,
)
from sklseq.parts.whole_sequences import read_numbers
from sklseq.training.placement import parameter_of
from sklseq.training.rows.batch import Targets
from sklseq.training.rows.dense import DenseRows
from sklseq.training.rows.sequences import SequenceRows

__all__ = ["SequenceVAE"]


@dataclass(frozen=True)
class _SequenceFormat:
    """The container of the training sequences, in which others are given.

    Parameters
    ----------
    is_flat : bool
        Whether a sequence is a vector of numbers.
    layout : {"dense", "ragged"}
        Whether all sequences are one array.
    dtype : str
        Type of their numbers.
    """

    is_flat: bool
    layout: Any
    dtype: str

    _stored: ClassVar[dict[str, Any]] = {
        "is_flat": "bool",
        "layout": "str",
        "dtype": "str",
    }

    def check_stored(self) -> None:
        """Refuse a container that there is not."""
        if self.layout not in ("dense", "ragged") or not self.dtype.startswith("float"):
            raise ValueError(f"sequences are {self.layout!r}, of {self.dtype!r}.")

    @classmethod
    def of(cls, X: Any, sequences: Sequences) -> Self:
        """The format of a training set, and as it was read."""
        is_dense = sequences.layout == "dense"
        X = as_sequences(X)
        # Of a ragged container a part has the type of its numbers.
        part = X if is_dense or hasattr(X, "columns") else next(iter(X))
        dtype = as_array(part).dtype
        layout = "dense" if is_dense else "ragged"
        return cls(holds_vectors(X), layout, dtype.name if dtype.kind == "f" else "float64")

    def write(self, sequences: Sequences) -> NDArray[Any]:
        """Sequences in this container."""
        return unpacked(sequences, sequences.steps.astype(self.dtype, copy=False), self.is_flat)

    write_samples = write


@estimator
class SequenceVAE(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, OutlierDetector, SequenceEstimator, Generator
):
    """Variational autoencoder of sequences of any length: ragged in, ragged out.

    Each sequence has a few standard normal latent variables. They determine the distribution of
    its length and, by a recurrent decoder, the expected value of each step. A recurrent encoder
    approximates their posterior [1]_ [2]_. The decoder does not see earlier steps, so that it
    cannot ignore the latent variables. The noise around the expected steps is stationary and
    autoregressive, with a likelihood in closed form. Lengths have the frequencies of training,
    reweighted by the latent variables: samples are never shorter or longer than training sequences.

    `score_samples` is a lower bound of the log-density of a sequence in nats, in the units of the
    data: of all its steps and of its length. `transform` gives posterior means,
    `inverse_transform` expected sequences, and `sample` sequences including observation noise.
    Features are standardized over the training steps; integers are treated as real numbers, and
    sampled as such. Where sequences form groups, some draws of the prior fall between them:
    ``latent_prior="gmm"`` fits a mixture to draws of the posterior of each sequence [3]_, and
    `sample` draws codes from it. Scores are those of the model with its standard normal prior,
    whatever `latent_prior`.

    See Also
    --------
    VAE : For the rows of a table.
    sklseq.autoencoder.SequenceAutoencoder : Latent representations of sequences, without a
        distribution.

    References
    ----------
    .. [1] Fabius and van Amersfoort (2015). Variational recurrent auto-encoders. ICLR workshop.
    .. [2] Bowman et al. (2016). Generating sentences from a continuous space. CoNLL, section 3.
    .. [3] Dai and Wipf (2019). Diagnosing and enhancing VAE models. ICLR, section 4.
    .. [4] Ghosh et al. (2020). From variational to deterministic autoencoders. ICLR, section 4.
    .. [5] Higgins et al. (2017). beta-VAE. ICLR.
    .. [6] Kingma et al. (2016). Improved variational inference with inverse autoregressive flow.
       NeurIPS, section C.8.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.generative import SequenceVAE
    >>> rng = np.random.default_rng(0)
    >>> X = [np.sin(rng.uniform(0.1, 1) * np.arange(n)) for n in rng.integers(10, 30, size=50)]
    >>> model = SequenceVAE(max_epochs=5, random_state=0).fit(X)
    >>> [x.ndim for x in model.sample(2, random_state=0)]
    [1, 1]
    >>> model.score_samples(X).shape
    (50,)
    """

    n_components: int = param(8, "Dimension of the latent space.", integer(1))
    cell: str = param("gru", "Recurrent cell of encoder and decoder.", choice(*CELLS))
    hidden_size: int = param(64, "Units of each recurrent layer and direction.", integer(1))
    num_layers: int = param(1, "Recurrent layers on top of each other.", integer(1))
    bidirectional: bool = param(
        False, "Whether the encoder reads each sequence backward too.", "boolean"
    )
    dropout: float = param(0.0, "Share of each layer's outputs dropped in training.", real(0, 1))
    noise: Any = param(
        "diagonal",
        "Standard deviation of the noise's innovations at each step: 'diagonal', one learned for "
        "each feature; 'learned', one for all; or a number, which is kept. In standard deviations "
        "of the feature.",
        choice("learned", "diagonal"),
        real(0, closed="neither"),
    )
    noise_order: int = param(
        1, "Order of the autoregressive noise; 0 for independent noise at each step.", integer(0)
    )
    latent_prior: str | None = same(LatentPriorParameters, "latent_prior")
    beta: float = same(VariationalParameters, "beta")
    kl_warm_up: int | None = other_default(VariationalParameters, "kl_warm_up", 0)
    free_bits: float = same(VariationalParameters, "free_bits")
    bound: str = same(VariationalParameters, "bound")
    n_importance_samples: int = other_default(VariationalParameters, "n_importance_samples", 8)
    common_random_numbers: bool = same(VariationalParameters, "common_random_numbers")
    learning_rate: float = other_default(NeuralEstimator, "learning_rate", 3e-3)
    target: str = param("sequence", "What a row is: a whole sequence.", choice("sequence"))

    _attributes = (
        VARIATIONAL_ATTRIBUTES
        | SCALE_ATTRIBUTES
        | {
            "length_range_": attribute(
                "tuple of int", "Lengths of the shortest and the longest training sequence."
            )
        }
    )
    _network: ClassVar[type[nn.Module]] = SequenceVariationalNetwork
    _stored = VARIATIONAL_STORED | {
        "_format": _SequenceFormat,
        "_max_length": "int",
        "_n_step_features": "int",
    }

    def _check_learned(self) -> None:
        super()._check_learned()
        check_variational(self)
        check_lengths_seen(self.length_range_)
        if self._max_length != self._module_kwargs["max_length"]:
            raise ValueError(f"its longest sequence has {self._max_length} steps.")
        check_scale(self, self._n_step_features)

    @property
    def _n_inputs(self) -> int:
        return int(self._n_step_features)

    _objective = variational_loss
    _density = evidence_bound
    score_samples = Generator._score_samples
    transform = Generator._transform

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        tags.input_tags.sparse = False
        return tags

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Names of the latent variables.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of a table; of other X they are not used.

        Returns
        -------
        ndarray of str
        """
        return names_of_features(self, input_features)

    # -- training --------------------------------------------------------------------------

    def _read(self, X: Any, fresh: bool) -> Sequences:
        sequences = read_numbers(self, X, reset=fresh)
        if fresh:
            self._format = _SequenceFormat.of(X, sequences)
            self._max_length = int(sequences.lengths.max())
        return sequences

    def _read_targets(
        self, y: Any, data: Sequences, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        # A longer one has a small probability, but no network could be trained further on it.
        if "training" not in known and (longest := int(data.lengths.max())) > self._max_length:
            raise ValueError(
                f"Sequence {data.lengths.argmax()} has {longest} steps, but this "
                f"{type(self).__name__} was first fitted to at most {self._max_length}: fit anew "
                "with warm_start=False."
            )
        return super()._read_targets(y, data, weights, fresh)

    def _learn_scale(self, data: Sequences, weights: NDArray[np.float64]) -> None:
        learn_scale(self, data.steps, data.lengths, weights)

    def _settings(self, data: Sequences, targets: Targets) -> dict[str, Any]:
        names = ("n_components", "cell", "hidden_size", "num_layers", "bidirectional", "dropout")
        more = ("noise_order", "n_importance_samples")
        return self._named_settings(targets, *names, *more) | {
            "n_features": self._n_step_features,
            "noise": self.noise if isinstance(self.noise, str) else float(self.noise),
            "max_length": self._max_length,
        }

    def _rows(self, data: Sequences, like: Tensor, targets: Targets | None = None) -> SequenceRows:
        if targets is not None:
            data, targets = self._with_classes(data, targets.values), Targets(targets.weights)
        features, classes = np.split(data.steps, [self._n_step_features], axis=1)
        steps = scaled_steps(self, data.with_steps(features), like).steps
        return SequenceRows(np.hstack([steps, classes]), data.lengths, like, targets)

    def _with_classes(self, data: Sequences, classes: OneHot) -> Sequences:
        """Sequences with their classes as further columns, the same at all steps."""
        if classes is None:
            return data
        return data.with_steps(np.hstack([data.steps, np.repeat(classes, data.lengths, axis=0)]))

    def _initialize(self, module: Any, rows: SequenceRows) -> None:
        assert rows.weight is not None
        check_enough_rows(rows.weight, n_components=self.n_components)
        module.log_volume.fill_(np.log(self.feature_scale_).sum())
        starts = np.cumsum(rows.lengths) - rows.lengths
        classes = rows.steps[starts, self._n_step_features :].cpu().numpy()
        weights = rows.weight.double().cpu().numpy() * rows.mean_weight
        module.length_model.initialize(rows.lengths, weights, classes)
        module.n_rows.fill_(len(rows))

    def _finish(self, data: Sequences, targets: Targets) -> None:
        counted = data.lengths[targets.weights > 0]
        self.length_range_ = int(counted.min()), int(counted.max())
        finish_variational(self, data, targets)

    # -- codes and samples -----------------------------------------------------------------

    @staticmethod
    def _pair(a: Any, b: Any) -> list[NDArray[Any]]:
        return [np.asarray(a), np.asarray(b)]

    def inverse_transform(self, Z: Any, y: Any = None, lengths: Any = None) -> NDArray[Any]:
        """Expected sequences of latent variables.

        Parameters
        ----------
        Z : array-like of shape (n_sequences, n_components)
        y : scalar, array-like of shape (n_sequences,) or None, default=None
            Class of the sequences; needed with ``conditional=True``.
        lengths : array-like of int of shape (n_sequences,) or None, default=None
            Number of steps of each; None takes the median of its distribution.

        Returns
        -------
        ndarray
            1-D object array of ``(n_steps, n_features)`` arrays, or ``(n_steps,)`` after a fit on
            such; a dense array after a fit on one.
        """
        if lengths is None:
            return super().inverse_transform(Z, y)
        Z = checked_codes(self, Z)
        codes, counts = _inputs(Z, self._condition.asked(y, len(Z))), check_lengths(lengths, len(Z))
        repeated = np.repeat(codes, counts, axis=0)
        return self._format.write(self._steps("decode", repeated, counts, "ragged"))

    def _decoded(self, Z: NDArray[Any], classes: OneHot) -> Sequences:
        codes = _inputs(Z, classes)
        counts = self._lengths(codes, np.full(len(Z), 0.5))
        return self._steps("decode", np.repeat(codes, counts, axis=0), counts)

    def reconstruct(self, X: Any, y: Any = None) -> NDArray[Any]:
        """Expected sequences given their latent variables, at their own lengths.

        Parameters
        ----------
        X : sequences
            As in `fit`.
        y : scalar, array-like of shape (n_sequences,) or None, default=None
            As in `transform`.

        Returns
        -------
        ndarray
            In the container of X: ragged in, ragged out as a 1-D object array.
        """
        sequences = self._read_fitted(X)
        codes = _inputs(*self._encoded(sequences, y))
        repeated = np.repeat(codes, sequences.lengths, axis=0)
        decoded = self._steps("decode", repeated, sequences.lengths)
        return unpacked(sequences, decoded.steps, holds_vectors(X))

    def _draw(self, n: int, classes: OneHot, rng: np.random.Generator) -> Sequences:
        codes = _inputs(self._draw_codes(n, classes, rng), classes)
        counts = self._lengths(codes, rng.random(n))
        noise = rng.standard_normal((counts.sum(), self._n_step_features))
        return self._steps("draw", np.hstack([np.repeat(codes, counts, axis=0), noise]), counts)

    def _lengths(self, codes: NDArray[Any], quantiles: NDArray[Any]) -> NDArray[np.int64]:
        """Quantiles of the lengths of sequences, given their codes."""
        rows = DenseRows((codes, quantiles[:, None]), parameter_of(self.module_))
        counts = self._run("quantile_of_length", rows)
        return counts.clip(*self.length_range_)

    def _steps(
        self, function: str, columns: NDArray[Any], counts: NDArray[np.int64], layout: Any = None
    ) -> Sequences:
        """What the decoder gives at each step; by default in the layout of the training data."""
        rows = SequenceRows(columns, counts, parameter_of(self.module_))
        steps = unscaled(self, self._run(function, rows, per_part=True))
        return Sequences(steps, counts, layout or self._format.layout)


def _inputs(codes: NDArray[Any], classes: OneHot) -> NDArray[Any]:
    """Columns of the decoder: codes, and classes if there are any."""
    return np.hstack(with_classes((codes,), classes))
