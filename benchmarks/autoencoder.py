"""Autoencoders beside PCA, the Wiener filter, outlier detectors and PyOD, in one command.

    python benchmarks/autoencoder.py [--quick] [--only ROW [ROW ...]] [--data FOLDER]

All on one thread. FOLDER has the ten outlier sets as outliers/NAME.npz with X and y (1 = outlier);
without it they are left out. One setting serves all ten; see the results for how it was found. The
speed rows need PyOD, and compare processor time. ``--quick`` takes fewer seeds and says nothing
about the bars.
"""

import multiprocessing
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _table import Row, Rows, at_least, at_most, listed, main, one_thread, peak, turns
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.feature_selection import VarianceThreshold
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklseq.autoencoder import Autoencoder, DenoisingAutoencoder

LINEAR: dict[str, Any] = {
    "hidden_layer_sizes": (),
    "solver": "lbfgs",
    "dtype": "float64",
    "random_state": 0,
}
WIDE: dict[str, Any] = {
    "hidden_layer_sizes": (256, 64),
    "learning_rate": 0.002,
    "lr_schedule": "cosine",
}


def digits(seed: int) -> list[np.ndarray]:
    """Training and test images in [0, 1], and their labels; a quarter to test on."""
    X, y = load_digits(return_X_y=True)
    return train_test_split(X / 16, y, test_size=0.25, random_state=seed)


# -- closed forms --------------------------------------------------------------------------


def exact(quick: bool, data: Path | None) -> Rows:
    for load in (load_iris, load_wine, load_breast_cancer):
        X = StandardScaler().fit_transform(load().data)
        pca = PCA(2).fit(X)
        best = float(np.mean((X - pca.inverse_transform(pca.transform(X))) ** 2))
        model = Autoencoder(max_epochs=200, **LINEAR).fit(X)
        gap = (-model.score(X) - best) / (np.mean(X.var(axis=0)) - best)
        task = f"linear autoencoder, {load.__name__[5:]}, MSE over PCA's, of PCA's gain"
        yield at_most(task, gap, 0.01, "{:.1e}", f" ({-model.score(X):.5f}, PCA {best:.5f})")
    X = StandardScaler().fit_transform(load_wine().data)
    model = DenoisingAutoencoder(
        noise_level=0.5,
        n_components=13,
        hidden_layer_sizes=(),
        learning_rate=0.01,
        lr_schedule="cosine",
        max_epochs=30 if quick else 600,
        batch_size=178,
        random_state=0,
    ).fit(np.tile(X, (20, 1)))
    slope = _wiener(X, 0.5)(np.eye(13)) - _wiener(X, 0.5)(np.zeros((1, 13)))
    ours = model.reconstruct(np.eye(13)) - model.reconstruct(np.zeros((1, 13)))
    off = np.linalg.norm(ours - slope) / np.linalg.norm(slope)
    yield at_most("linear denoising autoencoder, wine, off the Wiener filter", off, 0.02, "{:.1e}")


def _wiener(X: np.ndarray, noise: float) -> Callable[[np.ndarray], np.ndarray]:
    mean, covariance = X.mean(axis=0), np.cov(X.T, bias=True)
    gain = np.linalg.solve(covariance + noise**2 * np.eye(len(mean)), covariance)
    return lambda noisy: mean + (noisy - mean) @ gain


# -- digits --------------------------------------------------------------------------------


def codes(quick: bool, data: Path | None) -> Rows:
    for k in (2, 8):
        figures: dict[str, list[list[float]]] = {}
        for seed in range(1 if quick else 3):
            train, test, y_train, y_test = digits(seed)
            for name, model in {
                "PCA": PCA(k),
                "default": Autoencoder(n_components=k, random_state=seed),
                "(256, 64)": Autoencoder(n_components=k, random_state=seed, **WIDE),
            }.items():
                a, b = model.fit_transform(train), model.transform(test)
                error = float(np.mean((model.inverse_transform(b) - test) ** 2))
                near = float(KNeighborsClassifier(5).fit(a, y_train).score(b, y_test))
                figures.setdefault(name, []).append([error, near])
        means = {name: np.mean(each, axis=0) for name, each in figures.items()}
        for name in ("default", "(256, 64)"):
            each = np.array(figures[name]).T
            show = "{:.4f}"
            task = f"digits, {name}, k={k}, "
            yield at_most(
                task + "test MSE", means[name][0], means["PCA"][0], show, listed(each[0], show)
            )
            if k == 2:
                show = "{:.3f}"
                yield at_least(
                    task + "5-NN accuracy",
                    means[name][1],
                    means["PCA"][1],
                    show,
                    listed(each[1], show),
                )


