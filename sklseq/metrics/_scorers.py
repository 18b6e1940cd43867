"""The metrics as scorers, for model selection."""

from sklearn.metrics import make_scorer

from sklseq.metrics._classification import (
    sequence_accuracy_score,
    step_accuracy_score,
    step_f1_score,
)
from sklseq.metrics._regression import masked_r2_score

step_accuracy = make_scorer(step_accuracy_score)
sequence_accuracy = make_scorer(sequence_accuracy_score)
# Without pos_label=None, scikit-learn would ask that 1 be a class of binary problems.
step_f1_macro = make_scorer(step_f1_score, average="macro", pos_label=None)
step_f1_weighted = make_scorer(step_f1_score, average="weighted", pos_label=None)
masked_r2 = make_scorer(masked_r2_score)
