"""Recurrence over states of several steps back."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from sklseq.nn.recurrent.cells.options import positive_integers
from sklseq.nn.recurrent.cells.recurrence import Recurrence, uniform
from sklseq.nn.recurrent.layer import State

__all__ = ["Skip"]


class Skip(Recurrence):
    """Elman network whose units see states of several steps back.

    ``h(t) = tanh(W x(t) + sum_d U_d h(t-d) + b)``, the sum over `lags`. A gradient comes back over
    d steps by one product (Lin et al. 1996, Learning long-term dependencies in NARX recurrent
    neural networks; Zhang et al. 2016, Architectural complexity measures of recurrent neural
    networks, section 2). Without the lag 1, short connections are removed and long ones alone
    remain. The state is a tuple of the last ``max(lags)`` states, the latest first.

    Parameters
    ----------
    input_size, hidden_size : int
    lags : iterable of int, default=(1, 10)
        All different.
    """

    shifts = True

    def __init__(self, input_size: int, hidden_size: int, lags: Iterable[int] = (1, 10)):
        self.lags = positive_integers("lags", lags)
        if len(set(self.lags)) < len(self.lags):
            raise ValueError(f"lags={self.lags} of the cell 'skip' must differ from each other.")
        super().__init__(input_size, hidden_size)
        del self.weight_hh  # one for each lag
        self.weight_hh = nn.ParameterList(
            uniform(hidden_size, hidden_size, hidden_size) for _ in self.lags
        )

    def start(self, drive: Tensor) -> State:
        return (super().start(drive),) * max(self.lags)

    def weights(self) -> tuple[Tensor, ...]:
        return (torch.cat([weight.t() for weight in self.weight_hh]),)

    def next(self, drive: Tensor, state: State, *weights: Tensor) -> State:
        before = torch.cat([state[lag - 1] for lag in self.lags], dim=1)
        return torch.tanh(torch.addmm(drive, before, weights[0])), *state[:-1]
