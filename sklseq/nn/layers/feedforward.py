"""Feed-forward networks by their sizes, and the choices they are made of by name."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from sklseq.nn.layers.randomness import Dropout

__all__ = [
    "ACTIVATIONS",
    "INITS",
    "NORMALIZATIONS",
    "FeedForward",
    "hidden_layers",
    "initialize",
]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "logistic": nn.Sigmoid,
}
INITS: dict[str, Callable[[Tensor], Tensor]] = {
    "xavier": nn.init.xavier_uniform_,
    "he": nn.init.kaiming_uniform_,
    "orthogonal": nn.init.orthogonal_,
}


class BatchNorm(nn.BatchNorm1d):
    """Batch normalization that takes a batch of one row too, with the averages so far."""

    def forward(self, input: Tensor) -> Tensor:
        if self.training and len(input) == 1:
            return nn.functional.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(input)


NORMALIZATIONS: dict[str, type[nn.Module]] = {"batch": BatchNorm, "layer": nn.LayerNorm}


def initialize(module: nn.Module, init: str) -> None:
    """Draw the weights of all linear and convolutional layers anew; biases become zero.

    Parameters
    ----------
    module : Module
    init : {"xavier", "he", "orthogonal"}
        Glorot & Bengio (2010), equation 16; He et al. (2015), equation 10; Saxe et al. (2014).
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            INITS[init](layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def after_linear(
    n_units: int, activation: str, normalization: str | None, dropout: float
) -> nn.Sequential:
    """What follows a linear map: of normalization, activation and dropout those asked for."""
    parts = [
        None if normalization is None else NORMALIZATIONS[normalization](n_units),
        ACTIVATIONS[activation](),
        Dropout(dropout) if dropout else None,
    ]
    return nn.Sequential(*(part for part in parts if part is not None))


class DenseLayer(nn.Module):
    """Linear map, normalization, activation and dropout; with `residual` the input is added.

    ``h = dropout(activation(norm(W x + b)))``, and ``x + h`` or, where the sizes differ,
    ``P x + h`` with a learned projection P (He et al. 2016, equations 1 and 2).
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        activation: str,
        normalization: str | None,
        dropout: float,
        residual: bool,
    ):
        super().__init__()
        self.linear = nn.Linear(n_inputs, n_outputs)
        self.rest = after_linear(n_outputs, activation, normalization, dropout)
        self.residual = residual
        project = residual and n_inputs != n_outputs
        self.projection = nn.Linear(n_inputs, n_outputs, bias=False) if project else None

    def forward(self, x: Tensor) -> Tensor:
        h = self.rest(self.linear(x))
        if not self.residual:
            return h
        return h + (x if self.projection is None else self.projection(x))


def hidden_layers(
    sizes: Sequence[int],
    activation: str,
    normalization: str | None = None,
    dropout: float = 0.0,
    residual: bool = False,
) -> nn.Sequential:
    """A `DenseLayer` between each two of the sizes."""
    return nn.Sequential(
        *(
            DenseLayer(n_in, n_out, activation, normalization, dropout, residual)
            for n_in, n_out in pairwise(sizes)
        )
    )


class FeedForward(nn.Module):
    """Hidden layers and a last layer that is linear.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, units of each hidden layer, outputs; ``(n_inputs, n_outputs)`` is one linear map.
    activation : str, default="relu"
        Key of `ACTIVATIONS`, of the hidden layers.
    normalization : {"batch", "layer"} or None, default=None
        Before the activation of each hidden layer.
    dropout : float, default=0
        On the output of each hidden layer.
    residual : bool, default=False
        Whether hidden layers add their input to their output.
    init : {"xavier", "he", "orthogonal"}, default="xavier"

    Attributes
    ----------
    plain_activation : type of Module or None
        The activation, if hidden layers have nothing but a linear map and it.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activation: str = "relu",
        normalization: str | None = None,
        dropout: float = 0.0,
        residual: bool = False,
        init: str = "xavier",
    ):
        super().__init__()
        *inner, n_outputs = sizes
        is_plain = normalization is None and not dropout and not residual
        self.plain_activation = ACTIVATIONS[activation] if is_plain else None
        self.hidden = hidden_layers(inner, activation, normalization, dropout, residual)
        self.output = nn.Linear(inner[-1], n_outputs)
        initialize(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``(..., n_outputs)`` of ``(..., n_inputs)``; 2-D with batch normalization."""
        return self.output(self.hidden(x))

    def linears(self) -> list[nn.Linear]:
        """The linear maps from input to output, without projections."""
        hidden: Any = self.hidden
        return [*(layer.linear for layer in hidden), self.output]
