"""Recurrent layers by the name of their cell."""

from collections.abc import Callable
from typing import Any

from torch import nn

from sklseq.nn.recurrent.cells.any_cell import AnyCell
from sklseq.nn.recurrent.cells.clockwork import Clockwork
from sklseq.nn.recurrent.cells.deep_transition import DeepTransition
from sklseq.nn.recurrent.cells.gru_variants import GRUGlobalLocal, GRUShared, Minimal, make_gru
from sklseq.nn.recurrent.cells.leaky import Leaky
from sklseq.nn.recurrent.cells.linear import MinGRU, MinLSTM
from sklseq.nn.recurrent.cells.lru import LRU
from sklseq.nn.recurrent.cells.lstm_variants import make_lstm
from sklseq.nn.recurrent.cells.options import check_options
from sklseq.nn.recurrent.cells.skip import Skip
from sklseq.nn.recurrent.cells.torch_layers import RNN
from sklseq.nn.recurrent.layer import Layer

__all__ = ["CELLS", "make_layer"]

CELLS: dict[str, Callable[..., Layer]] = {
    "rnn": RNN,
    "lstm": make_lstm,
    "gru": make_gru,
    "minimal": Minimal,
    "gru_shared": GRUShared,
    "gru_global_local": GRUGlobalLocal,
    "leaky": Leaky,
    "clockwork": Clockwork,
    "skip": Skip,
    "mingru": MinGRU,
    "minlstm": MinLSTM,
    "lru": LRU,
    "deep_transition": DeepTransition,
}


def make_layer(
    cell: str | type[nn.Module],
    input_size: int,
    hidden_size: int,
    cell_options: dict[str, Any] | None = None,
) -> Layer:
    """One recurrent layer in one direction, of a named cell or a cell class."""
    options = cell_options or {}
    if not isinstance(cell, str):
        return AnyCell(cell, input_size, hidden_size, **options)
    check_options(repr(cell), CELLS[cell], options)
    return CELLS[cell](input_size, hidden_size, **options)
