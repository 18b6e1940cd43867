"""Checks of estimators that draw rows: what scikit-learn's own checks know nothing of."""

import importlib.util
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from sklearn.utils import get_tags

from sklseq.nn.flows import Flow
from sklseq.utils._bad_input_checks import assert_refuses
from sklseq.utils._check_data import fitted
from sklseq.utils._frame_checks import (
    check_frames_and_arrays_of_whole_numbers,
    check_frames_of_mixed_columns,
    check_frames_of_numbers,
)
from sklseq.utils._sequence_generator_checks import SEQUENCE_GENERATOR_CHECKS

__all__ = ["check_generator", "generator_checks"]


def check_generator(estimator: Any) -> None:
    """Check that a generator samples and scores as this library promises.

    Beside `sklearn.utils.estimator_checks.check_estimator`: samples have the shape and type of
    the training data and depend on their seed alone; sampling changes neither the model nor any
    global random state; the class asked for is the class given; scores are those of each row,
    whatever the order and the company, and the same with each call; flows are invertible, with
    the density that their Jacobian gives; a DataFrame gives a DataFrame of the same columns,
    integers give integers, in arrays as in DataFrames, and columns that are not numbers are
    learned, or refused by name. Generators of sequences take
    tables as univariate sequences; beside that, ragged data give ragged samples, dense data dense
    ones.

    Parameters
    ----------
    estimator : estimator instance
        Has ``sample(n_samples, y, random_state)``, and takes DataFrames: of one that takes
        arrays alone, run those of `generator_checks` without "frames" in their name. Not changed.
        Its settings should make it quick to fit, yet let it learn two classes far apart, if it is
        conditional on classes. `batch_size`, `max_epochs` and `dtype` are set where there are
        such parameters.

    Raises
    ------
    AssertionError
        From the first check that fails.

    Examples
    --------
    >>> from sklseq.generative import RealNVP
    >>> from sklseq.utils import check_generator
    >>> check_generator(RealNVP(n_layers=2, hidden_layer_sizes=(8,), learning_rate=0.02))
    """
    for _, check in generator_checks(estimator):
        check()


def generator_checks(estimator: Any) -> Iterator[tuple[str, Callable[[], None]]]:
    """The checks of `check_generator` one by one, as pytest wants them.

    Parameters
    ----------
    estimator : estimator instance

    Yields
    ------
    name : str
    check : callable without arguments
    """
    checks = [
        check_samples_are_like_the_data,
        check_samples_depend_on_their_seed_alone,
        check_sampling_has_no_side_effects,
        check_number_of_samples,
        check_fewer_rows_than_a_batch,
        check_pickled_generators_sample_alike,
        check_generator_scores,
        check_flow_is_exact,
    ]
    if get_tags(estimator).input_tags.three_d_array:
        checks += SEQUENCE_GENERATOR_CHECKS
    elif importlib.util.find_spec("pandas"):
        checks += [
            check_frames_of_numbers,
            check_frames_and_arrays_of_whole_numbers,
            check_frames_of_mixed_columns,
        ]
    if "conditional" in estimator.get_params():
        checks += [check_class_asked_is_class_given, check_bad_classes, check_scores_of_classes]
    for check in checks:
        yield check.__name__, partial(check, estimator)


def _table(n: int = 60) -> NDArray[Any]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 3)) @ rng.normal(size=(3, 3)) + [1.0, -2.0, 30.0]


def _classes(n: int = 200) -> tuple[NDArray[Any], NDArray[Any]]:
    """Two classes, one three times as frequent, forty standard deviations apart."""
    rng = np.random.default_rng(1)
    y = np.where(np.arange(n) % 4 == 0, "rare", "usual")
    return rng.normal(size=(n, 2)) + np.where(y == "rare", 20.0, -20.0)[:, None], y


def check_samples_are_like_the_data(estimator: Any) -> None:
    """Rows with the columns and the type of the training data, all finite."""
    for dtype in (np.float64, np.float32):
        model = fitted(estimator, _table().astype(dtype))
        for n in (1, 7, 100):
            rows = model.sample(n, random_state=0)
            assert rows.shape == (n, 3), f"sample({n}) has shape {rows.shape}"
            assert rows.dtype == dtype, f"{rows.dtype} rows from {np.dtype(dtype)} data"
            assert np.isfinite(rows).all(), "samples are not finite"
        assert model.sample().shape == (1, 3)


def check_samples_depend_on_their_seed_alone(estimator: Any) -> None:
    """An int gives the same rows again; another one, or None, gives others."""
    model = fitted(estimator, _table())
    rows = model.sample(5, random_state=3)
    assert_array_equal(model.sample(5, random_state=3), rows)
    assert_array_equal(model.sample(5, random_state=np.random.RandomState(3)), rows)
    assert (model.sample(5, random_state=4) != rows).any(), "another seed gives the same rows"
    assert (model.sample(5) != model.sample(5)).any(), "rows repeat without a seed"
    assert len(np.unique(rows, axis=0)) > 1, "all rows of a sample are equal"


def check_sampling_has_no_side_effects(estimator: Any) -> None:
    """Neither the model nor a global generator changes."""
    model = fitted(estimator, _table())

    def state() -> tuple[bytes, bytes, bytes]:
        numpy_state = np.random.get_state()  # noqa: NPY002
        return (
            pickle.dumps(model),
            pickle.dumps(numpy_state),
            torch.get_rng_state().numpy().tobytes(),
        )

    before = state()
    model.sample(5)
    model.sample(5, random_state=0)
    for what, old, new in zip(("the model", "numpy's", "torch's"), before, state(), strict=True):
        assert new == old, f"sampling changes the state of {what}"


