"""Generative models as scikit-learn estimators: fit, sample and, where it exists, score."""

from sklseq.generative._flows import Glow, RealNVP

__all__ = ["Glow", "RealNVP"]
