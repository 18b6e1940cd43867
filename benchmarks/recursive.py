"""How fast and how good recursive networks are, in one command.

    python benchmarks/recursive.py [--only speed listops logic treebank] [--data DIR] [--quick]

* speed: forward and backward over the same trees, one thread; sides interleaved, medians. Rivals:
  per-node recursion, and pytorch-tree-lstm where it is installed. All have the same weights, and
  their states must agree. Then time by nodes and by depth, and peak memory by nodes.
* listops: gold trees, n-ary, beside our own LSTM over the tokens.
* logic: relations of formulas; trained on at most 6 operators, tested on 7 to 12.
* treebank: Stanford Sentiment Treebank (``--data`` has ``sentiment_treebank/``), no pretrained
  vectors; all nodes, roots, and roots as positive or negative; means of ``--repeats`` seeds.
"""

import argparse
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch

from sklseq.data import Forest, flatten_labels, read_forest
from sklseq.datasets import load_sentiment_treebank, make_listops, make_propositional_logic
from sklseq.nn.trees.cells import COMPOSITIONS
from sklseq.nn.trees.levels import RecursivePlan, TreePlan
from sklseq.recurrent import LSTMClassifier
from sklseq.recursive import RecursiveClassifier

SIZE, HIDDEN = 64, 128


# -- speed -----------------------------------------------------------------------------------


def random_trees(n_trees: int, seed: int = 0) -> Forest:
    """Trees of 20 to 60 nodes with up to five children each."""
    rng = np.random.default_rng(seed)
    trees = []
    for _ in range(n_trees):
        n = rng.integers(20, 61)
        free, parents = [0] * rng.integers(1, 6), [-1]
        for node in range(1, n):
            parents.append(free.pop(rng.integers(len(free))))
            free += [node] * rng.integers(0 if free else 1, 4)
        trees.append({"parents": parents})
    return read_forest(trees)


class Ours:
    """Child-sum TreeLSTM over levels, the plan made anew for each batch."""

    plan = TreePlan

    def __init__(self, forest: Forest, x: torch.Tensor):
        torch.manual_seed(0)
        self.cell = COMPOSITIONS["childsum-lstm"](SIZE, HIDDEN, 5)
        self.forest, self.x = forest, x

    def roots(self, trees: np.ndarray) -> torch.Tensor:
        plan = self.plan(self.forest.levels(trees))
        x = self.x.index_select(0, torch.from_numpy(plan.levels.nodes))
        return plan.up(self.cell, x)[plan.roots, :HIDDEN]

    def step(self, trees: np.ndarray) -> None:
        self.cell.zero_grad()
        self.roots(trees).square().mean().backward()


class Recursion(Ours):
    plan = RecursivePlan


class Rival(Ours):
    """pytorch-tree-lstm with our weights; its orders are computed once, outside the time."""

    def __init__(self, forest: Forest, x: torch.Tensor):
        from treelstm import TreeLSTM, batch_tree_input, calculate_evaluation_orders

        super().__init__(forest, x)
        self.batch, self.net = batch_tree_input, TreeLSTM(SIZE, HIDDEN)
        cut, ours = 3 * HIDDEN, self.cell
        self.net.load_state_dict(
            {
                "W_iou.weight": ours.inputs.weight[:cut],
                "W_iou.bias": ours.inputs.bias[:cut],
                "W_f.weight": ours.inputs.weight[cut:],
                "W_f.bias": ours.inputs.bias[cut:],
                "U_iou.weight": ours.w.t(),
                "U_f.weight": ours.w_forget.t(),
            }
        )
        self.cell = self.net
        self.trees = []
        for start, size in zip(forest.starts, forest.sizes, strict=True):
            parents = forest.parents[start : start + size] - start
            edges = np.array([(p, c) for c, p in enumerate(parents) if c])
            edges = edges[np.argsort(edges[:, 0], kind="stable")]
            nodes, order = calculate_evaluation_orders(edges, size)
            self.trees.append(
                {
                    "features": x[start : start + size],
                    "node_order": torch.from_numpy(nodes),
                    "edge_order": torch.from_numpy(order),
                    "adjacency_list": torch.from_numpy(edges),
                }
            )

    def roots(self, trees: np.ndarray) -> torch.Tensor:
        batch = self.batch([self.trees[i] for i in trees])
        sizes = batch.pop("tree_sizes")
        h, _ = self.net(**batch)
        return h[torch.tensor(np.cumsum(sizes) - sizes)]


