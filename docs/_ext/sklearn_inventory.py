"""The names of scikit-learn and their pages, from the installed package, for builds without a
network."""

import inspect
import zlib
from itertools import takewhile
from pathlib import Path

from sklearn.utils.discovery import all_displays, all_estimators, all_functions

# What docstrings that are inherited from scikit-learn refer to, beside its names.
LABELS = {
    "df_output_transform": "auto_examples/miscellaneous/plot_set_output.html",
    "metadata_routing": "metadata_routing.html",
    "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": (
        "auto_examples/miscellaneous/plot_set_output.html"
    ),
}
TERMS = ["classes_", "meta-estimator"]


def write_inventory(path: Path) -> None:
    """Write an inventory for intersphinx, by the scheme of the pages of scikit-learn's site."""
    lines = []
    found = [*all_estimators(), *all_displays(), *all_functions()]
    for name, item in found:
        module = ".".join(takewhile(lambda part: part[0] != "_", item.__module__.split(".")))
        role = "class" if inspect.isclass(item) else "function"
        full = f"{module}.{name}"
        lines.append(f"{full} py:{role} 1 modules/generated/{full}.html -")
    lines += [f"{label} std:label -1 {page} {label}" for label, page in LABELS.items()]
    lines += [f"{term} std:term -1 glossary.html#term-{term} -" for term in TERMS]
    path.parent.mkdir(exist_ok=True)
    head = "# Sphinx inventory version 2\n# Project: scikit-learn\n# Version: \n"
    head += "# The remainder of this file is compressed using zlib.\n"
    path.write_bytes(head.encode() + zlib.compress("\n".join([*lines, ""]).encode()))
