"""Classifiers of sequences and of steps."""

from typing import Any, ClassVar

from sklseq.base import estimator, same
from sklseq.parts.carry_state import CarryParameters
from sklseq.parts.supervised import NeuralClassifier
from sklseq.parts.teacher_forcing import TeacherForcingParameters
from sklseq.recurrent._base import BaseRecurrent, CellParameters
from sklseq.recurrent._methods import CLASSIFIER_METHODS

__all__ = ["GRUClassifier", "LSTMClassifier", "RNNClassifier", "RecurrentClassifier"]


@estimator
class RecurrentClassifier(NeuralClassifier, BaseRecurrent):
    """Classify sequences, or their steps, by a recurrent network of any cell.

    Sequences may differ in length; no padding enters a result. The network is trained to
    minimize the cross-entropy of its softmax output.

    References
    ----------
    .. [1] Elman (1990). "Finding structure in time". Cognitive Science 14.
    .. [2] Hochreiter and Schmidhuber (1997). "Long short-term memory". Neural Computation 9.
    .. [3] Cho et al. (2014). "Learning phrase representations using RNN encoder-decoder".
    .. [4] Jordan (1986). "Attractor dynamics and parallelism in a connectionist sequential
       machine". Conference of the Cognitive Science Society.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.recurrent import RecurrentClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(c, 1, size=(rng.integers(5, 9), 2)) for c in (0, 1) * 20]
    >>> y = ["low", "high"] * 20
    >>> model = RecurrentClassifier(cell="lstm", hidden_size=8, random_state=0)
    >>> model.fit(X, y).predict(X[:2])
    array(['low', 'high'], dtype='<U4')
    """

    cell: Any = same(CellParameters, "cell")
    cell_options: dict[str, Any] | None = same(CellParameters, "cell_options")
    teacher_forcing: float = same(TeacherForcingParameters, "teacher_forcing")
    teacher_forcing_schedule: str = same(TeacherForcingParameters, "teacher_forcing_schedule")
    carry_state: bool = same(CarryParameters, "carry_state")

    partial_fit, predict, predict_proba, predict_log_proba, score = CLASSIFIER_METHODS


@estimator
class RNNClassifier(NeuralClassifier, BaseRecurrent):
    """Classify sequences, or their steps, by an Elman network with tanh units.

    References
    ----------
    .. [1] Elman (1990). "Finding structure in time". Cognitive Science 14.

    Examples
    --------
    >>> from sklseq.recurrent import RNNClassifier
    >>> X = [[0.1, 0.2, 0.1], [0.9, 0.8], [0.2, 0.1], [0.8, 0.9, 0.7]]
    >>> model = RNNClassifier(hidden_size=8, random_state=0)
    >>> model.fit(X, [0, 1, 0, 1]).predict([[0.1, 0.1], [0.9, 0.9, 0.9]])
    array([0, 1])
    """

    cell: ClassVar[str] = "rnn"
    carry_state: bool = same(CarryParameters, "carry_state")
    partial_fit, predict, predict_proba, predict_log_proba, score = CLASSIFIER_METHODS


@estimator
class LSTMClassifier(NeuralClassifier, BaseRecurrent):
    """Classify sequences, or their steps, by a long short-term memory network.

    References
    ----------
    .. [1] Hochreiter and Schmidhuber (1997). "Long short-term memory". Neural Computation 9.
    .. [2] Gers, Schmidhuber and Cummins (2000). "Learning to forget". Neural Computation 12.

    Examples
    --------
    >>> from sklseq.recurrent import LSTMClassifier
    >>> words = ["anna", "otto", "abba", "paul", "mark", "lisa"] * 5
    >>> y = ["palindrome" if w == w[::-1] else "other" for w in words]
    >>> model = LSTMClassifier(hidden_size=16, random_state=0).fit(words, y)
    >>> model.predict(["otto", "lisa"])
    array(['palindrome', 'other'], dtype='<U10')
    """

    cell: ClassVar[str] = "lstm"
    carry_state: bool = same(CarryParameters, "carry_state")
    partial_fit, predict, predict_proba, predict_log_proba, score = CLASSIFIER_METHODS


@estimator
class GRUClassifier(NeuralClassifier, BaseRecurrent):
    """Classify sequences, or their steps, by a network of gated recurrent units.

    References
    ----------
    .. [1] Cho et al. (2014). "Learning phrase representations using RNN encoder-decoder for
       statistical machine translation". EMNLP.

    Examples
    --------
    A label for each step of one series: whether the running sum is positive.

    >>> import numpy as np
    >>> from sklseq.recurrent import GRUClassifier
    >>> X = np.random.default_rng(0).normal(size=(200, 1))
    >>> y = X.cumsum() > 0
    >>> model = GRUClassifier(target="step", hidden_size=8, random_state=0)
    >>> bool(model.fit(X, y).score(X, y) > 0.9)
    True
    """

    cell: ClassVar[str] = "gru"
    carry_state: bool = same(CarryParameters, "carry_state")
    partial_fit, predict, predict_proba, predict_log_proba, score = CLASSIFIER_METHODS
