"""How well generators fit, sample and score, in one command.

    python benchmarks/generative.py [--only PART ...]

* exact: linear models against what is known in closed form;
* densities: four two-dimensional densities, in nats above their entropy;
* heldout: 5-fold held-out log-likelihood against Gaussian mixtures and kernel densities;
* grid, ring: modes that a GAN finds of 25 and of 8, and how well it stays within them;
* step: time of a training step of a flow; with --peers PYTHON also of zuko and normflows, run
  by a Python that has them, in turns;
* mixed: a table of numbers, booleans and categories with missing values, against real rows;
* latent: digits from codes of the prior, or of what is fitted to the codes after training;
* sequences: two groups of unequal length, and utterances that train a classifier of real ones.
"""

import argparse
import datetime
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import sklearn
import torch
from _generators_latent import latent
from _generators_mixed import mixed
from _generators_modes import grid, ring
from _generators_sequences import sequences
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_wine,
    make_circles,
    make_moons,
)
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KernelDensity
from sklearn.preprocessing import StandardScaler

from sklseq.generative import VAE, Glow, RealNVP

# -- exact equalities ------------------------------------------------------------------------


def exact() -> None:
    """The gap is that between the closed form and one independent normal distribution."""
    print("\n| data | model | is | reached | closed form | of the gap |\n|---|---|---|---|---|---|")
    for name, load in {"wine": load_wine, "breast_cancer": load_breast_cancer}.items():
        X = StandardScaler().fit_transform(load().data)
        independent = -0.5 * X.shape[1] * (np.log(2 * np.pi) + 1)
        linear: dict[str, Any] = {"solver": "lbfgs", "dtype": "float64", "random_state": 0}
        vae = VAE(hidden_layer_sizes=(), common_random_numbers=True, max_epochs=50, **linear)
        noisy = VAE(
            hidden_layer_sizes=(),
            learning_rate=0.01,
            max_epochs=200,
            batch_size=32,
            lr_schedule="cosine",
            random_state=0,
        )
        pca = PCA(2).fit(X).score(X)
        gaussian = GaussianMixture(1, reg_covar=0).fit(X).score(X)
        for label, model, other, expected in (
            ("linear VAE, fixed draws", vae, "PCA(2)", pca),
            ("linear VAE, adam", noisy, "PCA(2)", pca),
            ("Glow(n_layers=0)", Glow(n_layers=0, max_epochs=300, **linear), "Gaussian", gaussian),
        ):
            score = model.fit(X).score(X)
            share = (expected - score) / (expected - independent)
            print(f"| {name} | {label} | {other} | {score:.4f} | {expected:.4f} | {share:.2%} |")


# -- densities in two dimensions -------------------------------------------------------------

EIGHT = 4 * np.exp(0.25j * np.pi * np.arange(8))


