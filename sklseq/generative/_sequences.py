"""Variational autoencoder of sequences as an estimator."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, choice, estimator, integer, other_default, param, real
from sklseq.base.sequences import SequenceTransformerMixin, check_lengths, holds_vectors, unpacked
from sklseq.data import Sequences
from sklseq.generative._codes import CodesMixin, check_enough_rows
from sklseq.generative._density import DensityMixin
from sklseq.generative._variational import VariationalMixin
from sklseq.nn.codes.sequence_variational import SequenceVariationalNetwork
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.parts.conditions import ConditionalSampler
from sklseq.parts.latent_priors import LatentPriorMixin
from sklseq.parts.sequence_estimator import (
    RaggedEstimator,
    length_weights,
    scales_of,
    sequence_weights,
)
from sklseq.training.rows.batch import Batch
from sklseq.training.rows.sequences import SequenceRows
from sklseq.training.run import run_rows

__all__ = ["SequenceVAE"]


@estimator
class SequenceVAE(
    VariationalMixin,
    LatentPriorMixin,
    DensityMixin,
    CodesMixin,
    SequenceTransformerMixin,
    ConditionalSampler,
    RaggedEstimator,
):
    """Variational autoencoder of sequences of any length: ragged in, ragged out.

    A few standard normal latent variables are drawn for each sequence; they give its length and,
    by a recurrent decoder, what is expected of each of its steps. A recurrent encoder learns
    their posterior [1]_ [2]_. The decoder does not see earlier steps, so that it cannot do without
    the latent variables; what goes on from step to step beside them is stationary autoregressive
    noise of each feature, with a likelihood in closed form. Lengths are drawn with the
    frequencies of training, tilted by the latent variables: never shorter or longer than a
    training sequence.

    `score_samples` is a lower bound of the log-density of a sequence in nats, in the units of the
    data: of all its steps and of their number. `transform` gives posterior means,
    `inverse_transform` expected sequences, and `sample` sequences with the noise that the model
    believes in. Features are standardised over the training steps; integers are read as real
    numbers, and drawn as such. Where the data have groups,
    draws from the prior fall between them, too: ``latent_prior="gmm"`` fits a mixture to the codes,
    a draw of each sequence's posterior [5]_, and `sample` draws from that. Scores are those of the
    model with its standard normal prior, whatever `latent_prior`.

    See Also
    --------
    VAE : The same for rows of a table.
    sklseq.autoencoder.SequenceAutoencoder : Codes of sequences, without a distribution.

    References
    ----------
    .. [1] Fabius and van Amersfoort (2015). Variational recurrent auto-encoders. ICLR workshop.
    .. [2] Bowman et al. (2016). Generating sentences from a continuous space. CoNLL, section 3.
    .. [3] Higgins et al. (2017). beta-VAE. ICLR.
    .. [4] Kingma et al. (2016). Improved variational inference with inverse autoregressive flow.
       NeurIPS, section C.8.
    .. [5] Dai and Wipf (2019). Diagnosing and enhancing VAE models. ICLR, section 4.

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

    n_components: int = param(8, "Latent variables.", integer(1))
    cell: str = param("gru", "Recurrent cell of encoder and decoder.", choice(*CELLS))
    hidden_size: int = param(64, "Units of each recurrent layer and direction.", integer(1))
    num_layers: int = param(1, "Recurrent layers on top of each other.", integer(1))
    bidirectional: bool = param(
        False, "Whether the encoder reads each sequence backward too.", "boolean"
    )
    dropout: float = param(0.0, "Share of each layer's outputs dropped in training.", real(0, 1))
    noise: Any = param(
        "diagonal",
        "Standard deviation of what is new in the noise at each step: 'diagonal', one learned for "
        "each feature; 'learned', one for all; or a number that is kept. In standard deviations "
        "of the feature.",
        choice("learned", "diagonal"),
        real(0, closed="neither"),
    )
    noise_order: int = param(
        1, "Earlier steps that the noise at a step depends on; 0 for independent noise.", integer(0)
    )
    kl_warm_up: int | None = other_default(VariationalMixin, "kl_warm_up", 0)
    n_draws: int = other_default(VariationalMixin, "n_draws", 8)
    learning_rate: float = other_default(RaggedEstimator, "learning_rate", 3e-3)

    _attributes = {
        "length_range_": attribute("tuple of int", "Shortest and longest training sequence.")
    }
    _network: ClassVar[type[nn.Module]] = SequenceVariationalNetwork

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
            Class of each sequence; used with ``conditional=True`` alone.
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

    def _read_training(self, X: Any, y: Any, fresh: bool) -> Sequences:
        sequences = self._read_numbers(X, reset=fresh)
        if fresh:
            self._flat, self._dense = holds_vectors(X), sequences.layout == "dense"
            self._max_length = int(sequences.lengths.max())
            given = np.asarray(X).dtype if self._dense else np.asarray(_first(X)).dtype
            self._sample_dtype = given.name if given.kind == "f" else "float64"
        self._check_known_lengths(sequences.lengths)
        return _with_columns(sequences, *self._read_conditions(y, sequences, fresh))

    def _check_known_lengths(self, lengths: NDArray[np.int64]) -> None:
        if (longest := int(lengths.max())) > self._max_length:
            raise ValueError(
                f"Sequence {lengths.argmax()} has {longest} steps, but this {type(self).__name__} "
                f"was first fitted to at most {self._max_length}: fit anew with warm_start=False."
            )

    def _module_settings(self, X: Sequences) -> dict[str, Any]:
        names = ("n_components", "cell", "hidden_size", "num_layers", "bidirectional", "dropout")
        return {name: getattr(self, name) for name in (*names, "noise_order", "n_draws")} | {
            "n_features": self._n_step_features,
            "n_context": X.steps.shape[1] - self._n_step_features,
            "noise": self.noise if isinstance(self.noise, str) else float(self.noise),
            "max_length": self._max_length,
        }

    def _initialise(self, module: Any, rows: SequenceRows) -> None:
        check_enough_rows(length_weights(rows), n_components=self.n_components)
        module.standardize.initialize(*scales_of(rows, self._n_step_features))
        starts = np.cumsum(rows.lengths) - rows.lengths
        classes = rows.steps[starts, self._n_step_features :].cpu().numpy()
        module.length_model.initialize(rows.lengths, length_weights(rows), classes)
        module.n_rows.fill_(len(rows))

    def _row_weights(self, batch: Batch) -> Tensor:
        return sequence_weights(batch)

    def _finish(self, X: Sequences, weights: NDArray[np.float64]) -> None:
        x, classes = np.split(X.steps, [self._n_step_features], axis=1)
        of_class = classes[X.starts]
        condition = (of_class,) if self.conditional else ()
        if self.conditional:
            self._set_prior(of_class, weights)
        counted = X.lengths[weights > 0]
        self.length_range_ = int(counted.min()), int(counted.max())
        self._set_offset(self._log_density(X.with_steps(x)), weights)
        parameters = self._run("posterior_parameters", X, per_step=False)
        self._find_active_units(parameters[:, : self._n_features_out], weights)
        self._refit_prior(self._posterior_draws(parameters), weights, condition)

    # -- scores and codes ------------------------------------------------------------------

    def _density_given(
        self, X: Sequences, condition: tuple[NDArray[Any], ...]
    ) -> NDArray[np.float64]:
        columns = _with_columns(X, *condition)
        return self._run(self._density_function, columns, per_step=False).astype(np.float64)

    def _encode(self, X: Sequences, y: Any) -> NDArray[Any]:
        return self._run("encode", _with_columns(X, *self._condition(y, len(X))), per_step=False)

    def transform(self, X: Any, y: Any = None) -> NDArray[Any]:
        """Posterior means of the latent variables of sequences.

        Parameters
        ----------
        X : sequences
            As in `fit`.
        y : scalar, array-like of shape (n_sequences,) or None, default=None
            With ``conditional=True``: the class of the sequences; None takes the most probable.

        Returns
        -------
        ndarray of shape (n_sequences, n_components)
        """
        sequences = self._read_fitted(X)
        codes = self._encode(sequences, self._asked_or_likely(sequences, y))
        return self._as_output(X, sequences, codes)

    def inverse_transform(self, Z: Any, y: Any = None, lengths: Any = None) -> NDArray[Any]:
        """The sequences that latent variables stand for.

        Parameters
        ----------
        Z : array-like of shape (n_sequences, n_components)
        y : scalar, array-like of shape (n_sequences,) or None, default=None
            The class of the sequences; needed with ``conditional=True``.
        lengths : array-like of int of shape (n_sequences,) or None, default=None
            Number of steps of each; None takes the median of what is expected.

        Returns
        -------
        ndarray
            1-D object array of ``(n_steps, n_features)`` arrays, or ``(n_steps,)`` after a fit on
            such; a dense array after a fit on one.
        """
        Z = self._checked_codes(Z)
        return self._decoded(Z, *self._condition(y, len(Z)), lengths=lengths)

    def _decoded(
        self, Z: NDArray[Any], *condition: NDArray[Any], lengths: Any = None
    ) -> NDArray[Any]:
        codes = np.hstack([Z, *condition])
        if lengths is None:
            counts = self._lengths(codes, np.full(len(Z), 0.5))
        else:
            counts = check_lengths(lengths, len(Z))
        return self._steps("decode", codes, counts, dense=self._dense and lengths is None)

    def reconstruct(self, X: Any, y: Any = None) -> NDArray[Any]:
        """Sequences as expected from their latent variables, at their own lengths.

        Parameters
        ----------
        X : sequences
            As in `fit`.
        y : scalar, array-like of shape (n_sequences,) or None, default=None
            With ``conditional=True``: the class of the sequences; None takes the most probable.

        Returns
        -------
        ndarray
            In the container of X: ragged in, ragged out as a 1-D object array.
        """
        sequences = self._read_fitted(X)
        y = self._asked_or_likely(sequences, y)
        codes = np.hstack([self._encode(sequences, y), *self._condition(y, len(sequences))])
        repeated = sequences.with_steps(np.repeat(codes, sequences.lengths, axis=0))
        steps = self._run("decode", repeated, per_step=True)
        return unpacked(sequences, steps, holds_vectors(X))

    def _pair(self, a: Any, b: Any) -> list[Any]:
        return [np.asarray(a), np.asarray(b)]

    # -- samples ---------------------------------------------------------------------------

    def _draw(
        self, n_samples: int, condition: tuple[NDArray[Any], ...], rng: np.random.Generator
    ) -> NDArray[Any]:
        codes = np.hstack([self._sampled_codes(n_samples, condition, rng), *condition])
        counts = self._lengths(codes, rng.random(n_samples))
        normal = rng.standard_normal((counts.sum(), self._n_step_features))
        return self._steps("draw", codes, counts, normal, dense=self._dense)

    def _lengths(self, codes: NDArray[Any], quantiles: NDArray[Any]) -> NDArray[np.int64]:
        network: Any = self.module_
        rows = (codes, quantiles[:, None])
        counts = run_rows(network, network.quantile_of_length, rows, n_threads=self.n_threads)
        return counts.clip(*self.length_range_)

    def _steps(
        self,
        function: str,
        codes: NDArray[Any],
        counts: NDArray[np.int64],
        *beside: NDArray[Any],
        dense: bool,
    ) -> NDArray[Any]:
        """What the decoder makes of codes, in the container of the training data."""
        columns = np.hstack([np.repeat(codes, counts, axis=0), *beside])
        repeated = Sequences(columns, counts, "dense" if dense else "ragged")
        steps = self._run(function, repeated, per_step=True)
        return unpacked(repeated, steps.astype(self._sample_dtype, copy=False), self._flat)


def _first(X: Any) -> Any:
    """A part of a container whose type is that of its numbers."""
    return X if hasattr(X, "columns") else next(iter(X))


def _with_columns(X: Sequences, *of_sequence: NDArray[Any]) -> Sequences:
    """Sequences with more columns, the same at all steps of each."""
    repeated = [np.repeat(values, X.lengths, axis=0) for values in of_sequence]
    return X.with_steps(np.hstack([X.steps, *repeated]))
