"""Normalizing flows: invertible transforms that return value and log-determinant in one pass."""

from sklseq.nn.flows.couplings import AffineCoupling, SplineCoupling
from sklseq.nn.flows.density import Flow
from sklseq.nn.flows.linear import LULinear
from sklseq.nn.flows.scaling import ActNorm, ClassNorm
from sklseq.nn.flows.transforms import Composition, Permutation, Transform

__all__ = [
    "ActNorm",
    "AffineCoupling",
    "ClassNorm",
    "Composition",
    "Flow",
    "LULinear",
    "Permutation",
    "SplineCoupling",
    "Transform",
]
