"""Autoencoder of sequences."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, choice, estimator, integer, param, real
from sklseq.base.outliers import OutlierDetector
from sklseq.base.sequences import (
    SequenceTransformer,
    check_lengths,
    check_lengths_seen,
    holds_vectors,
    unpacked,
)
from sklseq.base.tables import check_finite_rows
from sklseq.data import Sequences
from sklseq.nn.codes.sequence_autoencoder import SequenceAutoencoderNetwork
from sklseq.nn.ragged.pooling import mean_pool
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.scaled_steps import (
    SCALE_ATTRIBUTES,
    check_scale,
    learn_scale,
    scaled_steps,
    unscaled,
)
from sklseq.parts.validation import Validation
from sklseq.parts.whole_sequences import read_numbers
from sklseq.training.placement import parameter_of
from sklseq.training.rows.batch import Batch, Targets, mean_loss
from sklseq.training.rows.dense import DenseRows
from sklseq.training.rows.sequences import SequenceRows

__all__ = ["SequenceAutoencoder"]


@estimator
class SequenceAutoencoder(OutlierDetector, SequenceTransformer, NeuralEstimator):
    """Compress sequences of any length to a few numbers and back.

    A recurrent encoder reads a sequence to its end and gives its latent representation, from
    which a recurrent decoder reconstructs all steps [1]_; padding takes no part. The length is
    predicted from the latent representation too, so that `inverse_transform` gives sequences of
    unequal length. Steps are standardized by the mean and deviation of each feature over the
    training steps.

    References
    ----------
    .. [1] Srivastava, Mansimov & Salakhutdinov (2015). "Unsupervised learning of video
       representations using LSTMs". ICML, section 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.autoencoder import SequenceAutoencoder
    >>> rng = np.random.default_rng(0)
    >>> X = [np.sin(rng.uniform(0.1, 1) * np.arange(n)) for n in rng.integers(10, 30, size=50)]
    >>> model = SequenceAutoencoder(n_components=4, max_epochs=5, random_state=0).fit(X)
    >>> model.transform(X).shape
    (50, 4)
    >>> [len(x) for x in model.reconstruct(X[:2])] == [len(x) for x in X[:2]]
    True
    """

    target: str = param("sequence", "Unit of a row: a whole sequence.", choice("sequence"))
    n_components: int = param(16, "Dimension of the latent space.", integer(1))
    cell: str = param("gru", "Recurrent cell of encoder and decoder.", choice(*CELLS))
    hidden_size: int = param(64, "Units of each recurrent layer and direction.", integer(1))
    num_layers: int = param(1, "Recurrent layers on top of each other.", integer(1))
    bidirectional: bool = param(
        False, "Whether the encoder reads each sequence backward too.", "boolean"
    )
    dropout: float = param(0.0, "Share of each layer's outputs dropped in training.", real(0, 1))
    length_weight: float = param(
        0.1, "Weight of the error in a sequence's length beside that in its steps.", real(0)
    )

    _attributes = SCALE_ATTRIBUTES | {
        "length_range_": attribute(
            "tuple of int", "Lengths of the shortest and longest training sequence."
        )
    }
    _network: ClassVar[type[nn.Module]] = SequenceAutoencoderNetwork
    _stored = {"_flat": "bool", "_n_step_features": "int"}

    def _check_learned(self) -> None:
        super()._check_learned()
        check_lengths_seen(self.length_range_)
        if self._n_step_features != self._module_kwargs["n_features"]:
            raise ValueError(f"its steps have {self._n_step_features} features.")
        check_scale(self, self._n_step_features)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        return tags

    @property
    def _n_features_out(self) -> int:
        return self._module_kwargs["n_components"]

    # -- training --------------------------------------------------------------------------

    def _read(self, X: Any, fresh: bool) -> Sequences:
        sequences = read_numbers(self, X, reset=fresh)
        if fresh:
            self._flat = holds_vectors(X)
        return sequences

    def _learn_scale(self, data: Sequences, weights: NDArray[np.float64]) -> None:
        learn_scale(self, data.steps, data.lengths, weights)

    def _settings(self, data: Sequences, targets: Targets) -> dict[str, Any]:
        names = ("n_components", "cell", "hidden_size", "num_layers", "bidirectional", "dropout")
        return {"n_features": data.steps.shape[1]} | {name: getattr(self, name) for name in names}

    def _rows(self, data: Sequences, like: Tensor, targets: Targets | None = None) -> SequenceRows:
        return SequenceRows(scaled_steps(self, data, like).steps, data.lengths, like, targets)

    def _initialize(self, module: Any, rows: SequenceRows) -> None:
        assert rows.weight is not None
        weights, logs = rows.weight.double().cpu().numpy(), np.log(rows.lengths)
        middle = np.average(logs, weights=weights)
        spread = np.sqrt(np.average((logs - middle) ** 2, weights=weights))
        length_scale = rows.steps.new_tensor([middle, spread if spread > 1e-6 else 1.0])
        module.length_scale.copy_(length_scale)

    def _objective(self, module: Any, batch: Batch) -> Tensor:
        steps, packing = batch.inputs
        raw, latent = module(steps, packing)
        of_steps = (raw - steps).square().mean(dim=1, keepdim=True)
        losses = mean_pool(of_steps, packing)[:, 0]
        if self.length_weight:
            wrong = module.length_errors(latent, packing.lengths)
            losses = losses + self.length_weight * wrong
        return mean_loss(losses, batch)

    def _finish(self, data: Sequences, targets: Targets) -> None:
        counted = data.lengths[targets.weights > 0]
        self.length_range_ = int(counted.min()), int(counted.max())
        self._set_offset(self._score(data), targets.weights)

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        sample_weight_val: Any = None,
        groups: Any = None,
    ) -> Self:
        """Train the network to reconstruct sequences.

        Parameters
        ----------
        X : sequences
            {{X: sequences}}
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_sequences,) or None, default=None
        X_val, sample_weight_val : as X and sample_weight, or None, default=None
            {{validation}}
        groups : array-like of shape (n_sequences,) or None, default=None
            {{groups}}

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X or a parameter is not valid, or training diverges; the estimator is then as it
            was before.
        """
        self._refuse_data_as_y(y)
        validation = Validation(X_val, None, sample_weight_val, groups)
        return self._fit(X, None, sample_weight, validation=validation)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train for one more epoch on X; `offset_` and `length_range_` are then those of this X.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        self
        """
        self._refuse_data_as_y(y)
        return self._fit(X, None, sample_weight, partial=True)

    # -- encoding and decoding -------------------------------------------------------------

    def transform(self, X: Any) -> NDArray[Any]:
        """Latent representations of sequences.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences, n_components)
        """
        sequences = self._read_fitted(X)
        return self._as_output(X, sequences, self._run("encode", sequences))

    def inverse_transform(self, X: Any, lengths: Any = None) -> NDArray[Any]:
        """Sequences decoded from latent representations.

        Parameters
        ----------
        X : array-like of shape (n_sequences, n_components)
            Latent representations.
        lengths : array-like of int of shape (n_sequences,) or None, default=None
            Number of steps of each; None predicts them, within `length_range_`.

        Returns
        -------
        ndarray
            1-D object array of ``(n_steps, n_features)`` arrays, or ``(n_steps,)`` after a fit on
            such; an array of shape (n_sequences, n_steps[, n_features]) where all training
            sequences had the same length and `lengths` is None.
        """
        check_is_fitted(self)
        latent = check_array(X, dtype=[np.float64, np.float32], ensure_all_finite=False)
        check_finite_rows(latent, dtype=self._float_type(fresh=False))
        if latent.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {latent.shape[1]} columns, but the latent space of this "
                f"{type(self).__name__} has {self._n_features_out} (n_components)."
            )
        layout = "dense" if lengths is None and len(set(self.length_range_)) == 1 else "ragged"
        counts = self._lengths(latent) if lengths is None else check_lengths(lengths, len(latent))
        repeated = Sequences(np.repeat(latent, counts, axis=0), counts, layout)  # type: ignore[arg-type]
        rows = SequenceRows(repeated.steps, counts, parameter_of(self.module_))
        steps = unscaled(self, self._run("decode", rows, per_part=True))
        return unpacked(repeated, steps, self._flat)

    def _lengths(self, latent: NDArray[Any]) -> NDArray[np.int64]:
        """Predicted lengths, within those of training."""
        rows = DenseRows((latent,), parameter_of(self.module_))
        predicted = self._run("lengths", rows)
        return np.rint(predicted).clip(*self.length_range_).astype(np.int64)

    def reconstruct(self, X: Any) -> NDArray[Any]:
        """Reconstructions of sequences, at their own lengths.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray
            In the container of X: ragged in, ragged out as a 1-D object array.
        """
        sequences = self._read_fitted(X)
        steps = self._run("reconstruct", sequences, per_part=True)
        return unpacked(sequences, unscaled(self, steps), holds_vectors(X))

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Negative mean squared error of each sequence's standardized steps.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences,)
        """
        return self._score(self._read_fitted(X))

    def reconstruction_errors(self, X: Any) -> NDArray[Any]:
        """Squared error of each standardized value: which steps and features make an outlier.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray
            In the container of X. The mean over the values of a sequence is its
            ``-score_samples(X)``; that over its steps is by feature.
        """
        sequences = self._read_fitted(X)
        errors = self._run("value_errors", sequences, per_part=True).astype(np.float64)
        return unpacked(sequences, errors, holds_vectors(X))

    def _score(self, data: Sequences) -> NDArray[np.float64]:
        return -self._run("errors", data).astype(np.float64)
