"""Trees from JSON: text, or the dicts and lists that it spells."""

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

from sklseq.data.trees.values import Nodes
from sklseq.data.trees.walk import walk

__all__ = ["read_json"]


class _Member(NamedTuple):
    """A key of an object with its value."""

    key: Any
    value: Any


class _Object(list[_Member]):
    """The members of an object as they stand in a text, where a key may come twice."""

    @classmethod
    def of(cls, pairs: Iterable[tuple[Any, Any]]) -> "_Object":
        return cls(_Member(*pair) for pair in pairs)


def read_json(tree: Any, place: str) -> Nodes:
    """A node for each object, array, key and value.

    Raises
    ------
    ValueError
        If a text is not JSON; the tree is named.
    """
    if isinstance(tree, (str, bytes, bytearray)):
        try:
            tree = _parse(tree)
        except ValueError as error:
            raise ValueError(f"{place} is not JSON: {error}.") from error
    return walk(tree, place, _visit)._replace(may_mix=True)


def _visit(node: Any) -> tuple[Any, Iterable[Any]]:
    if isinstance(node, _Member):
        key = node.key if isinstance(node.key, str) else json.dumps(node.key)
        return key, (node.value,)
    if isinstance(node, dict):
        return "object", _Object.of(node.items())
    if isinstance(node, _Object):
        return "object", node
    if isinstance(node, (list, tuple)):
        return "array", node
    if node is None or isinstance(node, bool):
        return {None: "null", True: "true", False: "false"}[node], ()
    return (_as_float(node) if isinstance(node, (Real, Decimal)) else node), ()


def _as_float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else -float("inf")


# Integers of any length are read as what they are taken for.
_DECODER = json.JSONDecoder(parse_int=float, object_pairs_hook=_Object.of)
_SPACE = re.compile(r"[ \t\n\r]*")


def _parse(text: str | bytes | bytearray) -> Any:
    if not isinstance(text, str):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    try:
        return _DECODER.decode(text)
    except RecursionError:
        return _parse_deep(text)


def _parse_deep(text: str) -> Any:
    """The same without recursion: the text between brackets is json's."""
    open_values: list[list[Any]] = []
    keys: list[str] = []
    at = _skip(text, 0)
    while True:
        first = text[at : at + 1]
        if first in ("[", "{"):
            value: Any = [] if first == "[" else _Object()
            at = _skip(text, at + 1)
            if text[at : at + 1] != _closing(value):
                open_values.append(value)
                at = _read_key(text, at, value, keys)
                continue
            at += 1
        else:
            value, at = _DECODER.raw_decode(text, at)
        while True:  # the value is whole: it belongs to the innermost open one
            at = _skip(text, at)
            if not open_values:
                if at < len(text):
                    raise json.JSONDecodeError("Extra data", text, at)
                return value
            parent = open_values[-1]
            parent.append(_Member(keys.pop(), value) if isinstance(parent, _Object) else value)
            if text[at : at + 1] == ",":
                at = _read_key(text, _skip(text, at + 1), parent, keys)
                break
            if text[at : at + 1] != _closing(parent):
                raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
            value, at = open_values.pop(), at + 1


def _read_key(text: str, at: int, parent: list[Any], keys: list[str]) -> int:
    """Where the next value of an open array or object begins, after its key."""
    if not isinstance(parent, _Object):
        return at
    if text[at : at + 1] != '"':
        raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
    key, at = _DECODER.raw_decode(text, at)
    keys.append(key)
    at = _skip(text, at)
    if text[at : at + 1] != ":":
        raise json.JSONDecodeError("Expecting ':' delimiter", text, at)
    return _skip(text, at + 1)


def _closing(value: list[Any]) -> str:
    return "}" if isinstance(value, _Object) else "]"


def _skip(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]
