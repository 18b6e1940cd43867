"""
Filtering a signal: an equalizer for a radio channel
====================================================

Symbols -3, -1, 1 and 3 go through a channel that mixes ten neighbors, distorts them by a square and
a cube, and adds noise. Which symbol was sent at each step? The classic equalizer is a linear filter
over a window; an echo state network is a nonlinear one with memory, also trained in closed form
(Jaeger and Haas 2004, Harnessing nonlinearity, Science 304, figure 3).
"""

# %%
# The channel of that paper. ``target="step"``: there is one symbol for each step of one series.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Ridge

from sklseq.reservoir import ESNRegressor

LINEAR = [0.08, -0.12, 1, 0.18, -0.1, 0.091, -0.05, 0.04, 0.03, 0.01]  # of steps t + 2 to t - 7


def channel(n_steps, snr, rng):
    sent = rng.choice([-3, -1, 1, 3], n_steps + 9)
    mixed = np.convolve(sent, LINEAR, mode="valid")
    distorted = mixed + 0.036 * mixed**2 - 0.011 * mixed**3
    noise = distorted.std() * 10 ** (-snr / 20)
    received = distorted + noise * rng.normal(size=len(distorted))
    return received[:, None], sent[7:-2].astype(float)


def delayed(x, n):
    """What a filter over the last `n` steps reads."""
    return np.column_stack([np.r_[np.zeros(lag), x[: len(x) - lag, 0]] for lag in range(n)])


def error_rate(sent, guessed):
    symbols = np.array([-3, -1, 1, 3])
    decided = symbols[np.abs(np.ravel(guessed)[:, None] - symbols).argmin(axis=1)]
    return np.mean(decided[2:] != sent[2:])


# %%
# Both see two steps beyond the one that is asked for, as the channel mixes these in: the target is
# the symbol sent two steps before.

rng = np.random.default_rng(0)
levels = [12, 16, 20, 24, 28, 32]
rates = {"linear filter": [], "echo state network": []}
for snr in levels:
    X, sent = channel(25_000, snr, rng)
    y = np.r_[sent[:2], sent[:-2]]
    train, test = slice(0, 5000), slice(5000, None)
    linear = Ridge(1e-3).fit(delayed(X[train], 10), y[train])
    rates["linear filter"].append(error_rate(y[test], linear.predict(delayed(X[test], 10))))
    esn = ESNRegressor(
        target="step",
        reservoir_size=200,
        spectral_radius=0.5,
        input_scaling=0.2,
        features="state+squares",
        random_state=0,
    )
    esn.fit(X[train], y[train])
    rates["echo state network"].append(error_rate(y[test], esn.predict(X[test])))

# %%
# Errors among 20,000 symbols. Points at the bottom had none.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
steps = np.arange(60)
left.step(steps, y[test][:60], color="k", where="mid", label="sent")
left.plot(steps, X[test][:60, 0], ".", color="0.5", label="received (32 dB)")
left.plot(steps, esn.predict(X[test])[:60], "o", mfc="none", color="C0", label="network")
left.set(xlabel="step", ylabel="symbol", ylim=(-5, 7))
left.legend(loc="upper center", ncols=3, fontsize="small")
for name, values in rates.items():
    right.semilogy(levels, np.maximum(values, 2e-5), "o-", label=name)
    print(f"{name:20}", *(f"{value:.4f}" for value in values))
right.set(xlabel="signal to noise [dB]", ylabel="share of wrong symbols")
right.legend()
plt.show()

# %%
# Where noise is all there is to lose, at the left, both are alike. At the right the linear filter
# stops getting better, as it cannot undo the cube; the reservoir can.
