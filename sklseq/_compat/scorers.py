"""Makes scorers known to scikit-learn by name.

scikit-learn has no public way to do this. It keeps a table of scorers, and, in the parameter
constraints of each class and function with a `scoring` parameter, a copy of the names that the
table held when the module was imported. A new name must be added to both.
"""

import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sklearn

from sklseq._compat.sklearn import StrOptions

__all__ = ["register"]

_registered: set[str] = set()


def register(scorers: Mapping[str, Callable[..., float]]) -> None:
    """Let scikit-learn find scorers by name, as in `GridSearchCV(..., scoring="name")`.

    Only adds: no scorer and no constraint of scikit-learn is replaced. Modules of scikit-learn
    that are not imported yet read the table when they are. Registering a name a second time
    replaces the scorer.

    Parameters
    ----------
    scorers : mapping of str to callable
        Scorers as `sklearn.metrics.make_scorer` returns them, by name.

    Raises
    ------
    ValueError
        If a name belongs to a scorer that was not registered here.
    ImportError
        If this release of scikit-learn keeps its table of scorers elsewhere.
    """
    table = _table_of_scorers()
    taken = sorted((scorers.keys() & table.keys()) - _registered)
    if taken:
        raise ValueError(f"scikit-learn already has scorers with these names: {taken}.")
    table.update(scorers)
    _registered.update(scorers)
    for allowed in _scoring_constraints():
        # Other parameters named `scoring` may allow only a few words of their own.
        if isinstance(allowed, StrOptions) and {"accuracy", "r2"} <= allowed.options:
            allowed.options.update(scorers)


def _table_of_scorers() -> dict[str, Any]:
    # Imported here, so that a release that moves it breaks nothing but names.
    try:
        from sklearn.metrics._scorer import _SCORERS
    except ImportError as error:
        raise ImportError(
            f"scikit-learn {sklearn.__version__} keeps its table of scorers where sklseq does not "
            "find it, so scorers cannot be given names: pass the scorer itself, as in "
            "scoring=sklseq.metrics.step_accuracy."
        ) from error
    return _SCORERS


def _scoring_constraints() -> Iterator[Any]:
    """Yield what each imported `scoring` parameter of scikit-learn may be."""
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] != "sklearn":
            continue
        for item in list(vars(module).values()):
            if isinstance(item, type):
                constraints = vars(item).get("_parameter_constraints")
            elif isinstance(item, types.FunctionType):
                constraints = getattr(item, "_skl_parameter_constraints", None)
            else:
                continue
            if isinstance(constraints, dict):
                allowed = constraints.get("scoring")
                yield from allowed if isinstance(allowed, list) else ()