def denoising(quick: bool, data: Path | None) -> Rows:
    errors: dict[str, list[float]] = {"wiener": [], "ours": []}
    for seed in range(1 if quick else 3):
        train, test, *_ = digits(seed)
        noisy = test + 0.25 * np.random.default_rng(seed).normal(size=test.shape)
        model = DenoisingAutoencoder(
            noise_level=0.25,
            n_components=64,
            hidden_layer_sizes=(512,),
            learning_rate=0.002,
            lr_schedule="cosine",
            max_epochs=20 if quick else 200,
            random_state=seed,
        ).fit(train)
        for name, clean in (
            ("wiener", _wiener(train, 0.25)(noisy)),
            ("ours", model.reconstruct(noisy)),
        ):
            errors[name].append(float(np.mean((clean - test) ** 2)))
    bar, show = float(np.mean(errors["wiener"])), "{:.4f}"
    ours = float(np.mean(errors["ours"]))
    task = "digits, noise 0.25, test MSE of the denoised, bar: Wiener filter"
    yield at_most(task, ours, bar, show, listed(errors["ours"], show))


# -- outliers ------------------------------------------------------------------------------


def outliers(quick: bool, data: Path | None) -> Rows:
    """Half of the normal rows to train on; the rest and the outliers to test on."""
    if data is None:
        return
    totals: dict[str, list[float]] = {}
    for path in sorted((data / "outliers").glob("*.npz")):
        loaded = np.load(path)
        found: dict[str, list[float]] = {}
        for seed in range(1 if quick else 2):
            for name, area in _areas(loaded["X"], loaded["y"], seed).items():
                found.setdefault(name, []).append(area)
        means = {name: float(np.mean(each)) for name, each in found.items()}
        for name, mean in means.items():
            totals.setdefault(name, []).append(mean)
        yield _beside(f"outliers, {path.stem}, AUC", means, None)
    yield _beside("outliers, mean AUC", {n: float(np.mean(v)) for n, v in totals.items()}, True)


def defaults(quick: bool, data: Path | None) -> Rows:
    """`Autoencoder()`, and with all rows, on normal rows alone and with 5 % of outliers."""
    if data is None:
        return
    for name, settings in (("Autoencoder()", {}), ("Autoencoder(trim=0)", {"trim": 0.0})):
        clean: list[float] = []
        mixed: list[float] = []
        for path in sorted((data / "outliers").glob("*.npz")):
            loaded = np.load(path)
            for seed in range(1 if quick else 2):
                for areas, share in ((clean, 0.0), (mixed, 0.05)):
                    areas.append(_area(loaded["X"], loaded["y"], share, seed, settings))
        means = float(np.mean(clean)), float(np.mean(mixed))
        yield at_least(f"outliers, {name}, mean AUC", means[0], 0.915, "{:.3f}")
        yield at_most("the same, lost with 5 % of outliers in training", means[0] - means[1], 0.02)


