"""How the weights of recurrent layers start: by name, for any cell.

A layer's weights are blocks of rows, one for each gate. Named as torch names them, ``weight_ih``
for those of the input and ``weight_hh`` for those of the state, they are found in any cell; what
each block is for, a layer says in `Layer.gates`.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Generator, Tensor, nn

from sklseq.nn.recurrent.layer import Layer

__all__ = ["RECURRENT_INITS", "initialize_recurrent", "set_forget_bias"]

_Draw = Callable[[Tensor, Generator, float], object]


def _xavier(block: Tensor, generator: Generator, radius: float) -> None:
    nn.init.xavier_uniform_(block, generator=generator)


def _he(block: Tensor, generator: Generator, radius: float) -> None:
    nn.init.kaiming_uniform_(block, generator=generator)


def _orthogonal(block: Tensor, generator: Generator, radius: float) -> None:
    nn.init.orthogonal_(block, generator=generator)


def _identity(block: Tensor, generator: Generator, radius: float) -> None:
    nn.init.eye_(block)


def _small(block: Tensor, generator: Generator, radius: float) -> None:
    nn.init.normal_(block, std=1e-3, generator=generator)


def _esn(block: Tensor, generator: Generator, radius: float) -> None:
    if block.shape[0] != block.shape[1]:
        raise ValueError(
            f"init='esn' needs square recurrent weights, not {tuple(block.shape)}: take "
            "'orthogonal'."
        )
    nn.init.normal_(block, generator=generator)
    block *= radius / torch.linalg.eigvals(block).abs().max()


RECURRENT_INITS: dict[str, tuple[_Draw, _Draw]] = {
    "xavier": (_xavier, _xavier),
    "he": (_he, _he),
    "orthogonal": (_orthogonal, _xavier),
    "identity": (_identity, _small),
    "esn": (_esn, _xavier),
}
"""How the weights of the state and those of the input are drawn."""


def initialize_recurrent(
    module: nn.Module, cell: str | type, init: str, generator: Generator, radius: float = 0.9
) -> None:
    """Draw the weights of all recurrent layers anew, gate by gate; their biases become zero.

    Parameters
    ----------
    module : Module
    cell : str or type
        What an error calls the cell of the layers.
    init : {"xavier", "he", "orthogonal", "identity", "esn"}
        Of the weights of the state: Glorot & Bengio (2010), equation 16; He et al. (2015),
        equation 10; Saxe et al. (2014); the identity, with input weights of deviation 0.001
        (Le, Jaitly and Hinton 2015, section 3); normal, scaled to a spectral radius (Jaeger 2001;
        Sutskever et al. 2013, section 3). Where nothing is said of them, the weights of the input
        are drawn as by "xavier".
    generator : torch.Generator
        On the CPU; numbers are drawn there in double precision for any device.
    radius : float, default=0.9
        The spectral radius for "esn".

    Raises
    ------
    ValueError
        If a layer has no weights of that name, or they are not square where they must be.
    """
    for layer in _layers(module):
        found = False
        for name, parameter in layer.named_parameters():
            if "weight_hh" in name or "weight_ih" in name:
                # "gate_weight_hh" is of gates that have one value for all units.
                recurrent = any(part.startswith("weight_hh") for part in name.split("."))
                found |= recurrent
                draw = RECURRENT_INITS[init][0 if recurrent else 1]
                values = torch.empty(parameter.shape, dtype=torch.float64)
                for block in values.chunk(_n_blocks(layer, parameter)):
                    draw(block, generator, radius)
                parameter.copy_(values)
            elif "bias" in name:
                parameter.zero_()
        if not found:
            raise ValueError(
                f"init={init!r}: {_name(cell)} has no recurrent weights 'weight_hh' to "
                "initialize. Set init=None, which leaves the start to the cell."
            )


def set_forget_bias(
    module: nn.Module, cell: str | type, bias: float | str, n_steps: int, generator: Generator
) -> None:
    """Set the bias of the gates that keep the state, in all recurrent layers.

    Parameters
    ----------
    module : Module
    cell : str or type
        What an error calls the cell of the layers.
    bias : float or "chrono"
        A number is the bias of the gates that keep (Gers et al. 2000; Jozefowicz et al. 2015); of
        a layer that has none, its negative is that of the gates that take the new in. "chrono"
        draws ``log(u)``, u uniform in [1, n_steps - 1], for each unit, and its negative for the
        gates that take: units then remember for u steps (Tallec and Ollivier 2018, equation 16).
    n_steps : int
        Length of the longest training sequence.
    generator : torch.Generator
        On the CPU.

    Raises
    ------
    ValueError
        If a layer says of no gate that it keeps, or takes.
    """
    for layer in _layers(module):
        if not {"keep", "take"} & set(layer.gates):
            raise ValueError(
                f"forget_bias={bias!r}: {_name(cell)} has no gate that keeps its state. Set "
                "forget_bias=None, or take cell='lstm' or 'gru'."
            )
        if isinstance(bias, str):
            u = torch.empty(layer.hidden_size, dtype=torch.float64)
            kept = u.uniform_(1, max(n_steps - 1, 1), generator=generator).log_()
        else:
            kept = torch.full((layer.hidden_size,), float(bias), dtype=torch.float64)
        both = isinstance(bias, str) or "keep" not in layer.gates
        values = {"keep": kept, "take": -kept if both else None}
        found = False
        for name, parameter in layer.named_parameters():
            if "bias" not in name or parameter.shape[0] != len(layer.gates) * layer.hidden_size:
                continue
            # Of two biases that are added, the second one is zero there.
            for gate, block in zip(layer.gates, parameter.chunk(len(layer.gates)), strict=True):
                if (value := values.get(gate)) is not None:
                    block.copy_(torch.zeros_like(value) if found else value)
            found = True
        if not found:
            raise ValueError(f"forget_bias={bias!r}: {_name(cell)} has no bias. Set it to None.")


def _layers(module: nn.Module) -> Iterator[Layer]:
    return (part for part in module.modules() if isinstance(part, Layer))


def _n_blocks(layer: Layer, weights: Tensor) -> int:
    """How many gates the weights are for; those of a layer between two states are for one."""
    n, rest = divmod(weights.shape[0], layer.hidden_size)
    return 1 if rest or (layer.gates and n > len(layer.gates)) else n


def _name(cell: str | type) -> str:
    return f"cell {cell!r}" if isinstance(cell, str) else f"cell {cell.__name__}"
