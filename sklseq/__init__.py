"""Sequences, trees and neural generators as scikit-learn estimators."""

from importlib import import_module
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
    # Lazy (PEP 562): torch is imported by the families that need it, not by `import sklseq`.
    if name in _SUBPACKAGES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
