"""
All modes of a mixture
======================

Eight clusters on a ring are a hard test of a GAN: a generator that maps one normal distribution
continuously cannot leave gaps between them, and loses some. Part of the noise of
:class:`~sklseq.generative.GAN` is binary: it selects a cluster. The relativistic discriminator
compares real and generated rows in pairs. After training, samples are picked among candidates by an
estimated density ratio. The gray dots are the data. Training takes some twenty seconds; with 200
epochs, the default, the clusters become as narrow as those of the data.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np

from sklseq.generative import GAN

rng = np.random.default_rng(0)
angles = np.pi / 4 * np.arange(8)
modes = np.column_stack([np.cos(angles), np.sin(angles)])
X = modes[rng.integers(8, size=1000)] + 0.05 * rng.normal(size=(1000, 2))

gans = {
    "log loss, Gaussian noise": GAN(
        loss="non_saturating",
        gradient_penalty=0,
        n_binary_latents=0,
        n_fourier_frequencies=0,
        n_candidates=1,
    ),
    "relativistic loss, binary latents": GAN(n_candidates=1),
    "and candidates": GAN(),
}

# %%
# `coverage_` is the share of the data that has samples nearby; `fit` warns where it is very low.
figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), sharex=True, sharey=True)
for (name, gan), axis in zip(gans.items(), axes, strict=True):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gan.set_params(max_epochs=100, random_state=0).fit(X)
    samples = gan.sample(1000, random_state=0)
    distance = np.linalg.norm(samples[:, None] - modes, axis=2).min(axis=1)
    print(
        f"{name}: {np.mean(distance < 0.15):.0%} within three standard deviations of a mode, "
        f"coverage {gan.coverage_:.2f}",
        *(warning.message for warning in caught),
        sep="\n  ",
    )
    axis.scatter(*X.T, s=1, color="0.7")
    axis.scatter(*samples.T, s=1, color="C1")
    axis.set(title=name, aspect="equal")
figure.tight_layout()
plt.show()