def _area(X: np.ndarray, y: np.ndarray, share: float, seed: int, settings: dict[str, Any]) -> float:
    rng = np.random.default_rng(seed)
    normal, strange = (rng.permutation(np.flatnonzero(y == kind)) for kind in (0, 1))
    n = len(normal) // 2
    n_mixed = min(round(n * 0.05 / 0.95), len(strange) // 2)
    train = normal[:n] if share == 0 else np.r_[normal[:n], strange[:n_mixed]]
    test = np.r_[normal[n:], strange[n_mixed:]]
    scaler = StandardScaler().fit(X[train])
    model = Autoencoder(random_state=seed, **settings).fit(scaler.transform(X[train]))
    return float(roc_auc_score(y[test], -model.score_samples(scaler.transform(X[test]))))


def _beside(task: str, areas: dict[str, float], bar: bool | None) -> Row:
    others = ", ".join(f"{name} {area:.3f}" for name, area in areas.items() if name != "ours")
    met = areas["ours"] >= areas["kNN"] if bar else None
    return Row(
        task, f"{areas['ours']:.3f} ({others})", f">= {areas['kNN']:.3f}" if bar else "-", met
    )


def _areas(X: np.ndarray, y: np.ndarray, seed: int) -> dict[str, float]:
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(y == 0))
    chosen = normal[: len(normal) // 2]
    rest = np.setdiff1d(np.arange(len(y)), chosen)
    scaler = StandardScaler().fit(X[chosen])
    train, test = scaler.transform(X[chosen]), scaler.transform(X[rest])
    near = NearestNeighbors(n_neighbors=5).fit(train)
    pca = PCA(0.9).fit(train)
    scores = {
        "ours": -_detector(train, seed).score_samples(test),
        "kNN": near.kneighbors(test)[0].mean(axis=1),
        "isolation forest": -IsolationForest(random_state=seed).fit(train).score_samples(test),
        "PCA": np.sum((test - pca.inverse_transform(pca.transform(test))) ** 2, axis=1),
    }
    return {name: float(roc_auc_score(y[rest], score)) for name, score in scores.items()}


def _detector(train: np.ndarray, seed: int) -> DenoisingAutoencoder:
    """Noise of all scales, from within the data to beyond: what is far is drawn back far."""
    return DenoisingAutoencoder(
        noise_level=(0.1, 3.0),
        n_components=256,
        hidden_layer_sizes=(256,),
        decoder_layer_sizes=(),
        latent_activation="relu",
        max_epochs=max(20, 128_000 // len(train)),  # 2,000 steps
        batch_size=64,
        learning_rate=0.002,
        lr_schedule="cosine",
        random_state=seed,
    ).fit(train)


# -- speed ---------------------------------------------------------------------------------


def speed(quick: bool, data: Path | None) -> Rows:
    try:
        from pyod.models.auto_encoder import AutoEncoder
    except ImportError:
        return
    rng = np.random.default_rng(0)
    X = np.tanh(rng.normal(size=(4096, 4)) @ rng.normal(size=(4, 32))).astype(np.float32)
    epochs = 2 if quick else 10
    same: dict[str, Any] = {"lr": 1e-3, "epoch_num": epochs, "batch_size": 32}
    plain: dict[str, Any] = {"batch_norm": False, "dropout_rate": 0, "preprocessing": False}

    def peer() -> Any:
        return AutoEncoder(verbose=0, **plain, **same).fit(X)

    def ours() -> Autoencoder:
        return Autoencoder(
            n_components=32,
            hidden_layer_sizes=(64,),
            latent_activation="relu",
            learning_rate=1e-3,
            weight_decay=1e-5,
            gradient_clip=None,
            max_epochs=epochs,
            random_state=0,
        ).fit(X)

    seconds, models = turns(clock=time.process_time, ours=ours, peer=peer)
    task = "training, network 32-64-32-64-32, batch 32, times PyOD"
    yield at_least(task, seconds["peer"] / seconds["ours"], 1.4, "{:.2f}", _both(seconds))

    many = np.tanh(rng.normal(size=(100_000, 4)) @ rng.normal(size=(4, 32))).astype(np.float32)
    seconds, _ = turns(
        clock=time.process_time,
        ours=lambda: models["ours"].score_samples(many),
        peer=lambda: models["peer"].decision_function(many),
    )
    task = "scoring 100000 rows, same network, times PyOD"
    yield at_least(task, seconds["peer"] / seconds["ours"], 20, "{:.1f}", _both(seconds))
    yield _to_the_same_error(AutoEncoder, quick)


def _both(seconds: dict[str, float]) -> str:
    return f" ({seconds['ours']:.3f} s, PyOD {seconds['peer']:.3f} s)"


def _to_the_same_error(peer: Any, quick: bool) -> Row:
    """Defaults of each, but for our code, which has the size of theirs."""
    train, test, *_ = digits(0)
    scaler = make_pipeline(VarianceThreshold(), StandardScaler()).fit(train)
    a, b = (scaler.transform(part).astype(np.float32) for part in (train, test))
    theirs = peer(verbose=0).fit(a)
    # Its score is the distance, on data that it scales as they are scaled already.
    aim = float(np.mean(theirs.decision_function(b) ** 2) / b.shape[1])
    model = Autoencoder(n_components=32, random_state=0)
    n_epochs = 0
    while n_epochs == 0 or -model.score(b) > aim:
        model.partial_fit(a)
        n_epochs += 1
    seconds, models = turns(
        clock=time.process_time,
        ours=lambda: Autoencoder(n_components=32, max_epochs=n_epochs, random_state=0).fit(a),
        peer=lambda: peer(verbose=0).fit(a),
    )
    reached = -models["ours"].score(b)
    more = f"{_both(seconds)[:-1]}; {n_epochs} epochs to {reached:.3f}, PyOD 10 to {aim:.3f})"
    task = "training to PyOD's held-out error, digits, times PyOD"
    return at_least(task, seconds["peer"] / seconds["ours"], 5, "{:.1f}", more)


def memory(quick: bool, data: Path | None) -> Rows:
    for n_rows in (100_000, 1_000_000):
        context = multiprocessing.get_context("spawn")
        receiver, sender = context.Pipe()
        process = context.Process(target=_score_many, args=(n_rows, sender))
        process.start()
        grown, seconds = receiver.recv()
        process.join()
        task = f"memory, score_samples of {n_rows} x 32, growth of peak RSS in MB"
        more = f" ({n_rows / seconds / 1e6:.1f} million rows/s; scores {n_rows * 8 / 2**20:.0f} MB)"
        yield at_most(task, grown, 50, "{:.0f}", more)


def _score_many(n_rows: int, sender: Any) -> None:
    one_thread()
    X = np.random.default_rng(0).standard_normal((n_rows, 32), dtype=np.float32)
    model = Autoencoder(n_components=8, max_epochs=1, random_state=0).fit(X[:1000])
    before, begin = peak(), time.perf_counter()
    model.score_samples(X)
    sender.send((peak() - before, time.perf_counter() - begin))


ROWS: dict[str, Callable[..., Rows]] = {
    "exact": exact,
    "codes": codes,
    "denoising": denoising,
    "outliers": outliers,
    "defaults": defaults,
    "speed": speed,
    "memory": memory,
}

if __name__ == "__main__":
    warnings.simplefilter("error", RuntimeWarning)
    main(__doc__.splitlines()[0], ROWS, data=True)
