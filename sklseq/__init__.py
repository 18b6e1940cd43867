"""Sequences, trees and neural generators as scikit-learn estimators."""

import importlib
from types import ModuleType

__version__ = "0.1.0"

_SUBPACKAGES = (
    "autoencoder",
    "datasets",
    "generative",
    "inspection",
    "metrics",
    "preprocessing",
    "recurrent",
    "recursive",
    "reservoir",
    "utils",
)

__all__ = ["__version__", *_SUBPACKAGES]


def __getattr__(name: str) -> ModuleType:
    # `importlib` is not imported by its functions: a file that skops reads may name whatever
    # function has a name of ours, and have it called.
    # Lazy (PEP 562): torch is imported by the families that need it, not by `import sklseq`.
    if name in _SUBPACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
