"""
Saving and loading without trust
================================

A pickle runs whatever code it names when it is loaded. How can a model be handed to somebody who
should not have to trust the file, and does the loaded model give the same predictions to the bit?
"""

import pickle
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skops.io
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklseq.datasets import load_japanese_vowels
from sklseq.preprocessing import PerStep
from sklseq.recurrent import GRUClassifier
from sklseq.utils import trusted_types

X, y = load_japanese_vowels(subset="train", return_X_y=True)
X_test, y_test = load_japanese_vowels(subset="test", return_X_y=True)
model = make_pipeline(PerStep(StandardScaler()), GRUClassifier(max_epochs=20, random_state=0))
model.fit(X, y)

# %%
# A file that loads without running code
# --------------------------------------
# skops stores arrays and names of classes. The reader says which classes may be made of them:
# ``trusted_types()`` lists those of this library, and scikit-learn's own are known to skops.

folder = Path(tempfile.mkdtemp())
skops.io.dump(model, folder / "model.skops")
loaded = skops.io.load(folder / "model.skops", trusted=trusted_types())
same = np.array_equal(loaded.predict_proba(X_test), model.predict_proba(X_test))
print(f"the same probabilities to the bit: {same}")

# %%
# What happens to files that are not what they seem
# -------------------------------------------------
# Here is a pickle that calls a function of its choice, harmless here; and a file of skops that
# holds a class its reader has not allowed.


class Surprise:
    """An object whose pickle calls `print`."""

    def __reduce__(self):
        return print, ("pickle: this code has run while the file was loaded",)


pickle.loads(pickle.dumps(Surprise()))

skops.io.dump({"model": model, "extra": Surprise()}, folder / "other.skops")
try:
    skops.io.load(folder / "other.skops", trusted=trusted_types())
except Exception as error:
    print("skops:", type(error).__name__, str(error).splitlines()[0])

# %%
# A state that was tampered with
# ------------------------------
# A file may be readable and still be damaged. What a model is made of is checked before the model
# is.

state = model[-1].__getstate__()
state["classes_"] = state["classes_"][:4]
try:
    GRUClassifier().__setstate__(state)
except ValueError as error:
    print("damaged:", error)

# %%
# How large the files are.

sizes = {
    "skops": (folder / "model.skops").stat().st_size,
    "pickle": len(pickle.dumps(model)),
    "the training data": sum(x.nbytes for x in X),
}
figure, axes = plt.subplots(figsize=(6, 2), layout="constrained")
bars = axes.barh(list(sizes), [size / 1024 for size in sizes.values()])
axes.bar_label(bars, fmt="%.0f KiB", padding=3)
axes.set(xlabel="size of the file", xlim=(0, max(sizes.values()) / 1024 * 1.25))
plt.show()

# %%
# The file of skops is a zip archive of text and arrays, which one may also look into by other
# tools. Prefer it where files come from elsewhere; between your own processes joblib is as good.
