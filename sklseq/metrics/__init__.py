"""Metrics and scorers for targets that have one value for each step of a sequence.

Importing this package makes the scorers known to scikit-learn by their names, as in
`GridSearchCV(..., scoring="step_accuracy")`.
"""

from sklseq._scorer_registry import register_scorers
from sklseq.metrics._classification import (
    sequence_accuracy_score,
    step_accuracy_score,
    step_f1_score,
)
from sklseq.metrics._regression import masked_r2_score
from sklseq.metrics._scorers import (
    masked_r2,
    sequence_accuracy,
    step_accuracy,
    step_f1_macro,
    step_f1_weighted,
)

__all__ = [
    "masked_r2",
    "masked_r2_score",
    "sequence_accuracy",
    "sequence_accuracy_score",
    "step_accuracy",
    "step_accuracy_score",
    "step_f1_macro",
    "step_f1_score",
    "step_f1_weighted",
]

register_scorers(
    {
        "masked_r2": masked_r2,
        "sequence_accuracy": sequence_accuracy,
        "step_accuracy": step_accuracy,
        "step_f1_macro": step_f1_macro,
        "step_f1_weighted": step_f1_weighted,
    }
)
