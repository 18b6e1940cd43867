"""Features of sequences and of steps."""

from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import Tags
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sklseq._compat.sklearn import fit_context
from sklseq.base import choice, estimator, param, same
from sklseq.base.sequences import SequenceTransformer
from sklseq.data import Sequences
from sklseq.nn.recurrent.network import NeighborNetwork
from sklseq.parts.context import read_known, scaled_context
from sklseq.parts.steps_or_symbols import scaled_values, steps_as_read_by
from sklseq.parts.validation import Validation
from sklseq.recurrent._base import BaseRecurrent, CellParameters
from sklseq.training.rows.batch import Batch, Targets, mean_loss
from sklseq.training.rows.sequences import SequenceRows

__all__ = ["RecurrentTransformer"]


def _losses(predicted: Tensor, true: Tensor) -> Tensor:
    if true.ndim == 1:
        return cross_entropy(predicted, true, reduction="none")
    # What was not observed is not to be predicted.
    return torch.where(true.isnan(), 0, predicted - true).square().mean(dim=1)


@estimator
class RecurrentTransformer(SequenceTransformer, BaseRecurrent):
    """Turn sequences, or their steps, into the states of a network that predicts the next step.

    The network is trained without labels: forward states predict the next step and, with
    ``bidirectional=True``, backward states the previous one. `transform` gives the states,
    pooled over the steps with ``target="sequence"``.

    References
    ----------
    .. [1] Elman (1990). "Finding structure in time". Cognitive Science 14.
    .. [2] Peters et al. (2018). "Deep contextualized word representations". NAACL, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.recurrent import RecurrentTransformer
    >>> rng = np.random.default_rng(0)
    >>> X = [np.sin(rng.uniform(0.1, 1) * np.arange(n)) for n in rng.integers(10, 30, size=50)]
    >>> RecurrentTransformer(hidden_size=8, max_epochs=5, random_state=0).fit_transform(X).shape
    (50, 8)
    """

    cell: Any = same(CellParameters, "cell")
    cell_options: dict[str, Any] | None = same(CellParameters, "cell_options")
    pooling: str = param(
        "last",
        "Summary of a sequence's states: the 'last' state (of each direction), their "
        "'mean' or 'max'. Not used with target='step'.",
        choice("last", "mean", "max"),
    )

    _network: ClassVar[type[nn.Module]] = NeighborNetwork

    @staticmethod
    def _objective(module: nn.Module, batch: Batch) -> Tensor:
        if len(batch.inputs) > 3:  # a segment, whose targets are the steps that follow
            (predicted,) = module(*batch.inputs)
            return mean_loss(_losses(predicted, batch.target), batch)
        ends = np.cumsum(batch.inputs[1].lengths)
        has_next = np.ones(ends[-1], dtype=bool)
        has_next[ends - 1] = False
        now = torch.from_numpy(np.flatnonzero(has_next)).to(batch.weight.device)
        # Forward, the step now predicts the next; backward, the next predicts the one now.
        losses = [
            _losses(predicted[step], batch.target[neighbor])
            for predicted, (step, neighbor) in zip(
                module(*batch.inputs), ((now, now + 1), (now + 1, now)), strict=False
            )
        ]
        return (torch.stack(losses).mean(dim=0) * batch.weight[now]).sum() / batch.n_rows

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
        context: Any = None,
        context_val: Any = None,
    ) -> Self:
        """Train the network to predict each step from those before it.

        Parameters
        ----------
        X : sequences
            {{X: sequences or symbols}} {{X: one series}}
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like or None, default=None
            Weight of each sequence, or of each step with ``target="step"``.
        X_val, sample_weight_val : as X and sample_weight, or None, default=None
            {{validation}}
        groups : array-like of shape (n_sequences,) or None, default=None
            {{groups}}
        context : array-like of shape (n_sequences, n_context_features) or None, default=None
            {{context}}
        context_val : as context, or None, default=None
            The context of `X_val`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            {{unchanged}}
        """
        self._refuse_data_as_y(y)
        validation = Validation(X_val, None, sample_weight_val, groups, context_val)
        return self._fit(X, None, sample_weight, validation=validation, context=context)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, context: Any = None
    ) -> Self:
        """Train for one more epoch on X.

        Parameters
        ----------
        X, y, sample_weight, context
            As in `fit`.

        Returns
        -------
        self
        """
        self._refuse_data_as_y(y)
        return self._fit(X, None, sample_weight, partial=True, context=context)

    def _read_targets(
        self, y: Any, data: Sequences, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        """The steps themselves; each counts as its sequence does, but the last has no next."""
        if data.lengths.max() < 2:
            raise ValueError(
                "Every sequence has one step (n_samples = 1 of one series, n_features = 1 of a "
                "table): there is no next step to learn from. At least one needs two steps."
            )
        weights = weights.copy() if self._per_step else np.repeat(weights, data.lengths)
        if data.steps.ndim == 1:
            values, n_outputs = data.steps, len(self.vocabulary_) + 1
        else:
            values = scaled_values(self, data)
            n_outputs = values.shape[1]
            if not n_outputs:
                raise ValueError(
                    f"time_feature={self.time_feature!r} is the only column of X: there is nothing "
                    "else that the next step could be predicted in."
                )
        weights[np.cumsum(data.lengths) - 1] = 0
        return Targets(weights, values, n_outputs)

    def _rows(self, data: Sequences, like: Tensor, targets: Targets | None = None) -> SequenceRows:
        context = scaled_context(self, data, like)
        data = steps_as_read_by(self, data, like)
        return SequenceRows(
            data.steps,
            data.lengths,
            like,
            targets,
            True,
            context,
            segment_steps=self.tbptt_steps,
            following=True,
        )

    def fit_transform(
        self, X: Any, y: Any = None, *, context: Any = None, **fit_params: Any
    ) -> NDArray[Any]:
        """Train the network, and give the states of the same X.

        Parameters
        ----------
        X, y, context
            As in `fit`.
        **fit_params
            Other arguments of `fit`.

        Returns
        -------
        ndarray of shape (n_sequences, n_features_out)
            As `transform`.
        """
        return self.fit(X, y, context=context, **fit_params).transform(X, context=context)

    def transform(self, X: Any, *, context: Any = None) -> NDArray[Any]:
        """States of the network.

        Parameters
        ----------
        X : sequences
            As in `fit`.
        context : array-like of shape (n_sequences, n_context_features) or None, default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences, n_features_out)
            ``n_features_out`` is `hidden_size`, twice that if bidirectional, as often as there are
            layers with ``skip_connections="dense"``. With ``target="step"``:
            ``(n_sequences, n_steps, n_features_out)``, ``(n_steps, n_features_out)`` for one
            series, or an object array of them for ragged X.
        """
        sequences = read_known(self, X, context)
        states = self._run("features", sequences, per_part=self._per_step)
        return self._as_output(X, sequences, states)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        return tags

    @property
    def _n_features_out(self) -> int:
        network: Any = self.module_
        return network.stack.output_size
