"""Sequences, trees and neural generators as scikit-learn estimators."""

import importlib
from types import ModuleType

__version__ = "0.1.0"

_SUBPACKAGES = (
    "autoencoder",
    "datasets",
    "forecasting",
    "generative",
    "inspection",
    "metrics",
    "preprocessing",
    "recurrent",
    "recursive",
    "reservoir",
    "seq2seq",
    "utils",
)

_ESTIMATORS = {
    "autoencoder": (
        "Autoencoder",
        "ContractiveAutoencoder",
        "ConvolutionalAutoencoder",
        "DenoisingAutoencoder",
        "SequenceAutoencoder",
        "SparseAutoencoder",
    ),
    "forecasting": (
        "BlendForecaster",
        "SeasonalNaive",
        "ThetaForecaster",
        "TransformedForecaster",
        "WindowRegressor",
    ),
    "generative": (
        "AAE",
        "GAN",
        "GenerativeOverSampler",
        "Glow",
        "RealNVP",
        "SequenceVAE",
        "VAE",
    ),
    "preprocessing": ("PerStep",),
    "recurrent": (
        "GRUClassifier",
        "GRURegressor",
        "LSTMClassifier",
        "LSTMRegressor",
        "RNNClassifier",
        "RNNRegressor",
        "ReNetClassifier",
        "ReNetRegressor",
        "RecurrentClassifier",
        "RecurrentForecaster",
        "RecurrentLanguageModel",
        "RecurrentRegressor",
        "RecurrentTransformer",
    ),
    "recursive": (
        "RecursiveAutoencoder",
        "RecursiveClassifier",
        "RecursiveRegressor",
        "RecursiveTransformer",
    ),
    "reservoir": (
        "ESNClassifier",
        "ESNForecaster",
        "ESNRegressor",
        "ESNSearchCV",
        "ESNTransformer",
        "LiquidStateTransformer",
    ),
    "seq2seq": ("Seq2SeqClassifier", "Seq2SeqRegressor"),
}
_PACKAGE_OF = {name: package for package, names in _ESTIMATORS.items() for name in names}

__all__ = ["__version__", *_SUBPACKAGES]


def __getattr__(name: str) -> ModuleType | type:
    # `importlib` is not imported by its functions: a file that skops reads may name whatever
    # function has a name of ours, and have it called.
    # Lazy (PEP 562): torch is imported by the families that need it, not by `import sklseq`.
    if name in _SUBPACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _PACKAGE_OF:
        found: type = getattr(importlib.import_module(f"{__name__}.{_PACKAGE_OF[name]}"), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_PACKAGE_OF])
