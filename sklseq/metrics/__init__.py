"""Metrics and scorers for values per step, symbols, forecasts, and samples of generators.

`flatten_steps` and `flatten_nodes` give scikit-learn's reports what they take.

Scorers are passed as they are, `GridSearchCV(..., scoring=sklseq.metrics.step_accuracy)`, or, after
`sklseq.metrics.register_scorers()`, by name, `scoring="step_accuracy"`.
"""

from sklseq.metrics._classification import (
    sequence_accuracy_score,
    step_accuracy_score,
    step_f1_score,
)
from sklseq.metrics._edit_distance import edit_distance, edit_distance_rate, exact_match_score
from sklseq.metrics._flatten import flatten_nodes, flatten_steps
from sklseq.metrics._forecasts import (
    crps_samples,
    interval_coverage,
    mean_absolute_scaled_error,
    normalized_root_mean_squared_error,
    symmetric_mean_absolute_percentage_error,
    valid_prediction_time,
)
from sklseq.metrics._generation import (
    classifier_two_sample_score,
    density_coverage,
    energy_distance,
    maximum_mean_discrepancy,
    nearer_to_train_share,
    sliced_wasserstein_distance,
    train_synthetic_test_real_score,
)
from sklseq.metrics._ngrams import bleu_score, chrf_score
from sklseq.metrics._perplexity import sequence_perplexity
from sklseq.metrics._regression import masked_r2_score
from sklseq.metrics._rows import sequence_summaries
from sklseq.metrics._sample_scorers import SampleScorer, SyntheticTrainingScorer
from sklseq.metrics._scorers import (
    bleu,
    chrf,
    exact_match,
    masked_r2,
    neg_classifier_two_sample,
    neg_edit_distance_rate,
    neg_energy_distance,
    neg_maximum_mean_discrepancy,
    neg_perplexity,
    neg_sliced_wasserstein,
    register_scorers,
    sample_coverage,
    sequence_accuracy,
    step_accuracy,
    step_f1_macro,
    step_f1_weighted,
)

__all__ = [
    "SampleScorer",
    "SyntheticTrainingScorer",
    "bleu",
    "bleu_score",
    "chrf",
    "chrf_score",
    "classifier_two_sample_score",
    "crps_samples",
    "density_coverage",
    "edit_distance",
    "edit_distance_rate",
    "energy_distance",
    "exact_match",
    "exact_match_score",
    "flatten_nodes",
    "flatten_steps",
    "interval_coverage",
    "masked_r2",
    "masked_r2_score",
    "maximum_mean_discrepancy",
    "mean_absolute_scaled_error",
    "nearer_to_train_share",
    "neg_classifier_two_sample",
    "neg_edit_distance_rate",
    "neg_energy_distance",
    "neg_maximum_mean_discrepancy",
    "neg_perplexity",
    "neg_sliced_wasserstein",
    "normalized_root_mean_squared_error",
    "register_scorers",
    "sample_coverage",
    "sequence_accuracy",
    "sequence_accuracy_score",
    "sequence_perplexity",
    "sequence_summaries",
    "sliced_wasserstein_distance",
    "step_accuracy",
    "step_accuracy_score",
    "step_f1_macro",
    "step_f1_score",
    "step_f1_weighted",
    "symmetric_mean_absolute_percentage_error",
    "train_synthetic_test_real_score",
    "valid_prediction_time",
]
