"""
Inside or outside: a label for each pixel
=========================================

Outlines of rectangles and ellipses are drawn into noisy images of many sizes. Which pixels lie
inside cannot be seen from their surroundings: all but those of the outline look like the
background. ``ReNetClassifier`` reads along each column, downward and upward, and along each row of
what this gave, to the right and to the left. So its state at a pixel depends on the whole image.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklseq.recurrent import ReNetClassifier


def draw(rng):
    """An image with an outline, and where each of its pixels lies."""
    height, width = rng.integers(9, 20, size=2)
    top, left = rng.integers(1, 4, size=2)
    bottom, right = height - rng.integers(2, 4), width - rng.integers(2, 4)
    y, x = np.mgrid[:height, :width]
    if rng.random() < 0.5:
        inside = (top <= y) & (y <= bottom) & (left <= x) & (x <= right)
    else:
        radii = (bottom - top) / 2 + 0.3, (right - left) / 2 + 0.3
        center = (bottom + top) / 2, (right + left) / 2
        inside = ((y - center[0]) / radii[0]) ** 2 + ((x - center[1]) / radii[1]) ** 2 <= 1
    padded = np.pad(inside, 1)
    deep = inside & padded[2:, 1:-1] & padded[:-2, 1:-1] & padded[1:-1, 2:] & padded[1:-1, :-2]
    where = np.where(deep, "inside", np.where(inside, "outline", "outside"))
    return (where == "outline") + rng.normal(0, 0.25, size=(height, width)), where


rng = np.random.default_rng(0)
X, y = zip(*[draw(rng) for _ in range(160)], strict=True)
X_test, y_test = zip(*[draw(rng) for _ in range(40)], strict=True)

# %%
# Images are a list of arrays, and so are the labels of their pixels, which may be strings. With
# ``patch_size=1`` each pixel is a step of its own; larger patches make fewer steps.

model = ReNetClassifier(target="pixel", patch_size=1, hidden_size=24, max_epochs=40, random_state=0)
model.fit(X, y)
print(f"pixels right on new images: {model.score(X_test, y_test):.1%}")

# %%
# The accuracy over all pixels counts large images more. Of each image the predictions have its
# shape.

predicted = model.predict(X_test)
codes = {label: code for code, label in enumerate(model.classes_)}
figure, axes = plt.subplots(3, 6, figsize=(9, 5), layout="constrained")
rows = ("image", "true", "predicted")
for column in range(6):
    parts = (X_test[column], y_test[column], predicted[column])
    for axis, name, part in zip(axes[:, column], rows, parts, strict=True):
        if name == "image":
            axis.imshow(part, cmap="gray_r")
        else:
            axis.imshow(np.vectorize(codes.get)(part), cmap="viridis", vmin=0, vmax=2)
        axis.set_xticks([])
        axis.set_yticks([])
        if column == 0:
            axis.set_ylabel(name)
plt.show()
