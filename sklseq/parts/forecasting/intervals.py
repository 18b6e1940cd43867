"""Split-conformal intervals: how far off forecasts of each horizon were, in steps held out."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["RollingOrigins", "conformal_quantile", "half_widths"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class RollingOrigins:
    """Forecasts from each of the last steps of series, and what came.

    Those of an origin k steps before the end have k horizons that can be compared, as far as they
    reach; older origins than there is room for are forgotten.

    Parameters
    ----------
    forecasts : ndarray of shape (n_series, n_origins, n_origins, n_features)
        Forecasts of `n_origins` steps; row k of a series is the one made k + 1 steps before its
        end.
    values : ndarray of shape (n_series, n_origins, n_features)
        The last values of each series.
    reach : ndarray of shape (n_origins,)
        Steps of each forecast, 0 of origins that there are not yet. It is less than `n_origins`
        where inputs of later steps were not known.
    """

    _stored: ClassVar[dict[str, Any]] = {
        "forecasts": "ndarray of shape (n_series, n_origins, n_origins, n_features)",
        "values": "ndarray of shape (n_series, n_origins, n_features)",
        "reach": "ndarray of int of shape (n_origins,)",
    }

    forecasts: Array
    values: Array
    reach: NDArray[np.int64]

    @classmethod
    def empty(cls, n_series: int, n_origins: int, n_features: int) -> Self:
        """Room for so many origins."""
        shape = (n_series, n_origins, n_origins, n_features)
        values = np.zeros((n_series, n_origins, n_features))
        return cls(np.zeros(shape), values, np.zeros(n_origins, dtype=np.int64))

    @property
    def n_origins(self) -> int:
        """The most origins that are remembered."""
        return self.values.shape[1]

    def followed_by(
        self, forecasts: Array, reach: NDArray[np.int64], values: Array
    ) -> "RollingOrigins":
        """With further steps of all series, before each of which a forecast was made.

        Parameters
        ----------
        forecasts : ndarray of shape (n_series, n_new, n_origins, n_features)
            In the order of time.
        reach : ndarray of shape (n_new,)
            Steps of each forecast; what stands beyond is not one.
        values : ndarray of shape (n_series, n_new, n_features)
        """
        n = self.n_origins
        newest_first = np.concatenate([forecasts[:, ::-1], self.forecasts], axis=1)[:, :n]
        known = np.concatenate([self.values, values], axis=1)[:, -n:]
        return RollingOrigins(newest_first, known, np.concatenate([reach[::-1], self.reach])[:n])

    def errors(self, horizon: int) -> Array:
        """Of forecasts so many steps ahead: ``(n_series, n_errors, n_features)``, newest first."""
        origins = np.arange(horizon, self.n_origins + 1)
        origins = origins[self.reach[origins - 1] >= horizon]
        came = self.values[:, self.n_origins - origins + horizon - 1]
        return came - self.forecasts[:, origins - 1, horizon - 1]


def half_widths(
    origins: RollingOrigins | None, spread: Array, n_steps: int, coverage: float
) -> Array:
    """Of intervals of each horizon, ``(n_steps, n_features)``, in units of the series' spread.

    Raises
    ------
    ValueError
        If there are too few errors.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"coverage={coverage!r}: it must be between 0 and 1.")
    if origins is None:
        raise ValueError(
            "forecast_interval needs errors of forecasts, but calibration_steps=None kept none: "
            f"fit with calibration_steps of at least n_steps={n_steps}."
        )
    n_features = spread.shape[1]
    sizes = (origins.errors(h) / spread[:, None] for h in range(1, n_steps + 1))
    widths = [
        conformal_quantile(found.reshape(-1, n_features), coverage, h)
        for h, found in enumerate(sizes, start=1)
    ]
    return np.stack(widths)


def conformal_quantile(errors: Array, coverage: float, horizon: int) -> Array:
    """Half width of an interval for one more error, of the size of `coverage` of those known.

    The rank is that of a finite sample: the smallest of m sizes that at least
    ``(m + 1) coverage`` of m + 1 exchangeable ones do not pass (Vovk et al. 2005, section 2.3;
    Papadopoulos et al. 2002).

    Parameters
    ----------
    errors : ndarray of shape (m, n_features)
    coverage : float in (0, 1)
    horizon : int
        Named in messages.

    Returns
    -------
    ndarray of shape (n_features,)

    Raises
    ------
    ValueError
        If they are too few for it.
    """
    rank = math.ceil((len(errors) + 1) * coverage - 1e-9)
    if rank > len(errors):
        needed = math.ceil(coverage / (1 - coverage) - 1e-9)
        raise ValueError(
            f"An interval of coverage={coverage} needs at least {needed} errors of forecasts "
            f"{horizon} steps ahead, and there are {len(errors)}: fit with calibration_steps of at "
            f"least {horizon} more than the number of them that one series is to give, update with "
            "further steps, or lower the coverage."
        )
    return np.partition(np.abs(errors), rank - 1, axis=0)[rank - 1]
