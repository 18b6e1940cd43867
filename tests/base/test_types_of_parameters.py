"""Parameters of numpy's types, as grids give them; True and False are no numbers."""

from numbers import Integral, Real

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification

from sklseq._compat.sklearn import Interval, InvalidParameterError
from sklseq.utils import all_estimators

ESTIMATORS = dict(all_estimators())
METHODS = ("predict", "transform", "score_samples")
each = pytest.mark.parametrize("cls", ESTIMATORS.values(), ids=ESTIMATORS)
pytestmark = pytest.mark.filterwarnings("ignore:Posterior collapse")


def quick(cls):
    wanted = {"max_epochs": 2, "random_state": 0, "n_components": 2, "channels": (4,)}
    known = cls().get_params()
    return cls(**{name: value for name, value in wanted.items() if name in known})


def numbers_of(cls, kind):
    """Names of parameters that are numbers of this kind."""
    for name, allowed in cls._parameter_constraints.items():
        if any(isinstance(c, Interval) and c.type is kind for c in allowed):
            yield name


def as_numpy(model, integer, real, sequence):
    """The parameters in types of numpy, those that are small in narrow ones."""
    for name, value in model.get_params(deep=False).items():
        if isinstance(value, bool):
            yield name, np.bool_(value)
        elif isinstance(value, int):
            yield name, integer(value) if value < 128 else np.int64(value)
        elif isinstance(value, float):
            yield name, real(value)
        elif isinstance(value, tuple) and value and name != "callbacks":
            yield name, sequence(value)


@each
def test_types_of_numpy_give_the_same_model(cls):
    X, y = make_classification(30, 4, n_redundant=0, random_state=0)
    model = quick(cls)
    expected = clone(model).fit(X, y)
    for kinds in ((np.int64, np.float64, np.array), (np.int8, np.longdouble, list)):
        given = dict(as_numpy(model, *kinds))
        found = clone(model).set_params(**given).fit(X, y)
        assert all(found.get_params()[name] is value for name, value in given.items())
        for method in METHODS:
            if hasattr(found, method):
                assert_array_equal(getattr(found, method)(X), getattr(expected, method)(X))
        clone(found)


@each
def test_true_is_not_a_number(cls):
    for kind in (Integral, Real):
        for name in numbers_of(cls, kind):
            if "boolean" in cls._parameter_constraints[name]:
                continue
            for value in (True, False, np.True_):
                with pytest.raises(InvalidParameterError, match=f"'{name}' parameter"):
                    quick(cls).set_params(**{name: value}).fit([[0.0, 1.0]] * 4, [0, 1] * 2)


@each
def test_a_failed_fit_gives_parameters_back_as_they_were(cls):
    model = quick(cls)
    given = dict(as_numpy(model, np.int64, np.float64, np.array))
    model.set_params(**given)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        model.fit([[np.inf, 1.0]] * 4, [0, 1] * 2)
    assert all(model.get_params()[name] is value for name, value in given.items())
