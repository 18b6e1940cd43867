"""Missing values filled in with what a latent variable model expects, given the rest of the row."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import check_array

from sklseq.data import is_frame, plain_frame

__all__ = ["impute"]


def impute(model: Any, X: Any, y: Any, n_iter: int) -> Any:
    """Rows of X, complete: the missing values of each are decoded from the code of the row.

    The code is that of the row filled with the values found before, in turn `n_iter` times. This is
    the iteration of Rezende, Mohamed and Wierstra (2014), Stochastic backpropagation, section F,
    with expected values instead of draws.

    Parameters
    ----------
    model : LatentVariableModel
        Fitted.
    X, y, n_iter
        See `LatentVariableModel.impute`.
    """
    table, container = plain_frame(X)
    if not is_frame(table):
        table = check_array(
            table.toarray() if issparse(table) else table,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan",
            input_name="X",
            estimator=model,
        )
    missing = table.isna().to_numpy() if is_frame(table) else np.isnan(table)
    n = len(table)
    condition = model._condition
    if condition.classes is None or y is not None:
        classes = condition.asked(y, n)
    else:
        classes = np.tile(condition.prior, (n, 1))
    rows = model._decoded(np.zeros((n, model._n_features_out)), classes)
    filled = _filled(model, table, missing, rows)
    for _ in range(n_iter if missing.any() else 0):
        codes, classes = model._encoded(model._read_fitted(filled), y)
        filled = _filled(model, table, missing, model._decoded(codes, classes))
    return filled if container is None else container.write(filled)


def _filled(model: Any, table: Any, missing: NDArray[np.bool_], rows: NDArray[Any]) -> Any:
    """A table whose missing values are those of encoded rows."""
    if (encoder := model._format.encoder) is not None:
        rows = rows.copy()
        rows[:, encoder.indicator_places] = 0  # nothing is missing
    new, _ = plain_frame(model._format.write(rows))
    if not is_frame(table):
        new = new.to_numpy() if is_frame(new) else new
        return np.where(missing, new, table).astype(table.dtype, copy=False)
    import pandas as pd

    if not is_frame(new):
        new = pd.DataFrame(new, columns=table.columns)
    columns = {}
    for j, (name, series) in enumerate(table.items()):
        values = series.astype(object).to_numpy(copy=True)
        values[missing[:, j]] = new.iloc[:, j].astype(object).to_numpy()[missing[:, j]]
        dtype = new.dtypes.iloc[j] if missing[:, j].any() else series.dtype
        columns[name] = pd.Series(values, index=table.index).astype(dtype)
    return pd.DataFrame(columns)
