"""What it costs to predict a slice of a series without a past: NARMA, with and without its states.

Root mean squared error over five slices of `TimeSeriesSplit`, with `carry_state` True and False.
"""

from _table import Row, Rows, main
from sklearn.model_selection import TimeSeriesSplit, cross_val_score

from sklseq.datasets import make_narma
from sklseq.recurrent import GRURegressor
from sklseq.reservoir import ESNRegressor


def errors(cls: type, size: int) -> Row:
    X, y = make_narma(2000, random_state=0)
    cv = TimeSeriesSplit(5, test_size=size)
    cold, carried = (
        -cross_val_score(
            cls(target="step", carry_state=carry, random_state=0),
            X,
            y,
            cv=cv,
            scoring="neg_root_mean_squared_error",
        ).mean()
        for carry in (False, True)
    )
    task = f"{cls.__name__}, slices of {size} steps"
    return Row(task, f"{carried:.4f}", f"{cold:.4f} cold", carried <= cold)


def reservoir(quick: bool) -> Rows:
    for size in (20, 50, 200):
        yield errors(ESNRegressor, size)


def recurrent(quick: bool) -> Rows:
    yield errors(GRURegressor, 50)


if __name__ == "__main__":
    main(__doc__, {"reservoir": reservoir, "recurrent": recurrent})
