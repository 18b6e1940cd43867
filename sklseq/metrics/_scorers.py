"""The metrics as scorers, for model selection."""

from typing import Any

from sklearn.metrics import make_scorer

from sklseq._compat.scorers import register
from sklseq.metrics._classification import (
    sequence_accuracy_score,
    step_accuracy_score,
    step_f1_score,
)
from sklseq.metrics._edit_distance import edit_distance_rate, exact_match_score
from sklseq.metrics._generation import (
    classifier_two_sample_score,
    density_coverage,
    energy_distance,
    maximum_mean_discrepancy,
    sliced_wasserstein_distance,
)
from sklseq.metrics._ngrams import bleu_score, chrf_score
from sklseq.metrics._perplexity import sequence_perplexity
from sklseq.metrics._regression import masked_r2_score
from sklseq.metrics._sample_scorers import SampleScorer
from sklseq.metrics._steps import StepTargets
from sklseq.metrics._symbols import as_symbols

step_accuracy = make_scorer(step_accuracy_score)
sequence_accuracy = make_scorer(sequence_accuracy_score)
# Without pos_label=None, scikit-learn would ask that 1 be a class of binary problems.
step_f1_macro = make_scorer(step_f1_score, average="macro", pos_label=None)
step_f1_weighted = make_scorer(step_f1_score, average="weighted", pos_label=None)

exact_match = make_scorer(exact_match_score)
neg_edit_distance_rate = make_scorer(edit_distance_rate, greater_is_better=False)
bleu = make_scorer(bleu_score)
chrf = make_scorer(chrf_score)

neg_energy_distance = SampleScorer(energy_distance)
neg_maximum_mean_discrepancy = SampleScorer(maximum_mean_discrepancy)
neg_sliced_wasserstein = SampleScorer(sliced_wasserstein_distance)
neg_classifier_two_sample = SampleScorer(classifier_two_sample_score)


def _coverage(X: Any, samples: Any) -> float:
    """Share of the rows' neighborhoods with a sample (see `density_coverage`)."""
    return density_coverage(X, samples)[1]


sample_coverage = SampleScorer(_coverage, sign=1)


def masked_r2(
    estimator: Any, X: Any, y_true: Any, sample_weight: StepTargets | None = None
) -> float:
    """Score an estimator by `masked_r2_score`.

    The rows of a table X are the rows of y, so a 2-D y holds outputs there, and steps elsewhere.
    """
    score = masked_r2_score(
        y_true,
        estimator.predict(X),
        sample_weight=sample_weight,
        panel=getattr(X, "ndim", None) != 2,
    )
    return float(score)


def neg_perplexity(estimator: Any, X: Any, y_true: Any, sample_weight: Any = None) -> float:
    """Minus the `sequence_perplexity` of given outputs, from ``score_sequences``; larger is better.

    The end of each output counts as a symbol. It needs no search, and tells models apart that
    have few outputs entirely right.
    """
    lengths = [len(as_symbols(row, f"Sequence {i} of y")) + 1 for i, row in enumerate(y_true)]
    log_probabilities = estimator.score_sequences(X, y_true)
    return -sequence_perplexity(log_probabilities, lengths, sample_weight=sample_weight)


def register_scorers() -> None:
    """Make the scorers of this package known to scikit-learn by name.

    Afterwards ``scoring="step_accuracy"`` means ``scoring=sklseq.metrics.step_accuracy`` in
    `GridSearchCV`, `cross_val_score` and wherever else scikit-learn takes the name of a scorer.
    Names that scikit-learn has are kept; a second call changes nothing. The scorers themselves
    work without this call, also in worker processes, each of which would need a call of its own
    for a search within a search.

    Raises
    ------
    ImportError
        If this release of scikit-learn keeps its table of scorers where it is not found.

    Examples
    --------
    >>> from sklearn.metrics import get_scorer
    >>> from sklseq.metrics import register_scorers
    >>> register_scorers()
    >>> get_scorer("step_accuracy")
    make_scorer(step_accuracy_score, response_method='predict')
    """
    register(
        {
            "bleu": bleu,
            "chrf": chrf,
            "exact_match": exact_match,
            "masked_r2": masked_r2,
            "neg_classifier_two_sample": neg_classifier_two_sample,
            "neg_edit_distance_rate": neg_edit_distance_rate,
            "neg_energy_distance": neg_energy_distance,
            "neg_maximum_mean_discrepancy": neg_maximum_mean_discrepancy,
            "neg_perplexity": neg_perplexity,
            "neg_sliced_wasserstein": neg_sliced_wasserstein,
            "sample_coverage": sample_coverage,
            "sequence_accuracy": sequence_accuracy,
            "step_accuracy": step_accuracy,
            "step_f1_macro": step_f1_macro,
            "step_f1_weighted": step_f1_weighted,
        }
    )
