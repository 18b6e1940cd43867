"""Regressors of sequences and of steps."""

from typing import Any, ClassVar, Self

import numpy as np

from sklseq.base import estimator, same
from sklseq.data import Sequences
from sklseq.parts.carry_state import CarryParameters
from sklseq.parts.storage import differ
from sklseq.parts.supervised import NeuralRegressor
from sklseq.parts.teacher_forcing import TeacherForcingParameters
from sklseq.recurrent._architecture import plain_architecture
from sklseq.recurrent._base import BaseRecurrent, CellParameters
from sklseq.recurrent._methods import REGRESSOR_METHODS
from sklseq.training.rows.batch import Targets

__all__ = ["GRURegressor", "LSTMRegressor", "RNNRegressor", "RecurrentRegressor"]


@estimator
class RecurrentRegressor(NeuralRegressor, BaseRecurrent):
    """Predict real values of sequences, or of their steps, by a recurrent network of any cell.

    Sequences may differ in length; no padding enters a result. The network is trained to
    minimize `loss`, by default the squared error of y scaled to unit variance.

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
    >>> from sklseq.recurrent import RecurrentRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.uniform(size=(rng.integers(3, 8), 1)) for _ in range(100)]
    >>> y = [x.sum() for x in X]
    >>> model = RecurrentRegressor(cell="rnn", random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    cell: Any = same(CellParameters, "cell")
    cell_options: dict[str, Any] | None = same(CellParameters, "cell_options")
    teacher_forcing: float = same(TeacherForcingParameters, "teacher_forcing")
    teacher_forcing_schedule: str = same(TeacherForcingParameters, "teacher_forcing_schedule")
    carry_state: bool = same(CarryParameters, "carry_state")

    partial_fit, predict, score = REGRESSOR_METHODS

    @classmethod
    def from_reservoir(cls, esn: Any, **params: Any) -> Self:
        """A network that computes what an echo state network does, ready to be trained further.

        Units are leaky; recurrent, input and output weights, biases and leak rates are those of
        the network given, and `fit` (``warm_start`` is True) or `partial_fit` trains them all by
        gradient. `learning_rate` is 0.001 unless given: the readout is already optimal for the
        initial states.

        Parameters
        ----------
        esn : ESNRegressor
            Fitted, with one layer of tanh units without `rotation`, ``features="state"`` and the
            ridge readout. It is not changed.
        **params
            Parameters of the new estimator, such as those of training.

        Returns
        -------
        RecurrentRegressor
            Fitted: before the first epoch it predicts what `esn` predicts, to rounding.

        Raises
        ------
        TypeError, ValueError
            If `esn` is not such a network, or a parameter contradicts it.

        Examples
        --------
        >>> import numpy as np
        >>> from sklseq.recurrent import RecurrentRegressor
        >>> from sklseq.reservoir import ESNRegressor
        >>> X = np.random.default_rng(0).uniform(size=(300, 1))
        >>> y = np.roll(X[:, 0], 2)
        >>> esn = ESNRegressor(target="step", reservoir_size=20, random_state=0).fit(X, y)
        >>> model = RecurrentRegressor.from_reservoir(esn, random_state=0)
        >>> bool(np.abs(model.predict(X) - esn.predict(X)).max() < 1e-6)
        True
        >>> bool(model.fit(X, y).score(X, y) > esn.score(X, y))
        True
        """
        if not hasattr(esn, "recurrent_equivalent"):
            raise TypeError(
                f"from_reservoir needs a fitted ESNRegressor with a ridge readout, got {esn!r}."
            )
        equivalent, weights = esn.recurrent_equivalent()
        # What would give another network, or feed it other steps.
        equivalent |= {"missing": "error", "time_feature": None, "zoneout": 0.0}
        equivalent |= {"loss": "squared_error", "quantile": None}
        equivalent |= plain_architecture() | {"warm_start": True}
        other = [k for k, value in equivalent.items() if differ(params.get(k, value), value)]
        if other:
            given, settled = (
                ", ".join(f"{name}={values[name]!r}" for name in other)
                for values in (params, equivalent)
            )
            raise ValueError(f"{given}: a network from this reservoir has {settled}.")
        model = cls(**{"dtype": esn.dtype, "learning_rate": 1e-3} | params | equivalent)
        model.n_features_in_, model._fitted_layout = esn.n_features_in_, esn._fitted_layout
        if hasattr(esn, "feature_names_in_"):
            model.feature_names_in_ = esn.feature_names_in_
        model.target_mean_, model.target_scale_ = esn.target_mean_, esn.target_scale_
        model._n_target_dims = np.ndim(esn.coef_)
        n_outputs = len(weights["head.bias"])
        n_features = model._n_step_features = weights["stack.forward_layers.0.weight_ih"].shape[1]
        example = Sequences(np.zeros((1, n_features)), np.ones(1, dtype=np.int64), "ragged")
        model.feature_mean_, model.feature_scale_ = np.zeros(n_features), np.ones(n_features)
        module = model._start_module(
            True, model._settings(example, Targets(np.ones(1), None, n_outputs))
        )
        module.load_state_dict(weights)
        model.module_ = module.eval()
        model.best_loss_ = None
        return model


@estimator
class RNNRegressor(NeuralRegressor, BaseRecurrent):
    """Predict real values of sequences, or of their steps, by an Elman network with tanh units.

    References
    ----------
    .. [1] Elman (1990). "Finding structure in time". Cognitive Science 14.

    Examples
    --------
    The echo of a series two steps ago, one target for each step:

    >>> import numpy as np
    >>> from sklseq.recurrent import RNNRegressor
    >>> X = np.random.default_rng(0).uniform(size=(300, 1))
    >>> y = np.roll(X[:, 0], 2)
    >>> y[:2] = np.nan
    >>> model = RNNRegressor(target="step", random_state=0).fit(X, y)
    >>> model.predict(X).shape
    (300,)
    """

    cell: ClassVar[str] = "rnn"
    carry_state: bool = same(CarryParameters, "carry_state")
    partial_fit, predict, score = REGRESSOR_METHODS


@estimator
class LSTMRegressor(NeuralRegressor, BaseRecurrent):
    """Predict real values of sequences, or of their steps, by long short-term memory.

    References
    ----------
    .. [1] Hochreiter and Schmidhuber (1997). "Long short-term memory". Neural Computation 9.
    .. [2] Gers, Schmidhuber and Cummins (2000). "Learning to forget". Neural Computation 12.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.recurrent import LSTMRegressor
    >>> X = np.random.default_rng(0).uniform(size=(100, 10, 1))
    >>> y = np.stack([X[:, :, 0].max(axis=1), X[:, -1, 0]], axis=1)
    >>> model = LSTMRegressor(max_epochs=5, random_state=0).fit(X, y)
    >>> model.predict(X).shape
    (100, 2)
    """

    cell: ClassVar[str] = "lstm"
    carry_state: bool = same(CarryParameters, "carry_state")
    partial_fit, predict, score = REGRESSOR_METHODS


@estimator
class GRURegressor(NeuralRegressor, BaseRecurrent):
    """Predict real values of sequences, or of their steps, by gated recurrent units.

    References
    ----------
    .. [1] Cho et al. (2014). "Learning phrase representations using RNN encoder-decoder for
       statistical machine translation". EMNLP.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.recurrent import GRURegressor
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.uniform(size=rng.integers(3, 8)) for _ in range(100)]
    >>> y = [x[-1] - x[0] for x in X]
    >>> model = GRURegressor(random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    cell: ClassVar[str] = "gru"
    carry_state: bool = same(CarryParameters, "carry_state")
    partial_fit, predict, score = REGRESSOR_METHODS
