"""Autoencoder of sequences."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, choice, estimator, integer, param, real
from sklseq.base.outliers import OutlierScoreMixin
from sklseq.base.sequences import SequenceTransformerMixin, check_lengths, holds_vectors, unpacked
from sklseq.data import Sequences
from sklseq.nn.codes.sequence_autoencoder import SequenceAutoencoderNetwork
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.parts.sequence_estimator import (
    RaggedEstimator,
    length_weights,
    scales_of,
    sequence_weights,
)
from sklseq.training.rows.batch import Batch, mean_loss
from sklseq.training.rows.sequences import SequenceRows
from sklseq.training.run import run_rows

__all__ = ["SequenceAutoencoder"]


@estimator
class SequenceAutoencoder(OutlierScoreMixin, SequenceTransformerMixin, RaggedEstimator):
    """Compress sequences of any length to a few numbers and back.

    A recurrent encoder reads a sequence to its end and gives the code, a recurrent decoder makes
    all steps from it [1]_; padding takes no part. The code also tells the length, so that
    `inverse_transform` gives sequences of unequal length. Steps are standardised by the mean and
    deviation of each feature over the training steps.

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

    n_components: int = param(16, "Numbers in a code.", integer(1))
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

    _attributes = {
        "length_range_": attribute("tuple of int", "Shortest and longest training sequence.")
    }
    _network: ClassVar[type[nn.Module]] = SequenceAutoencoderNetwork

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        return tags

    @property
    def _n_features_out(self) -> int:
        return self._module_kwargs["n_components"]

    # -- training --------------------------------------------------------------------------

    def _module_settings(self, X: Sequences) -> dict[str, Any]:
        names = ("n_components", "cell", "hidden_size", "num_layers", "bidirectional", "dropout")
        return {"n_features": X.steps.shape[1]} | {name: getattr(self, name) for name in names}

    def _initialise(self, module: Any, rows: SequenceRows) -> None:
        mean, scale = scales_of(rows, rows.steps.shape[1])
        counted = length_weights(rows)
        logs = np.log(rows.lengths)
        middle = np.average(logs, weights=counted)
        spread = np.sqrt(np.average((logs - middle) ** 2, weights=counted))
        length_scale = mean.new_tensor([middle, spread if spread > 1e-6 else 1.0])
        module.initialize(mean, scale, length_scale)

    def _objective(self, module: Any, batch: Batch) -> Tensor:
        steps, packing = batch.inputs
        raw, code = module(steps, packing)
        loss = mean_loss((raw - module.standardize(steps)).square().mean(dim=1), batch)
        if self.length_weight == 0:
            return loss
        wrong = module.length_errors(code, packing.lengths) * sequence_weights(batch)
        return loss + self.length_weight * wrong.sum() / batch.n_rows

    def _finish(self, X: Sequences, weights: NDArray[np.float64]) -> None:
        counted = X.lengths[weights > 0]
        self.length_range_ = int(counted.min()), int(counted.max())
        self._set_offset(self._score(X), weights)

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train the network to reconstruct sequences.

        Parameters
        ----------
        X : sequences
            ``(n_sequences, n_steps, n_features)`` array; list or object array of
            ``(n_steps, n_features)`` or ``(n_steps,)`` arrays; ``(n_sequences, n_steps)`` array;
            DataFrame with a (sequence, time) MultiIndex.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_sequences,) or None, default=None

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X or a parameter is not valid, or training diverges; the estimator is then as it
            was before.
        """
        self._fit(X, None, sample_weight)
        self._flat = holds_vectors(X)
        return self

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
        self._fit(X, None, sample_weight, partial=True)
        self._flat = holds_vectors(X)
        return self

    # -- codes and reconstructions ---------------------------------------------------------

    def transform(self, X: Any) -> NDArray[Any]:
        """Codes of sequences.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences, n_components)
        """
        sequences = self._read_fitted(X)
        return self._as_output(X, sequences, self._run("encode", sequences, per_step=False))

    def inverse_transform(self, X: Any, lengths: Any = None) -> NDArray[Any]:
        """Sequences that codes stand for.

        Parameters
        ----------
        X : array-like of shape (n_sequences, n_components)
            Codes.
        lengths : array-like of int of shape (n_sequences,) or None, default=None
            Number of steps of each; None takes what the codes tell, within `length_range_`.

        Returns
        -------
        ndarray
            1-D object array of ``(n_steps, n_features)`` arrays, or ``(n_steps,)`` after a fit on
            such; an array of shape (n_sequences, n_steps[, n_features]) where all training
            sequences had the same length and `lengths` is None.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=self.dtype, input_name="X")
        if codes.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {codes.shape[1]} columns, but codes of this {type(self).__name__} have "
                f"{self._n_features_out} (n_components)."
            )
        layout = "dense" if lengths is None and len(set(self.length_range_)) == 1 else "ragged"
        if lengths is None:
            network: Any = self.module_
            told = run_rows(network, network.lengths, (codes,), n_threads=self.n_threads)
            counts = np.rint(told).clip(*self.length_range_).astype(np.int64)
        else:
            counts = check_lengths(lengths, len(codes))
        repeated = Sequences(np.repeat(codes, counts, axis=0), counts, layout)  # type: ignore[arg-type]
        return unpacked(repeated, self._run("decode", repeated, per_step=True), self._flat)

    def reconstruct(self, X: Any) -> NDArray[Any]:
        """Sequences through the code and back, at their own lengths.

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
        steps = self._run("reconstruct", sequences, per_step=True)
        return unpacked(sequences, steps, holds_vectors(X))

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Negative mean squared error of each sequence's standardised steps.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences,)
        """
        return self._score(self._read_fitted(X))

    def _score(self, X: Sequences) -> NDArray[np.float64]:
        return -self._run("errors", X, per_step=False).astype(np.float64)
