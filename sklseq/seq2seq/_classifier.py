"""Sequences of symbols put out for sequences."""

from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sklseq.base import attribute, estimator, integer, param, real
from sklseq.base.index import check_index
from sklseq.base.target_rows import read_weights
from sklseq.data import Sequences, Vocabulary
from sklseq.nn.decoding.beam import beam_search
from sklseq.nn.decoding.sampling import sample
from sklseq.nn.decoding.search import Found, Limits
from sklseq.nn.seq2seq.network import SymbolNetwork
from sklseq.parts.steps_or_symbols import as_array_of_symbols
from sklseq.seq2seq._base import BaseSeq2Seq
from sklseq.seq2seq._decoding import Constraint, Search, decoded
from sklseq.seq2seq._outputs import read_outputs, warn_of_labels
from sklseq.training.placement import parameter_of
from sklseq.training.rows.batch import Batch, Targets

__all__ = ["Seq2SeqClassifier"]


@estimator
class Seq2SeqClassifier(BaseSeq2Seq):
    """Put out a sequence of symbols for each sequence, of any other length.

    An encoder reads the input; a decoder writes the output one symbol at a time, each from the
    input, to the steps of which it attends, and the symbols before it [1]_ [2]_ [3]_, or as a
    transformer [4]_. The network is trained to minimize the negative log-likelihood of the outputs,
    in nats per sequence. Predictions are the most probable outputs that beam search finds.

    References
    ----------
    .. [1] Sutskever, Vinyals and Le (2014). "Sequence to sequence learning with neural networks".
       NeurIPS.
    .. [2] Bahdanau, Cho and Bengio (2015). "Neural machine translation by jointly learning to align
       and translate". ICLR.
    .. [3] Luong, Pham and Manning (2015). "Effective approaches to attention-based neural machine
       translation". EMNLP.
    .. [4] Vaswani et al. (2017). "Attention is all you need". NeurIPS.

    Examples
    --------
    Words spelled backward:

    >>> from sklseq.seq2seq import Seq2SeqClassifier
    >>> words = ["abc", "bca", "cab", "ab", "ba", "ca", "ac", "bb", "cc", "a", "b", "c"] * 5
    >>> model = Seq2SeqClassifier(hidden_size=32, max_epochs=100, random_state=0)
    >>> model.fit(words, [word[::-1] for word in words]).predict(["abc", "ca"])
    array(['cba', 'ac'], dtype=object)
    """

    label_smoothing: float = param(
        0.0,
        "Share of each target's probability that training spreads evenly over all symbols.",
        real(0, 1),
    )
    beam_size: int = param(
        5, "Hypotheses kept by beam search for each input; 1 is greedy search.", integer(1)
    )
    length_penalty: float = param(
        0.0,
        "Hypotheses are compared by their log-probability over this power of their length: 0 by "
        "the probability itself, 1 by its mean per symbol.",
        real(0),
    )

    _attributes = {
        "target_vocabulary_": attribute(
            "ndarray of shape (n_target_symbols,)", "The symbols of y, sorted."
        ),
    }
    _stored = {
        "target_vocabulary_": "ndarray of labels of shape (n_target_symbols,)",
    }
    _network: ClassVar[type[nn.Module]] = SymbolNetwork

    if TYPE_CHECKING:  # not annotations at run time: they would become parameters
        target_vocabulary_: NDArray[Any]

    # -- training --------------------------------------------------------------------------

    def _settings(self, data: Sequences, targets: Targets) -> dict[str, Any]:
        size = self.embedding_size or self.hidden_size
        return super()._settings(data, targets) | {"target_embedding_size": size}

    def _read_targets(
        self, y: Any, data: Any, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        sequences, layout = read_outputs(y, len(data), symbolic=True)
        if fresh:
            if self.encoder != "vector":
                warn_of_labels(sequences, layout, data)
            self.target_vocabulary_ = as_array_of_symbols(Vocabulary.of(sequences.steps).symbols)
        self._learn_layout(sequences, layout, fresh, validating=bool(known))
        return self._outputs(sequences, weights)

    def _outputs(self, sequences: Sequences, weights: NDArray[np.float64]) -> Targets:
        """Outputs as the network is trained on them: codes, and END after each."""
        codes = Vocabulary(self.target_vocabulary_.tolist()).encode(sequences.steps)
        if not codes.all():
            i, step = sequences.locate(place := int(np.argmin(codes)))
            known = list(map(repr, self.target_vocabulary_[:6].tolist()))
            known[5:] = ["..."] * (len(known) > 5)
            raise ValueError(
                f"y, sequence {i}, step {step} is the symbol {sequences.steps[place]!r}, which is "
                f"not among those of the first fit ({', '.join(known)}): leave the pair out, or "
                "fit on all symbols."
            )
        values = np.insert(codes, np.cumsum(sequences.lengths), 0)
        n_outputs = len(self.target_vocabulary_) + 1
        return Targets(weights, values, n_outputs, lengths=sequences.lengths + 1)

    def _read_outputs(self, y: Any, data: Sequences) -> Targets:
        sequences, _ = read_outputs(y, len(data), symbolic=True)
        return self._outputs(sequences, np.ones(len(data)))

    def _objective(self, module: Any, batch: Batch) -> Tensor:
        logits = module(*batch.inputs, self._forced(module, batch))
        smoothing = self.label_smoothing if module.training else 0.0
        losses = cross_entropy(logits, batch.target, reduction="none", label_smoothing=smoothing)
        shares = batch.weight / batch.n_rows
        return losses @ shares.index_select(0, batch.inputs[3].sequence_of_step)

    def _check_learned(self) -> None:
        super()._check_learned()
        if len(self.target_vocabulary_) + 1 != self._module_kwargs["n_outputs"]:
            raise ValueError("its network has another number of symbols.")

    # -- decoding --------------------------------------------------------------------------

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable outputs that beam search finds.

        Parameters
        ----------
        X : sequences
            As in `fit`. A symbol that `fit` has not seen is the unknown symbol.

        Returns
        -------
        ndarray of shape (n_pairs,) of object
            An array of symbols for each input; strings after a fit on strings, and one array after
            a fit on one.
        """
        found = self._decoded(self._read_fitted(X), self._beam_search)
        return self._layout.given_back([hypotheses[0][0] for hypotheses in found])

    def predict_nbest(
        self, X: Any, n_best: int | None = None, *, constraint: Constraint | None = None
    ) -> list[list[tuple[Any, float]]]:
        """The best outputs that beam search finds, with their log-probabilities.

        Parameters
        ----------
        X : sequences
            As in `fit`.
        n_best : int or None, default=None
            At most `beam_size`, which is what None stands for. The first ones do not depend on it.
        constraint : callable or None, default=None
            ``constraint(i, symbols)`` gives the symbols that may follow in the output for input
            i after the list of symbols so far, with None among them if it may end there. It is
            asked of nothing but what it has allowed.

        Returns
        -------
        list of list of tuple (sequence, float)
            For each input distinct outputs, best first; fewer than `n_best` if there are no more
            within `max_length`.

        Raises
        ------
        ValueError
            If `n_best` is not from 1 to `beam_size`, or no output satisfies the constraint.
        """
        n_best = self.beam_size if n_best is None else n_best
        if not isinstance(n_best, Integral) or not 1 <= n_best <= self.beam_size:
            raise ValueError(
                f"n_best={n_best!r} must be a whole number from 1 to beam_size={self.beam_size}, "
                "the number of hypotheses that are kept: set beam_size higher."
            )

        found = self._decoded(self._read_fitted(X), self._beam_search, constraint)
        return [
            [(self._layout.one(symbols), value) for symbols, value in hypotheses[:n_best]]
            for hypotheses in found
        ]

    def _beam_search(self, network: Any, memory: Any, limits: Limits, numbers: Any) -> Found:
        device = memory.states.device
        return beam_search(
            network, memory, memory.n_rows, self.beam_size, limits, self.length_penalty, device
        )

    def sample(
        self,
        X: Any,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        random_state: Any = None,
    ) -> NDArray[Any]:
        """Draw an output for each input, symbol by symbol.

        Parameters
        ----------
        X : sequences
            As in `fit`.
        temperature : float, default=1.0
            Logits are divided by it: below 1 probable symbols become more probable.
        top_k : int or None, default=None
            Draw among this many most probable symbols only.
        top_p : float or None, default=None
            Draw among the fewest symbols only whose probabilities sum to it (nucleus sampling,
            Holtzman et al. 2020).
        random_state : int, RandomState instance or None, default=None

        Returns
        -------
        ndarray of shape (n_pairs,) of object
            As `predict`.

        Raises
        ------
        ValueError
            If there would be nothing to draw from.
        """
        _check_positive(temperature, top_k, top_p)
        data = self._read_fitted(X)
        rng = check_random_state(random_state)
        uniforms = rng.random_sample((len(data), self._limits.max_length + 1))

        def search(network: Any, memory: Any, limits: Limits, numbers: Any) -> Found:
            own = torch.from_numpy(uniforms[numbers]).to(memory.states)
            return sample(network, memory, memory.n_rows, own, limits, temperature, top_k, top_p)

        return self._layout.given_back([drawn[0][0] for drawn in self._decoded(data, search)])

    def _decoded(
        self, data: Sequences, search: Search, constraint: Constraint | None = None
    ) -> list[list[tuple[NDArray[Any], float]]]:
        """Outputs for each input."""
        return decoded(
            self._rows(data, parameter_of(self.module_)),
            self.module_,  # type: ignore[arg-type]
            search,
            self._limits,
            self.target_vocabulary_,
            constraint,
            self.n_threads,
        )

    @property
    def _limits(self) -> Limits:
        least, most = self._least_and_most()
        return Limits(most, least)

    def score_sequences(self, X: Any, y: Any) -> NDArray[np.float64]:
        """Log-probability of given outputs, in nats.

        Parameters
        ----------
        X : sequences
            As in `fit`.
        y : sequences
            An output for each input.

        Returns
        -------
        ndarray of shape (n_pairs,)
            Of each output with its end: the negative of the loss in training.

        Raises
        ------
        ValueError
            If an output has a symbol that `fit` has not seen.
        """
        return self._run("log_probs", self._pairs(X, y)).astype(np.float64)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of inputs whose predicted output is entirely right.

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
        true, _ = read_outputs(y, len(data), symbolic=True)
        found = self._decoded(data, self._beam_search)
        right = [
            best[0][0].tolist() == part.tolist()
            for best, part in zip(found, np.split(true.steps, true.starts[1:]), strict=True)
        ]
        return float(np.average(right, weights=weights))


def _check_positive(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Refuse settings of sampling that leave nothing to draw from."""
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature={temperature!r} must be above 0, and finite.")
    if top_k is not None and not (isinstance(top_k, Integral) and top_k >= 1):
        raise ValueError(f"top_k={top_k!r} must be a whole number of at least 1.")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p={top_p!r} must be above 0 and at most 1.")
