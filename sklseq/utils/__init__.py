"""Finding all estimators, checking estimators of sequences and generators, and ONNX."""

from sklseq.utils._discovery import all_estimators
from sklseq.utils._generator_checks import check_generator, generator_checks
from sklseq.utils._onnx import to_onnx
from sklseq.utils._sequence_checks import check_sequence_estimator, sequence_checks
from sklseq.utils._trusted_types import trusted_types

__all__ = [
    "all_estimators",
    "check_generator",
    "check_sequence_estimator",
    "generator_checks",
    "sequence_checks",
    "to_onnx",
    "trusted_types",
]
