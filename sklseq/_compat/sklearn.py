"""What scikit-learn keeps private or experimental, imported in this one place.

A scikit-learn release that moves one of these names is followed here and nowhere else.
"""

from collections.abc import Hashable
from typing import Any

import numpy as np
from sklearn.base import _fit_context as fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.model_selection import GridSearchCV
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
    make_constraint,
    validate_parameter_constraints,
)
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_feature_names, _check_sample_weight

__all__ = [
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "Number",
    "OrderedGridSearchCV",
    "StrOptions",
    "begin_fit",
    "callback_attributes",
    "check_feature_names",
    "check_matplotlib_support",
    "check_parameters",
    "check_sample_weight",
    "constraints_of",
    "fit_context",
    "make_constraint",
    "output_container",
    "set_constraints",
]

check_feature_names = _check_feature_names
check_sample_weight = _check_sample_weight


def output_container(transformer: object) -> str:
    """What `set_output` or the global configuration asks of `transform`, such as "pandas"."""
    return _get_output_config("transform", transformer)["dense"]


def set_constraints(cls: type, constraints: dict[str, list[Any]]) -> None:
    """Declare what the parameters of an estimator's class may be, which `fit_context` checks."""
    cls._parameter_constraints = constraints  # type: ignore[attr-defined]


def constraints_of(estimator: object) -> dict[str, Any] | None:
    """What its parameters may be; None where that is not declared."""
    return getattr(estimator, "_parameter_constraints", None)


def begin_fit(estimator: Any, n_subtasks: int | None) -> Any:
    """The context by which callbacks follow a fit; None where its length is not known yet."""
    return estimator._init_callback_context(max_subtasks=n_subtasks)


def callback_attributes(estimator: object) -> dict[str, Any]:
    """What scikit-learn keeps on an estimator of its callbacks and of a fit under way."""
    kept = ("_callback_fit_ctx", "_parent_callback_ctx", "_skl_callbacks_to_teardown")
    return {name: value for name, value in vars(estimator).items() if name in kept}


class Number(Interval):
    """An interval without True and False, which Python takes for 1 and 0."""

    def is_satisfied_by(self, val: Any) -> bool:
        return not isinstance(val, (bool, np.bool_)) and super().is_satisfied_by(val)


def check_parameters(cls: Any, values: dict[str, Any]) -> None:
    """Refuse values that the parameters of these names must not have; other names are let be.

    Raises
    ------
    InvalidParameterError
        Which is a ValueError, naming the parameter.
    """
    known = cls._parameter_constraints
    values = {name: value for name, value in values.items() if name in known}
    validate_parameter_constraints(known, values, cls.__name__)


class OrderedGridSearchCV(GridSearchCV):
    """A grid search that evaluates similar candidates one after the other.

    Results come in the order of the grid.
    """

    def _similar(self, candidate: dict[str, Any]) -> Hashable:
        """What candidates have in common that are evaluated together."""
        raise NotImplementedError

    def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        def evaluate_in_order(candidates: Any, **more: Any) -> Any:
            candidates = list(candidates)
            kinds = [self._similar(candidate) for candidate in candidates]
            self._order = sorted(range(len(kinds)), key=lambda i: (kinds.index(kinds[i]), i))
            return evaluate_candidates([candidates[i] for i in self._order], **more)

        super()._run_search(evaluate_in_order, callback_ctx=callback_ctx)

    def _format_results(
        self, candidate_params: Any, n_splits: int, out: Any, more_results: Any = None
    ) -> Any:
        place = sorted(range(len(self._order)), key=self._order.__getitem__)
        candidate_params = [candidate_params[i] for i in place]
        out = [out[i * n_splits + k] for i in place for k in range(n_splits)]
        del self._order
        return super()._format_results(candidate_params, n_splits, out, more_results)
