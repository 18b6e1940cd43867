"""Language models: the probability of sequences, step by step, and sequences drawn from it."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from torch import Tensor

from sklseq._compat.sklearn import fit_context
from sklseq.base import choice, estimator, integer, other_default, param, same
from sklseq.data import Sequences
from sklseq.nn.recurrent.language import OUTPUTS, LanguageNetwork
from sklseq.parts.context import scaled_context
from sklseq.parts.epochs import n_epochs
from sklseq.parts.steps_or_symbols import read_steps_or_symbols, steps_as_read_by
from sklseq.parts.validation import Validation
from sklseq.recurrent._base import BaseRecurrent, CellParameters
from sklseq.recurrent._events import (
    check_labels,
    events_of,
    kind_of_steps,
    next_probabilities,
    next_steps,
    without_rare,
)
from sklseq.recurrent._samples import SAMPLE, SampleFormat
from sklseq.training.placement import parameter_of
from sklseq.training.rows.batch import Batch, Rows, Targets, mean_loss
from sklseq.training.rows.sequences import SequenceRows

__all__ = ["RecurrentLanguageModel"]

# Of max_epochs="auto": the least and the largest number of training steps.
_STEPS = 1000, 3000


def _gives_probabilities(model: Any) -> bool:
    """Whether what is predicted is known to have a probability, and not a density."""
    return getattr(model, "_kind", model.output) in ("symbols", "labels")


@estimator
class RecurrentLanguageModel(BaseRecurrent):
    """Learn how likely sequences are, step by step, and draw new ones.

    A recurrent network of any cell predicts from the steps so far the next one, or that the
    sequence ends. What it learns is the probability of whole sequences, which is the product of
    those of their steps and of their end [1]_ [2]_. Steps are symbols, as in texts; vectors of
    labels, each 0 or 1, as in piano rolls, which are independent given the steps before [3]_; or
    real values, normal around what is predicted.

    The start and the end of each sequence are events that are learned like any other: `sample`
    begins at the start, and ends where the model does. A long text is one sequence whose end is
    seen once, so that samples go on up to `max_length`; give paragraphs or sentences as sequences
    of their own where their ends count. Texts are trained on in segments (`tbptt_steps`), and one
    that is longer than its share of a batch is cut into pieces, which are gone through side by
    side.

    References
    ----------
    .. [1] Elman (1990). "Finding structure in time". Cognitive Science 14.
    .. [2] Mikolov, Karafiat, Burget, Cernocky and Khudanpur (2010). "Recurrent neural network based
       language model". Interspeech.
    .. [3] Boulanger-Lewandowski, Bengio and Vincent (2012). "Modeling temporal dependencies in
       high-dimensional sequences: application to polyphonic music generation and transcription".
       ICML, section 2.

    Examples
    --------
    >>> from sklseq.recurrent import RecurrentLanguageModel
    >>> names = ["anna", "hanna", "johanna", "susanna", "hannah"] * 10
    >>> model = RecurrentLanguageModel(hidden_size=32, max_epochs=100, random_state=0)
    >>> model = model.fit(names)
    >>> bool(model.score_samples(["hanna"])[0] > model.score_samples(["nnaha"])[0])
    True
    >>> model.sample(2, prompt="jo", random_state=0)
    array(['johanna', 'johanna'], dtype=object)
    """

    output: str = param(
        "auto",
        "What a step is: a 'symbol' of a sequence of 'symbols', 'labels', each 0 or 1, or real "
        "'values'. 'auto' takes symbols where X has strings, labels where all numbers of X are 0 "
        "or 1, and else values. Integers are symbols with 'symbols', or where `embedding_size` is "
        "given.",
        choice("auto", *OUTPUTS),
    )
    min_frequency: int = param(
        1,
        "Symbols that occur less often in X are unknown ones, of which the model learns where they "
        "occur. With 1 it has seen none: those that it then meets are unlikely.",
        integer(1),
    )
    tokenizer: Any = param(
        "char",
        "Tokens of a string, which are its symbols: 'char' takes characters, 'word' words and "
        "punctuation marks; or a callable gives them as a list, such as ``str.split``. Lists of "
        "symbols are not changed.",
        choice("char", "word"),
        callable,
    )
    target: str = param("sequence", "What a row is: a whole sequence.", choice("sequence"))
    cell: Any = same(CellParameters, "cell")
    cell_options: dict[str, Any] | None = same(CellParameters, "cell_options")
    hidden_size: int = other_default(BaseRecurrent, "hidden_size", 128)
    tbptt_steps: int | None = other_default(BaseRecurrent, "tbptt_steps", 100)
    learning_rate: float = other_default(BaseRecurrent, "learning_rate", 5e-3)
    max_epochs: Any = param(
        "auto",
        "Passes over the training data. 'auto' takes 30, or as many as make 1000 training steps "
        "where these are more, or 3000 where these are fewer.",
        integer(1),
        choice("auto"),
    )

    # What reads sequences from their end, or as wholes, cannot predict the next step.
    bidirectional: ClassVar[bool] = False  # type: ignore[misc]
    pooling: ClassVar[Any] = None  # type: ignore[misc]
    missing: ClassVar[str] = "error"  # type: ignore[misc]
    time_feature: ClassVar[None] = None  # type: ignore[misc]

    _network: ClassVar[Any] = LanguageNetwork
    _stored: ClassVar[dict[str, Any]] = {
        "_format": SampleFormat,
        "_kind": "str",
        "_longest": "int",
        "_knows_unknown": "bool",
    }

    if TYPE_CHECKING:  # not annotations at run time: they would become parameters
        _format: SampleFormat
        _kind: str
        _longest: int
        _knows_unknown: bool
        feature_mean_: NDArray[np.float64]
        feature_scale_: NDArray[np.float64]

    # -- training --------------------------------------------------------------------------

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
        """Train the network to predict each step, and the end, from the steps before.

        Parameters
        ----------
        X : str or sequences
            A text, or
            {{X: sequences or symbols}}
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_sequences,) or None, default=None
            Weight of each sequence.
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
            As in `fit`. The first call settles the symbols, and what steps are: later symbols that
            are new count as unknown.

        Returns
        -------
        self
        """
        self._refuse_data_as_y(y)
        return self._fit(X, None, sample_weight, partial=True, context=context)

    def _read(self, X: Any, fresh: bool) -> Sequences:
        alone = isinstance(X, str)
        X = [X] if alone else X
        symbolic = self.output == "symbols" or (self.embedding_size, self.embedding) != (None, None)
        data = read_steps_or_symbols(self, X, fresh, symbolic, self.tokenizer, self.lowercase)
        if fresh:
            self._kind = kind_of_steps(self.output, data)
            self._format = SampleFormat.of(X, data, self.tokenizer)
            if data.symbolic and self.min_frequency > 1:
                data, kept = without_rare(data, self.min_frequency)
                self.vocabulary_ = self.vocabulary_[kept - 1]
        if self._kind == "labels":
            check_labels(data)
        return replace(data, layout="series") if alone else data

    def _learn_scale(self, data: Sequences, weights: NDArray[np.float64]) -> None:
        super()._learn_scale(data, weights)
        if self._kind == "labels":  # of a rare one the deviation says little
            self.feature_mean_ = np.zeros_like(self.feature_mean_)
            self.feature_scale_ = np.ones_like(self.feature_scale_)

    def _read_targets(
        self, y: Any, data: Sequences, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        """The events of sequences are their own targets."""
        if "training" not in known:
            before = (0, False) if fresh else (self._longest, self._knows_unknown)
            self._longest = max(before[0], int(data.lengths.max()))
            self._knows_unknown = before[1] or (data.symbolic and not data.steps.all())
        n_steps = len(self.vocabulary_) + 1 if data.symbolic else data.steps.shape[1]
        return Targets(np.repeat(weights, data.lengths + 1), None, 1 + n_steps)

    def _settings(self, data: Sequences, targets: Targets) -> dict[str, Any]:
        return super()._settings(data, targets) | {"output": self._kind}

    def _rows(self, data: Sequences, like: Tensor, targets: Targets | None = None) -> SequenceRows:
        """The events of sequences, or what further steps of a stream are read as."""
        context = scaled_context(self, data, like)
        data = steps_as_read_by(self, data, like)
        if targets is None:
            return SequenceRows(data.steps, data.lengths, like, None, True, context)
        events = events_of(data, len(self.vocabulary_) if data.symbolic else 0)
        return SequenceRows(
            events,
            data.lengths + 1,
            like,
            targets,
            True,
            context,
            segment_steps=self.tbptt_steps,
        )

    def _events(self, data: Sequences) -> SequenceRows:
        """The events of sequences, for inference."""
        weights = np.ones(len(data))
        targets = self._read_targets(None, data, weights, False, training=None)
        return self._rows(data, parameter_of(self.module_), targets)

    def _training_rows(self, rows: Any) -> Any:
        if self.tbptt_steps is None:
            return rows
        share = -(-int(rows.lengths.sum()) // self.batch_size)
        return rows.in_pieces(max(self.tbptt_steps, share))

    def _n_epochs(self, rows: Rows) -> int:
        return n_epochs(self, self._training_rows(rows), *_STEPS)

    def _initialize(self, module: Any, rows: SequenceRows) -> None:
        super()._initialize(module, rows)
        assert rows.weight is not None
        module.initialize(rows.steps, rows.weight * rows.mean_weight)

    @staticmethod
    def _objective(module: Any, batch: Batch) -> Tensor:
        return mean_loss(-module.log_probs(*batch.inputs), batch)

    def _check_as_fitted(self, name: str, fitted: Any) -> None:
        if name != "target":  # there is one alone
            super()._check_as_fitted(name, fitted)

    def _check_learned(self) -> None:
        super()._check_learned()
        if self._kind != self._module_kwargs["output"]:
            raise ValueError(f"its steps are {self._kind}, which its network does not predict.")

    # -- what is likely --------------------------------------------------------------------

    def _log_probs(self, X: Any, context: Any) -> tuple[NDArray[np.float64], Sequences]:
        data = self._with_context(self._read_fitted(X), context, X, False)
        values = self._run("log_probs", self._events(data)).astype(np.float64)
        sums = np.add.reduceat(values, data.starts + np.arange(len(data)))
        if not data.symbolic:
            sums -= data.lengths * np.log(self.feature_scale_).sum()
        return sums, data

    def score_samples(self, X: Any, *, context: Any = None) -> NDArray[np.float64]:
        """Log-probability of each sequence, its end included, in nats.

        Parameters
        ----------
        X, context : as in `fit`

        Returns
        -------
        ndarray of shape (n_sequences,)
            Of real values it is the log-density, in the units of X.
        """
        return self._log_probs(X, context)[0]

    def score(self, X: Any, y: Any = None, *, context: Any = None) -> float:
        """Mean log-probability of the sequences, in nats: that of `score_samples`.

        Parameters
        ----------
        X : as in `fit`
        y : Ignored
            Not used, present for API consistency.
        context : as in `fit`

        Returns
        -------
        float
        """
        return float(self.score_samples(X, context=context).mean())

    @available_if(_gives_probabilities)
    def perplexity(self, X: Any, *, context: Any = None) -> float:
        """Among how many symbols, all alike, each choice would be as hard.

        ``exp(-sum(score_samples(X)) / n_events)``, where events are the steps of all sequences and
        their ends; see `sklseq.metrics.sequence_perplexity`.

        Parameters
        ----------
        X, context : as in `fit`

        Returns
        -------
        float
            At least 1. Its logarithm is the loss of training; of base 2, bits per symbol.
        """
        sums, data = self._log_probs(X, context)
        return float(np.exp(-sums.sum() / (data.lengths + 1).sum()))

    # -- what comes next -------------------------------------------------------------------

    _unscaled = next_steps
    _probabilities = next_probabilities
    sample = SAMPLE

    def _outputs(self, X: Any, context: Any) -> tuple[NDArray[Any], Sequences]:
        """Outputs for what follows each step."""
        data = self._with_context(self._read_fitted(X), context, X, False)
        outputs = self._run("outputs", self._events(data))
        return np.delete(outputs, data.starts + np.arange(len(data)), axis=0), data

    def predict(self, X: Any, *, context: Any = None) -> NDArray[Any]:
        """What most probably follows each step.

        Parameters
        ----------
        X, context : as in `fit`

        Returns
        -------
        ndarray
            In the container of X: after each step the most probable symbol, None for the end; or,
            if the sequence goes on, the labels that are more probable than not, or the expected
            values.
        """
        outputs, data = self._outputs(X, context)
        steps = self._unscaled(outputs)
        flat = not data.symbolic and self._format.flat and steps.shape[1] == 1
        return data.restore(steps[:, 0] if flat else steps)

    @available_if(_gives_probabilities)
    def predict_proba(self, X: Any, *, context: Any = None) -> NDArray[Any]:
        """Probabilities of what may follow each step.

        Parameters
        ----------
        X, context : as in `fit`

        Returns
        -------
        ndarray
            In the container of X, for each step ``(n_symbols + 2,)`` numbers that sum to one: of
            the symbols of `vocabulary_`, of any other symbol, and of the end. Or ``(n_labels +
            1,)``: of each label, if the sequence goes on, and of the end.
        """
        outputs, data = self._outputs(X, context)
        return data.restore(self._probabilities(outputs))
