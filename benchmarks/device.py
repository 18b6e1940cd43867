"""What a device makes of training: ours against loops written by hand in torch, in one command.

    python benchmarks/device.py [--device cuda] [--quick] [--only recurrent networks ...]

Sides take turns and start from the same weights; times are medians, and the device has finished
when a clock is read. All sides compute in float32 without TF32, with fused Adam and clipped
gradients, and loops written by hand read no loss before the end. Rows:

* recurrent: a training step on ragged sequences, lengths uniform in a quarter to all of the steps:
  ours, cuDNN on padded batches of a table that lies on the device, cuDNN on packed sequences;
* series: forward and backward of one long series, ours and one call of cuDNN;
* networks: a training step of autoencoders, flows and a GAN: ours, and a loop over the same
  network, operation by operation;
* reservoir: a fit of an echo state network with 2,000 units, here and on one thread of the CPU;
* agreement: the largest difference between models fitted here and on the CPU.

Bars are those of one H100 or H200. On another device than CUDA figures stand without bars.
"""

import platform
import sys
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
import torch
from _table import Row, Rows, at_least, at_most, main, turns
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from sklseq.autoencoder import Autoencoder, DenoisingAutoencoder
from sklseq.generative import GAN, VAE, RealNVP
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells.registry import make_layer
from sklseq.recurrent import GRUClassifier, LSTMClassifier
from sklseq.reservoir import ESNRegressor
from sklseq.training.engine import Trainer
from sklseq.training.phases import adversarial_step
from sklseq.training.rows.batch import batches

RECURRENT: dict[str, Any] = {"gru": GRUClassifier, "lstm": LSTMClassifier}
FEATURES = 8


def bar(task: str, value: float, least: float, device: str, more: str = "") -> Row:
    """A ratio that is to be at least so large, on CUDA."""
    if device.startswith("cuda"):
        return at_least(task, value, least, more=more)
    return Row(task, f"{value:.3g}{more}", f">= {least:.3g} on CUDA", None)


def finished(device: str, side: Callable[[], Any]) -> Callable[[], Any]:
    """A side that has come to its end when it returns."""

    def run() -> Any:
        result = side()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        return result

    return run


class Caught(Exception):
    """What a fit was about to train, and what the estimator had learned by then."""


def caught(model: Any, *data: Any) -> tuple[Trainer, nn.Module, Any, Any]:
    """Trainer, network, objective and rows of an estimator that is about to be trained."""
    run = Trainer.run

    def stop(trainer: Trainer, *given: Any) -> Any:
        trainer.callbacks = ()
        raise Caught((trainer, *given[:3]), dict(vars(model)))

    Trainer.run = stop  # type: ignore[method-assign, assignment]
    try:
        model.fit(*data)
    except Caught as what:
        vars(model).update(what.args[1])  # a failing fit has taken it back, and objectives read it
        return what.args[0]
    finally:
        Trainer.run = run  # type: ignore[method-assign]
    raise AssertionError


def optimizer_of(network: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), lr=rate, fused=True)


def copy_of(network: nn.Module, like: Tensor) -> Any:
    """A copy whose recurrent weights lie side by side, as cuDNN wants them."""
    return deepcopy(network).to(like.device)


def training(trainer: Trainer, network: nn.Module, objective: Any, rows: Any) -> Any:
    """A fit of ours, of a copy."""
    return trainer.run(copy_of(network, rows.like), objective, rows)


def by_hand(trainer: Trainer, network: nn.Module, objective: Any, rows: Any) -> Tensor:
    """The same steps as a loop in torch, operation by operation."""
    network = copy_of(network, rows.like).train()
    optimizer = optimizer_of(network, trainer.learning_rate)
    rng = np.random.default_rng(0)
    total = torch.zeros((), device=rows.like.device)

    def clip(parameters: Any) -> None:
        if trainer.gradient_clip is not None:
            nn.utils.clip_grad_norm_(parameters, trainer.gradient_clip)

    for _ in range(trainer.max_epochs):
        for batch in batches(rows, trainer.batch_size, rng):
            if trainer.phases:
                total += adversarial_step(network, trainer.phases, optimizer, batch, clip, False)
                continue
            optimizer.zero_grad()
            loss = objective(network, batch)
            loss.backward()
            clip(list(network.parameters()))
            optimizer.step()
            total += loss.detach()
    return total.cpu()


