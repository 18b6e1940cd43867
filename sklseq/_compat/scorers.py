"""Makes scorers known to scikit-learn by name.

scikit-learn has no public way to do this. It keeps a table of scorers, and, in the
parameter constraints of each class and function with a `scoring` parameter, a copy of the
names that the table held when the module was imported. Both must learn a new name.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType
from typing import Any

from sklseq._compat.sklearn import SCORERS, StrOptions

_registered: set[str] = set()


def register_scorers(scorers: Mapping[str, Callable[..., float]]) -> None:
    """Let scikit-learn find scorers by name, as in `GridSearchCV(..., scoring="name")`.

    Only adds: no scorer and no constraint of scikit-learn is replaced. Modules of
    scikit-learn that are not imported yet are left alone, since they read the table when
    they are. Registering a name a second time replaces the scorer.

    Parameters
    ----------
    scorers : mapping of str to callable
        Scorers as `sklearn.metrics.make_scorer` returns them, by name.

    Raises
    ------
    ValueError
        If a name belongs to a scorer that was not registered here.

    Examples
    --------
    >>> from sklearn.metrics import get_scorer
    >>> import sklseq.metrics
    >>> get_scorer("step_accuracy")
    make_scorer(step_accuracy_score, response_method='predict')
    """
    taken = sorted((scorers.keys() & SCORERS.keys()) - _registered)
    if taken:
        raise ValueError(f"scikit-learn already has scorers with these names: {taken}.")
    SCORERS.update(scorers)
    _registered.update(scorers)
    for allowed in _scoring_constraints():
        # Other parameters named `scoring` may allow only a few words of their own.
        if isinstance(allowed, StrOptions) and {"accuracy", "r2"} <= allowed.options:
            allowed.options.update(scorers)


def _scoring_constraints() -> Iterator[Any]:
    """Yield what each imported `scoring` parameter of scikit-learn may be."""
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] != "sklearn":
            continue
        for item in list(vars(module).values()):
            if isinstance(item, type):
                constraints = vars(item).get("_parameter_constraints")
            elif isinstance(item, FunctionType):
                constraints = getattr(item, "_skl_parameter_constraints", None)
            else:
                continue
            if isinstance(constraints, dict):
                allowed = constraints.get("scoring")
                yield from allowed if isinstance(allowed, list) else ()
