"""
Anomaly detection, with labels to check it
==========================================

Detectors are trained on rows without labels, and usually nobody knows how well they work. Here
somebody does: biopsies of breast cancer, of which detectors see benign ones alone and then sort a
mixture of both. How do an autoencoder and a flow compare with the detectors of scikit-learn?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import RocCurveDisplay, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from sklseq.autoencoder import Autoencoder
from sklseq.generative import Glow

data = load_breast_cancer()
benign, malignant = data.data[data.target == 1], data.data[data.target == 0]
train, held_out = train_test_split(benign, test_size=0.5, random_state=0)
X_test = np.vstack([held_out, malignant])
is_outlier = np.r_[np.zeros(len(held_out)), np.ones(len(malignant))]
print(
    f"{len(train)} benign rows to train on; "
    f"{len(held_out)} benign and {len(malignant)} malignant ones to sort"
)

# %%
# All of them have one interface: ``score_samples`` is larger for more normal rows, ``predict``
# gives -1 for outliers. A larger share of outliers in training would be told by ``contamination``.

detectors = {
    "autoencoder": Autoencoder(n_components=4, max_epochs=100, random_state=0),
    "flow (Glow)": Glow(n_layers=4, solver="adamw", weight_decay=3, max_epochs=60, random_state=0),
    "local outlier factor": LocalOutlierFactor(novelty=True),
    "isolation forest": IsolationForest(random_state=0),
    "one-class SVM": OneClassSVM(gamma="scale", nu=0.1),
}
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained")
for name, detector in detectors.items():
    model = make_pipeline(StandardScaler(), detector).fit(train)
    score = model.score_samples(X_test)
    print(f"{name:22} area under the curve {roc_auc_score(is_outlier, -score):.3f}")
    RocCurveDisplay.from_predictions(
        is_outlier, -score, name=name, ax=left, plot_chance_level=False
    )
    detectors[name] = model
left.legend(fontsize="x-small", loc="lower right")
left.set(xlabel="benign called outliers", ylabel="malignant found")

# %%
# Why is a row an outlier? Errors of reconstruction are by column: here is the worst of all.

model = detectors["autoencoder"]
scaled = model[:-1].transform(X_test)
worst = model.score_samples(X_test).argmin()
errors = model[-1].reconstruction_errors(scaled)[worst]
top = np.argsort(errors)[-6:]
right.barh(data.feature_names[top], errors[top])
right.set(xlabel="error of reconstruction", title="what makes the worst row an outlier")
plt.show()

# %%
# On a table of some hundred rows simple detectors are hard to beat: the flow is level with them,
# the autoencoder is behind. A network is worth its training if it is asked for more than a
# ranking: errors by column, densities in nats, or images and sequences as rows.
