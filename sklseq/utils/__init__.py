"""Finding all estimators, and checking estimators of sequences."""

from sklseq.utils._discovery import all_estimators
from sklseq.utils._sequence_checks import check_sequence_estimator, sequence_checks

__all__ = ["all_estimators", "check_sequence_estimator", "sequence_checks"]
