"""Classifiers of sequences and of steps."""

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import ClassifierMixin

from sklseq._compat.sklearn import fit_context
from sklseq.base import estimator, same
from sklseq.base.index import check_index
from sklseq.base.targets import (
    check_partial_classes,
    class_weight_param,
    read_labels,
    read_weights,
    score_labels,
)
from sklseq.data import Sequences
from sklseq.parts.supervised import CLASS_ATTRIBUTES, cross_entropy_loss
from sklseq.recurrent._base import BaseRecurrent, CellParameters
from sklseq.training.rows.batch import Targets

__all__ = ["GRUClassifier", "LSTMClassifier", "RNNClassifier", "RecurrentClassifier"]


@estimator
class BaseRecurrentClassifier(ClassifierMixin, BaseRecurrent):
    """Softmax output over a recurrent network, trained by cross-entropy."""

    class_weight: Any = class_weight_param()

    _attributes = CLASS_ATTRIBUTES
    _objective = staticmethod(cross_entropy_loss)

    if TYPE_CHECKING:  # not an annotation at run time: it would become a parameter
        classes_: NDArray[Any]

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : sequences
            {{X: sequences or symbols}} {{X: one series}}
        y : array-like
            A label for each sequence, ``(n_sequences,)``; with ``target="step"`` one for each
            step, in a container of the shape of X. None and NaN are steps without a label.
        sample_weight : array-like or None, default=None
            Weight of each sequence, or of each step.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            {{unchanged}}
        """
        return self._fit(X, y, sample_weight)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one more epoch on X and y.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array-like or None, default=None
            All labels that will come; needed in the first call. The symbols of X are settled
            by the first call too: later ones that are new count as unknown.

        Returns
        -------
        self
        """
        known = getattr(self, "classes_", None)
        check_partial_classes(classes, known, self.class_weight)
        return self._fit(X, y, sample_weight, partial=True, classes=classes)

    def _read_targets(
        self,
        y: Any,
        data: Sequences,
        weights: NDArray[np.float64],
        fresh: bool,
        *,
        classes: Any = None,
        **known: Any,
    ) -> Targets:
        labels = read_labels(
            y,
            self._target_rows(data),
            weights,
            class_weight=self.class_weight,
            announced=classes,
            known=None if fresh else self.classes_,
        )
        self.classes_ = labels.classes
        stratify = None if self._per_step else labels.codes
        return Targets(labels.weights, labels.codes, len(labels.classes), stratify)

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Probability of each class.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences, n_classes)
            With ``target="step"``: ``(n_sequences, n_steps, n_classes)``, ``(n_steps,
            n_classes)`` for one series, or an object array of them for ragged X.
        """
        sequences = self._read_fitted(X)
        return self._restore(sequences, softmax(self._run("forward", sequences), axis=1))

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences,)
            With ``target="step"``: ``(n_sequences, n_steps)``, ``(n_steps,)`` for one series,
            or an object array of them for ragged X.
        """
        sequences = self._read_fitted(X)
        logits = self._run("forward", sequences)
        return self._restore(sequences, self.classes_[logits.argmax(axis=1)])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Mean accuracy of ``predict(X)``; over all labeled steps with ``target="step"``.

        Parameters
        ----------
        X : sequences
            As in `fit`.
        y : array-like
            True labels, one for each sequence or step.
        sample_weight : array-like or None, default=None

        Returns
        -------
        float
        """
        check_index(X, self._per_step, y=y, sample_weight=sample_weight)
        predicted, rows = self.predict(X), self._target_rows(self._read_fitted(X))
        return score_labels(y, predicted, rows, read_weights(sample_weight, rows))


@estimator
class RecurrentClassifier(BaseRecurrentClassifier):
    """Classify sequences, or their steps, by a recurrent network of any cell.

    Sequences may differ in length; no padding enters a result. The network is trained to
    minimize the cross-entropy of its softmax output.

    References
    ----------
    .. [1] Elman (1990). "Finding structure in time". Cognitive Science 14.
    .. [2] Hochreiter and Schmidhuber (1997). "Long short-term memory". Neural Computation 9.
    .. [3] Cho et al. (2014). "Learning phrase representations using RNN encoder-decoder".

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.recurrent import RecurrentClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(c, 1, size=(rng.integers(5, 9), 2)) for c in (0, 1) * 20]
    >>> y = ["low", "high"] * 20
    >>> model = RecurrentClassifier(cell="lstm", hidden_size=8, learning_rate=0.01, random_state=0)
    >>> model.fit(X, y).predict(X[:2])
    array(['low', 'high'], dtype='<U4')
    """

    cell: Any = same(CellParameters, "cell")
    cell_options: dict[str, Any] | None = same(CellParameters, "cell_options")


@estimator
class RNNClassifier(BaseRecurrentClassifier):
    """Classify sequences, or their steps, by an Elman network with tanh units.

    References
    ----------
    .. [1] Elman (1990). "Finding structure in time". Cognitive Science 14.

    Examples
    --------
    >>> from sklseq.recurrent import RNNClassifier
    >>> X = [[0.1, 0.2, 0.1], [0.9, 0.8], [0.2, 0.1], [0.8, 0.9, 0.7]]
    >>> model = RNNClassifier(hidden_size=8, learning_rate=0.01, random_state=0)
    >>> model.fit(X, [0, 1, 0, 1]).predict([[0.1, 0.1], [0.9, 0.9, 0.9]])
    array([0, 1])
    """

    cell: ClassVar[str] = "rnn"


@estimator
class LSTMClassifier(BaseRecurrentClassifier):
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
    >>> model = LSTMClassifier(hidden_size=16, learning_rate=0.02, random_state=0).fit(words, y)
    >>> model.predict(["otto", "lisa"])
    array(['palindrome', 'other'], dtype='<U10')
    """

    cell: ClassVar[str] = "lstm"


@estimator
class GRUClassifier(BaseRecurrentClassifier):
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
    >>> model = GRUClassifier(target="step", hidden_size=8, learning_rate=0.02, random_state=0)
    >>> bool(model.fit(X, y).score(X, y) > 0.9)
    True
    """

    cell: ClassVar[str] = "gru"
