"""Memory and time of very long series: training in segments, prediction, streams.

    python benchmarks/long_series.py [--only tbptt stream inference] [--quick]

A row of `tbptt` and `inference` is a process of its own, that fits (one epoch, segments of 200
steps), or loads a model and predicts, one series of T steps with one feature. Its figure is how far
the peak of its memory lies above what it held before, the data included. `bytes a step` is the
growth from the row above. What grows are arrays of T numbers: X and y in double precision as given,
their scaled copies, weights, results; a state of 64 units would be 256 bytes.

A row of `stream` is the processor time of one call with one step, beside that of the bare network
(its step and its head, on a tensor) and that of `predict` for the same step: calls in rounds of 20,
all sides in turn, the least of 60 rounds.
"""

import argparse
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from sklseq.nn.recurrent.layer import output_of
from sklseq.recurrent import RecurrentRegressor

CALLS = 20
LENGTHS = (10_000, 100_000, 1_000_000)
CELLS = ("gru", "lstm", "rnn")
SEGMENT, HIDDEN = 200, {"tbptt": 16, "inference": 64}


def peak() -> float:
    """Peak memory of this process in MB."""
    with open("/proc/self/status") as status:
        return int(status.read().split("VmHWM:")[1].split()[0]) / 1024


def series(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise, and as target its running mean, which fades."""
    x = np.random.default_rng(0).normal(size=(n, 1))
    return x, np.roll(x[:, 0], 2)


def model_of(cell: str, hidden_size: int) -> RecurrentRegressor:
    return RecurrentRegressor(
        cell=cell,
        target="step",
        hidden_size=hidden_size,
        tbptt_steps=SEGMENT,
        max_epochs=1,
        lr_schedule=None,
        random_state=0,
        n_threads=1,
    )


def measure(what: str, cell: str, n: int) -> None:
    """In a fresh process: print memory and seconds."""
    model = model_of(cell, HIDDEN[what])
    model.fit(*series(2 * SEGMENT))
    model.predict(series(2 * SEGMENT)[0])
    before = peak()
    X, y = series(n)
    begin = time.process_time()
    result = model.fit(X, y) if what == "tbptt" else model.predict(X)
    seconds = time.process_time() - begin
    del result
    print(f"{peak() - before:.1f} {seconds:.2f}")


def in_fresh_process(what: str, cell: str, n: int) -> tuple[float, float]:
    command = [sys.executable, __file__, "--measure", what, cell, str(n)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    memory, seconds = done.stdout.split()[-2:]
    return float(memory), float(seconds)


def memory_table(what: str, lengths: tuple[int, ...], cells: tuple[str, ...]) -> None:
    done = "fit, one epoch" if what == "tbptt" else "predict"
    print(f"\n{done}, {HIDDEN[what]} units\n")
    print("| cell | T | MB | bytes a step | us a step |\n| --- | --- | --- | --- | --- |")
    for cell in cells:
        before, n_before = 0.0, 0
        for n in lengths:
            memory, seconds = in_fresh_process(what, cell, n)
            grown = (memory - before) * 2**20 / (n - n_before)
            shown = f"{grown:.0f}" if n_before else "-"
            print(
                f"| {cell} | {n:,} | {memory:.1f} | {shown} | {seconds / n * 1e6:.1f} |",
                flush=True,
            )
            before, n_before = memory, n


def stream_table(n_rounds: int) -> None:
    print("\none step of one series, 64 units, us\n")
    print("| cell | stream | bare network | predict |\n| --- | --- | --- | --- |")
    X, y = series(2 * SEGMENT)
    for cell in CELLS:
        model = model_of(cell, 64).fit(X, y)
        stream, network, step = model.stream(), model.module_, X[:1]
        tensor = torch.randn(1, 1)
        state: Any = network.stack.step(tensor)

        def bare(network: Any = network, tensor: Any = tensor, state: Any = state) -> Any:
            with torch.inference_mode():
                return network.head(output_of(network.stack.step(tensor, state)[-1]))

        sides: dict[str, Callable[[], Any]] = {
            "stream": lambda s=stream, x=step: s.predict(x),
            "bare": bare,
            "predict": lambda m=model, x=step: m.predict(x),
        }
        least = dict.fromkeys(sides, np.inf)
        for _ in range(n_rounds):
            for name, call in sides.items():
                begin = time.process_time()
                for _ in range(CALLS):
                    call()
                least[name] = min(least[name], (time.process_time() - begin) / CALLS)
        show = [f"{each * 1e6:.0f}" for each in least.values()]
        print(f"| {cell} | {' | '.join(show)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    rows = ("tbptt", "inference", "stream")
    parser.add_argument("--only", nargs="+", choices=rows, default=rows)
    parser.add_argument("--quick", action="store_true", help="series of at most 100,000 steps")
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=CELLS)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.measure:
        what, cell, n = chosen.measure
        measure(what, cell, int(n))
        return
    print(f"torch {torch.__version__}, numpy {np.__version__}, scikit-learn", end=" ")
    print(f"{version('scikit-learn')}, Python {platform.python_version()}, one thread")
    lengths = LENGTHS[:-1] if chosen.quick else LENGTHS
    for what in ("tbptt", "inference"):
        if what in chosen.only:
            memory_table(what, lengths, tuple(chosen.cells))
    if "stream" in chosen.only:
        stream_table(20 if chosen.quick else 60)


if __name__ == "__main__":
    main()
