"""What other libraries keep private is used in `sklseq._compat` alone."""

import re
from pathlib import Path

import sklseq

PRIVATE = re.compile(
    r"""
    ^\s*(from|import)\s+(sklearn|torch|skorch|joblib|scipy)\S*\._        # import sklearn._x
    | ^\s*from\s+(sklearn|torch|skorch|joblib|scipy)\S*\s+import[^#]*\b_  # from sklearn import _x
    | \b(sklearn|torch|skorch|joblib|scipy|np)(\.\w+)*\._[a-z]            # torch._x
    | \bops\.aten\b
    """,
    re.VERBOSE,
)


def test_private_names_of_other_libraries_are_used_in_one_place():
    assert PRIVATE.search("from sklearn.utils._x import y")
    assert PRIVATE.search("from sklearn.utils import a, _x")
    assert PRIVATE.search("torch._foreach_lerp_(")
    package = Path(sklseq.__file__).parent
    found = [
        f"{path.relative_to(package)}:{number}: {line.strip()}"
        for path in sorted(package.rglob("*.py"))
        if path.parent.name != "_compat"
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if PRIVATE.search(line)
    ]
    assert not found, "\n".join(found)
