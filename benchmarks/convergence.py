"""Does the warning at `max_epochs` come where more epochs would help, and only there?

For each fit: the share of the decrease of the training loss that came in the second half of
training (the warning comes above a third, from ten epochs on), and what is left: how much of the
whole decrease three times the default number of epochs reach, and this fit does not.
"""

import platform
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from sklseq.autoencoder import Autoencoder
from sklseq.datasets import load_japanese_vowels
from sklseq.generative import VAE, RealNVP
from sklseq.recurrent import GRUClassifier, LSTMRegressor
from sklseq.training.convergence import late_share

EPOCHS = (2, 10, 30)


class Rates(Callback):
    """The learning rate of each epoch."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.seen: list[float] = []

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.seen.append(net.optimizer_.param_groups[0]["lr"])


RATES = Rates()


def tables() -> Iterator[tuple[str, Any, Any]]:
    """At most 320 rows each, standardized."""
    for load in (load_digits, load_wine, load_breast_cancer, load_iris, load_diabetes):
        X, y = load(return_X_y=True)
        rows = np.random.default_rng(0).permutation(len(X))[:320]
        yield load.__name__[5:], StandardScaler().fit_transform(X[rows]), y[rows]


def tasks() -> Iterator[tuple[str, str, Callable[[int | None], Any]]]:
    """Estimator, data, and a fit of so many epochs."""

    def fits(cls: Any, name: str, X: Any, y: Any = None) -> tuple[str, str, Callable]:
        def fit(n: int | None) -> Any:
            model = cls(
                random_state=0, callbacks=[RATES], **({} if n is None else {"max_epochs": n})
            )
            return model.fit(X) if y is None else model.fit(X, y)

        return cls.__name__, name, fit

    for name, X, y in tables():
        for cls in (Autoencoder, VAE, RealNVP):
            if cls is not RealNVP or name in ("wine", "iris"):
                yield fits(cls, name, X)
        if name != "iris":
            X = X.reshape(len(X), 8, 8) if name == "digits" else X
            if name != "diabetes":
                yield fits(GRUClassifier, name, X, y)
            yield fits(LSTMRegressor, name, X, y.astype(float))
    vowels = load_japanese_vowels()
    X, y = vowels.data, vowels.target
    yield fits(GRUClassifier, "vowels", X, y)
    yield fits(LSTMRegressor, "vowels", X, y.astype(float))


def main() -> None:
    torch.set_num_threads(1)
    print(f"{platform.machine()}, torch {torch.__version__}, Python {platform.python_version()}\n")
    print("| estimator | data | epochs | in the second half | left | warning |")
    print("|---|---|---|---|---|---|")
    for estimator, data, fit in tasks():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            curves = {None: fit(None).loss_curve_}
            best = fit(3 * len(curves[None])).loss_curve_
        for n in (*(n for n in EPOCHS if n < len(curves[None])), None):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                losses = np.array(fit(n).loss_curve_)
            told = any(
                issubclass(w.category, ConvergenceWarning) and "reached max_ep" in str(w.message)
                for w in caught
            )
            end = losses[-max(len(losses) // 10, 1) :].mean()
            left = (end - best[-1]) / (losses[0] - best[-1])
            share = late_share(losses.tolist(), RATES.seen)
            print(
                f"| {estimator} | {data} | {len(losses)}{' (default)' if n is None else ''} "
                f"| {share:.2f} | {left:.2f} | {'yes' if told else ''} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
