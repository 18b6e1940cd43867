"""Functions of Python's standard library as trees."""

import ast
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from sklseq.datasets._common import object_array

# Fields that hold a name of the programmer's.
_NAMES = ("id", "attr", "arg", "name")


def load_python_functions(
    modules: Iterable[str] | None = None, *, identifiers: bool = True, return_X_y: bool = False
) -> Bunch | tuple[NDArray[np.object_], NDArray[np.str_]]:
    """Load the functions of Python's standard library: syntax trees, and their names.

    They are read from the sources that this Python runs on; nothing is downloaded. A tree is that
    of ``ast`` without the function's name; where the function names itself, it is "<self>".

    Parameters
    ----------
    modules : iterable of str or None, default=None
        Files or folders of the library to read, such as "json" and "ast.py"; None reads all,
        which takes about a minute.
    identifiers : bool, default=True
        Whether names of variables, attributes, arguments and inner functions are leaves of the
        tree; else it has types of nodes only.
    return_X_y : bool, default=False
        Whether to return `(data, target)` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        data : ndarray of shape (n_functions,) and dtype object
            A nested tuple ``(node type, child, ...)`` for each function.
        target : ndarray of shape (n_functions,) and dtype str
            The name of each.
        files : ndarray of shape (n_functions,) and dtype str
            Where it stands, from the library's folder.
    (data, target) : tuple if `return_X_y` is True
        The first two of these.

    Raises
    ------
    ValueError
        If one of the `modules` is not there.

    Examples
    --------
    >>> from sklseq.datasets import load_python_functions
    >>> X, y = load_python_functions(["bisect.py"], return_X_y=True)
    >>> y.tolist()
    ['insort_right', 'bisect_right', 'insort_left', 'bisect_left']
    >>> X[0][0]
    'FunctionDef'
    """
    library = Path(sysconfig.get_path("stdlib"))
    trees, names, files = [], [], []
    for file in _files(library, modules):
        for function in _functions(file):
            trees.append(_tree(function, identifiers))
            names.append(function.name)
            files.append(file.relative_to(library).as_posix())
    data, target = object_array(trees), np.array(names, dtype=str)
    if return_X_y:
        return data, target
    return Bunch(data=data, target=target, files=np.array(files, dtype=str))


def _files(library: Path, modules: Iterable[str] | None) -> list[Path]:
    if modules is None:
        places = [library]
    else:
        places = [library / name for name in modules]
        for place in places:
            if not place.exists():
                raise ValueError(f"modules names {place.name!r}, which is not in {library}.")
    found = {f for p in places for f in (p.rglob("*.py") if p.is_dir() else [p])}
    foreign = ("site-packages", "dist-packages")
    return sorted(f for f in found if not set(foreign) & set(f.relative_to(library).parts))


def _functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sources of tests have escapes of doubtful worth
            module = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # there to test the compiler
        return
    for node in ast.walk(module):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def _tree(node: Any, identifiers: bool, own: str | None = None) -> tuple[Any, ...]:
    """The tree of a function; `own` is its name, which is hidden."""
    children: list[tuple[Any, ...]] = []
    if own is None:
        own = node.name
    elif identifiers:
        names = (getattr(node, field, None) for field in _NAMES)
        children = [("<self>" if name == own else name,) for name in names if isinstance(name, str)]
    children += [
        _tree(child, identifiers, own)
        for child in ast.iter_child_nodes(node)
        if not isinstance(child, ast.expr_context)
    ]
    return (type(node).__name__, *children)
