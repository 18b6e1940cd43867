"""What every estimator shares: a fit that succeeds or changes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from sklearn.base import BaseEstimator

from sklseq._compat.sklearn import CallbackSupportMixin

__all__ = ["Estimator"]


class Estimator(CallbackSupportMixin, BaseEstimator):
    """Base of all estimators. Mixins of scikit-learn come before it in the bases."""

    _attributes: dict[str, tuple[str, str]] = {}

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Run a fit: if it fails, the estimator is left exactly as it was before."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            # The callback context belongs to the running fit and is torn down by its owner.
            running = {k: v for k, v in self.__dict__.items() if "callback" in k}
            self.__dict__.clear()
            self.__dict__.update(before | running)
            raise
