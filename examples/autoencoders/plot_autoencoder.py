"""
Autoencoders: latent space, reconstructions and denoising
=========================================================

An autoencoder compresses rows to a latent representation of a few numbers. On images of
handwritten digits two of its dimensions separate the classes better than two of PCA, and an
autoencoder that was trained with noise removes it.
"""

# %%
# The data: 8 x 8 images, a quarter of them to look at.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from sklseq.autoencoder import Autoencoder, DenoisingAutoencoder

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.25, random_state=0)

# %%
# A latent space of two dimensions. The autoencoder is fitted and used as PCA is.

training = {"learning_rate": 0.002, "lr_schedule": "cosine", "max_epochs": 60, "random_state": 0}
models = {
    "PCA": PCA(2),
    "Autoencoder": Autoencoder(n_components=2, hidden_layer_sizes=(256, 64), **training),
}
figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
for axis, (name, model) in zip(axes, models.items(), strict=True):
    latent = model.fit_transform(X_train)
    near = KNeighborsClassifier(5).fit(latent, y_train).score(model.transform(X_test), y_test)
    error = np.mean((model.inverse_transform(model.transform(X_test)) - X_test) ** 2)
    axis.set_title(f"{name}: error {error:.4f}, 5 neighbors {near:.0%} right")
    points = axis.scatter(*model.transform(X_test).T, c=y_test, cmap="tab10", s=12)
    print(f"{name}: squared error {error:.4f}, accuracy of 5 neighbors {near:.3f}")
figure.colorbar(points, ticks=range(10), label="digit")

# %%
# The same test images reconstructed from two numbers each, and noisy images denoised.

denoiser = DenoisingAutoencoder(
    noise_level=0.25, n_components=64, hidden_layer_sizes=(256,), **training
).fit(X_train)
noisy = X_test + 0.25 * np.random.default_rng(0).normal(size=X_test.shape)
clean = denoiser.reconstruct(noisy)
print(
    f"noise: squared error {np.mean((noisy - X_test) ** 2):.4f}, "
    f"after denoising {np.mean((clean - X_test) ** 2):.4f}"
)
lines = {
    "image": X_test,
    "PCA": models["PCA"].inverse_transform(models["PCA"].transform(X_test)),
    "autoencoder": models["Autoencoder"].reconstruct(X_test),
    "noisy": noisy,
    "denoised": clean,
}
figure, axes = plt.subplots(len(lines), 10, figsize=(10, 5.2), layout="constrained")
for row, (name, images) in zip(axes, lines.items(), strict=True):
    for axis, digit in zip(row, range(10), strict=True):
        image = images[np.flatnonzero(y_test == digit)[0]]
        axis.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)

# %%
# Images that are not digits have large reconstruction errors: they are found as outliers.

upside_down = X_test.reshape(-1, 8, 8)[:, ::-1].reshape(-1, 64)
model = models["Autoencoder"]
for name, images in {"digits": X_test, "upside down": upside_down, "noisy": noisy}.items():
    print(f"{name}: {np.mean(model.predict(images) == -1):.0%} called outliers")
plt.show()
