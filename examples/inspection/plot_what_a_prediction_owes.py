"""
What does a prediction owe to each step?
========================================

A network tells nine speakers apart by how they say a vowel: 12 coefficients of the spectrum, over 7
to 29 frames. Which coefficients does it use, and which frames? Two methods answer for one
utterance, one for the score over many. Do they agree?
"""

import matplotlib.pyplot as plt
import numpy as np

from sklseq.datasets import load_japanese_vowels
from sklseq.inspection import (
    StepImportanceDisplay,
    sequence_permutation_importance,
    step_importance,
)
from sklseq.recurrent import GRUClassifier

X, y = load_japanese_vowels(subset="train", return_X_y=True)
X_test, y_test = load_japanese_vowels(subset="test", return_X_y=True)
model = GRUClassifier(hidden_size=32, pooling="mean", random_state=0).fit(X, y)
print(f"accuracy on new utterances: {model.score(X_test, y_test):.3f}")

# %%
# **One utterance.** Occlusion replaces one value after the other by its mean, and asks by how much
# the probability of the predicted speaker falls. Integrated gradients follow the prediction on the
# straight way from a mean utterance to this one; their sum is the change of the probability.

names = [f"{k}" for k in range(1, 13)]
figure, axes = plt.subplots(2, 1, figsize=(8, 6.4), layout="constrained")
for ax, method in zip(axes, ("occlusion", "integrated_gradients"), strict=True):
    StepImportanceDisplay.from_estimator(
        model, X_test[:1], method=method, feature_names=names, ax=ax
    )
    ax.set_title(method.replace("_", " "))
plt.show()

# %%
# **Many utterances.** Shuffled among the utterances, a coefficient no longer tells anything. How
# far the score falls is its permutation importance. Beside it are the mean sizes of the importances
# above over 60 utterances, summed over the frames.

result = sequence_permutation_importance(model, X_test, y_test, n_repeats=3, random_state=0)
some = X_test[:60]
of_method = {
    method: np.mean(
        [np.abs(one).sum(axis=0) for one in step_importance(model, some, method=method)], axis=0
    )
    for method in ("occlusion", "integrated_gradients")
}
figure, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
places = np.arange(12)
found = {"permutation": result.importances_mean, **of_method}
colors = ("0.4", "#0072B2", "#D55E00")
for shift, color, (name, values) in zip((-0.27, 0, 0.27), colors, found.items(), strict=True):
    ax.bar(places + shift, values / values.max(), 0.25, color=color, label=name.replace("_", " "))
ax.set_xticks(places, names)
ax.set(xlabel="coefficient", ylabel="importance, largest = 1")
ax.legend()
plt.show()
for name, values in of_method.items():
    correlation = np.corrcoef(values, found["permutation"])[0, 1]
    print(f"{name}: correlation with permutation importance {correlation:.2f}")

# %%
# Both methods find the first frames of this utterance, and mostly the same coefficients for and
# against the speaker. But occlusion calls each value a hundred times less important: neighboring
# frames tell the same, so that one of them alone is hardly missed. Over many utterances all agree
# that the first coefficient matters and the last ones matter little, and on the order in between
# they do not. An importance answers one question: which is missed alone, what adds up to this
# prediction, or what the score rests on. Say which one you asked.
