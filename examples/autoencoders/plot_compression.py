"""
How few bits does a digit need?
===============================

An autoencoder compresses a row to a few numbers, and these can be rounded to a few bits each. How
large is the error of images of 64 pixels at a given number of bits, beside PCA with numbers rounded
in the same way?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from sklseq.autoencoder import Autoencoder

X, y = load_digits(return_X_y=True)
X_train, X_test = train_test_split(X / 16, test_size=0.25, random_state=0)

# %%
# ``compress`` gives the rounded latent representation, ``decompress`` rows again.

model = Autoencoder(
    n_components=8,
    hidden_layer_sizes=(256, 64),
    learning_rate=0.002,
    lr_schedule="cosine",
    max_epochs=60,
    trim=0,
    random_state=0,
).fit(X_train)
packed = model.compress(X_test[:5], n_bits=4)
print(type(packed).__name__, getattr(packed, "dtype", ""), getattr(packed, "shape", ""))
print(model.compression_report(X_test, n_bits=4))

# %%
# PCA is rounded by hand, between the smallest and the largest value of the training rows.


def rounded(codes, like, bits):
    low, high = like.min(axis=0), like.max(axis=0)
    levels = 2**bits - 1
    steps = np.clip(np.round((codes - low) / (high - low) * levels), 0, levels)
    return low + steps / levels * (high - low)


bits = [1, 2, 3, 4, 6, 8]
errors = {}
for k in (8, 16):
    pca = PCA(k, random_state=0).fit(X_train)
    codes = pca.transform(X_test), pca.transform(X_train)
    errors[f"PCA, {k} numbers"] = [
        np.mean((pca.inverse_transform(rounded(*codes, b)) - X_test) ** 2) for b in bits
    ]
errors["autoencoder, 8 numbers"] = [
    np.mean((model.decompress(model.compress(X_test, n_bits=b), n_bits=b) - X_test) ** 2)
    for b in bits
]
for name, values in errors.items():
    print(f"{name:24}", *(f"{value:.4f}" for value in values))

# %%
# The error against the number of bits an image takes; uncompressed, 64 pixels of 4 bits are 256.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for name, values in errors.items():
    k = int(name.split(", ")[1].split()[0])
    left.plot(np.array(bits) * k, values, "o-", label=name)
left.set(xlabel="bits for each image", ylabel="mean squared error of a pixel")
left.legend(fontsize="small")
shown = X_test[:6]
images = [shown] + [model.decompress(model.compress(shown, n_bits=b), n_bits=b) for b in (6, 3, 2)]
tiles = np.vstack([np.hstack([i.reshape(8, 8) for i in row]) for row in images])
right.imshow(tiles, cmap="gray_r", vmin=0, vmax=1)
right.set_yticks(3.5 + 8 * np.arange(4), ["64 pixels", "48 bits", "24 bits", "16 bits"])
right.set_xticks([])
plt.show()

# %%
# Between 24 and 48 bits the nonlinear code has half to two thirds of the error of PCA at equal
# bits. With fewer bits PCA is better, and from some 96 on, with twice as many numbers, it is as
# good: and it needs no training.
