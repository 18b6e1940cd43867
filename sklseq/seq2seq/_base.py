"""What both encoder-decoder estimators share: networks, and reading what goes in."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags
from torch import Tensor

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, choice, estimator, integer, other_default, param, real, same
from sklseq.base.index import check_index
from sklseq.base.sequences import SequenceEstimator
from sklseq.base.tables import read_table
from sklseq.data import Sequences
from sklseq.nn.layers.attention import ATTENTIONS
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.nn.recurrent.first_states import CONTEXTS
from sklseq.parts.epochs import n_epochs
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.scaled_steps import SCALE_ATTRIBUTES, SCALE_STORED
from sklseq.parts.steps_or_symbols import (
    check_steps_learned,
    learn_scale_of_steps,
    read_steps_or_symbols,
    steps_as_read_by,
)
from sklseq.parts.teacher_forcing import (
    TeacherForcingParameters,
    forced_probability,
    set_length_of_training,
)
from sklseq.parts.validation import Validation
from sklseq.seq2seq._outputs import OutputLayout
from sklseq.training.placement import parameter_of
from sklseq.training.rows.batch import Rows, Targets
from sklseq.training.rows.pairs import PairRows
from sklseq.training.rows.sequences import SequenceRows
from sklseq.training.run import run_tiles

__all__ = ["BaseSeq2Seq"]

# Of max_epochs="auto": the least number of training steps, and the most. With the default size of
# batches the most is reached by 30 epochs over 21,000 pairs; 100,000 are gone through 7 times.
_LEAST_STEPS, _MOST_STEPS = 1000, 20_000


@estimator
class BaseSeq2Seq(SequenceEstimator, NeuralEstimator):
    """Encoder-decoder network from sequences to sequences."""

    target: str = param("sequence", "Unit of a row: a pair of sequences.", choice("sequence"))
    encoder: str = param(
        "lstm",
        "What reads the input: a recurrent cell, a 'transformer', or 'vector', for which X is a "
        "table of which each row is one vector.",
        choice(*CELLS, "transformer", "vector"),
    )
    decoder: str = param(
        "lstm",
        "What writes the output: a recurrent cell or a 'transformer'.",
        choice(*CELLS, "transformer"),
    )
    hidden_size: int = param(128, "Units of each layer.", integer(1))
    num_layers: int = param(1, "Layers on top of each other.", integer(1))
    encoder_hidden_size: int | None = param(
        None,
        "Units of each layer and direction of the encoder; None for `hidden_size`.",
        integer(1),
        None,
    )
    encoder_num_layers: int | None = param(
        None, "Layers of the encoder; None for `num_layers`.", integer(1), None
    )
    bidirectional: bool = param(
        True, "Whether a recurrent encoder reads each input backward too.", "boolean"
    )
    embedding_size: int | None = param(
        None,
        "Size of the vector learned for each symbol. Given, integers in X are symbols too; None "
        "reads integers in X as numbers and embeds symbols with `hidden_size`.",
        integer(1),
        None,
    )
    attention: str | None = param(
        "multiplicative",
        "Score by which a recurrent decoder attends to the steps of the input; None for no "
        "attention. A transformer has its own.",
        choice(*ATTENTIONS),
        None,
    )
    n_heads: int = param(
        4, "Heads of a transformer, and of attention='multihead'; divides the units.", integer(1)
    )
    context: str = param(
        "state",
        "How a summary of the whole input reaches a recurrent decoder: as its first 'state', as "
        "inputs of all 'steps', or 'both'.",
        choice(*CONTEXTS),
    )
    input_feeding: bool = param(
        False,
        "Whether a recurrent decoder reads what it attended to in the step before. Training then "
        "goes step by step, which is slower.",
        "boolean",
    )
    positions: str = param(
        "absolute",
        "What a transformer knows of the order of steps: sinusoids of each 'absolute' position, or "
        "'relative' distances of any two.",
        choice("absolute", "relative"),
    )
    dropout: float = param(
        0.0, "Share of the outputs of embeddings and layers dropped in training.", real(0, 1)
    )
    teacher_forcing: float = same(TeacherForcingParameters, "teacher_forcing")
    teacher_forcing_schedule: str = same(TeacherForcingParameters, "teacher_forcing_schedule")
    max_length: int | None = param(
        None,
        "Steps of the longest output; None for twice the longest one of `fit`.",
        integer(1),
        None,
    )
    min_length: int = param(1, "Steps of the shortest output.", integer(1))

    learning_rate: float = other_default(NeuralEstimator, "learning_rate", 3e-3)
    lr_schedule: str | None = other_default(NeuralEstimator, "lr_schedule", "cosine")
    gradient_clip: float | None = other_default(NeuralEstimator, "gradient_clip", 5.0)
    max_epochs: Any = param(
        "auto",
        "Passes over the training data. 'auto' takes 30, or as many as make 1000 training steps "
        "where these are more, or 20,000 where these are fewer: 7 passes over 100,000 pairs.",
        integer(1),
        choice("auto"),
    )

    _attributes = SCALE_ATTRIBUTES | {
        "vocabulary_": attribute(
            "ndarray of shape (n_symbols,)", "The known symbols, where X has symbols."
        ),
        "max_length_": attribute("int", "Steps of the longest output that is looked for."),
    }
    _stored = SCALE_STORED | {"_n_step_features": "int", "_layout": OutputLayout}
    _n_ends: ClassVar[int] = 1
    """Steps at the end of each output that are the network's own."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

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
    ) -> Self:
        """Train the network on pairs of sequences.

        Parameters
        ----------
        X : sequences
            {{X: sequences or symbols}} With ``encoder="vector"`` a table ``(n_pairs, n_features)``.
        y : sequences
            What is to be put out for each input, as X: of any length. After an array of shape
            (n_pairs, n_steps[, n_outputs]) all outputs have its number of steps, and after one of
            shape (n_pairs,) a single one.
        sample_weight : array-like of shape (n_pairs,) or None, default=None
        X_val, y_val, sample_weight_val : as X, y and sample_weight, or None, default=None
            {{validation}}
        groups : array-like of shape (n_pairs,) or None, default=None
            {{groups}}

        Returns
        -------
        self

        Raises
        ------
        ValueError
            {{unchanged}}
        """
        validation = Validation(X_val, y_val, sample_weight_val, groups)
        return self._fit(X, y, sample_weight, validation=validation)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one more epoch on pairs of sequences.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`. The first call settles the symbols of X and y.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, partial=True)

    # -- reading and training --------------------------------------------------------------

    def _read(self, X: Any, fresh: bool) -> Sequences:
        if self.encoder == "vector":
            vectors = read_table(self, X, reset=fresh)
            if fresh:
                self._n_step_features, self._fitted_layout = vectors.shape[1], "dense"
            return Sequences(vectors, np.ones(len(vectors), dtype=np.int64), "dense")
        return read_steps_or_symbols(self, X, fresh, self.embedding_size is not None)

    def _check_learned(self) -> None:
        super()._check_learned()
        check_steps_learned(self)

    def _learn_scale(self, data: Sequences, weights: NDArray[np.float64]) -> None:
        learn_scale_of_steps(self, data, weights)

    def _settings(self, data: Sequences, targets: Targets) -> dict[str, Any]:
        size = self.embedding_size or self.hidden_size
        names = (
            "encoder", "decoder", "hidden_size", "num_layers", "bidirectional", "attention",
            "n_heads", "context", "input_feeding", "positions", "dropout",
        )  # fmt: skip
        return {
            "n_features": len(self.vocabulary_) + 1 if data.symbolic else data.steps.shape[1],
            "embedding_size": size if data.symbolic else None,
            "n_outputs": targets.n_outputs,
            "encoder_hidden_size": self.encoder_hidden_size or self.hidden_size,
            "encoder_num_layers": self.encoder_num_layers or self.num_layers,
        } | {name: getattr(self, name) for name in names}

    def _n_epochs(self, rows: Rows) -> int:
        return n_epochs(self, rows, _LEAST_STEPS, _MOST_STEPS)

    def _rows(self, data: Sequences, like: Tensor, targets: Targets | None = None) -> PairRows:
        data = steps_as_read_by(self, data, like)
        sources = SequenceRows(data.steps, data.lengths, like)
        if targets is None:
            return PairRows(sources)
        assert targets.values is not None
        assert targets.lengths is not None
        outputs = SequenceRows(targets.values, targets.lengths, like)
        return PairRows(sources, outputs, targets)

    def _learn_layout(
        self, outputs: Sequences, layout: OutputLayout, fresh: bool, validating: bool
    ) -> None:
        """Settle how outputs look, and the longest; ValueError where y has a longer one.

        Outputs to validate by are only looked at.
        """
        if fresh:
            self._layout = layout
        if self._layout.length is not None and layout != self._layout:
            raise ValueError(
                f"{type(self).__name__} was fitted on outputs in an array, each of shape "
                f"{self._layout.shape}: give y as such an array, or fit on a list of sequences."
            )
        longest = int(np.argmax(outputs.lengths))
        length = int(outputs.lengths[longest])
        if self.max_length is not None and length > self.max_length:
            raise ValueError(
                f"y, sequence {longest} has {length} steps, more than max_length="
                f"{self.max_length}: set it higher, or leave the pair out."
            )
        if not validating:
            before: int = 0 if fresh else self.max_length_
            self.max_length_: int = int(self.max_length or max(before, 2 * length))
        self._least_and_most()

    def _least_and_most(self) -> tuple[int, int]:
        """Steps of the shortest and of the longest output that may be put out."""
        if (length := self._layout.length) is not None:
            return length, length
        if self.min_length > self.max_length_:
            raise ValueError(
                f"min_length={self.min_length} is more than the {self.max_length_} steps of the "
                "longest output: set it lower, or max_length higher and fit again."
            )
        return self.min_length, self.max_length_

    def _pairs(self, X: Any, y: Any) -> PairRows:
        """X and given outputs of a fitted estimator, to be scored."""
        check_index(X, False, y=y)
        data = self._read_fitted(X)
        return self._rows(data, parameter_of(self.module_), self._read_outputs(y, data))

    def _read_outputs(self, y: Any, data: Sequences) -> Targets:
        """Outputs that are given to a fitted estimator."""
        raise NotImplementedError

    def attention_weights(self, X: Any, y: Any = None) -> NDArray[Any]:
        """How much each step of an output attends to each step of its input.

        Parameters
        ----------
        X : sequences
            As in `fit`.
        y : sequences or None, default=None
            An output for each input; None for those that `predict` gives.

        Returns
        -------
        ndarray of shape (n_pairs,) of object
            For each pair an array of shape (n_output_steps, n_input_steps), whose rows sum to one;
            of several heads their mean, in the last layer of a transformer.

        Raises
        ------
        ValueError
            If the decoder has no attention.
        """
        pairs = self._pairs(X, self.predict(X) if y is None else y)
        if self._module_kwargs["attention"] is None and self._module_kwargs["decoder"] in CELLS:
            raise ValueError("There is no attention: the decoder was fitted with attention=None.")
        results = np.empty(len(pairs), dtype=object)
        network: Any = self.module_
        assert pairs.outputs is not None
        for places, weights in run_tiles(
            lambda _, *inputs: network.attention_weights(*inputs),
            network,
            pairs,
            n_threads=self.n_threads,
        ):
            for place, matrix in zip(places, weights.cpu().numpy(), strict=False):
                n_out = pairs.outputs.lengths[place] - self._n_ends
                results[place] = matrix[:n_out, : pairs.sources.lengths[place]].copy()
        return results

    _forced = forced_probability

    def _begin(self, module: Any, rows: PairRows) -> None:
        set_length_of_training(self, module, rows)
