"""The network of a forecaster: what the values after each step are, given those before."""

from typing import Any

import torch
from torch import Tensor, nn

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.carried import Carried
from sklseq.nn.recurrent.network import RecurrentNetwork

__all__ = ["ForecastNetwork"]

# How fast the linear part learns beside the rest: it has many inputs, which are much alike.
_LINEAR_RATE = 0.1


class ForecastNetwork(RecurrentNetwork):
    """Parameters of the values of the next `horizon` steps, from the state after each step.

    Each horizon has outputs of its own, which read the state and the exogenous inputs of the step
    that they are for. Where the value a season before that step is known, an output between 0 and 1
    says how far the forecast starts from there, instead of from the last value. To all of it is
    added a linear function of what the layers read, as in LSTNet [1]_: where there is a season, an
    autoregression on its values.

    Parameters
    ----------
    n_inputs : int
        Columns of a step that the recurrent layers read.
    n_values : int
        Features of a value.
    n_parameters : int
        Outputs for each value, as in `Loss`; the first is its location.
    horizon : int
    n_ahead : int
        Exogenous inputs of each of the `horizon` steps, which come after the inputs; 0 where
        there is one step, whose own are among the inputs.
    seasonal : bool
        Whether the last ``horizon * n_values`` columns of a step are those values of a season
        before, counted from the last one.
    **kwargs
        As in `RecurrentNetwork`.

    References
    ----------
    .. [1] Lai et al. (2018). "Modeling long- and short-term temporal patterns with deep neural
       networks". SIGIR.
    """

    rows_seen: Tensor
    all_rows: Tensor

    def __init__(
        self,
        *,
        n_inputs: int,
        n_values: int,
        n_parameters: int,
        horizon: int,
        n_ahead: int,
        seasonal: bool,
        **kwargs: Any,
    ):
        size = horizon * n_values
        super().__init__(
            n_features=n_inputs, n_outputs=size * (n_parameters + seasonal), pooling=None, **kwargs
        )
        self.n_inputs, self.n_values, self.n_parameters = n_inputs, n_values, n_parameters
        self.horizon, self.n_ahead, self.seasonal = horizon, n_ahead, seasonal
        width = self.stack.hidden_size
        self.of_state = nn.Linear(self.stack.output_size, width) if n_ahead else None
        self.of_ahead = nn.Linear(n_ahead, width, bias=False) if n_ahead else None
        self.joined = nn.Linear(width, n_values, bias=False) if n_ahead else None
        self.of_inputs = nn.Linear(n_inputs, size, bias=False)
        nn.init.zeros_(self.of_inputs.weight)
        # Progress of training, for scheduled sampling.
        self.register_buffer("rows_seen", torch.zeros((), dtype=torch.int64))
        self.register_buffer("all_rows", torch.ones((), dtype=torch.int64))

    def forward(
        self,
        steps: Tensor,
        packing: Packing,
        context: Tensor | None = None,
        carried: Carried | None = None,
    ) -> Tensor:
        """Parameters ``(sum of lengths, n_parameters * horizon * n_values)``, in this order.

        Parameters
        ----------
        steps : Tensor of shape (sum of lengths, n_columns)
            Inputs, exogenous ones ahead, and values of a season before.
        packing, context, carried
            As in `RecurrentNetwork.forward`.
        """
        states = self.read_on(steps[:, : self.n_inputs], packing, context, carried)
        return packing.map(self._outputs, self.pooled(states, packing, carried), steps)

    def _outputs(self, states: Tensor, steps: Tensor) -> Tensor:
        outputs, size = self.head(states), self.horizon * self.n_values
        inputs, beside = steps[:, : self.n_inputs], steps[:, self.n_inputs :]
        location = outputs[:, :size] + _LINEAR_RATE * self.of_inputs(inputs)
        others = outputs[:, size:]
        if self.of_state is not None and self.of_ahead is not None and self.joined is not None:
            ahead = beside[:, : self.horizon * self.n_ahead].unflatten(1, (self.horizon, -1))
            both = torch.tanh(self.of_state(states)[:, None] + self.of_ahead(ahead))
            location = location + self.joined(both).flatten(1)
        if self.seasonal:
            # Steps of the gate are larger than those of other outputs: it is to close or to open.
            share = torch.sigmoid(3 * others[:, -size:])
            location = location + share * beside[:, -size:]
            others = others[:, :-size]
        return torch.cat([location, others], dim=1)
