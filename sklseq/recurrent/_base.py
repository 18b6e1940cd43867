"""What all recurrent estimators share."""

from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, choice, estimator, integer, other_default, param, real, same
from sklseq.base.sequences import SequenceEstimator
from sklseq.data import Sequences
from sklseq.nn.ragged.pooling import POOLINGS
from sklseq.parts.context import (
    CONTEXT_ATTRIBUTES,
    CONTEXT_STORED,
    ContextParameters,
    check_context_learned,
    context_settings,
    learn_context_scale,
    scaled_context,
    with_context,
)
from sklseq.parts.epochs import n_epochs
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.missing_steps import (
    INTERVAL_ATTRIBUTES,
    INTERVAL_STORED,
    GapParameters,
    read_with_gaps,
)
from sklseq.parts.pretrained import (
    EmbeddingParameters,
    set_trainable,
    short_repr,
    start_from,
    vector_size,
    warn_of_left_out,
)
from sklseq.parts.scaled_steps import SCALE_ATTRIBUTES, SCALE_STORED
from sklseq.parts.steps_or_symbols import (
    check_steps_learned,
    learn_scale_of_steps,
    n_inputs_of,
    read_steps_or_symbols,
    steps_as_read_by,
)
from sklseq.parts.streaming import Stream
from sklseq.parts.teacher_forcing import set_length_of_training
from sklseq.parts.validation import Validation
from sklseq.recurrent._architecture import (
    ArchitectureParameters,
    CellParameters,
    architecture_of,
    start_weights,
)
from sklseq.recurrent._carry_state import (
    END_STORED,
    begin_with,
    check_carrying,
    check_end_states,
    remember_end,
)
from sklseq.recurrent._feedback import FEEDBACK_CELL, feedback_settings, recurrent_network
from sklseq.recurrent._long_series import LongSeriesParameters, check_truncation
from sklseq.recurrent._regularization import RegularizationParameters, with_penalties
from sklseq.recurrent._without_effect import warn_of_no_effect
from sklseq.training.net import Objective
from sklseq.training.rows.batch import Rows, Targets
from sklseq.training.rows.sequences import SequenceRows

__all__ = ["BaseRecurrent", "CellParameters"]

# Of max_epochs="auto": the least number of training steps.
_STEPS = 200
# Parameters that the network takes as they are.
_OF_NETWORK = (
    "cell", "hidden_size", "num_layers", "bidirectional", "dropout", "dropout_mask",
    "recurrent_dropout", "zoneout",
)  # fmt: skip


