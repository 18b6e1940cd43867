"""
How far ahead can chaos be forecast?
====================================

Two states of the Lorenz system that differ in the tenth digit are strangers after some twenty-five
units of time: nobody can forecast it for long from what was measured. How far does an echo state
network come that has read 5,000 steps and trains in a second, and how far a forest on
windows of the last values?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

from sklseq.datasets import make_lorenz
from sklseq.forecasting import WindowRegressor
from sklseq.metrics import valid_prediction_time
from sklseq.reservoir import ESNForecaster

lorenz = make_lorenz(10_000, dt=0.02, random_state=0)
train, rest = lorenz[:5000], lorenz[5000:]

# %%
# Each forecaster is fitted once. From six origins on it is moved on by ``update``, which reads
# what came without training, and goes on by itself for 800 steps.

models = {
    "echo state network": ESNForecaster(
        reservoir_size=300,
        spectral_radius=0.4,
        feedback_scaling=0.3,
        bias_scaling=0.5,
        washout=100,
        alpha=1e-10,
        random_state=0,
    ),
    "trees on 10 last steps": WindowRegressor(
        ExtraTreesRegressor(30, max_features=0.5, random_state=0), n_lags=10
    ),
}
origins = np.arange(0, 4800, 800)
paths, times = {}, {}
for name, model in models.items():
    model.fit(train)
    times[name], paths[name] = [], []
    for origin in origins:
        forecast = model.forecast(800)
        true = rest[origin : origin + 800]
        paths[name].append(forecast)
        # One Lyapunov time is 1 / 0.906: errors grow by a factor of e in it.
        times[name].append(
            valid_prediction_time(
                true, forecast, threshold=0.5, time_step=0.02 * 0.906, y_train=train
            )
        )
        model.update(true)
    print(f"{name:24} {np.median(times[name]):4.1f} Lyapunov times (median)")

# %%
# The first coordinate from the first origin on, and how long each forecast held.

figure, (top, bottom) = plt.subplots(2, figsize=(8, 5), layout="constrained", height_ratios=(3, 2))
time = np.arange(800) * 0.02 * 0.906
top.plot(time, rest[:800, 0], color="k", label="what came")
for color, name in zip(["C0", "C1"], models, strict=True):
    top.plot(time, paths[name][0][:, 0], color=color, label=name, linewidth=1)
    bottom.plot(times[name], [name] * len(origins), "o", color=color, alpha=0.6)
top.set(xlabel="Lyapunov times", ylabel="x", ylim=(-20, 30))
top.legend(loc="upper center", ncols=3)
bottom.set(xlabel="Lyapunov times until the error is half a standard deviation", xlim=(0, None))
bottom.margins(y=0.5)
plt.show()

# %%
# A smooth readout of a smooth reservoir learns the flow of the system to many digits; trees put out
# steps, and each error is multiplied from there. This series is without noise: what was measured
# with noise nobody can forecast further than the noise lets them.
