"""The list of all public estimators, found rather than written down."""

import importlib
import inspect
import pkgutil

from sklearn.base import BaseEstimator

import sklseq

__all__ = ["all_estimators"]


def all_estimators() -> list[tuple[str, type[BaseEstimator]]]:
    """All estimators that sklseq's public subpackages export and that need no argument.

    Returns
    -------
    list of (name, class)
        Sorted by name.

    Examples
    --------
    >>> from sklseq.utils import all_estimators
    >>> "LSTMClassifier" in dict(all_estimators())
    True
    """
    found = {}
    for package in pkgutil.iter_modules(sklseq.__path__):
        if package.name.startswith("_") or not package.ispkg:
            continue
        module = importlib.import_module(f"sklseq.{package.name}")
        for name in getattr(module, "__all__", ()):
            item = getattr(module, name)
            # What has no fit is a base class, public for those who build estimators.
            if inspect.isclass(item) and issubclass(item, BaseEstimator) and hasattr(item, "fit"):
                parameters = inspect.signature(item).parameters.values()
                if all(p.default is not p.empty for p in parameters):
                    found[name] = item
    return sorted(found.items())
