"""Samples of autoencoders, by what their codes are drawn from: the prior, or a fit to the codes.

Digits of scikit-learn, pixels over 16: half to train on, half to judge by. Two-sample
classifiers are left out: pixels are whole sixteenths, and tell real rows from any decoder's.
"""

import time
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklseq.autoencoder import Autoencoder
from sklseq.generative import AAE, VAE
from sklseq.metrics import energy_distance, nearer_to_train_share

SEEDS, N_COMPONENTS, N_EPOCHS = (0, 1, 2), 8, 60
KINDS = (None, "normal", "gmm", "flow")
# Alike for all: one hidden layer, steps of 64 rows.
TRAINING: dict[str, Any] = {
    "n_components": N_COMPONENTS,
    "hidden_layer_sizes": (128,),
    "batch_size": 64,
    "max_epochs": N_EPOCHS,
}


def latent() -> None:
    """Mean over seeds of the split and of training, and the spread of the energy distance."""
    print("\n| model | latent_prior | energy distance | spread | nearer to train | s a fit |")
    print("|---|---|---|---|---|---|")
    splits = [
        train_test_split(load_digits().data / 16, test_size=0.5, random_state=s) for s in SEEDS
    ]
    real = [energy_distance(held, train) for train, held in splits]
    print(f"| training rows | | {np.mean(real):.4f} | {np.std(real):.4f} | | |")
    for model in (VAE(), AAE(), Autoencoder()):
        for kind in KINDS:
            if kind is None and isinstance(model, Autoencoder):
                continue  # it has no prior to draw from
            model.set_params(latent_prior=kind, **TRAINING)
            start, measured = time.process_time(), []
            for seed, (train, held) in zip(SEEDS, splits, strict=True):
                drawn = model.set_params(random_state=seed).fit(train).sample(900, random_state=0)
                near = nearer_to_train_share(train, held, drawn)
                measured.append((energy_distance(held, drawn), near))
            seconds = (time.process_time() - start) / len(SEEDS)
            (distance, near), (spread, _) = np.mean(measured, axis=0), np.std(measured, axis=0)
            print(
                f"| {type(model).__name__} | {kind} | {distance:.4f} | {spread:.4f} | "
                f"{near:.3f} | {seconds:.0f} |",
                flush=True,
            )
