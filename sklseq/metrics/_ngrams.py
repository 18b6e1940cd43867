"""N-grams that predictions share with their references: BLEU and chrF, by sacrebleu."""

import warnings
from collections.abc import Callable
from itertools import zip_longest
from numbers import Integral
from types import ModuleType
from typing import Any

from sklearn.utils.validation import check_scalar

from sklseq.metrics._symbols import SymbolSequences, read_pairs

__all__ = ["bleu_score", "chrf_score"]


def bleu_score(
    y_true: SymbolSequences,
    y_pred: SymbolSequences,
    *,
    multiple_references: bool = False,
    max_ngram_order: int = 4,
) -> float:
    """BLEU of all sequences, over the symbols as they are given.

    The geometric mean of the shares of n-grams that occur in a reference, times the brevity
    penalty. It equals the score of sacrebleu for symbols joined by spaces with
    ``tokenize="none"``: nothing is split, joined or lowered. To compare with published scores
    of texts, call sacrebleu itself on the texts, so that its tokenizer is used.

    Parameters
    ----------
    y_true : array-like of n_sequences sequences
        Each a list or array of symbols (str or int), of any length, or a string, whose
        characters are the symbols (split texts into words first).
    y_pred : array-like of n_sequences sequences
        Predicted sequences; their lengths may differ from those of `y_true`.
    multiple_references : bool, default=False
        Whether an element of `y_true` is a list of sequences; their number may vary.
    max_ngram_order : int, default=4
        Length of the longest n-grams. The score is 0 if all sequences are shorter.

    Returns
    -------
    float
        Between 0 and 100.

    Raises
    ------
    ValueError
        If there are more sequences of one than of the other, or if one (named in the message)
        does not consist of symbols.
    ImportError
        If sacrebleu is not installed.

    Warns
    -----
    UserWarning
        If no reference has `max_ngram_order` symbols.

    See Also
    --------
    edit_distance_rate, chrf_score

    Notes
    -----
    The score is one of the whole set, not a mean over sequences, and has no weights. Orders
    without a match are smoothed as sacrebleu does by default (``smooth_method="exp"``).

    References
    ----------
    K. Papineni et al. (2002). BLEU: a method for automatic evaluation of machine translation.
    ACL. M. Post (2018). A call for clarity in reporting BLEU scores. WMT.

    Examples
    --------
    >>> from sklseq.metrics import bleu_score
    >>> y_true = ["the cat sat on the mat".split()]
    >>> round(bleu_score(y_true, ["the cat sat on a mat".split()]), 1)
    53.7
    """
    check_scalar(max_ngram_order, "max_ngram_order", Integral, min_val=1)
    sacrebleu = _import_sacrebleu("bleu_score")
    references, predictions = read_pairs(y_true, y_pred, multiple_references)
    if all(len(x) < max_ngram_order for found in references for x in found):
        warnings.warn(
            f"No sequence of y_true has {max_ngram_order} symbols, so BLEU is 0 for right "
            "predictions too: set max_ngram_order to a smaller number.",
            UserWarning,
            stacklevel=2,
        )
    # Numbers in the place of symbols, which may contain the spaces that separate them.
    codes: dict[Any, int] = {}

    def numbered(sequence: list[Any]) -> str:
        return " ".join(str(codes.setdefault(symbol, len(codes))) for symbol in sequence)

    bleu = sacrebleu.BLEU(tokenize="none", force=True, max_ngram_order=int(max_ngram_order))
    return _corpus_score(bleu, references, predictions, numbered)


def chrf_score(
    y_true: SymbolSequences, y_pred: SymbolSequences, *, multiple_references: bool = False
) -> float:
    """F score of the character n-grams of texts: chrF2 of sacrebleu.

    Parameters
    ----------
    y_true : array-like of n_sequences sequences
        Each a string, or a list or array of strings such as words. Spaces do not count.
    y_pred : array-like of n_sequences sequences
        Predicted sequences; their lengths may differ from those of `y_true`.
    multiple_references : bool, default=False
        Whether an element of `y_true` is a list of sequences; the one with the best score
        counts.

    Returns
    -------
    float
        Between 0 and 100.

    Raises
    ------
    ValueError
        If there are more sequences of one than of the other, if one (named in the message)
        does not consist of symbols, or if symbols are numbers, which have no characters.
    ImportError
        If sacrebleu is not installed.

    See Also
    --------
    bleu_score : Of n-grams of symbols.

    Notes
    -----
    The score is one of the whole set, not a mean over sequences, and has no weights. N-grams
    have up to 6 characters, and recall weighs twice as much as precision.

    References
    ----------
    M. Popović (2015). chrF: character n-gram F-score for automatic MT evaluation. WMT.

    Examples
    --------
    >>> from sklseq.metrics import chrf_score
    >>> round(chrf_score(["the cat sat"], ["the cats sat"]), 1)
    74.8
    """
    sacrebleu = _import_sacrebleu("chrf_score")
    references, predictions = read_pairs(y_true, y_pred, multiple_references, as_texts=True)
    for i, (found, prediction) in enumerate(zip(references, predictions, strict=True)):
        if not all(isinstance(symbol, str) for x in [*found, prediction] for symbol in x):
            raise ValueError(
                f"Sequence {i} has numbers for symbols, and numbers have no characters: use "
                "bleu_score or edit_distance_rate."
            )
    return _corpus_score(sacrebleu.CHRF(), references, predictions, "".join)


def _corpus_score(
    metric: Any,
    references: list[list[list[Any]]],
    predictions: list[list[Any]],
    as_text: Callable[[list[Any]], str],
) -> float:
    """Score of all sequences as texts."""
    texts = [[as_text(x) for x in found] for found in references]
    # sacrebleu takes the first references of all, then the second ones, and None for none.
    columns = [list(column) for column in zip_longest(*texts)]
    score = metric.corpus_score([as_text(x) for x in predictions], columns).score
    return min(float(score), 100.0)  # rounded, it may be more


def _import_sacrebleu(caller: str) -> ModuleType:
    try:
        from sacrebleu import metrics
    except ImportError as error:
        raise ImportError(
            f"{caller} requires sacrebleu: pip install sacrebleu, or sklseq[bleu]. "
            "exact_match_score and edit_distance_rate need nothing."
        ) from error
    return metrics
