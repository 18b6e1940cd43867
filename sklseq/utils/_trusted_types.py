"""What a file of one of our models names, for those who load it with skops."""

import importlib
import inspect
import pkgutil

from sklearn.base import BaseEstimator

import sklseq
from sklseq.base.state import declared_classes

__all__ = ["trusted_types"]


def trusted_types() -> list[str]:
    """Names of the classes that files of models of this library are made of.

    Give them to skops, together with those of your own that the model holds, such as a cell. So it
    is not the file that says what may be loaded.

    Returns
    -------
    list of str
        Sorted.

    Examples
    --------
    >>> from sklseq.utils import trusted_types
    >>> "sklseq.recurrent._classifiers.GRUClassifier" in trusted_types()
    True
    """
    classes: set[type] = set()
    for package in pkgutil.iter_modules(sklseq.__path__):
        if package.name.startswith("_") or not package.ispkg:
            continue
        module = importlib.import_module(f"sklseq.{package.name}")
        public = [getattr(module, name) for name in getattr(module, "__all__", ())]
        for item in public:
            if inspect.isclass(item) and issubclass(item, BaseEstimator):
                classes |= declared_classes(item)
    ours = {f"{c.__module__}.{c.__qualname__}" for c in classes}
    return sorted(name for name in ours if name.startswith("sklseq."))
