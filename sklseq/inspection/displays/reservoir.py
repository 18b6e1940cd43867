"""What a reservoir does: its states, its spectrum, its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sklseq._compat.sklearn import check_matplotlib_support
from sklseq.inspection.displays._axes import BLUE, new_axes, whole_numbers
from sklseq.inspection.models import inner
from sklseq.inspection.reservoirs.memory_capacity import memory_capacity
from sklseq.inspection.reservoirs.states import reservoir_spectrum, reservoir_states

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["ReservoirDisplay"]

_KINDS = ("states", "spectrum", "memory")


class ReservoirDisplay:
    """Visualization of a reservoir: states along a series, spectrum, or memory capacity.

    States are drawn as an image, a row for each unit, units ordered by when they respond most.
    The spectrum is drawn against the unit circle, memory capacity against the delay.

    It is recommended to use :meth:`from_estimator` to create an instance. All parameters are stored
    as attributes; one of them is given.

    Parameters
    ----------
    states : ndarray of shape (n_steps, units) or None, default=None
        As of `reservoir_states`.
    eigenvalues : complex ndarray of shape (units,) or None, default=None
        As of `reservoir_spectrum`.
    capacities : ndarray of shape (n_delays,) or None, default=None
        As of `memory_capacity`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes that were drawn on.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    JacobianSpectrumDisplay : The spectrum along a series.
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(
        self,
        *,
        states: NDArray[Any] | None = None,
        eigenvalues: NDArray[Any] | None = None,
        capacities: NDArray[Any] | None = None,
    ) -> None:
        self.states = states
        self.eigenvalues = eigenvalues
        self.capacities = capacities

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        *,
        kind: str = "states",
        n_delays: int | None = None,
        random_state: Any = 0,
        ax: Axes | None = None,
    ) -> ReservoirDisplay:
        """Draw the reservoir of a fitted estimator.

        Parameters
        ----------
        estimator : estimator instance, Reservoir or sequence of Reservoir
            A fitted echo state network, or its layers.
        X : sequences or None, default=None
            The series for the states, as of `reservoir_states`.
        kind : {"states", "spectrum", "memory"}, default="states"
            What is drawn.
        n_delays : int or None, default=None
            Largest delay of the memory capacity, as of `memory_capacity`.
        random_state : int, RandomState instance or None, default=0
            Seed of the input that memory is measured with.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : ReservoirDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it has no reservoir.
        ValueError
            If there is no such kind, or its function refuses the reservoir or X.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from sklseq.inspection import ReservoirDisplay
        >>> from sklseq.reservoir import ESNRegressor
        >>> X = np.random.default_rng(0).uniform(size=(300, 1))
        >>> esn = ESNRegressor(target="step", reservoir_size=50, random_state=0)
        >>> esn = esn.fit(X, np.roll(X[:, 0], 2))
        >>> ReservoirDisplay.from_estimator(esn, X[:100])
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        if kind not in _KINDS:
            raise ValueError(f"kind={kind!r} must be one of {_KINDS}.")
        if kind == "states":
            if X is None:
                raise ValueError("kind='states' needs X, the series that drives the reservoir.")
            display = cls(states=reservoir_states(estimator, X))
        elif kind == "spectrum":
            display = cls(eigenvalues=reservoir_spectrum(estimator))
        else:
            display = cls(
                capacities=memory_capacity(
                    inner(estimator), n_delays=n_delays, random_state=random_state
                )
            )
        return display.plot(ax)

    def plot(self, ax: Axes | None = None) -> ReservoirDisplay:
        """Draw what was given.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : ReservoirDisplay
            This display.

        Raises
        ------
        ValueError
            If nothing was given.
        ImportError
            If matplotlib is not installed.
        """
        if self.states is self.eigenvalues is self.capacities is None:
            raise ValueError("There is nothing to draw: give states, eigenvalues or capacities.")
        ax = new_axes(self, ax, (5.2, 4.2))
        if self.states is not None:
            self._draw_states(ax, self.states)
        elif self.eigenvalues is not None:
            self._draw_spectrum(ax, self.eigenvalues)
        elif self.capacities is not None:
            delays = np.arange(1, len(self.capacities) + 1)
            ax.fill_between(delays, self.capacities, color=BLUE, alpha=0.2, linewidth=0)
            ax.plot(delays, self.capacities, color=BLUE, marker=".", markersize=4)
            ax.set(xlabel="Delay, steps", ylabel="Memory capacity", ylim=(-0.02, 1.05))
            ax.set_title(f"Capacity in all: {np.sum(self.capacities):.1f}")
            whole_numbers(ax.xaxis)
        return self

    @staticmethod
    def _draw_states(ax: Axes, states: NDArray[Any]) -> None:
        order = np.argsort(np.abs(states - states.mean(axis=0)).argmax(axis=0), kind="stable")
        most = float(np.abs(states).max())
        image = ax.imshow(
            states[:, order].T,
            aspect="auto",
            cmap="PuOr_r",
            vmin=-most,
            vmax=most,
            interpolation="nearest",
        )
        ax.figure.colorbar(image, ax=ax, label="State")
        ax.set(xlabel="Step", ylabel="Unit, by its time of largest response")
        whole_numbers(ax.xaxis)
        whole_numbers(ax.yaxis)

    @staticmethod
    def _draw_spectrum(ax: Axes, values: NDArray[Any]) -> None:
        angle = np.linspace(0, 2 * np.pi, 200)
        ax.plot(np.cos(angle), np.sin(angle), color="0.5", linewidth=1, zorder=0)
        ax.scatter(values.real, values.imag, s=12, color=BLUE, linewidths=0)
        ax.set(xlabel="Real part", ylabel="Imaginary part", aspect="equal")
        ax.set_title(f"Largest modulus: {np.abs(values).max():.3g}")
