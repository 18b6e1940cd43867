"""Training on few long series in parallel over time, beside the plain loop.

    python benchmarks/parallel_time.py [--only kernels neutral rule epoch memory] [--quick]

A figure of `kernels`, `neutral` and `rule` is how many times less processor time a layer takes in
chunks for states and all gradients: both sides in turn on the same numbers, medians of five rounds
or more, one thread. Beside it stand the largest differences of states and of gradients, each
relative to the largest of its kind. `kernels` has a series of 8,000 steps with 32 units, as they
start and trained to recall the input two steps before; `neutral` has what chunks cannot help:
units that expand differences, and units that remember longer than a chunk, so that sweeps are
given up and the plain loop runs. There the figure is the time beside the plain loop's, of the
fastest round of each side; in a fit most calls do not try. `rule` is the grid by which
`dispatch` chooses. `epoch` is the time of `fit`, and `memory` the peak of a process that fits one
epoch of 500,000 steps, imports and data included.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from _table import Row, Rows, at_least, at_most, main, one_thread, peak, turns

from sklseq.inspection import largest_lyapunov_exponent
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells.torch_layers import GRU, RNN, TorchLayer
from sklseq.nn.recurrent.kernels.dispatch import chunk_length
from sklseq.nn.recurrent.kernels.parallel_time import TimeParallel
from sklseq.recurrent import GRURegressor

N_STEPS, UNITS, FEATURES = 8_000, 32, 8
LONG, SEGMENT = 500_000, 20_000


def recall(n: int, n_features: int = FEATURES) -> tuple[np.ndarray, np.ndarray]:
    """Noise, and as target the product of what two features were two and three steps before."""
    x = np.random.default_rng(0).normal(size=(n, n_features))
    return x, np.roll(x[:, 0], 2) * np.roll(x[:, -1], 3)


def layers() -> dict[str, TorchLayer]:
    """Of networks as they start, and trained."""
    found = {}
    x, y = recall(N_STEPS)
    for name, n_epochs in (("fresh", 1), ("trained", 60)):
        model = GRURegressor(target="step", hidden_size=UNITS, max_epochs=n_epochs, random_state=0)
        model.set_params(learning_rate=1e-12 if name == "fresh" else 1e-2).fit(x, y)
        exponent = largest_lyapunov_exponent(model, x[:1500], random_state=0)
        label = f"{name} (R2 {model.score(x, y):.2f}, Lyapunov exponent {exponent:.2f})"
        found[label] = model.module_.stack.forward_layers[0]
    return found


def trial(layer: TorchLayer, lengths: list[int]) -> Callable[[TimeParallel], Any]:
    """States and gradients of one call."""
    torch.manual_seed(0)
    like = next(layer.parameters())
    x = torch.randn(sum(lengths), layer.rnn.input_size).to(like).requires_grad_()
    weight = torch.randn(sum(lengths), layer.hidden_size).to(like) / sum(lengths)
    wanted = [x, *layer.parameters()]

    def run(time_parallel: TimeParallel) -> Any:
        layer.time_parallel = time_parallel
        states, _ = layer(x, Packing(np.array(lengths)), None, False)
        return states.detach(), torch.autograd.grad((states * weight).sum(), wanted)

    return run


def compared(layer: TorchLayer, lengths: list[int], rounds: int) -> tuple[float, str, float]:
    """Times less in chunks, what differs in words, and the largest difference of gradients."""
    run, kept = trial(layer, lengths), TimeParallel(True)
    seconds, results = turns(
        clock=time.process_time,
        rounds=rounds,
        loop=lambda: run(TimeParallel(False)),
        chunks=lambda: run(kept),
    )
    (states, gradients), (s, g) = results["loop"], results["chunks"]
    apart = [
        float(((a - b).abs().max() / b.abs().max()).nan_to_num())
        for a, b in zip((s, *g), (states, *gradients), strict=True)
    ]
    more = f", states {apart[0]:.0e}, gradients {max(apart[1:]):.0e}"
    more += "" if kept.misses == 0 else ", given up"
    return seconds["loop"] / seconds["chunks"], more, max(apart[1:])


def kernels(quick: bool) -> Rows:
    for label, layer in layers().items():
        ratio, more, apart = compared(layer, [N_STEPS], 5 if quick else 9)
        yield at_least(f"GRU {UNITS} units, {N_STEPS:,} steps, {label}", ratio, 8, "{:.1f}", more)
        yield at_most("its gradients beside the plain loop's", apart, 1e-5, "{:.0e}")


def least(run: Callable[[TimeParallel], Any], rounds: int) -> tuple[float, int]:
    """Time in chunks beside that of the loop, of the fastest round of each, and sweeps in vain."""
    best, chunks = {False: np.inf, True: np.inf}, TimeParallel(True)
    for _ in range(rounds):
        for mode in best:
            begin = time.process_time()
            run(chunks if mode else TimeParallel(False))
            best[mode] = min(best[mode], time.process_time() - begin)
    return best[True] / best[False], chunks.misses


def neutral(quick: bool) -> Rows:
    torch.manual_seed(0)
    remembers, expands = GRU(FEATURES, UNITS), GRU(FEATURES, UNITS)
    with torch.no_grad():
        remembers.rnn.bias_ih_l0[UNITS : 2 * UNITS] = 9.0
        expands.rnn.weight_hh_l0.mul_(8.0)
    for label, layer in (("long memory", remembers), ("expanding", expands)):
        for n in (4_500, N_STEPS):
            ratio, misses = least(trial(layer, [n]), 7 if quick else 15)
            task, more = f"{label}, {n:,} steps", f", given up {misses} times"
            yield at_most(f"{task}: a call that tries", ratio, 1.1, "{:.2f}", more)


def rule(quick: bool) -> Rows:
    for cell in (GRU, RNN):
        for units in (32, 128) if quick else (16, 32, 64, 128, 256, 512):
            for lengths in ([1_100], [2_500], [8_000], [8_000] * 3, [4_000] * 8):
                if units * sum(lengths) > 4_000 * 512:
                    continue
                torch.manual_seed(0)
                ratio, more, _ = compared(cell(FEATURES, units), lengths, 3)
                side = f"{len(lengths)} x {lengths[0]:,} steps"
                auto = chunk_length(Packing(np.array(lengths)), units, "auto") > 0
                label = f"{cell.__name__}, {units} units, {side}"
                bar, met = ("> 1", bool(ratio > 1)) if auto else ("by the loop", None)
                yield Row(label, f"{ratio:.1f}" + more, bar, met)


def epoch(quick: bool) -> Rows:
    x, y = recall(N_STEPS, 1)
    for tbptt in (None,):
        seconds, models = turns(
            clock=time.process_time,
            rounds=3,
            **{
                str(mode): lambda mode=mode, tbptt=tbptt: GRURegressor(
                    target="step", hidden_size=UNITS, max_epochs=5, tbptt_steps=tbptt,
                    time_parallel=mode, random_state=0,
                ).fit(x, y)
                for mode in (False, "auto")
            },
        )  # fmt: skip
        losses = [model.loss_curve_[-1] for model in models.values()]
        ratio = seconds["False"] / seconds["auto"]
        more = f", last losses {losses[0]:.6f} and {losses[1]:.6f}"
        label = f"fit, {N_STEPS:,} steps, tbptt_steps={tbptt}"
        yield at_least(label, ratio, 4, "{:.1f}", more)


def measure(segment: int | None) -> None:
    """In a process of its own: one epoch, and the peak."""
    x, y = recall(LONG, 1)
    before, begin = peak(), time.process_time()
    GRURegressor(
        target="step", hidden_size=UNITS, max_epochs=1, tbptt_steps=segment, lr_schedule=None,
        random_state=0,
    ).fit(x, y)  # fmt: skip
    print(f"{peak():.0f} {before:.0f} {time.process_time() - begin:.1f}")


def memory(quick: bool) -> Rows:
    for segment in (SEGMENT,) if quick else (2_000, SEGMENT):
        command = [sys.executable, __file__, "--measure", str(segment)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        most, before, seconds = map(float, done.stdout.split()[-3:])
        more = f" MB, {before:.0f} before fit; {seconds:.1f} s"
        label = f"one epoch of {LONG:,} steps, {UNITS} units, tbptt_steps={segment:,}"
        yield at_most(label, most, 600, "{:.0f}", more)


if __name__ == "__main__":
    if "--measure" in sys.argv:
        one_thread()
        measure(int(sys.argv[-1]))
    else:
        every = (kernels, neutral, rule, epoch, memory)
        main(__doc__ or "", {rows.__name__: rows for rows in every})
