"""How fast recurrent estimators train, and that they train the same, in one command.

    python benchmarks/recurrent_speed.py [--quick] [--cells LSTM ...] [--steps 30 ...]

A figure is the processor time of one epoch divided by its number of batches. The estimator is
fitted with its defaults; before each of its epochs the rivals run one, so all sides take turns.
Medians of at least five epochs after one to warm up, one thread. All sides start from the same
weights, and have the same head, loss, gradient clipping and fused Adam. Rivals, on ragged data:

* packed: torch's PackedSequence for each batch;
* padded: pad_sequence for each batch, and the state at each last step;
* skorch: NeuralNetClassifier, its default callbacks and loader, on the set padded as a whole.

On sequences of equal length: a bare loop over the estimator's own network, without the engine.
Padded and bare see the same batches: their losses in the first three epochs have to equal ours to
1e-4, and their probabilities with the weights trained by ours those of `predict_proba` to 1e-5.
"""

import argparse
import itertools
import math
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import skorch
import torch
from scipy.special import softmax
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, GradientNormClipping
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_sequence, pad_sequence

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.network import RecurrentNetwork
from sklseq.recurrent import GRUClassifier, LSTMClassifier, RNNClassifier
from sklseq.training.context import epoch_generators, seeded_construction

ESTIMATORS: dict[str, Any] = {"LSTM": LSTMClassifier, "GRU": GRUClassifier, "RNN": RNNClassifier}
N_FEATURES, N_CLASSES, BATCH, SEED, RATE = 8, 4, 32, 0, 1e-3


def make_data(n_batches: int, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise around a mean for each class; lengths uniform in [low, high]."""
    rng = np.random.default_rng(SEED)
    n = n_batches * BATCH
    y = rng.integers(0, N_CLASSES, n)
    X = np.empty(n, dtype=object)
    for i, length in enumerate(rng.integers(low, high + 1, n)):
        X[i] = (rng.normal(size=(length, N_FEATURES)) + 0.3 * y[i]).astype(np.float32)
    return X, y


class Rival:
    """A hand-written training loop from the same initial weights."""

    def __init__(self, network: RecurrentNetwork, X: np.ndarray, y: np.ndarray, n_batches: int):
        self.network = deepcopy(network)
        self.rnn: Any = self.network.stack.forward_layers[0].rnn
        self.X, self.y = [torch.from_numpy(x) for x in X], torch.from_numpy(y)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=RATE, fused=True)
        self.n_batches, self.losses = n_batches, []

    def logits(self, chosen: Tensor) -> Tensor:
        raise NotImplementedError

    def epoch(self, order: np.ndarray) -> None:
        total = n = 0.0
        for chosen in torch.from_numpy(order).split(BATCH)[: self.n_batches]:
            self.optimizer.zero_grad()
            loss = cross_entropy(self.logits(chosen), self.y[chosen])
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            total, n = total + loss.item() * len(chosen), n + len(chosen)
        self.losses.append(total / n)

    def scores(self) -> np.ndarray:
        with torch.no_grad():
            return torch.cat([self.logits(c) for c in torch.arange(len(self.y)).split(256)]).numpy()


class Packed(Rival):
    def logits(self, chosen: Tensor) -> Tensor:
        packed = pack_sequence([self.X[i] for i in chosen.tolist()], enforce_sorted=False)
        state = self.rnn(packed)[1]
        return self.network.head((state[0] if isinstance(state, tuple) else state)[-1])


class Padded(Rival):
    def logits(self, chosen: Tensor) -> Tensor:
        sequences = [self.X[i] for i in chosen.tolist()]
        last = torch.tensor([len(x) - 1 for x in sequences])
        states = self.rnn(pad_sequence(sequences))[0]
        return self.network.head(states[last, torch.arange(len(sequences))])


class Bare(Rival):
    """Sequences of equal length through the estimator's own network."""

    def __init__(self, *args: Any):
        super().__init__(*args)
        self.table = torch.stack(self.X)

    def logits(self, chosen: Tensor) -> Tensor:
        steps = self.table[chosen]
        packing = Packing(np.full(len(chosen), steps.shape[1]))
        return self.network(steps.flatten(0, 1), packing)


class PaddedModule(nn.Module):
    """What skorch trains."""

    def __init__(self, network: RecurrentNetwork):
        super().__init__()
        layer: Any = network.stack.forward_layers[0]
        self.rnn, self.head = deepcopy(layer.rnn), deepcopy(network.head)
        self.rnn.batch_first = True

    def forward(self, x: Tensor, last: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0][torch.arange(len(x)), last])


