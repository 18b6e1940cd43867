"""Docstrings of estimators: made from declared parameters, with paragraphs that many share."""

import inspect
import re
import textwrap
from dataclasses import MISSING
from typing import Any

from sklseq._compat.sklearn import make_constraint

__all__ = ["assemble_docstring", "fill_paragraphs", "fitted_attributes"]

# Each stands for a line ``{{name}}`` in the docstring of a method.
_PARAGRAPHS = {
    "X: sequences": "``(n_sequences, n_steps, n_features)`` array; list or object array of "
    "``(n_steps, n_features)`` or ``(n_steps,)`` arrays; ``(n_sequences, n_steps)`` array; "
    "DataFrame with a (sequence, time) MultiIndex; list or dict of DataFrames.",
    "X: sequences or symbols": "``(n_sequences, n_steps, n_features)`` array; list or object array "
    "of ``(n_steps, n_features)`` or ``(n_steps,)`` arrays or of symbol sequences; "
    "``(n_sequences, n_steps)`` array; DataFrame with a (sequence, time) MultiIndex; list or dict "
    "of DataFrames.",
    "X: one series": 'With ``target="step"`` also ``(n_steps, n_features)``, one series.',
    "X: images": "``(n_images, height, width)`` or ``(n_images, height, width, n_channels)`` "
    "array; list or object array of such images, which may differ in height and width; table with "
    "an image in each row, see `image_shape`.",
    "X: trees": "A list, or 1-D object array, of trees in any form that `reader` knows; a table "
    "``(n_rows, n_steps)`` or an array ``(n_sequences, n_steps, n_features)``, composed as "
    "balanced binary trees.",
    "validation": "Data that `early_stopping` goes by, instead of a part of X that is held out. "
    "They are read as they would be after `fit`: scales, initial weights and classes come from X "
    "alone.",
    "groups": "Group of each row, sequence, image or tree of X; of steps the same throughout a "
    "sequence. `early_stopping` holds out `validation_fraction` of the groups, as wholes.",
    "context": "What is known of each sequence as a whole, such as an age or a place; a DataFrame, "
    "too. Numbers are centered and scaled inside; `context_as` says how they reach the network. Of "
    "one series also of shape (n_context_features,). To be given wherever X is, once `fit` had it.",
    "unchanged": "If X, y or a parameter is not valid, or training diverges; the estimator is then "
    "as it was before.",
}


def fitted_attributes(cls: type) -> dict[str, tuple[str, str]]:
    """The `_attributes` of a class and its bases: type and documentation line by name."""
    found: dict[str, tuple[str, str]] = {}
    for klass in reversed(cls.__mro__):
        found |= klass.__dict__.get("_attributes", {})
    return found


def fill_paragraphs(cls: type) -> None:
    """Put shared paragraphs into the docstrings of the methods that the class defines."""
    for method in vars(cls).values():
        # Methods that are available under a condition are wrapped.
        for function in (method, getattr(method, "fn", None)):
            doc = getattr(function, "__doc__", None)
            if doc and "{{" in doc:
                function.__doc__ = re.sub(
                    r"^( *)\{\{(.*)\}\}$", _paragraph, doc, flags=re.MULTILINE
                )


def _paragraph(match: re.Match[str]) -> str:
    indent, names = match.groups()
    text = " ".join(_PARAGRAPHS[name] for name in names.split("}} {{"))
    # Code is not broken over lines.
    text = re.sub("``.*?``", lambda code: code.group().replace(" ", "\0"), text)
    filled = textwrap.fill(text, 100, initial_indent=indent, subsequent_indent=indent)
    return filled.replace("\0", " ")


def _describe(constraint: Any) -> str:
    if constraint is None:
        return "None"
    text = str(make_constraint(constraint))
    text = re.sub(r"^(an instance of|a|an) ", "", text)
    if text.startswith("str among "):
        names = sorted(make_constraint(constraint).options)
        return "{" + ", ".join(map(repr, names)) + "}"
    return {"'numpy.random.mtrand.RandomState'": "RandomState instance"}.get(text, text)


def _type_line(declared: Any) -> str:
    allowed = declared.metadata["allowed"]
    if "random_state" in allowed:
        kinds = ["int, RandomState instance or None"]
    else:
        kinds = [
            "bool" if c == "boolean" else c.__name__ if isinstance(c, type) else _describe(c)
            for c in allowed
        ]
    return f"{declared.name} : {' or '.join(kinds)}, default={declared.default!r}"


def assemble_docstring(
    doc: str, declared: list[Any], attributes: dict[str, tuple[str, str]]
) -> str:
    """Put "Parameters" and "Attributes" between the description and the other sections."""
    lines = inspect.cleandoc(doc).splitlines()
    cut = next(
        (i - 1 for i in range(1, len(lines)) if re.fullmatch(r"-{3,}", lines[i].strip())),
        len(lines),
    )
    blocks = ["\n".join(lines[:cut]).rstrip()]
    if declared:
        assert all(f.default is not MISSING for f in declared)
        entries = [f"{_type_line(f)}\n{_indent(f.metadata['doc'])}" for f in declared]
        blocks.append("Parameters\n----------\n" + "\n\n".join(entries))
    if attributes:
        entries = [f"{name} : {kind}\n{_indent(text)}" for name, (kind, text) in attributes.items()]
        blocks.append("Attributes\n----------\n" + "\n\n".join(entries))
    if cut < len(lines):
        blocks.append("\n".join(lines[cut:]).rstrip())
    return "\n\n".join(blocks) + "\n"


def _indent(text: str) -> str:
    return textwrap.fill(
        " ".join(text.split()), 92, initial_indent="    ", subsequent_indent="    "
    )
