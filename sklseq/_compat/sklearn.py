"""What scikit-learn keeps private or experimental, imported in this one place.

A scikit-learn release that moves one of these names is followed here and nowhere else.
"""

from typing import Any

from sklearn.base import _fit_context as fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
    make_constraint,
)
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_feature_names, _check_sample_weight

__all__ = [
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "StrOptions",
    "callback_attributes",
    "check_feature_names",
    "check_matplotlib_support",
    "check_sample_weight",
    "fit_context",
    "make_constraint",
    "output_container",
]

check_feature_names = _check_feature_names
check_sample_weight = _check_sample_weight


def output_container(transformer: object) -> str:
    """What `set_output` or the global configuration asks of `transform`, such as "pandas"."""
    return _get_output_config("transform", transformer)["dense"]


def callback_attributes(estimator: object) -> dict[str, Any]:
    """What scikit-learn keeps on an estimator of its callbacks and of a fit under way."""
    kept = ("_callback_fit_ctx", "_parent_callback_ctx", "_skl_callbacks_to_teardown")
    return {name: value for name, value in vars(estimator).items() if name in kept}