def skorch_epoch(network: RecurrentNetwork, X: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    padded = pad_sequence([torch.from_numpy(x) for x in X], batch_first=True)
    inputs = {"x": padded.numpy(), "last": np.array([len(x) - 1 for x in X])}
    net = NeuralNetClassifier(
        PaddedModule(network),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        optimizer__lr=RATE,
        optimizer__fused=True,
        batch_size=BATCH,
        iterator_train__shuffle=True,
        train_split=None,
        callbacks=[GradientNormClipping(1.0)],
        verbose=0,
    ).initialize()
    return lambda: net.partial_fit(inputs, y, epochs=1)


class Turns(Callback):
    """Times each epoch of the fit, and before it one of each rival."""

    def __init__(self, rivals: dict[str, Callable[[], Any]]):
        self.rivals = rivals
        self.times: dict[str, list[float]] = {name: [] for name in ["ours", *rivals]}
        self.start = math.nan

    def stop(self) -> None:
        if not math.isnan(self.start):
            self.times["ours"].append(time.process_time() - self.start)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.stop()
        for name, epoch in self.rivals.items():
            start = time.process_time()
            epoch()
            self.times[name].append(time.process_time() - start)
        self.start = time.process_time()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self.stop()


def orders(seed: int, lengths: np.ndarray) -> Iterator[np.ndarray]:
    """The order of rows in each epoch of the estimator."""
    for epoch in itertools.count():
        rng, _ = epoch_generators(seed, epoch, torch.device("cpu"))
        yield rng.permutation(len(lengths))


def initial_network(cell: str, hidden: int, seed: int) -> RecurrentNetwork:
    with seeded_construction(seed):
        return RecurrentNetwork(
            n_features=N_FEATURES, n_outputs=N_CLASSES, cell=cell.lower(), hidden_size=hidden
        )


def match(
    cell: str,
    hidden: int,
    X: np.ndarray,
    y: np.ndarray,
    kinds: dict[str, tuple[type[Rival], int]],
    rounds: int,
    with_skorch: bool,
) -> dict[str, float]:
    """Milliseconds a batch of each side, and whether those of the same batches are equal."""
    seed = int(np.random.RandomState(SEED).randint(2**31 - 1))  # what the estimator draws
    network = initial_network(cell, hidden, seed)
    n_batches = math.ceil(len(X) / BATCH)
    lengths = np.array([len(x) for x in X])
    rivals, epochs, sizes = {}, {}, {"ours": n_batches, "skorch": n_batches}
    for name, (kind, most) in kinds.items():
        sizes[name] = min(most, n_batches)
        rivals[name] = rival = kind(network, X, y, sizes[name])
        order = orders(seed, lengths)
        epochs[name] = lambda rival=rival, order=order: rival.epoch(next(order))
    if with_skorch:
        epochs["skorch"] = skorch_epoch(network, X, y)
    turns = Turns(epochs)
    model = ESTIMATORS[cell](
        hidden_size=hidden, max_epochs=rounds + 1, random_state=SEED, callbacks=[turns]
    ).fit(X, y)
    for name, rival in rivals.items():
        if sizes[name] == n_batches:
            # Later, training amplifies the last bits, in any two ways to run torch's kernels.
            difference = np.subtract(rival.losses, model.loss_curve_)[:3]
            assert np.abs(difference).max() < 1e-4, (name, difference)
            rival.network.load_state_dict(model.module_.state_dict())
            probabilities = softmax(rival.scores(), axis=1)
            assert np.abs(probabilities - model.predict_proba(X)).max() < 1e-5, name
    return {name: 1e3 * statistics.median(t[1:]) / sizes[name] for name, t in turns.times.items()}


def ragged(args: argparse.Namespace) -> None:
    print("\nLengths uniform in [T/4, T]: ms a batch, and times ours\n")
    print("| cell | T | hidden | ours | packed | padded | skorch | packed/ours | padded/ours |")
    print("|---|---|---|---|---|---|---|---|---|")
    for cell, n_steps, hidden in itertools.product(args.cells, args.steps, args.hidden):
        n_batches, packed, rounds = sizes(n_steps, args.quick)
        X, y = make_data(n_batches, n_steps // 4, n_steps)
        kinds: dict[str, Any] = {"padded": (Padded, n_batches)}
        if n_steps <= 200 or hidden <= 32:  # else it takes several seconds a batch
            kinds["packed"] = (Packed, packed)
        ms = {"packed": math.nan, "skorch": math.nan}
        ms |= match(cell, hidden, X, y, kinds, rounds, n_steps <= 200)
        print(
            f"| {cell} | {n_steps} | {hidden} | {ms['ours']:.2f} | {ms['packed']:.2f} "
            f"| {ms['padded']:.2f} | {ms['skorch']:.2f} | {ms['packed'] / ms['ours']:.2f} "
            f"| {ms['padded'] / ms['ours']:.2f} |",
            flush=True,
        )


def equal(args: argparse.Namespace) -> None:
    print("\nEqual lengths: ms a batch, and the price of the engine\n")
    print("| cell | T | hidden | ours | bare | ours/bare |\n|---|---|---|---|---|---|")
    for cell, n_steps, hidden in itertools.product(args.cells, args.steps, args.hidden):
        n_batches, _, rounds = sizes(n_steps, args.quick)
        X, y = make_data(n_batches, n_steps, n_steps)
        kinds: dict[str, Any] = {"bare": (Bare, n_batches)}
        ms = match(cell, hidden, X, y, kinds, rounds, False)
        print(
            f"| {cell} | {n_steps} | {hidden} | {ms['ours']:.2f} | {ms['bare']:.2f} "
            f"| {ms['ours'] / ms['bare']:.3f} |",
            flush=True,
        )


def sizes(n_steps: int, quick: bool) -> tuple[int, int, int]:
    """Batches of an epoch, those of them that the slow packed loop takes, and epochs."""
    if n_steps <= 30:
        return (8, 2, 5) if quick else (16, 4, 11)
    if n_steps <= 200:
        return (8, 1, 5) if quick else (8, 2, 7)
    return 3, 1, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="under a minute: T <= 200, hidden 32")
    parser.add_argument("--cells", nargs="+", default=list(ESTIMATORS))
    parser.add_argument("--steps", nargs="+", type=int)
    parser.add_argument("--hidden", nargs="+", type=int)
    parser.add_argument("--only", choices=["ragged", "equal"])
    args = parser.parse_args()
    args.steps = args.steps or ([30, 200] if args.quick else [30, 200, 1000])
    args.hidden = args.hidden or ([32] if args.quick else [32, 64, 128])
    torch.set_num_threads(1)
    print(
        f"{platform.machine()}, torch {torch.__version__}, skorch {skorch.__version__}, "
        f"numpy {np.__version__}, Python {platform.python_version()}, one thread, seed {SEED}"
    )
    if args.only != "equal":
        ragged(args)
    if args.only != "ragged":
        equal(args)


if __name__ == "__main__":
    main()
