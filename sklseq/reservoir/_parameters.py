"""The parameters of a reservoir, declared once."""

from typing import Any

from sklseq.base import choice, estimator, integer, param, real
from sklseq.nn.reservoir import ACTIVATIONS, TOPOLOGIES

__all__ = ["ReservoirParameters"]

_DISTRIBUTIONS = ("normal", "uniform", "bernoulli")
_ROTATIONS = ("orthogonal", "ring", "cosine", "hadamard")


@estimator
class ReservoirParameters:
    """The reservoir: who listens to whom, how loudly and how long."""

    reservoir_size: int = param(100, "Units of each layer and direction.", integer(1))
    spectral_radius: float = param(
        0.9,
        "Largest modulus of the eigenvalues of the recurrent weights. With a 'delay_line', whose "
        "own is 0, the weight of its links.",
        real(0),
    )
    leak_rate: Any = param(
        1.0,
        "Share of a unit's state that is new in each step, in (0, 1]. A tuple gives several time "
        "scales, each to as many units; of the length `reservoir_size`, one to each unit. With "
        "`rotation`, the proximity to the edge of stability.",
        real(0, 1, "right"),
        "array-like",
    )
    input_scaling: Any = param(
        0.5,
        "Factor on the input weights, one for all features or one for each.",
        real(0),
        "array-like",
    )
    bias_scaling: float = param(0.2, "Factor on the biases, which are uniform in [-1, 1].", real(0))
    layer_scaling: float = param(
        1.0,
        "Factor on the weights from one layer to the next, whose variance is otherwise one "
        "divided by `reservoir_size`. Not used with one layer.",
        real(0),
    )
    density: float = param(
        0.1,
        "Share of the recurrent weights that are not zero, in the topologies 'random', "
        "'small_world' and 'blocks', and of those between layers.",
        real(0, 1, "right"),
    )
    topology: str = param(
        "random",
        "Who listens to whom: 'random'; a 'ring', cut as a 'delay_line' or with 'jumps'; a random "
        "'orthogonal' matrix; a 'small_world'; four 'blocks'; or an orthogonal matrix by a fast "
        "'cosine' or 'hadamard' transform, for very large reservoirs.",
        choice(*TOPOLOGIES),
    )
    distribution: str = param(
        "normal",
        "Of the recurrent weights that are not zero: standard normal, uniform in [-1, 1], or -1 "
        "and 1; all before scaling.",
        choice(*_DISTRIBUTIONS),
    )
    input_distribution: str = param(
        "uniform", "Of the input weights, in the same way.", choice(*_DISTRIBUTIONS)
    )
    rotation: str | None = param(
        None,
        "Topology of an orthogonal matrix that turns the share of the state that is kept (edge of "
        "stability network, ES2N); None keeps it as it is (leaky units).",
        choice(*_ROTATIONS),
        None,
    )
    activation: str = param("tanh", "Activation of the units.", choice(*ACTIVATIONS))
    num_layers: int = param(
        1,
        "Reservoirs on top of each other, each driven by the one below; the readout sees all.",
        integer(1),
    )
    bidirectional: bool = param(
        False,
        "Whether a second reservoir reads each sequence backward. Per step, the prediction then "
        "depends on later steps too.",
        "boolean",
    )