def speed(args: argparse.Namespace) -> None:
    forest = random_trees(512)
    x = torch.randn(forest.n_nodes, SIZE)
    kinds: list[type[Ours]] = [Ours, Recursion]
    try:
        import treelstm  # noqa: F401

        kinds.append(Rival)
    except ImportError:
        print("pytorch-tree-lstm is not installed\n")
    sides = [kind(forest, x) for kind in kinds]
    some = np.arange(8)
    for side in sides[1:]:
        torch.testing.assert_close(side.roots(some), sides[0].roots(some), atol=1e-5, rtol=1e-5)
    print(
        f"Trees a second: input {SIZE}, hidden {HIDDEN}, {forest.sizes.mean():.0f} nodes a tree\n"
    )
    print(f"| batch | {' | '.join(k.__name__ for k in kinds)} | times recursion | times rival |")
    print("|---" * (len(kinds) + 3) + "|")
    best = dict.fromkeys(kinds, 0.0)
    for batch in (1, 8, 32, 128, 512):
        times: list[list[float]] = [[] for _ in sides]
        for repeat in range(4 if args.quick else 8):
            trees = (np.arange(batch) + 61 * repeat) % len(forest)
            for side, measured in zip(sides, times, strict=True):
                if isinstance(side, Recursion) and (batch > 32 or repeat > 5):
                    continue
                start = time.process_time()
                for _ in range(max(1, 16 // batch)):
                    side.step(trees)
                measured.append((time.process_time() - start) / max(1, 16 // batch))
        rates = [batch / statistics.median(t[1:]) if t else float("nan") for t in times]
        for kind, rate in zip(kinds, rates, strict=True):
            best[kind] = max(best[kind], rate)
        ratios = [rates[0] / rate for rate in rates[1:]]
        print(
            f"| {batch} | {' | '.join(f'{r:.0f}' for r in rates)} | "
            f"{' | '.join(f'{r:.2f}' for r in ratios)} |"
        )
    for kind in kinds[1:]:
        print(
            f"\nBest batch against best batch, times {kind.__name__}: {best[Ours] / best[kind]:.2f}"
        )
    growth(args)


def growth(args: argparse.Namespace) -> None:
    print("\nOne tree, forward and backward, reading and compiling included\n")
    print("| nodes | shape | levels | seconds | microseconds a node | peak memory added, MB |")
    print("|---|---|---|---|---|---|")
    for shape, sizes in (("random", (1000, 10_000, 100_000)), ("chain", (1000, 10_000))):
        for n in sizes:
            command = [sys.executable, __file__, "--only", "one", "--tree", shape, str(n)]
            print(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout, end=""
            )


def one(args: argparse.Namespace) -> None:
    """One large tree, in a process of its own for its memory."""
    shape, n = args.tree[0], int(args.tree[1])
    rng = np.random.default_rng(0)
    parents = np.arange(n) - 1
    if shape == "random":
        parents[1:] = (rng.random(n - 1) * np.arange(1, n)).astype(int)
    cell = COMPOSITIONS["childsum-lstm"](SIZE, HIDDEN, 5)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    forest = read_forest([{"parents": parents}])
    plan = TreePlan(forest.levels([0]))
    plan.up(cell, torch.randn(n, SIZE))[plan.roots].square().sum().backward()
    seconds = time.process_time() - start
    added = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    each, levels = seconds / n * 1e6, forest.depth + 1
    print(f"| {n} | {shape} | {levels} | {seconds:.2f} | {each:.0f} | {added:.0f} |")


# -- accuracy --------------------------------------------------------------------------------


def report(name: str, start: float, **figures: Any) -> None:
    texts = [f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in figures.items()]
    print(f"{name}: {', '.join(texts)}; {time.time() - start:.0f} s", flush=True)


def listops(args: argparse.Namespace) -> None:
    n_train, n_test = (9000, 1000) if args.quick else (90_000, 10_000)
    settings = {
        "hidden_size": 128,
        "embedding_size": 64,
        "learning_rate": 0.002,
        "lr_schedule": "onecycle",
        "gradient_clip": 1.0,
        "batch_size": 128,
        "random_state": args.seed,
        "verbose": 1,
    }
    X, y = make_listops(n_train + n_test, random_state=args.seed)
    for name, model in (
        ("trees, childsum-mlp", RecursiveClassifier(composition="childsum-mlp", max_epochs=16)),
        ("tokens, LSTM", LSTMClassifier(max_epochs=2)),
    ):
        if args.variant and args.variant not in name:
            continue
        inputs = list(X) if "trees" in name else list(map(tokens, X))
        start = time.time()
        model.set_params(**settings, max_epochs=args.epochs or model.max_epochs)
        model.fit(inputs[:n_train], y[:n_train])
        accuracy = 100 * model.score(inputs[n_train:], y[n_train:])
        report(f"ListOps, {name}", start, epochs=model.n_iter_, test=accuracy)


def tokens(tree: tuple[Any, ...]) -> list[str]:
    """A tree as it is written: ``[MAX 2 9 [MIN 4 7 ] 0 ]``."""
    value, *children = tree
    if not children:
        return [value]
    return [f"[{value}", *(token for child in children for token in tokens(child)), "]"]


def logic(args: argparse.Namespace) -> None:
    n = 9000 if args.quick else 90_000
    X, y = make_propositional_logic(n, (0, 6), random_state=args.seed)
    tests = [make_propositional_logic(2000, k, random_state=1000 + k) for k in range(1, 13)]
    for composition in ("lstm", "rnn", "rntn"):
        if args.variant and args.variant != composition:
            continue
        start = time.time()
        model = RecursiveClassifier(
            composition=composition,
            pairs=True,
            hidden_size=64,
            rank=64 if composition == "rntn" else None,
            learning_rate=0.003,
            lr_schedule="onecycle",
            batch_size=64,
            max_epochs=args.epochs or 12,
            random_state=args.seed,
            verbose=1,
        ).fit(X, y)
        scores = {f"{k}": 100 * model.score(*test) for k, test in enumerate(tests, 1)}
        report(f"Logic, {composition}, by operators of the longer formula", start, **scores)


def treebank(args: argparse.Namespace) -> None:
    path = Path(args.data) / "sentiment_treebank"
    parts = {
        s: load_sentiment_treebank(path, subset=s, return_X_y=True)
        for s in ("train", "dev", "test")
    }
    X, y = parts["train"]
    if args.signs:
        y = [signs(tree) for tree in y]
    for composition in ("rntn", "mv", "rnn", "lstm", "childsum-lstm"):
        if args.variant and args.variant != composition:
            continue
        gated = "lstm" in composition
        found = []
        for seed in range(args.seed, args.seed + args.repeats):
            start = time.time()
            model = RecursiveClassifier(
                composition=composition,
                target="node",
                hidden_size=64 if gated else 32,
                rank=3 if composition == "mv" else None,
                min_count=2,
                dropout=0.4 if gated else 0.25,
                solver="adamw",
                weight_decay=0.01,
                learning_rate=0.004,
                lr_schedule="cosine",
                batch_size=25,
                max_epochs=args.epochs or 6,
                random_state=seed,
            ).fit(X, y)
            dev, test = (treebank_scores(model, *parts[s]) for s in ("dev", "test"))
            found.append(test)
            report(f"Treebank, {composition}, seed {seed}, dev", start, **dev)
            report(f"Treebank, {composition}, seed {seed}, test", start, **test)
        mean = {name: float(np.mean([scores[name] for scores in found])) for name in found[0]}
        report(f"Treebank, {composition}, test, mean of {len(found)}", start, **mean)


def signs(tree: Any) -> tuple[Any, ...]:
    """Labels 0 and 1 for negative and positive nodes, none for neutral ones."""
    label, *children = tree
    return (-1 if label == 2 else int(label > 2), *(signs(child) for child in children))


def treebank_scores(model: RecursiveClassifier, X: Any, y: Any) -> dict[str, float]:
    """Percentages right: all nodes, binary nodes, roots, binary roots (neutral left out)."""
    forest = read_forest(X)
    true = flatten_labels(y, forest)
    probabilities = np.array(flatten_probabilities(model.predict_proba(X)))
    half = probabilities.shape[1] // 2
    positive = probabilities[:, -half:].sum(axis=1) > probabilities[:, :half].sum(axis=1)
    right_sign = positive == (true > 2)
    opinion, roots = true != 2, forest.starts
    root_opinion = roots[opinion[roots]]
    scores = {
        "binary nodes": 100 * float(right_sign[opinion].mean()),
        "binary roots": 100 * float(right_sign[root_opinion].mean()),
    }
    if half == 2:
        right = probabilities.argmax(axis=1) == true
        scores["nodes"], scores["roots"] = (100 * float(r.mean()) for r in (right, right[roots]))
    return scores


def flatten_probabilities(trees: Any) -> list[np.ndarray]:
    out = []
    for tree in trees:
        stack = [tree]
        while stack:
            value, *children = stack.pop()
            out.append(value)
            stack.extend(reversed(children))
    return out


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "speed": speed,
    "listops": listops,
    "logic": logic,
    "treebank": treebank,
    "one": one,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=["speed", "listops", "logic"])
    parser.add_argument("--data", default="data", help="folder with sentiment_treebank/")
    parser.add_argument("--variant", help="only what has this in its name")
    parser.add_argument("--epochs", type=int, help="instead of each part's own number")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3, help="seeds for each, in treebank")
    parser.add_argument(
        "--signs", action="store_true", help="treebank: neutral nodes have no label in training"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the data")
    parser.add_argument("--tree", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.only != ["one"]:
        print(
            f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}, "
            f"scikit-learn {sklearn.__version__}, numpy {np.__version__}, one thread, seed "
            f"{args.seed}\n"
        )
    for name in args.only:
        PARTS[name](args)


if __name__ == "__main__":
    main()
