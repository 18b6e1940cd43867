"""
Quickstart: who is speaking?
============================

Nine speakers say the same two vowels, each time in 7 to 29 frames of 12 numbers. Can a recurrent
network tell who is speaking? A pipeline scales the frames and classifies the utterances. A grid
search chooses the cell and its size. The fitted model is saved, and another process loads it and
makes the same predictions.
"""

# %%
# The data: a list of arrays of unequal length, and a label for each.

import subprocess
import sys
import tempfile
from pathlib import Path

import joblib
import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.callback import ProgressBar
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklseq.datasets import load_japanese_vowels
from sklseq.inspection import TrainingCurveDisplay
from sklseq.preprocessing import PerStep
from sklseq.recurrent import RecurrentClassifier

X_train, y_train = load_japanese_vowels(subset="train", return_X_y=True)
X_test, y_test = load_japanese_vowels(subset="test", return_X_y=True)
print(f"{len(X_train)} utterances to train on, {len(X_test)} to test; the first three are")
print("arrays of shape", *(x.shape for x in X_train[:3]))

# %%
# A pipeline, and a grid search over the cell and its size, with progress bars.

pipeline = make_pipeline(
    PerStep(StandardScaler()),
    RecurrentClassifier(random_state=0),
)
grid = {
    "recurrentclassifier__cell": ["rnn", "gru", "lstm"],
    "recurrentclassifier__hidden_size": [16, 64],
}
search = GridSearchCV(pipeline, grid, cv=3)
search.set_callbacks(ProgressBar())
search.fit(X_train, y_train)

print("\ncell  hidden_size  accuracy by cross-validation")
for params, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    cell, size = params.values()
    print(f"{cell:4}  {size:11}  {score:.3f}")
print(f"best on the 370 test utterances: {search.score(X_test, y_test):.3f}")

# %%
# The training curve, and which speakers are confused.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
TrainingCurveDisplay.from_estimator(search, ax=left, log_scale=True)
ConfusionMatrixDisplay.from_estimator(search, X_test, y_test, ax=right, colorbar=False)
output = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
output.mkdir(exist_ok=True)
figure.savefig(output / "quickstart.png", dpi=100)

# %%
# The model is saved to a file and loaded by another process.

model_file = output / "quickstart.joblib"
joblib.dump(search.best_estimator_, model_file)
np.save(output / "expected.npy", search.predict(X_test))
other_process = """
import sys, joblib, numpy as np
from sklseq.datasets import load_japanese_vowels
X, _ = load_japanese_vowels(subset="test", return_X_y=True)
predicted = joblib.load(sys.argv[1]).predict(X)
assert np.array_equal(predicted, np.load(sys.argv[2]))
print("a new process loaded the model and predicts the same")
"""
subprocess.run(
    [sys.executable, "-c", other_process, model_file, output / "expected.npy"], check=True
)
print(f"picture and model are in {output}")