def recurrent_by_hand(
    trainer: Trainer,
    network: Any,
    table: Tensor,
    lengths: np.ndarray,
    classes: Tensor,
    n_batches: int,
    packed: bool,
) -> Tensor:
    """The loop that a user of torch would write for a classifier of padded sequences."""
    network = copy_of(network, table).train()
    rnn, device = network.stack.forward_layers[0].rnn, table.device
    rnn.batch_first = True
    optimizer = optimizer_of(network, trainer.learning_rate)
    rng = np.random.default_rng(0)
    total = torch.zeros((), device=device)
    for _ in range(trainer.max_epochs):
        for chosen in np.split(rng.permutation(len(table)), n_batches):
            index = torch.from_numpy(chosen).to(device)
            x, ends = table[index], torch.from_numpy(lengths[chosen])
            if packed:
                x = pack_padded_sequence(x, ends, batch_first=True, enforce_sorted=False)
                state = rnn(x)[1]
                last = (state[0] if isinstance(state, tuple) else state)[-1]
            else:
                rows = torch.arange(len(chosen), device=device)
                last = rnn(x)[0][rows, ends.to(device) - 1]
            optimizer.zero_grad()
            loss = cross_entropy(network.head(last), classes[index])
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            total += loss.detach()
    return total.cpu()


# -- rows -----------------------------------------------------------------------------------


def recurrent(quick: bool, device: str) -> Rows:
    sizes = [("gru", 32, 64, 200), ("lstm", 32, 64, 200), ("gru", 128, 128, 200)]
    sizes += [("lstm", 128, 128, 200), ("gru", 256, 256, 500), ("gru", 512, 512, 200)]
    if quick:
        sizes = [("gru", 8, 16, 20), ("lstm", 8, 16, 20)]
    n_batches, n_epochs = (3, 2) if quick else (12, 3)
    for cell, batch_size, units, n_steps in sizes:
        rng = np.random.default_rng(0)
        n = n_batches * batch_size
        lengths = rng.integers(n_steps // 4, n_steps + 1, n)
        X = [rng.normal(size=(length, FEATURES)).astype(np.float32) for length in lengths]
        y = rng.integers(4, size=n)
        model = RECURRENT[cell](
            hidden_size=units, batch_size=batch_size, max_epochs=n_epochs, device=device
        )
        given = caught(model, X, y)
        table = pad_sequence([torch.from_numpy(x) for x in X], batch_first=True).to(device)
        classes = torch.from_numpy(y).to(device)

        data = table, lengths, classes, n_batches
        loop = partial(recurrent_by_hand, *given[:2], *data)
        sides = {
            "ours": finished(device, partial(training, *given)),
            "padded": finished(device, partial(loop, packed=False)),
            "packed": finished(device, partial(loop, packed=True)),
        }
        for side in sides.values():
            side()
        seconds, _ = turns(rounds=3, **sides)
        steps = n_batches * n_epochs
        more = " (ms a step: " + ", ".join(f"{k} {v / steps * 1e3:.2f}" for k, v in seconds.items())
        name = f"[recurrent] {cell}, batch {batch_size}, {units} units, {n_steps} steps"
        small = units <= 128
        best = seconds["padded"] if small else min(seconds["padded"], seconds["packed"])
        against = "padded" if small else "better loop"
        ratio = best / seconds["ours"]
        yield bar(f"{name}: {against} / ours", ratio, 1.0 if small else 0.95, device, more + ")")
        if small:
            yield bar(f"{name}: packed / ours", seconds["packed"] / seconds["ours"], 4.0, device)


def series(quick: bool, device: str) -> Rows:
    for cell, units in (("gru", 16), ("lstm", 16)) if quick else (("gru", 64), ("lstm", 128)):
        n_steps = 500 if quick else 32_768
        torch.manual_seed(0)
        layer: Any = make_layer(cell, FEATURES, units, {}).to(device)
        packing = Packing(np.array([n_steps]), device)
        x = torch.randn(n_steps, FEATURES, device=device)
        weights = list(layer.parameters())

        def gradients(states: Tensor, weights: Any = weights) -> list[Tensor]:
            return list(torch.autograd.grad(states.square().mean(), weights))

        def ours(layer: Any = layer, x: Tensor = x, packing: Packing = packing) -> list[Tensor]:
            return gradients(layer(x, packing, need_last=False)[0])

        def one_call(layer: Any = layer, x: Tensor = x) -> list[Tensor]:
            return gradients(layer.rnn(x[:, None])[0][:, 0])

        sides = {"ours": finished(device, ours), "one_call": finished(device, one_call)}
        for side in sides.values():
            side()
        seconds, found = turns(rounds=5, **sides)
        pairs = zip(found["ours"], found["one_call"], strict=True)
        worst = max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)
        more = f" (ms: {seconds['ours'] * 1e3:.1f}, {seconds['one_call'] * 1e3:.1f})"
        name = f"[series] one series of {n_steps} steps, {cell} of {units}"
        yield bar(
            f"{name}: one call / ours", seconds["one_call"] / seconds["ours"], 8.0, device, more
        )
        yield at_most(f"{name}: gradients, relative difference", worst, 1e-5, "{:.1e}")


