"""
Forecasting an electroencephalogram
===================================

Four channels of an electroencephalogram, the sample that comes with matplotlib. An echo state
network reads all four and forecasts all four; a search by time series split picks its reservoir.
Beside it stand two baselines: the last value again, and a linear autoregression.
"""

# %%
# The data: one series of 800 steps with four features, so ``target="step"``. The last fifth is for
# testing.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cbook import get_sample_data
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import TimeSeriesSplit

from sklseq.reservoir import ESNForecaster, ESNSearchCV

with get_sample_data("eeg.dat") as file:
    eeg = np.fromfile(file, dtype=float).reshape(-1, 4)
n_train = 640
train, test = eeg[:n_train], eeg[n_train:]
print(f"{len(train)} steps to train on, {len(test)} to test")

# %%
# The search. The penalty is chosen by generalized cross-validation within each fit; what is left
# are the time scale of the units and how far the series drives them into their nonlinear range.

search = ESNSearchCV(
    ESNForecaster(target="step", washout=30, random_state=0),
    {
        "leak_rate": [0.3, 1.0],
        "spectral_radius": [0.5, 0.9],
        "feedback_scaling": [0.05, 0.2, 0.5],
    },
    cv=TimeSeriesSplit(4),
).fit(train)
print(search.best_params_)

# %%
# Forecasts of one to six steps, from every point of the test part. Each starts from what was
# measured until then: one panel of windows, forecast at once.

horizon, context = 6, 200
starts = np.arange(n_train, len(eeg) - horizon)
windows = np.stack([eeg[s - context : s] for s in starts])
true = np.stack([eeg[s : s + horizon] for s in starts])

network = search.best_estimator_.set_params(target="sequence")
forecast = network.forecast(horizon, windows)

# %%
# The baselines: the last value, and a ridge on the last eight steps that runs on by itself.

order = 8
lags = np.stack([train[i : i + order].ravel() for i in range(n_train - order)])
linear = RidgeCV(np.logspace(-3, 4, 15)).fit(lags, train[order:])
past = windows[:, -order:]
autoregression = []
for _ in range(horizon):
    following = linear.predict(past.reshape(len(past), -1))
    autoregression.append(following)
    past = np.concatenate([past[:, 1:], following[:, None]], axis=1)

forecasts = {
    "last value": np.repeat(windows[:, -1:], horizon, axis=1),
    "linear autoregression": np.stack(autoregression, axis=1),
    "echo state network": forecast,
}
errors = {
    name: np.sqrt(np.mean((values - true) ** 2, axis=(0, 2))) / train.std()
    for name, values in forecasts.items()
}
for name, error in errors.items():
    print(f"{name:24s}", error.round(3))

# %%
# One step ahead, network and linear model are alike, and both well ahead of the last value: at this
# distance the series is nearly linear. Further ahead the network's forecasts are the better ones.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.5), layout="constrained")
left.plot(true[:80, 0, 0], "k", lw=1, label="measured")
left.plot(forecast[:80, 0, 0], label="echo state network, 1 step ahead")
left.set(xlabel="step of the test part", ylabel="channel 1")
left.legend()
for name, error in errors.items():
    right.plot(np.arange(1, horizon + 1), error, "o-", label=name)
right.set(xlabel="steps ahead", ylabel="error / standard deviation")
right.legend()
plt.show()
