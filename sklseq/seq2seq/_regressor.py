"""Sequences of real values put out for sequences."""

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from sklseq.base import attribute, estimator, param, real
from sklseq.base.index import check_index
from sklseq.base.sequences import check_lengths
from sklseq.base.target_rows import read_weights
from sklseq.base.targets import weighted_scale
from sklseq.data import Sequences
from sklseq.nn.ragged.pooling import mean_pool
from sklseq.nn.seq2seq.network import ValueNetwork
from sklseq.seq2seq._base import BaseSeq2Seq
from sklseq.seq2seq._outputs import as_objects, read_outputs
from sklseq.training.placement import parameter_of
from sklseq.training.rows.batch import Batch, Targets, mean_loss
from sklseq.training.run import run_tiles

__all__ = ["Seq2SeqRegressor"]


@estimator
class Seq2SeqRegressor(BaseSeq2Seq):
    """Put out a sequence of real values for each sequence, of any other length.

    An encoder reads the input; a decoder writes the output one step at a time, each from the
    input, to the steps of which it attends, and the step before. It is trained by the squared error
    of the steps, and to tell at each step whether it is the last [1]_. Predictions read what they
    put out; `teacher_forcing` below 1 trains for that.

    References
    ----------
    .. [1] Sutskever, Vinyals and Le (2014). "Sequence to sequence learning with neural networks".
       NeurIPS.

    Examples
    --------
    Every second value of a sine wave:

    >>> import numpy as np
    >>> from sklseq.seq2seq import Seq2SeqRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = [np.sin(0.5 * np.arange(n) + rng.uniform(0, 6)) for n in rng.integers(8, 15, 60)]
    >>> model = Seq2SeqRegressor(hidden_size=16, max_epochs=250, random_state=0)
    >>> model = model.fit(X, [x[::2] for x in X])
    >>> [len(p) for p in model.predict(X[:3])] == [len(x[::2]) for x in X[:3]]
    True
    """

    stop_weight: float = param(
        1.0,
        "Weight of the cross-entropy of a step being the last, beside the squared error.",
        real(0),
    )

    _attributes = {
        "target_mean_": attribute(
            "ndarray of shape (n_outputs,)",
            "Mean of y; the network is trained on y centered and scaled to unit variance.",
        ),
        "target_scale_": attribute("ndarray of shape (n_outputs,)", "Standard deviation of y."),
    }
    _network: ClassVar[type[nn.Module]] = ValueNetwork
    _n_ends: ClassVar[int] = 0

    if TYPE_CHECKING:  # not annotations at run time: they would become parameters
        target_mean_: NDArray[np.float64]
        target_scale_: NDArray[np.float64]

    # -- training --------------------------------------------------------------------------

    def _read_targets(
        self, y: Any, data: Any, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        sequences, layout = read_outputs(y, len(data), symbolic=False)
        if fresh:
            of_steps = np.repeat(weights / sequences.lengths, sequences.lengths)
            self.target_mean_, self.target_scale_ = weighted_scale(
                sequences.steps, of_steps[:, None]
            )
        self._learn_layout(sequences, layout, fresh, validating=bool(known))
        return self._outputs(sequences, weights)

    def _outputs(self, sequences: Sequences, weights: NDArray[np.float64]) -> Targets:
        self._check_n_outputs(sequences)
        values = (sequences.steps - self.target_mean_) / self.target_scale_
        return Targets(weights, values, len(self.target_mean_), lengths=sequences.lengths)

    def _check_n_outputs(self, sequences: Sequences) -> None:
        if sequences.steps.shape[1] != len(self.target_mean_):
            raise ValueError(
                f"The steps of y have {sequences.steps.shape[1]} features, but "
                f"{type(self).__name__} was fitted on {len(self.target_mean_)}."
            )

    def _read_outputs(self, y: Any, data: Sequences) -> Targets:
        sequences, _ = read_outputs(y, len(data), symbolic=False)
        return self._outputs(sequences, np.ones(len(data)))

    def _objective(self, module: Any, batch: Batch) -> Tensor:
        packing = batch.inputs[3]
        given = module(*batch.inputs, self._forced(module, batch))
        losses = (given[:, :-1] - batch.target).square().mean(dim=1)
        if self.stop_weight:
            is_last = packing.is_last.to(given)
            wrong = binary_cross_entropy_with_logits(given[:, -1], is_last, reduction="none")
            losses = losses + self.stop_weight * wrong
        return mean_loss(mean_pool(losses[:, None], packing)[:, 0], batch)

    def _check_learned(self) -> None:
        super()._check_learned()
        if not (self.target_scale_ > 0).all():
            raise ValueError("the scale of an output is not above 0.")

    # -- prediction ------------------------------------------------------------------------

    def predict(self, X: Any, lengths: Any = None) -> NDArray[Any]:
        """The outputs, each step from what was put out before it.

        Parameters
        ----------
        X : sequences
            As in `fit`.
        lengths : array-like of int of shape (n_pairs,) or None, default=None
            Number of steps of each output; None ends it where a step seems the last, within
            `min_length` and `max_length`.

        Returns
        -------
        ndarray of shape (n_pairs,) of object
            For each input an array of shape (n_steps, n_outputs), or (n_steps,) after a fit on
            such; one array after a fit on one, and without `lengths`.
        """
        data = self._read_fitted(X)
        if lengths is not None:
            return as_objects(self._generated(data, check_lengths(lengths, len(data))))
        length = self._layout.length
        fixed = None if length is None else np.full(len(data), length)
        return self._layout.given_back(self._generated(data, fixed))

    def _generated(
        self, data: Sequences, lengths: NDArray[np.int64] | None
    ) -> list[NDArray[np.float64]]:
        """Outputs for each input, of these lengths or such as are learned."""
        network: Any = self.module_
        shortest, longest = self._least_and_most() if lengths is None else [int(lengths.max())] * 2
        results: list[Any] = [None] * len(data)
        for places, (values, found) in run_tiles(
            lambda _, *inputs: network.generate(*inputs, longest, shortest),
            network,
            self._rows(data, parameter_of(network)),
            n_threads=self.n_threads,
        ):
            counts = found.cpu().numpy() if lengths is None else lengths[places]
            for place, sequence, n in zip(places, values.cpu().numpy(), counts, strict=False):
                steps = sequence[:n] * self.target_scale_ + self.target_mean_
                results[place] = steps[:, 0] if self._layout.flat else steps
        return results

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Coefficient of determination over all steps of outputs of the true lengths.

        Parameters
        ----------
        X : sequences
            As in `fit`.
        y : sequences
            True outputs.
        sample_weight : array-like of shape (n_pairs,) or None, default=None

        Returns
        -------
        float
        """
        check_index(X, False, y=y, sample_weight=sample_weight)
        data = self._read_fitted(X)
        weights = read_weights(sample_weight, self._target_rows(data))
        true, _ = read_outputs(y, len(data), symbolic=False)
        self._check_n_outputs(true)
        predicted = np.concatenate(self._generated(data, true.lengths))
        return r2_score(
            true.steps,
            predicted.reshape(true.steps.shape),
            sample_weight=np.repeat(weights, true.lengths),
        )