def checkerboard(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    column = rng.integers(4, size=n)
    row = 2 * rng.integers(2, size=n) + column % 2
    return 2 * (np.column_stack([column, row]) + rng.random((n, 2))) - 4


def eight_gaussians(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = EIGHT[rng.integers(8, size=n)]
    rows = np.column_stack([centres.real, centres.imag]) + rng.normal(scale=0.5, size=(n, 2))
    return rows / np.sqrt(2)


# Samplers, entropies in nats, and bars: affine couplings, spline couplings.
DENSITIES: dict[str, tuple[Callable[[int, int], np.ndarray], float, float, float]] = {
    "moons": (lambda n, s: make_moons(n, noise=0.06, random_state=s)[0], 0.4770, 0.02, 0.02),
    "circles": (
        lambda n, s: make_circles(n, noise=0.06, factor=0.4, random_state=s)[0],
        0.6751,
        0.10,
        0.035,
    ),
    "checkerboard": (checkerboard, 3.4657, 0.15, 0.10),
    "8 Gaussians": (eight_gaussians, 2.8319, 0.08, 0.04),
}
# 102 epochs of 10,000 rows in batches of 512: 2,000 steps.
TRAINING: dict[str, Any] = {
    "batch_size": 512,
    "max_epochs": 100,
    "learning_rate": 5e-3,
    "lr_schedule": "cosine",
}


def densities() -> None:
    """10,000 rows to train on, 20,000 to test, 2,000 steps of 512 rows, three seeds."""
    one_cycle = TRAINING | {"lr_schedule": "onecycle", "learning_rate": 1e-2}
    # The flow, and which of the two bars it has to meet.
    flows = {
        "RealNVP, affine": (0, RealNVP(n_layers=20, **one_cycle)),
        "Glow, affine": (0, Glow(n_layers=16, activation="silu", **one_cycle)),
        "RealNVP, spline": (1, RealNVP(n_layers=4, coupling="spline", bound=4.0, **TRAINING)),
    }
    print("\n| density | flow | nats above the entropy, seeds 0 1 2 | mean | bar | s a fit |")
    print("|---|---|---|---|---|---|")
    for name, (sample, entropy, *bars) in DENSITIES.items():
        X, test = sample(10_000, 0), sample(20_000, 1)
        for label, (kind, flow) in flows.items():
            start = time.process_time()
            over = [-flow.set_params(random_state=s).fit(X).score(test) - entropy for s in range(3)]
            seconds = (time.process_time() - start) / 3
            figures = " ".join(f"{o:.3f}" for o in over) + f" | {np.mean(over):.3f}"
            print(f"| {name} | {label} | {figures} | {bars[kind]} | {seconds:.0f} |", flush=True)


# -- held-out likelihood ---------------------------------------------------------------------


def _tables() -> Iterator[tuple[str, np.ndarray]]:
    yield "wine", load_wine().data
    yield "breast_cancer", load_breast_cancer().data
    digits = load_digits().data
    yield "digits", digits + np.random.default_rng(0).random(digits.shape)


def heldout() -> None:
    """Mean log-likelihood in 5 folds; each chooses its setting within the training part."""
    early = {"early_stopping": True, "validation_fraction": 0.15, "n_iter_no_change": 20}
    flow = {"learning_rate": 1e-3, "max_epochs": 200, "batch_size": 64, "random_state": 0}
    mixtures = {
        "n_components": [1, 2, 3, 5, 10],
        "covariance_type": ["full", "tied", "diag"],
        "reg_covar": [1e-3, 1e-2],
    }
    models: dict[str, Any] = {
        "GaussianMixture, searched": GridSearchCV(GaussianMixture(random_state=0), mixtures, cv=3),
        "KernelDensity, searched": GridSearchCV(
            KernelDensity(), {"bandwidth": np.logspace(-1.5, 0.5, 12)}, cv=3
        ),
        "RealNVP": RealNVP(n_layers=6, **flow, **early),
        "Glow": Glow(n_layers=4, **flow, **early),
        "Glow, splines, Student noise, decay": Glow(
            n_layers=4,
            coupling="spline",
            hidden_layer_sizes=(64,),
            base="student",
            solver="adamw",
            weight_decay=3.0,
            **flow,
            **early,
        ),
    }
    print("\n| data | model | held-out nats a row | standard error over folds | s a fit |")
    print("|---|---|---|---|---|")
    for name, X in _tables():
        # Scaled once, as the figures of others are: the scale is no choice of a model's.
        X = StandardScaler().fit_transform(X)
        for label, model in models.items():
            start, scores = time.process_time(), []
            for train, test in KFold(5, shuffle=True, random_state=0).split(X):
                scores.append(np.mean(model.fit(X[train]).score_samples(X[test])))
            seconds = (time.process_time() - start) / 5
            error = np.std(scores, ddof=1) / np.sqrt(5)
            print(
                f"| {name} | {label} | {np.mean(scores):.2f} | {error:.2f} | {seconds:.1f} |",
                flush=True,
            )


# -- time of a training step -----------------------------------------------------------------

N_STEPS, ROWS, FEATURES, LAYERS, HIDDEN = 40, 512, 8, 8, (64, 64)

PEER = """
import sys, time, json, warnings
warnings.filterwarnings("ignore")
import torch
torch.set_num_threads(1)
name, n_steps, rows, features, layers = sys.argv[1], *map(int, sys.argv[2:])
torch.manual_seed(0)
if name == "zuko":
    import zuko
    flow = zuko.flows.RealNVP(features, transforms=layers, hidden_features=(64, 64))
    loss = lambda x: -flow().log_prob(x).mean()
else:
    import normflows as nf
    parts = []
    for i in range(layers):
        net = nf.nets.MLP([features // 2, 64, 64, features], init_zeros=True)
        parts += [nf.flows.AffineCouplingBlock(net), nf.flows.Permute(features, mode="swap")]
    flow = nf.NormalizingFlow(nf.distributions.base.DiagGaussian(features), parts)
    loss = lambda x: flow.forward_kld(x)
optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)
x = torch.randn(rows, features)
def step():
    optimizer.zero_grad()
    loss(x).backward()
    optimizer.step()
for _ in range(10):
    step()
start = time.process_time()
for _ in range(n_steps):
    step()
print(json.dumps((time.process_time() - start) / n_steps))
"""


def _own_step() -> float:
    """Seconds of a step of `RealNVP.fit`: the difference of a long and a short fit."""
    X = np.random.default_rng(0).normal(size=(ROWS, FEATURES)).astype(np.float32)
    seconds = []
    for epochs in (10, 10 + N_STEPS):
        flow = RealNVP(
            n_layers=LAYERS,
            hidden_layer_sizes=HIDDEN,
            batch_size=ROWS,
            max_epochs=epochs,
            gradient_clip=None,
            random_state=0,
        )
        start = time.process_time()
        flow.fit(X)
        seconds.append(time.process_time() - start)
    return (seconds[1] - seconds[0]) / N_STEPS


def step(peers: str | None = None, rounds: int = 15) -> None:
    """Median of rounds in which all take turns."""
    times: dict[str, list[float]] = {"sklseq": []}
    arguments = list(map(str, (N_STEPS, ROWS, FEATURES, LAYERS)))
    for _ in range(rounds):
        times["sklseq"].append(_own_step())
        for name in ("zuko", "normflows") if peers else ():
            run = [str(peers), "-c", PEER, name, *arguments]
            output = subprocess.run(run, check=True, capture_output=True, text=True).stdout
            times.setdefault(name, []).append(json.loads(output))
    print(f"\n{LAYERS} affine couplings, {HIDDEN}, {FEATURES} features, batches of {ROWS}\n")
    print("| flow | ms a step, median | sklseq takes of it, median of rounds |\n|---|---|---|")
    for name, seconds in times.items():
        ratio = np.median(np.divide(times["sklseq"], seconds))
        print(f"| {name} | {1e3 * np.median(seconds):.2f} | {ratio:.2f} |")


PARTS: dict[str, Callable[..., None]] = {
    "exact": exact,
    "densities": densities,
    "heldout": heldout,
    "grid": grid,
    "ring": ring,
    "step": step,
    "mixed": mixed,
    "latent": latent,
    "sequences": sequences,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="PART", choices=PARTS, default=list(PARTS))
    parser.add_argument("--peers", help="a Python that has zuko and normflows")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{platform.machine()}, torch {torch.__version__}, scikit-learn {sklearn.__version__}, "
        f"numpy {np.__version__}, Python {platform.python_version()}, one thread, "
        f"{datetime.date.today()}"
    )
    for part in arguments.only:
        start = time.process_time()
        PARTS[part](*([arguments.peers] if part == "step" else []))
        print(f"\n{part}: {time.process_time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
