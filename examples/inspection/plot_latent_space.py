"""
What has a latent space learned of digits?
==========================================

A variational autoencoder compresses images of 64 pixels to a few numbers. Without labels, do the
digits come apart? How many of the numbers does it use? And what does each of them mean?
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from sklseq.generative import VAE
from sklseq.inspection import (
    KLPerUnitDisplay,
    LatentSpaceDisplay,
    LatentTraversalDisplay,
    ReconstructionDisplay,
)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0, stratify=y)
models = {n: VAE(n_components=n, max_epochs=60, random_state=0).fit(X_train) for n in (2, 16)}

# %%
# **Do digits come apart?** Of two latent variables we see all; of 16 the two directions in which
# codes vary most. The accuracy is that of the five nearest neighbors among the codes of training.

figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
for ax, (n, model) in zip(axes, models.items(), strict=True):
    LatentSpaceDisplay.from_estimator(model, X_test, y_test, ax=ax)
    neighbors = KNeighborsClassifier().fit(model.transform(X_train), y_train)
    accuracy = neighbors.score(model.transform(X_test), y_test)
    ax.set_title(f"{n} latent variables: accuracy {accuracy:.2f}")
    if ax is axes[0]:
        ax.get_legend().remove()
plt.show()

# %%
# **How many are used?** The KL divergence says how much each variable tells of an image.

KLPerUnitDisplay.from_estimator(models[16], X_test)
plt.show()

# %%
# **What do they mean?** One variable goes from low to high, the others stay at their mean.

LatentTraversalDisplay.from_estimator(models[16], X_test, image_shape=(8, 8))
plt.show()

# %%
# **What is lost?** The images, and what is decoded from the means of their codes.

ReconstructionDisplay.from_estimator(models[16], X_test[:10], image_shape=(8, 8))
plt.show()

# %%
# Without a label, two numbers tell most digits apart, and 16 nearly all. The picture says the
# opposite: of 16 numbers it shows two directions, which hold a quarter of the variance. Believe the
# neighbors rather than the plane. Three of the 16 tell next to nothing of an image: a smaller space
# would have done. And no variable has a meaning of its own, such as width or slant: each changes
# several strokes at once, and at the mean of all codes there is no digit at all.