def networks(quick: bool, device: str) -> Rows:
    coder = {"hidden_layer_sizes": (256, 128), "n_components": 16}
    models: list[tuple[str, Any, int]] = [
        ("autoencoder, batch 256", Autoencoder(**coder, batch_size=256), 64),
        ("autoencoder, batch 4096", Autoencoder(**coder, batch_size=4096), 64),
        ("denoising autoencoder", DenoisingAutoencoder(**coder, batch_size=256), 64),
        ("VAE", VAE(**coder, batch_size=256), 64),
        ("RealNVP, 8 affine couplings", RealNVP(batch_size=512), 8),
        ("RealNVP, 8 spline couplings", RealNVP(batch_size=512, coupling="spline"), 8),
        ("GAN", GAN(batch_size=256), 8),
    ]
    for name, model, n_features in models:
        n_batches, n_epochs = (3, 3) if quick else (20, 10)
        if quick:
            model.set_params(batch_size=32)
        X = np.random.default_rng(0).normal(size=(n_batches * model.batch_size, n_features))
        model.set_params(device=device, max_epochs=n_epochs, random_state=0)
        given = caught(model, X.astype(np.float32))
        sides = {
            "ours": finished(device, partial(training, *given)),
            "loop": finished(device, partial(by_hand, *given)),
        }
        for side in sides.values():
            side()
        seconds, _ = turns(rounds=3, **sides)
        steps = n_batches * n_epochs
        more = f" (ms a step: {seconds['ours'] / steps * 1e3:.2f}, "
        more += f"{seconds['loop'] / steps * 1e3:.2f})"
        ratio = seconds["loop"] / seconds["ours"]
        yield bar(f"[networks] {name}: loop / ours", ratio, 5.0, device, more)


def reservoir(quick: bool, device: str) -> Rows:
    n_steps, units = (300, 50) if quick else (20_000, 2_000)
    X = np.random.default_rng(0).normal(size=(1, n_steps, 1))
    settings = {"n_reservoir": units, "dtype": "float32", "random_state": 0, "target": "step"}
    known = ESNRegressor().get_params()
    given = {k: v for k, v in settings.items() if k in known}
    models = {d: ESNRegressor(**given, device=d) for d in {device, "cpu"}}
    sides = {
        name: finished(device, partial(models[d].fit, X, X[..., 0]))
        for name, d in (("here", device), ("cpu", "cpu"))
    }
    seconds, _ = turns(rounds=1 if not quick else 2, **sides)
    more = f" (s: {seconds['here']:.2f}, {seconds['cpu']:.2f})"
    task = f"[reservoir] {units} units, {n_steps} steps: CPU / here"
    yield bar(task, seconds["cpu"] / seconds["here"], 20.0, device, more)


def agreement(quick: bool, device: str) -> Rows:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(200, 6))
    sequences = [rng.normal(size=(length, 3)) for length in rng.integers(5, 30, 100)]
    y = rng.integers(2, size=100)
    models: list[tuple[str, Any, tuple[Any, ...]]] = [
        ("VAE", VAE(), (table,)),
        ("GAN", GAN(n_candidates=1), (table,)),
        ("RealNVP", RealNVP(), (table,)),
        ("DenoisingAutoencoder", DenoisingAutoencoder(n_components=2), (table,)),
        ("GRUClassifier", GRUClassifier(dropout=0.2), (sequences, y)),
        ("LSTMClassifier", LSTMClassifier(bidirectional=True), (sequences, y)),
    ]
    for dtype, most in (("float32", 1e-5), ("float64", 1e-8)):
        for name, model, data in models:
            weights = []
            for kind in (device, "cpu"):
                model.set_params(device=kind, dtype=dtype, max_epochs=2, random_state=0)
                weights.append([p.detach().cpu() for p in model.fit(*data).module_.parameters()])
            worst = max(float((a - b).abs().max()) for a, b in zip(*weights, strict=True) if len(a))
            yield at_most(f"[agreement] weights of {name}, {dtype}", worst, most, "{:.1e}")


def name_of(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.processor()


if __name__ == "__main__":
    asked = sys.argv[sys.argv.index("--device") + 1] if "--device" in sys.argv else "cuda"
    if asked.startswith("cuda") and not torch.cuda.is_available():
        print("There is no CUDA device here: nothing was measured. Take --device cpu for a trial.")
        sys.exit()
    print(f"{asked} ({name_of(asked)}), torch {torch.__version__}, {platform.python_version()}\n")
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    for kind in (torch.backends.cudnn.rnn, torch.backends.cudnn.conv):
        kind.fp32_precision = "ieee"
    rows = (recurrent, series, networks, reservoir, agreement)
    main(__doc__ or "", {row.__name__: row for row in rows}, device=asked)
