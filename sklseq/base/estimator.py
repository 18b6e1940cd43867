"""What every estimator shares: fits that succeed or change nothing, and a stamp of the version."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sklearn.base import BaseEstimator

from sklseq import __version__
from sklseq._compat.sklearn import CallbackSupportMixin, begin_fit, callback_attributes
from sklseq.base.index import check_index
from sklseq.base.parameters import plain_parameters

__all__ = ["Estimator", "Fit"]


class Fit(NamedTuple):
    """A fit under way, as scikit-learn's callbacks know it."""

    context: Any
    data: dict[str, Any]
    """The user's ``X``, ``y`` and ``metadata``."""


class Estimator(CallbackSupportMixin, BaseEstimator):
    """Base of all estimators. Mixins of scikit-learn come before it in the bases."""

    _attributes: dict[str, tuple[str, str]] = {}

    @property
    def _per_step(self) -> bool:
        """Whether a row, which gets one target, is a part of what X holds: a step or a node."""
        return False

    @contextmanager
    def _fitting(
        self, X: Any, y: Any = None, *, n_epochs: int = 0, **metadata: Any
    ) -> Iterator[Fit]:
        """The outer half of every fit: all or nothing, rows in one order, callbacks notified.

        X and y are as the user gave them, as are the `metadata`, such as ``sample_weight``;
        callbacks see `n_epochs` subtasks.
        """
        with self._all_or_nothing(), plain_parameters(self):
            if y is None and self.__sklearn_tags__().target_tags.required:
                raise ValueError(
                    f"{type(self).__name__} requires y to be passed, but the target y is None: "
                    f"give one for each {getattr(self, 'target', 'row')}."
                )
            check_index(X, self._per_step, y=y, sample_weight=metadata.get("sample_weight"))
            context = begin_fit(self, n_epochs)
            fit = Fit(context, {"X": X, "y": y, "metadata": metadata})
            context.call_on_fit_task_begin(estimator=self, **fit.data)
            yield fit
            running = callback_attributes(self)
            learned = {
                name: value
                for name, value in vars(self).items()
                if name not in running and name not in self.get_params(deep=False)
            }
            context.call_on_fit_task_end(
                estimator=self, **fit.data, reconstruction_attributes=learned
            )

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Whatever fails inside leaves the estimator exactly as it was before."""
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            # The callback context belongs to the running fit and is torn down by its owner.
            running = callback_attributes(self)
            self.__dict__.clear()
            self.__dict__.update(before | running)
            raise

    def __getstate__(self) -> dict[str, Any]:
        """What is stored, with the version that it was stored by."""
        return dict(super().__getstate__()) | {"_sklseq_version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what was stored; another version's is taken with a warning."""
        state = dict(state)
        version = state.pop("_sklseq_version", __version__)
        if version != __version__:
            warnings.warn(
                f"This {type(self).__name__} was saved by sklseq {version} and is loaded by "
                f"{__version__}; its results may differ.",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__(state)
