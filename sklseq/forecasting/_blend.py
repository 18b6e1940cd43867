"""Several forecasters as one."""

from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from sklseq.base import attribute, choice, estimator, other_default, param
from sklseq.base.exogenous import first_steps
from sklseq.forecasting._nested import Nested, fit_nested
from sklseq.forecasting._seasonal_naive import SeasonalNaive
from sklseq.forecasting._theta import ThetaForecaster
from sklseq.parts.forecasting.forecaster import Disturbance, Forecaster
from sklseq.parts.forecasting.series import ModelState, Series

__all__ = ["BlendForecaster"]

Array = NDArray[Any]


@estimator
class BlendForecaster(Forecaster):
    """Forecast the median or mean of what several forecasters say.

    All are fitted on the same series. Intervals and sampled paths are those of the blend: the
    paths of all feed back its values.

    References
    ----------
    .. [1] Petropoulos and Svetunkov (2020). "A simple combination of univariate models".
       International Journal of Forecasting 36.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.forecasting import BlendForecaster, SeasonalNaive, ThetaForecaster
    >>> X = np.arange(20.0)[:, None]
    >>> forecasters = [("theta", ThetaForecaster()), ("naive", SeasonalNaive())]
    >>> BlendForecaster(forecasters, aggregate="mean").fit(X).forecast(2).ravel()
    array([19.5, 20. ])
    """

    # Each forecaster has a scale of its own.
    scaling: str | None = other_default(Forecaster, "scaling", None)
    forecasters: Any = param(
        None,
        "Pairs (name, forecaster), cloned in `fit`. Those with ``season_length='auto'`` get that "
        "of the blend. None is `ThetaForecaster`, without trend too, and `SeasonalNaive`. Their "
        "parameters are set by ``name__parameter``.",
        list,
        tuple,
        None,
        positional=True,
    )
    aggregate: str = param(
        "median", "What is taken of their forecasts.", choice("median", "mean"), positional=True
    )

    _attributes = {
        "forecasters_": attribute("list of estimator", "The fitted forecasters, in their order.")
    }

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "forecasters_")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters of the blend and, if `deep`, those of its forecasters.

        Parameters
        ----------
        deep : bool, default=True
            Whether forecasters are given by name, with their parameters.

        Returns
        -------
        dict
        """
        params: dict[str, Any] = super().get_params(deep=False)
        if deep:
            for name, forecaster in _pairs(self.forecasters):
                params[name] = forecaster
                inner = forecaster.get_params(deep=True).items()
                params |= {f"{name}__{key}": value for key, value in inner}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters of the blend, a forecaster by its name, or parameters of forecasters.

        Parameters
        ----------
        **params : dict
            As `get_params` gives them.

        Returns
        -------
        self
        """
        if "forecasters" in params:
            self.forecasters = params.pop("forecasters")
        names = [name for name, _ in _pairs(self.forecasters)]
        new = {name: params.pop(name) for name in names if name in params}
        if new:
            self.forecasters = [(name, new.get(name, f)) for name, f in self.forecasters]
        super().set_params(**params)
        return self

    def _train(self, series: Series, fresh: bool) -> None:
        forecasters = _checked(self.forecasters)
        self.forecasters_ = [fit_nested(f, series, self.season_length_) for _, f in forecasters]

    def _advance(self, state: ModelState | None, series: Series) -> tuple[ModelState, Array]:
        states, found = zip(*(n.advance(state, series) for n in self._nested()), strict=True)
        if state is not None:
            return _merged(states), self._aggregated(np.stack(found))
        late = ~first_steps(series.lengths, 1)
        # Before a forecaster has a difference, it repeats the last step.
        last = series.steps[np.flatnonzero(late) - 1]
        known = [np.where(np.isnan(each[late]), last, each[late]) for each in found]
        return _merged(states), self._aggregated(np.stack(known))

    def _run_free(
        self, state: ModelState, n_steps: int, exogenous: Array, disturb: Disturbance | None = None
    ) -> Array:
        if disturb is None:
            return self._forecasts(state, n_steps, exogenous)
        found = []
        for step in range(n_steps):
            inputs = exogenous[:, step : step + 1]
            values = disturb(step, self._forecasts(state, 1, inputs)[:, 0])
            found.append(values)
            read = Series(values, np.ones(len(values), np.int64), inputs[:, 0])
            state = _merged([nested.advance(state, read)[0] for nested in self._nested()])
        return np.stack(found, axis=1)

    def _forecasts(self, state: ModelState, n_steps: int, exogenous: Array) -> Array:
        found = [nested.forecast(state, n_steps, exogenous) for nested in self._nested()]
        return self._aggregated(np.stack(found))

    def _nested(self) -> list[Nested]:
        return [Nested(model, f"{i}.") for i, model in enumerate(self.forecasters_)]

    def _aggregated(self, found: Array) -> Array:
        combined: Array = (np.median if self.aggregate == "median" else np.mean)(found, axis=0)
        return combined


def _pairs(forecasters: Any) -> list[tuple[str, Any]]:
    """Those that are pairs of a name and a forecaster; others are refused in `fit`."""
    given = forecasters if isinstance(forecasters, (list, tuple)) else ()
    pairs = [pair for pair in given if isinstance(pair, tuple) and len(pair) == 2]
    return [(name, f) for name, f in pairs if isinstance(name, str) and hasattr(f, "get_params")]


def _checked(forecasters: Any) -> list[tuple[str, Any]]:
    if forecasters is None:
        theta, naive = cast(Any, ThetaForecaster), cast(Any, SeasonalNaive)
        return [("theta", theta()), ("smoothing", theta(theta=1.0)), ("naive", naive())]
    for i, pair in enumerate(forecasters):
        named = isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)
        if not named or not isinstance(pair[1], Forecaster):
            raise ValueError(
                f"forecasters[{i}] is {pair!r}: expected a pair (name, forecaster), such as "
                "('theta', ThetaForecaster())."
            )
    names = [name for name, _ in forecasters]
    if not names or len(set(names)) < len(names) or any("__" in name for name in names):
        raise ValueError(
            f"forecasters have the names {names}: there must be one or more, all different, and "
            "none with '__'."
        )
    return list(forecasters)


def _merged(states: Any) -> ModelState:
    return {name: values for state in states for name, values in state.items()}