@estimator
class BaseRecurrent(SequenceEstimator, NeuralEstimator):
    """Recurrent network over sequences."""

    hidden_size: int = param(64, "Units of each recurrent layer and direction.", integer(1))
    num_layers: int = param(1, "Recurrent layers on top of each other.", integer(1))
    bidirectional: bool = param(
        False,
        "Whether a second network reads each sequence backward; the states of both are "
        "concatenated. Per step, the prediction then depends on later steps too.",
        "boolean",
    )
    dropout: float = param(0.0, "Share of each layer's outputs dropped in training.", real(0, 1))
    dropout_mask: str = same(RegularizationParameters, "dropout_mask")
    recurrent_dropout: float = same(RegularizationParameters, "recurrent_dropout")
    zoneout: float = same(RegularizationParameters, "zoneout")
    activation_penalty: float = same(RegularizationParameters, "activation_penalty")
    temporal_activation_penalty: float = same(
        RegularizationParameters, "temporal_activation_penalty"
    )
    flow_regularizer: float = same(RegularizationParameters, "flow_regularizer")
    skip_connections: str | None = same(ArchitectureParameters, "skip_connections")
    normalization: str | None = same(ArchitectureParameters, "normalization")
    input_layer_sizes: Any = same(ArchitectureParameters, "input_layer_sizes")
    output_layer_sizes: Any = same(ArchitectureParameters, "output_layer_sizes")
    feedforward_activation: str = same(ArchitectureParameters, "feedforward_activation")
    init: str | None = same(ArchitectureParameters, "init")
    spectral_radius: float = same(ArchitectureParameters, "spectral_radius")
    forget_bias: Any = same(ArchitectureParameters, "forget_bias")
    pooling: str = param(
        "last",
        "Summary of a sequence's states: the 'last' state (of each direction), their "
        "'mean' or 'max', or 'attention' with learned weights. Not used with target='step'.",
        choice(*POOLINGS),
    )
    embedding_size: int | None = param(
        None,
        "Size of the vector learned for each symbol. Given, integers are symbols too; None reads "
        "integers as numbers and embeds strings with `hidden_size`.",
        integer(1),
        None,
    )
    embedding: Any = same(EmbeddingParameters, "embedding")
    embedding_trainable: bool = same(EmbeddingParameters, "embedding_trainable")
    tokenizer: Any = param(
        None,
        "Tokens of a string, which are its symbols: 'word' takes words and punctuation marks, "
        "'char' characters; or a callable gives them as a list, such as ``str.split``. None takes "
        "characters, and warns where most strings hold spaces. Lists of symbols are not changed. "
        "Given, integers are symbols too.",
        choice("char", "word"),
        callable,
        None,
    )
    lowercase: bool = param(
        False, "Whether strings and symbols are converted to lowercase, before all else.", "boolean"
    )
    missing: str = same(GapParameters, "missing")
    time_feature: Any = same(GapParameters, "time_feature")
    context_as: str = same(ContextParameters, "context_as")
    tbptt_steps: int | None = same(LongSeriesParameters, "tbptt_steps")

    # Chosen by benchmarks/defaults.py.
    learning_rate: float = other_default(NeuralEstimator, "learning_rate", 1e-2)
    lr_schedule: str | None = other_default(NeuralEstimator, "lr_schedule", "cosine")
    max_epochs: Any = param(
        "auto",
        "Passes over the training data. 'auto' takes 30, or as many as make 200 training steps "
        "where these are more: all 200 for one series, which is a single step an epoch. With "
        "'lbfgs', whose epochs hold many steps, it takes 30.",
        integer(1),
        choice("auto"),
    )

    _attributes = (
        SCALE_ATTRIBUTES
        | {
            "vocabulary_": attribute(
                "ndarray of shape (n_symbols,)", "The known symbols, where X has symbols."
            )
        }
        | INTERVAL_ATTRIBUTES
        | CONTEXT_ATTRIBUTES
    )
    _network: ClassVar[Any] = staticmethod(recurrent_network)
    _stored = (
        SCALE_STORED
        | INTERVAL_STORED
        | CONTEXT_STORED
        | END_STORED
        | {"_n_step_features": "int", "_vectors_left_out": "absent or bool"}
    )

    if TYPE_CHECKING:  # not annotations at run time: they would become parameters

        @property
        def cell(self) -> Any: ...

        vocabulary_: NDArray[Any]

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        groups: Any = None,
        context: Any = None,
        context_val: Any = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : sequences
            {{X: sequences or symbols}} {{X: one series}}
        y : array-like
            Of a classifier a label for each sequence, ``(n_sequences,)``, or several, each a
            column of 0 and 1, ``(n_sequences, n_classes)``; of a regressor a value, or
            ``(n_sequences, n_outputs)``. With ``target="step"`` one (or several) for each step, in
            a container of the shape of X: None and NaN are steps without a target.
        sample_weight : array-like or None, default=None
            Weight of each sequence, or of each step.
        X_val, y_val, sample_weight_val : as X, y and sample_weight, or None, default=None
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
        validation = Validation(X_val, y_val, sample_weight_val, groups, context_val)
        return self._fit(X, y, sample_weight, validation=validation, context=context)

    def stream(self, n_sequences: int | None = None, *, context: Any = None) -> Stream:
        """An object that reads sequences as they come, chunk by chunk.

        Parameters
        ----------
        n_sequences : int or None, default=None
            Sequences to read side by side; None reads one.
        context : array-like of shape (n_sequences, n_context_features) or None, default=None
            As in `fit`; of one sequence also of shape (n_context_features,).

        Returns
        -------
        Stream
            With the methods `predict`, `predict_proba` or `transform` of this estimator, whose
            results for chunks are those for the whole sequences, to rounding.

        Raises
        ------
        ValueError
            If the network reads sequences from their end, too (``bidirectional=True``), or
            reads missing values or times, which go back beyond a chunk.

        Examples
        --------
        >>> import numpy as np
        >>> from sklseq.recurrent import GRURegressor
        >>> X = np.random.default_rng(0).uniform(size=(300, 1))
        >>> model = GRURegressor(target="step", max_epochs=5, random_state=0)
        >>> model.fit(X, X.cumsum() / 150)
        GRURegressor(max_epochs=5, random_state=0, target='step')
        >>> stream = model.stream()
        >>> chunks = [stream.predict(chunk) for chunk in (X[:7], X[7:8], X[8:])]
        >>> bool(np.allclose(np.concatenate(chunks), model.predict(X)))
        True
        """
        check_is_fitted(self)
        return Stream(self, n_sequences, context)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing == "mask"
        return tags

    # -- reading ---------------------------------------------------------------------------

    def _read(self, X: Any, fresh: bool) -> Sequences:
        settings = (self.embedding_size, self.embedding, self.tokenizer)
        symbolic = any(setting is not None for setting in settings)

        def read(X: Any, allow_nan: bool) -> Sequences:
            return read_steps_or_symbols(
                self, X, fresh, symbolic, self.tokenizer, self.lowercase, allow_nan
            )

        return read_with_gaps(self, X, fresh, read)

    def _with_context(self, data: Sequences, context: Any, X: Any, fresh: bool) -> Sequences:
        return with_context(self, data, context, X, fresh)

    def _read_fitted(self, X: Any) -> Sequences:
        sequences = super()._read_fitted(X)
        network: Any = self.module_
        self._check_as_fitted("target", "step" if network.pooling is None else "sequence")
        return sequences

    def _check_learned(self) -> None:
        super()._check_learned()
        check_steps_learned(self)
        check_context_learned(self)
        check_end_states(self)

    # -- training --------------------------------------------------------------------------

    def _learn_scale(self, data: Sequences, weights: NDArray[np.float64]) -> None:
        learn_scale_of_steps(self, data, weights)
        learn_context_scale(self, data, weights)

    def _settings(self, data: Sequences, targets: Targets) -> dict[str, Any]:
        check_truncation(self)
        check_carrying(self)
        symbolic = data.steps.ndim == 1
        settings = {
            "n_features": n_inputs_of(self, data),
            "n_outputs": targets.n_outputs,
            "embedding_size": self._vector_size() if symbolic else None,
            "pooling": None if self._per_step else self.pooling,
            "cell_options": getattr(self, "cell_options", None),
            **{name: getattr(self, name) for name in _OF_NETWORK},
            **architecture_of(self),
        }
        if self.cell == FEEDBACK_CELL:
            settings = feedback_settings(self, settings)
        return settings | context_settings(self, data)

    def _vector_size(self) -> int:
        size = vector_size(self.embedding, self.vocabulary_, self.embedding_size)
        return size or self.hidden_size

    def _start_module(self, fresh: bool, settings: dict[str, Any]) -> nn.Module:
        module: Any = super()._start_module(fresh, settings)
        set_trainable(module.embedding, self.embedding_trainable)
        return module

    def _initialize(self, module: Any, rows: SequenceRows) -> None:
        warn_of_no_effect(self)
        start_weights(self, module, int(rows.lengths.max()))
        left_out = self.__dict__.pop("_vectors_left_out", False)
        if self.embedding is not None:
            start_from(self.embedding, self.vocabulary_, module.embedding.weight)
        elif left_out and module.embedding is not None:
            warn_of_left_out(type(self).__name__)

    def _begin(self, module: Any, rows: SequenceRows) -> None:
        if getattr(module, "feeds_back", False):
            set_length_of_training(self, module, rows)

    def _training_objective(self) -> Objective:
        return with_penalties(self, self._objective)

    def _n_epochs(self, rows: Rows) -> int:
        return n_epochs(self, rows, _STEPS)

    def _rows(self, data: Sequences, like: Tensor, targets: Targets | None = None) -> SequenceRows:
        context = scaled_context(self, data, like)
        data = steps_as_read_by(self, data, like)
        return SequenceRows(
            data.steps,
            data.lengths,
            like,
            targets,
            self._per_step,
            context,
            segment_steps=self.tbptt_steps,
            carried=begin_with(self, data, like) if targets is None else None,
        )

    def _finish(self, data: Sequences, targets: Targets) -> None:
        super()._finish(data, targets)
        remember_end(self, data, targets)

    # -- copies and text -------------------------------------------------------------------

    def __sklearn_clone__(self) -> Self:
        """A clone that shares the pretrained vectors, of which there may be many."""
        bare = copy(self)
        bare.embedding = None
        clone = super(BaseRecurrent, bare).__sklearn_clone__()
        clone.embedding = self.embedding
        return clone

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        return short_repr(self, N_CHAR_MAX)

    def __getstate__(self) -> dict[str, Any]:
        """What is stored: of a fitted model without the mapping that its vectors started from."""
        state = super().__getstate__()
        if self.embedding is None or not self.__sklearn_is_fitted__():
            return state
        size = self._module_kwargs["embedding_size"]
        return state | {"embedding": None, "embedding_size": size, "_vectors_left_out": True}
