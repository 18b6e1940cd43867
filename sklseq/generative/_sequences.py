"""Variational autoencoders of sequences as estimators."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags
from torch import Tensor, nn

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, choice, estimator, integer, other_default, param, real, same
from sklseq.base.outliers import OutlierDetector
from sklseq.base.sequences import SequenceTransformer, check_lengths, holds_vectors, unpacked
from sklseq.data import Sequences
from sklseq.generative._base import Generator, check_enough_rows, checked_codes, interpolated
from sklseq.generative._variational import (
    VARIATIONAL_ATTRIBUTES,
    VariationalParameters,
    active_units,
    posterior_draws,
    variational_loss,
)
from sklseq.nn.codes.sequence_variational import SequenceVariationalNetwork
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.parts.conditions import (
    CONDITION_ATTRIBUTES,
    ClassCondition,
    OneHot,
    read_classes,
    sampling_request,
    set_class_prior,
    with_classes,
)
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.latent_priors import LatentDistribution, LatentPriorParameters, fit_latent_prior
from sklseq.parts.whole_sequences import read_numbers, scales_of
from sklseq.training.placement import parameter_of
from sklseq.training.rows.batch import Targets
from sklseq.training.rows.dense import DenseRows
from sklseq.training.rows.sequences import SequenceRows
from sklseq.training.run import run

__all__ = ["SequenceVAE"]


@dataclass(frozen=True)
class _SequenceFormat:
    """The container of the training sequences, in which samples are given.

    Parameters
    ----------
    is_flat : bool
        Whether a sequence is a vector of numbers.
    is_dense : bool
        Whether all sequences are one array.
    dtype : str
        Type of the samples.
    """

    is_flat: bool
    is_dense: bool
    dtype: str

    @classmethod
    def of(cls, X: Any, sequences: Sequences) -> Self:
        """The format of a training set, and as it was read."""
        is_dense = sequences.layout == "dense"
        # Of a ragged container a part has the type of its numbers.
        part = X if is_dense or hasattr(X, "columns") else next(iter(X))
        dtype = np.asarray(part).dtype
        return cls(holds_vectors(X), is_dense, dtype.name if dtype.kind == "f" else "float64")


@estimator
class SequenceVAE(OutlierDetector, SequenceTransformer, NeuralEstimator):
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
    conditional: bool = same(Generator, "conditional")
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
        CONDITION_ATTRIBUTES
        | VARIATIONAL_ATTRIBUTES
        | {
            "length_range_": attribute(
                "tuple of int", "Lengths of the shortest and the longest training sequence."
            )
        }
    )
    _network: ClassVar[type[nn.Module]] = SequenceVariationalNetwork
    _objective = variational_loss

    if TYPE_CHECKING:
        _condition: ClassCondition
        _format: _SequenceFormat
        _latent_distribution: LatentDistribution | None

    # -- training --------------------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn the distribution of the sequences of X.

        Parameters
        ----------
        X : sequences
            ``(n_sequences, n_steps, n_features)`` array; list or object array of
            ``(n_steps, n_features)`` or ``(n_steps,)`` arrays; ``(n_sequences, n_steps)`` array;
            DataFrame with a (sequence, time) MultiIndex.
        y : array-like of shape (n_sequences,) or None, default=None
            Class of each sequence; used only with ``conditional=True``.
        sample_weight : array-like of shape (n_sequences,) or None, default=None

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X, y or a parameter is not valid, or training diverges; the estimator is then as it
            was before.
        """
        return self._fit(X, y if self.conditional else None, sample_weight)

    def _read(self, X: Any, fresh: bool) -> Sequences:
        sequences = read_numbers(self, X, reset=fresh, dtype=self._float_type(fresh))
        if fresh:
            self._format = _SequenceFormat.of(X, sequences)
            self._max_length = int(sequences.lengths.max())
        return sequences

    def _read_targets(
        self, y: Any, data: Sequences, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        """Sequences are their own targets; the values of targets are the classes, one-hot."""
        if (longest := int(data.lengths.max())) > self._max_length:
            raise ValueError(
                f"Sequence {data.lengths.argmax()} has {longest} steps, but this "
                f"{type(self).__name__} was first fitted to at most {self._max_length}: fit anew "
                "with warm_start=False."
            )
        return Targets(weights, read_classes(self, y, data.lengths, fresh))

    def _settings(self, data: Sequences, targets: Targets) -> dict[str, Any]:
        return {
            "n_features": self._n_step_features,
            "n_components": self.n_components,
            "n_context": 0 if targets.values is None else targets.values.shape[1],
            "cell": self.cell,
            "hidden_size": self.hidden_size,
            "num_layers": self.num_layers,
            "bidirectional": self.bidirectional,
            "dropout": self.dropout,
            "noise": self.noise if isinstance(self.noise, str) else float(self.noise),
            "noise_order": self.noise_order,
            "max_length": self._max_length,
            "n_importance_samples": self.n_importance_samples,
        }

    def _rows(self, data: Sequences, like: Tensor, targets: Targets | None = None) -> SequenceRows:
        if targets is not None:
            data, targets = _with_columns(data, targets.values), Targets(targets.weights)
        return SequenceRows(data.steps, data.lengths, like, targets)

    def _initialize(self, module: Any, rows: SequenceRows) -> None:
        assert rows.weight is not None
        check_enough_rows(rows.weight, n_components=self.n_components)
        module.standardize.initialize(*scales_of(rows, self._n_step_features))
        starts = np.cumsum(rows.lengths) - rows.lengths
        classes = rows.steps[starts, self._n_step_features :].cpu().numpy()
        weights = rows.weight.double().cpu().numpy() * rows.mean_weight
        module.length_model.initialize(rows.lengths, weights, classes)
        module.n_rows.fill_(len(rows))

    def _finish(self, data: Sequences, targets: Targets) -> None:
        set_class_prior(self, targets.values, targets.weights)
        counted = data.lengths[targets.weights > 0]
        self.length_range_ = int(counted.min()), int(counted.max())
        self._scored_bound = self.bound  # `offset_` is computed with it
        self._set_offset(self._log_density(data), targets.weights)
        parameters = self._run("posterior_parameters", _with_columns(data, targets.values))
        means, deviations = np.split(parameters, 2, axis=1)
        self.active_units_ = active_units(means, targets.weights)
        self._latent_distribution = fit_latent_prior(
            self.latent_prior,
            posterior_draws(means, deviations, self._seed),
            targets.weights,
            targets.values,
            seed=self._seed,
            dtype=self.dtype,
            device=self.device,
            n_threads=self.n_threads,
        )

    # -- scores and codes ------------------------------------------------------------------

    def _density(self, X: Sequences, classes: OneHot) -> NDArray[np.float64]:
        return self._run(self._scored_bound, _with_columns(X, classes)).astype(np.float64)

    def _log_density(self, X: Sequences, y: Any = None) -> NDArray[np.float64]:
        if self._condition.classes is None or y is not None:
            return self._density(X, self._condition.asked(y, len(X)))
        return self._condition.log_mixture(partial(self._density, X), len(X))

    def score_samples(self, X: Any, y: Any = None) -> NDArray[np.float64]:
        """Lower bound of the log-density of each sequence in nats; see `bound`.

        Parameters
        ----------
        X : sequences
            As in `fit`.
        y : scalar, array-like of shape (n_sequences,) or None, default=None
            Class of the sequences, with ``conditional=True``, for their density given the class.
            None gives the density of the mixture over all classes.

        Returns
        -------
        ndarray of shape (n_sequences,)
        """
        return self._log_density(self._read_fitted(X), y)

    def _encoded(self, X: Sequences, y: Any) -> tuple[NDArray[Any], OneHot]:
        """Posterior means, and the classes that the sequences are given."""
        classes = self._condition.asked_or_likely(partial(self._density, X), y, len(X))
        return self._run("encode", _with_columns(X, classes)), classes

    def transform(self, X: Any, y: Any = None) -> NDArray[Any]:
        """Posterior means of the latent variables of sequences.

        Parameters
        ----------
        X : sequences
            As in `fit`.
        y : scalar, array-like of shape (n_sequences,) or None, default=None
            Class of the sequences, with ``conditional=True``; None takes the most probable ones.

        Returns
        -------
        ndarray of shape (n_sequences, n_components)
        """
        sequences = self._read_fitted(X)
        return self._as_output(X, sequences, self._encoded(sequences, y)[0])

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
        Z = checked_codes(self, Z)
        return self._decoded(Z, self._condition.asked(y, len(Z)), lengths)

    def _decoded(self, Z: NDArray[Any], classes: OneHot, lengths: Any = None) -> NDArray[Any]:
        codes = np.hstack(with_classes((Z,), classes))
        if lengths is None:
            counts = self._lengths(codes, np.full(len(Z), 0.5))
        else:
            counts = check_lengths(lengths, len(Z))
        is_dense = self._format.is_dense and lengths is None
        return self._steps("decode", np.repeat(codes, counts, axis=0), counts, is_dense)

    def interpolate(self, a: Any, b: Any, n_steps: int = 10, y: Any = None) -> NDArray[Any]:
        """Sequences between two sequences, along a line between their latent variables.

        Parameters
        ----------
        a, b : sequence
            Arrays of shape (length, n_features), or (length,) after a fit on such.
        n_steps : int, default=10
            Number of sequences; the first and the last are those of the codes of `a` and `b`.
        y : scalar, array-like of shape (2,) or None, default=None
            Class of all sequences, or those of `a` and `b`, with ``conditional=True``; None takes
            the most probable ones. Where they differ, one-hot classes are interpolated, too.

        Returns
        -------
        ndarray of `n_steps` sequences
            As `inverse_transform` gives them.
        """
        sequences = self._read_fitted([np.asarray(a), np.asarray(b)])
        return self._decoded(*interpolated(n_steps, *self._encoded(sequences, y)))

    def reconstruct(self, X: Any, y: Any = None) -> NDArray[Any]:
        """Expected sequences given their latent variables, at their own lengths.

        Parameters
        ----------
        X : sequences
            As in `fit`.
        y : scalar, array-like of shape (n_sequences,) or None, default=None
            Class of the sequences, with ``conditional=True``; None takes the most probable ones.

        Returns
        -------
        ndarray
            In the container of X: ragged in, ragged out as a 1-D object array.
        """
        sequences = self._read_fitted(X)
        Z, classes = self._encoded(sequences, y)
        codes = np.hstack(with_classes((Z,), classes))
        repeated = sequences.with_steps(np.repeat(codes, sequences.lengths, axis=0))
        steps = self._run("decode", repeated, per_part=True)
        return unpacked(sequences, steps, holds_vectors(X))

    # -- samples ---------------------------------------------------------------------------

    def sample(self, n_samples: int | None = None, y: Any = None, random_state: Any = None) -> Any:
        """Draw sequences from the learned distribution.

        Parameters
        ----------
        n_samples : int or None, default=None
            Number of sequences. None draws one for each of the classes in y, or one where y is not
            an array.
        y : scalar, array-like of shape (n_samples,) or None, default=None
            Class of all sequences or of each, with ``conditional=True``; None draws classes with
            their frequencies in training.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws; None draws other sequences with each call.

        Returns
        -------
        ndarray of `n_samples` sequences
            A 1-D object array, or a dense array if X was dense.

        Raises
        ------
        ValueError
            If `n_samples` is below 1, y has another number of classes, or y asks for a class that
            was not seen in `fit`, or had no weight.
        """
        n, classes, rng = sampling_request(self, n_samples, y, random_state)
        prior, shape = self._latent_distribution, (n, self._n_features_out)
        Z = rng.standard_normal(shape) if prior is None else prior.draw(n, classes, rng)
        codes = np.hstack(with_classes((Z,), classes))
        counts = self._lengths(codes, rng.random(n))
        normal = rng.standard_normal((counts.sum(), self._n_step_features))
        columns = np.hstack([np.repeat(codes, counts, axis=0), normal])
        return self._steps("draw", columns, counts, self._format.is_dense)

    def _lengths(self, codes: NDArray[Any], quantiles: NDArray[Any]) -> NDArray[np.int64]:
        """Quantiles of the lengths of sequences, given their codes."""
        network: Any = self.module_
        rows = DenseRows((codes, quantiles[:, None]), parameter_of(network))
        counts = run(network.quantile_of_length, network, rows, n_threads=self.n_threads)
        return counts.clip(*self.length_range_)

    def _steps(
        self, function: str, columns: NDArray[Any], counts: NDArray[np.int64], is_dense: bool
    ) -> NDArray[Any]:
        """Steps of the decoder, in the container of the training data."""
        repeated = Sequences(columns, counts, "dense" if is_dense else "ragged")
        steps = self._run(function, repeated, per_part=True)
        steps = steps.astype(self._format.dtype, copy=False)
        return unpacked(repeated, steps, self._format.is_flat)

    @property
    def _n_features_out(self) -> int:
        return self._module_kwargs["n_components"]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        return tags


def _with_columns(X: Sequences, classes: OneHot) -> Sequences:
    """Sequences with their classes as further columns, the same at all steps."""
    if classes is None:
        return X
    return X.with_steps(np.hstack([X.steps, np.repeat(classes, X.lengths, axis=0)]))
