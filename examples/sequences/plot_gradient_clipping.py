"""
Gradients that explode, and gradients that vanish
=================================================

The gradient of an Elman network is a product with one factor for each step. It may grow on the way
back, and one training step then moves the weights far away. Or it shrinks, and what happened long
ago is not learned. Which of the two does a limit on the gradient prevent, and which a regularizer?
In the temporal order task two symbols near the beginning of a sequence
decide its class. `gradient_clip` limits a gradient, its norm or each of its values
(`gradient_clip_by`), and `flow_regularizer` keeps its norm alike from step to step (Pascanu,
Mikolov and Bengio 2013). Shown are the training loss and the norms of the gradients that the
optimizer was given.
"""

import matplotlib.pyplot as plt
import numpy as np
from skorch.callbacks import Callback

from sklseq.datasets import make_temporal_order
from sklseq.recurrent import RNNClassifier

X, y = make_temporal_order(600, 30, random_state=0)
X_test, y_test = make_temporal_order(500, 30, random_state=1)


class Norms(Callback):
    """Notes the norm of each gradient, after clipping."""

    def __init__(self):
        self.norms = []

    def on_grad_computed(self, net, named_parameters, **kwargs):
        squares = [float(p.grad.square().sum()) for _, p in named_parameters if p.grad is not None]
        self.norms.append(np.sqrt(sum(squares)))


settings = {
    "no limit": {"gradient_clip": None},
    "values up to 0.01": {"gradient_clip": 0.01, "gradient_clip_by": "value"},
    "norm up to 1": {"gradient_clip": 1.0},
    "norm up to 1, flow regularizer": {"gradient_clip": 1.0, "flow_regularizer": 2.0},
}
figure, (losses, norms) = plt.subplots(2, 1, figsize=(8, 6), sharex=True)
for name, setting in settings.items():
    noted = Norms()
    model = RNNClassifier(
        hidden_size=50,
        embedding_size=6,
        solver="sgd",
        learning_rate=0.05,
        lr_schedule=None,
        batch_size=20,
        max_epochs=30,
        callbacks=[noted],
        random_state=0,
        **setting,
    ).fit(X, y)
    print(f"{name}: {model.score(X_test, y_test):.0%} of new sequences are right")
    losses.plot(np.arange(1, model.n_iter_ + 1), model.loss_curve_, label=name)
    norms.plot(np.linspace(0, model.n_iter_, len(noted.norms)), noted.norms, linewidth=0.5)
losses.set(ylabel="training loss", yscale="log")
losses.legend()
norms.set(xlabel="epoch", ylabel="norm of the gradient", yscale="log")
figure.tight_layout()
plt.show()
