"""Fitted networks as ONNX models, each of which was run and compared before it is handed out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

__all__ = ["to_onnx"]

# Relative differences that rounding explains, by the type of the network's weights.
_TOLERANCE = {"float32": 1e-3, "float64": 1e-7}


def to_onnx(estimator: Any, X_sample: Any, *, method: str | None = None) -> Any:
    """A method of a fitted estimator as an ONNX model.

    The model takes X as the estimator does: centering and scaling are in it. The number of rows is
    free. It is run once by onnxruntime on `X_sample`, and its results are compared with those of
    the estimator; a model that differs is not handed out.

    Exported are of autoencoders of tables and images `transform`, `reconstruct` and
    `score_samples`; of `VAE` and flows `transform` and `score_samples`; of `AAE`,
    `SequenceAutoencoder` and `RecurrentTransformer` `transform`; and of recurrent classifiers
    `predict_proba`, of regressors `predict`. Recurrent cells are "rnn", "gru" and "lstm".

    torch's exporter takes some seconds, for the bound of a `VAE` half a minute.

    Models of sequences take X padded, of shape (n_sequences, n_steps, n_features), and ``lengths``
    of shape (n_sequences,), int64: what stands behind a sequence's end takes no part. Both numbers
    are free. Results at padded steps mean nothing.

    Parameters
    ----------
    estimator : estimator
        Fitted, of sklseq.
    X_sample : array-like
        A few rows as in `fit`. The type of the model's input is double, or float where it is
        float32.
    method : str or None, default=None
        What the model computes; None takes the first of `predict_proba`, `predict` and `transform`
        that can be exported.

    Returns
    -------
    onnx.ModelProto
        With the inputs "X" (and "lengths"), and an output of the name of the method. Of a
        classifier, the metadata "classes" is `classes_` as JSON.

    Raises
    ------
    ImportError
        If onnx, onnxscript or onnxruntime is not installed: ``pip install sklseq[onnx]``.
    TypeError, ValueError
        If the estimator or method cannot be exported.
    RuntimeError
        If results differ.

    Examples
    --------
    >>> import onnxruntime  # doctest: +SKIP
    >>> from sklearn.datasets import load_iris
    >>> from sklseq.autoencoder import Autoencoder
    >>> from sklseq.utils import to_onnx
    >>> X = load_iris().data
    >>> model = Autoencoder(random_state=0).fit(X)
    >>> onnx_model = to_onnx(model, X[:5])  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession(
    ...     onnx_model.SerializeToString()
    ... )  # doctest: +SKIP
    >>> session.run(["transform"], {"X": X})[0].shape  # doctest: +SKIP
    (150, 2)
    """
    check_is_fitted(estimator)
    _check_installed()
    from sklseq.autoencoder import SequenceAutoencoder
    from sklseq.parts.fit import NeuralEstimator
    from sklseq.recurrent._base import BaseRecurrent
    from sklseq.utils._onnx_recurrent import RecurrentExport
    from sklseq.utils._onnx_tables import TableExport

    name = type(estimator).__name__
    if not isinstance(estimator, NeuralEstimator):
        raise TypeError(
            f"{name} has no network of torch, and cannot be exported to ONNX: store it by joblib "
            "or skops."
        )
    of_sequences = isinstance(estimator, (BaseRecurrent, SequenceAutoencoder))
    export: Any = (RecurrentExport if of_sequences else TableExport)(estimator)
    if not export.methods:
        raise TypeError(
            f"{name} cannot be exported to ONNX: {export.why}. Store it by joblib or skops."
        )
    method = export.methods[0] if method is None else method
    if method not in export.methods:
        can = ", ".join(export.methods)
        raise ValueError(
            f"method={method!r} of {name} cannot be exported to ONNX; these can: {can}."
        )
    inputs = export.inputs(X_sample)
    model = export.model(method, inputs)
    _check_same(model, export, method, X_sample, inputs)
    return model


def _check_installed() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"to_onnx needs {error.name}, which is not installed: pip install sklseq[onnx]."
        ) from error


def _check_same(
    model: Any, export: Any, method: str, X_sample: Any, inputs: dict[str, NDArray[Any]]
) -> None:
    """Refuse a model whose results, of all rows or of one, are not those of the estimator."""
    import onnxruntime

    expected = export.expected(method, X_sample)
    tolerance = _TOLERANCE[export.estimator._float_type(fresh=False)]
    name = f"{method} of {type(export.estimator).__name__}"
    one = {key: values[:1] for key, values in inputs.items()}
    if "lengths" in one:
        one["X"] = one["X"][:, : one["lengths"][0]]
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        found = [session.run([method], rows)[0] for rows in (inputs, one)]
    except Exception as error:  # onnxruntime's errors have no common class
        raise RuntimeError(f"onnxruntime does not run the model of {name}: {error}") from error
    for rows, values in zip((inputs, one), found, strict=True):
        got = export.compared(values, rows)
        wanted = expected[: len(got)]
        limit = tolerance * (np.abs(wanted) + np.abs(expected).max())
        if got.shape != wanted.shape or not (np.abs(got - wanted) <= limit).all():
            raise RuntimeError(
                f"The ONNX model of {name} does not give the results of the estimator, and is not "
                "handed out: store the estimator by joblib or skops, and report this."
            )
