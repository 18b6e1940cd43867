"""
A long memory depends on the start
==================================

The copying memory task: a symbol is shown, a pause of 150 steps follows, and then the symbol must
be named. If the state forgets the symbol before the end, there is nothing to learn from. Is it
enough to start training with weights that remember? `forget_bias` and `init` set how weights start:
with memories of all lengths up to that of the sequences (Tallec and Ollivier 2018,
Can recurrent neural networks warp time?), or as a rotation, which keeps what is in the state.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklseq.datasets import make_copying_memory
from sklseq.recurrent import RecurrentClassifier

n_symbols = 4
X, labels = make_copying_memory(640, n_blanks=150, n_symbols=n_symbols, n_copy=1, random_state=0)
y = [steps[-1] for steps in labels]  # the symbol at the end
print(X[0][:5], "...", X[0][-5:], "->", y[0])

# %%
# Symbols start as unit vectors, and the blank as zero, so that the pause does not fill the state.

warnings.simplefilter("ignore", ConvergenceWarning)  # twelve epochs show what there is to see
vectors = {k: 0.5 * np.eye(n_symbols + 2)[k] * (k != n_symbols) for k in range(n_symbols + 2)}
starts = {
    "LSTM": {"cell": "lstm"},
    "LSTM, forget_bias='chrono'": {"cell": "lstm", "forget_bias": "chrono"},
    "RNN": {"cell": "rnn", "learning_rate": 1e-3},
    "RNN, init='orthogonal'": {"cell": "rnn", "init": "orthogonal", "learning_rate": 1e-3},
}
models = {
    name: RecurrentClassifier(
        hidden_size=32, embedding=vectors, max_epochs=12, random_state=0, **start
    ).fit(X, y)
    for name, start in starts.items()
}

# %%
# With the default weights both networks stay at the loss of a guess. With weights that remember,
# the loss of the same networks falls.

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for (name, model), style in zip(models.items(), ("C0--", "C0", "C1--", "C1"), strict=True):
    axes.plot(np.arange(1, 13), model.loss_curve_, style, label=name)
axes.axhline(np.log(n_symbols), color="gray", lw=1, zorder=0)
axes.annotate("a guess", (9, np.log(n_symbols)), color="gray", va="bottom")
axes.set(xlabel="epoch", ylabel="training loss", ylim=(0, None))
axes.legend()
plt.show()