def check_number_of_samples(estimator: Any) -> None:
    """Fewer than one sample, or part of one, is refused by name."""
    model = fitted(estimator, _table())
    for n in (0, -1, 1.5, "two"):
        assert_refuses(partial(model.sample, n), "n_samples")


def check_fewer_rows_than_a_batch(estimator: Any) -> None:
    """Training on less than a batch, on a last batch of one row, and on a single batch."""
    for n, batch_size in ((10, 100), (11, 5), (10, 10)):
        model = fitted(estimator, _table(n), batch_size=batch_size, max_epochs=2)
        assert np.isfinite(model.sample(3, random_state=0)).all()


def check_pickled_generators_sample_alike(estimator: Any) -> None:
    """A model that was stored draws what it drew before."""
    model = fitted(estimator, _table())
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.sample(5, random_state=0), model.sample(5, random_state=0))


def check_generator_scores(estimator: Any) -> None:
    """A score belongs to its row, repeats, and is lower far from the data."""
    X = _table()
    model = fitted(estimator, X, dtype="float64")
    if not hasattr(model, "score_samples"):
        return
    scores = model.score_samples(X)
    assert scores.shape == (len(X),)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert_array_equal(model.score_samples(X), scores)
    order = np.random.default_rng(0).permutation(len(X))
    assert_allclose(model.score_samples(X[order]), scores[order], rtol=1e-9, atol=1e-9)
    alone = np.concatenate([model.score_samples(row[None]) for row in X])
    assert_allclose(alone, scores, rtol=1e-9, atol=1e-9)
    assert_allclose(model.score(X), scores.mean())
    far = X + 20 * X.std(axis=0)
    assert model.score(far) < scores.mean(), "rows far from the data score higher"


def check_flow_is_exact(estimator: Any) -> None:
    """Invertible, and the density is the noise's times the determinant that autograd finds."""
    X = _table()
    model = fitted(estimator, X, dtype="float64")
    if not isinstance(getattr(model, "module_", None), Flow):
        return
    Z = model.transform(X)
    assert_allclose(model.inverse_transform(Z), X, rtol=1e-5, atol=1e-5)

    def encode(row: torch.Tensor) -> torch.Tensor:
        return model.module_.encode(row[None])[0]

    for row, z, score in zip(X[:5], Z, model.score_samples(X), strict=False):
        jacobian = torch.autograd.functional.jacobian(encode, torch.from_numpy(row))
        log_det = torch.linalg.slogdet(jacobian).logabsdet.item()
        expected = log_det + model.module_.base(torch.from_numpy(z[None])).item()
        assert_allclose(score, expected, rtol=1e-6, atol=1e-6)


def check_class_asked_is_class_given(estimator: Any) -> None:
    """Rows lie where those of their class do; without y, classes are as frequent as they were."""
    X, y = _classes()
    model = fitted(estimator, X, y, conditional=True)

    def classes(rows: NDArray[Any]) -> NDArray[Any]:
        return np.where(rows.sum(axis=1) > 0, "rare", "usual")

    for asked in ("rare", "usual"):
        right = np.mean(classes(model.sample(200, y=asked, random_state=0)) == asked)
        assert right >= 0.95, f"{right:.0%} of the rows asked for as {asked!r} are such"
    each = np.array(["rare", "usual"] * 100)
    right = np.mean(classes(model.sample(200, y=each, random_state=0)) == each)
    assert right >= 0.95, f"{right:.0%} of the rows have the class asked for by an array"
    share = np.mean(classes(model.sample(1000, random_state=0)) == "rare")
    assert abs(share - 0.25) < 0.08, f"the class of a quarter of the data has share {share:.2f}"
    repeated = np.full(4, "rare")
    assert_array_equal(
        model.sample(4, y="rare", random_state=0), model.sample(4, y=repeated, random_state=0)
    )
    assert_array_equal(
        model.sample(y=repeated, random_state=0), model.sample(4, y=repeated, random_state=0)
    )
    assert len(model.sample(y="rare")) == 1


def check_bad_classes(estimator: Any) -> None:
    """Classes never seen, of another number than the rows, or not there at all are refused."""
    X, y = _classes(40)
    model = fitted(estimator, X, y, conditional=True, max_epochs=1)
    assert_refuses(partial(model.sample, 3, y="unheard of"), "unheard of", "rare")
    assert_refuses(partial(model.sample, 3, y=["rare", "rare"]), "shape", "3")
    assert_refuses(partial(fitted, estimator, X, conditional=True), "requires y")
    assert_refuses(partial(fitted, estimator, X, y[:-1], conditional=True), "inconsistent")
    plain = fitted(estimator, X, y, conditional=False, max_epochs=1)
    assert_refuses(partial(plain.sample, 3, y="rare"), "conditional=True")


def check_scores_of_classes(estimator: Any) -> None:
    """The score without a class is the mixture of the scores in each."""
    X, y = _classes(80)
    model = fitted(estimator, X, y, conditional=True, dtype="float64")
    if not hasattr(model, "score_samples"):
        return
    joint = [model.score_samples(X, y=c) + np.log(p) for c, p in (("rare", 0.25), ("usual", 0.75))]
    assert_allclose(np.logaddexp(*joint), model.score_samples(X))
