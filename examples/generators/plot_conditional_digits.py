"""
Digits asked for by their class
===============================

A conditional adversarial autoencoder draws the digits it is asked for, and finds the way from one
image to another. An autoencoder draws digits, too, once a distribution is fitted to its codes.
"""

# %%
# Each column is a class asked for: three draws, without the noise that the model adds to a row.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sklseq.autoencoder import Autoencoder
from sklseq.generative import AAE

X, y = load_digits(return_X_y=True)
X = X / 16

model = AAE(n_components=4, conditional=True, max_epochs=30, random_state=0).fit(X, y)
asked = np.tile(np.arange(10), 3)
rows = model.sample(30, y=asked, random_state=0)
drawn = model.inverse_transform(model.transform(rows, asked), asked)


def show(axes, images):
    for axis, image in zip(axes.flat, images, strict=True):
        axis.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])


figure, axes = plt.subplots(3, 10, figsize=(10, 3.4), layout="constrained")
show(axes, drawn)
figure.suptitle("AAE: classes asked for, 0 to 9")

# %%
# From one three to another, through the codes between; and what an autoencoder draws with a
# Gaussian mixture of its codes.

threes = X[y == 3]
path = model.interpolate(threes[0], threes[5], n_steps=10, y=3)
settings = {"n_components": 8, "max_epochs": 30, "random_state": 0}
autoencoder = Autoencoder(latent_prior="gmm", batch_size=128, **settings).fit(X)
figure, axes = plt.subplots(3, 10, figsize=(10, 3.4), layout="constrained")
show(axes, [*path, *autoencoder.sample(20, random_state=0)])
axes[0, 0].set_ylabel("between")
axes[1, 0].set_ylabel("drawn")
axes[2, 0].set_ylabel("drawn")
figure.suptitle("AAE: between two threes; Autoencoder: draws with latent_prior='gmm'")
plt.show()
