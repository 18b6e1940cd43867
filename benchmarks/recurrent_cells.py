"""What a step of training costs with each recurrent cell, beside torch's own GRU.

    python benchmarks/recurrent_cells.py [--quick] [--hidden 64 128] [--steps 100 200]

Forward and backward pass of one layer over 32 sequences of equal length, 8 features, float32, one
thread. A figure is processor time, the median of at least five rounds in which all sides take
turns, divided by that of `torch.nn.GRU` in the same rounds. The bar is 2 for every cell that is
not torch's own. Then the clockwork cell with longer and longer periods, whose modules cost
nothing while they do not tick.
"""

import argparse
import platform
import time
from typing import Any

import numpy as np
import torch
from _table import one_thread, turns
from torch import nn

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells.registry import CELLS, make_layer

N_FEATURES, BATCH, BAR = 8, 32, 2.0
OPTIONS: list[tuple[Any, dict[str, Any]]] = [
    ("lstm", {"peepholes": True}),
    ("lstm", {"coupled": True}),
    ("gru", {"reset": "before"}),
    ("leaky", {"time_scales": (1, 100)}),
    ("skip", {"lags": (1, 50)}),
    (nn.GRUCell, {}),
    (nn.LSTMCell, {}),
]
PERIODS = [(1, 1, 1, 1), (1, 2, 4, 8), (1, 8, 16, 32), (2, 4, 8, 16), (8, 16, 32, 64)]


def named(cell: Any, options: dict[str, Any]) -> str:
    name = cell if isinstance(cell, str) else f"class {cell.__name__}"
    return " ".join([name, *(f"{key}={value}" for key, value in options.items())])


def step_of(cell: Any, options: dict[str, Any], hidden_size: int, n_steps: int) -> Any:
    layer = make_layer(cell, N_FEATURES, hidden_size, options)
    packing = Packing(np.full(BATCH, n_steps))
    x = torch.randn(BATCH * n_steps, N_FEATURES)
    return lambda: layer(x, packing, need_last=False)[0].sum().backward()


def step_of_torch(hidden_size: int, n_steps: int) -> Any:
    layer, x = nn.GRU(N_FEATURES, hidden_size), torch.randn(n_steps, BATCH, N_FEATURES)
    return lambda: layer(x)[0].sum().backward()


def seconds(cells: list[tuple[Any, dict[str, Any]]], hidden_size: int, n_steps: int) -> Any:
    sides = {named(*cell): step_of(*cell, hidden_size, n_steps) for cell in cells}
    sides["torch.nn.GRU"] = step_of_torch(hidden_size, n_steps)
    for side in sides.values():
        side()  # to warm up
    return turns(clock=time.process_time, **sides)[0]


def table(rows: list[list[str]]) -> None:
    print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for row in rows[1:]:
        print("| " + " | ".join(row) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one size and one length")
    parser.add_argument("--hidden", nargs="+", type=int, default=[64, 128])
    parser.add_argument("--steps", nargs="+", type=int, default=[100, 200])
    chosen = parser.parse_args()
    hidden, steps = chosen.hidden, chosen.steps
    if chosen.quick:
        hidden, steps = hidden[:1], steps[:1]
    one_thread()
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, one thread\n")

    cells = [*((name, {}) for name in CELLS), *OPTIONS]
    columns = [(size, n) for size in hidden for n in steps]
    found = {column: seconds(cells, *column) for column in columns}
    rows = [["cell", *(f"{size} units, {n} steps" for size, n in columns), f"at most {BAR:g}"]]
    for cell in [*cells, ("torch.nn.GRU", {})]:
        times = [found[column][named(*cell)] for column in columns]
        ratios = [t / found[c]["torch.nn.GRU"] for t, c in zip(times, columns, strict=True)]
        met = "yes" if max(ratios) <= BAR else "no"
        shown = [f"{r:.2f} ({1e3 * t:.1f} ms)" for r, t in zip(ratios, times, strict=True)]
        rows.append([named(*cell), *shown, met])
    table(rows)

    print("\nClockwork: the first row is one module, that is, a plain recurrent network.\n")
    sizes = [hidden[0]] if chosen.quick else [128, 512]
    found_for = {
        size: seconds([("clockwork", {"periods": p}) for p in PERIODS], size, steps[0])
        for size in sizes
    }
    rows = [["periods", *(f"{size} units, ms" for size in sizes)]]
    for periods in PERIODS:
        name = named("clockwork", {"periods": periods})
        rows.append([str(periods), *(f"{1e3 * found_for[size][name]:.1f}" for size in sizes)])
    table(rows)


if __name__ == "__main__":
    main()
