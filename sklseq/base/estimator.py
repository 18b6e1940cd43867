"""What every estimator shares: fits that succeed or change nothing, and a stamp of the version."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple, Self

from sklearn.base import BaseEstimator

from sklseq import __version__
from sklseq._compat.sklearn import (
    CallbackSupportMixin,
    begin_fit,
    callback_attributes,
    check_parameters,
)
from sklseq.base.documentation import page_template
from sklseq.base.index import check_index
from sklseq.base.parameters import plain_parameters
from sklseq.base.state import check_attributes, damaged, declared_kinds, is_optional

__all__ = ["Estimator", "Fit"]


class Fit(NamedTuple):
    """A fit under way, as scikit-learn's callbacks know it."""

    context: Any
    data: dict[str, Any]
    """The user's ``X``, ``y`` and ``metadata``."""


class Estimator(CallbackSupportMixin, BaseEstimator):
    """Base of all estimators. Mixins of scikit-learn come before it in the bases."""

    _attributes: dict[str, tuple[str, str]] = {}

    # The HTML view links a class to its page.
    _doc_link_module = "sklseq"
    _doc_link_template = page_template()

    @property
    def _per_step(self) -> bool:
        """Whether a row, which gets one target, is a part of what X holds: a step or a node."""
        return False

    def _with_context(self, data: Any, context: Any, X: Any, fresh: bool) -> Any:
        """What was read of X, with what is known of each row as a whole; see `parts.context`."""
        return data

    @contextmanager
    def _fitting(
        self, X: Any, y: Any = None, *, n_epochs: int | None = 0, **metadata: Any
    ) -> Iterator[Fit]:
        """The outer half of every fit: all or nothing, rows in one order, callbacks notified.

        X and y are as the user gave them, as are the `metadata`, such as ``sample_weight``;
        callbacks see `n_epochs` subtasks; None is a number not known yet.
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

    # -- persistence -----------------------------------------------------------------------

    _stored: ClassVar[dict[str, Any]] = {
        "feature_names_in_": "absent or ndarray of labels of shape (n_features_in_,)",
        "vocabulary_": "absent or ndarray of labels of shape (n_symbols,)",
    }
    """Kinds of learned attributes beyond their lines in `_attributes`; see `base.state`."""

    def __getstate__(self) -> dict[str, Any]:
        """What is stored, with the version and the class of ours that it was stored by."""
        stamps = {"_sklseq_version": __version__, "_sklseq_class": _our_class(type(self))}
        return dict(super().__getstate__()) | stamps

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what was stored, once it is known to be sound.

        Another version's is taken with a warning.

        Raises
        ------
        ValueError
            If the state is damaged, or that of another class; nothing is changed then.
        """
        name = type(self).__name__
        with damaged(name):
            state = dict(state)
            version = state.pop("_sklseq_version", __version__)
            by = state.pop("_sklseq_class", own := _our_class(type(self)))
            if by != own or not isinstance(version, str):
                raise ValueError(f"it is one of {by!r} of version {version!r}.")
        if version != __version__:
            warnings.warn(
                f"This {name} was saved by sklseq {version} and is loaded by "
                f"{__version__}; its results may differ.",
                UserWarning,
                stacklevel=2,
            )
        with damaged(name):
            taken = self._taken(state, complete=version == __version__)
        super().__setstate__(taken)

    def _taken(self, state: dict[str, Any], complete: bool) -> dict[str, Any]:
        """What becomes of a stored state, which is checked: parameters first, then attributes."""
        parameters = self._get_param_names()
        if complete and (missing := [p for p in parameters if p not in state]):
            raise ValueError(f"the parameter {missing[0]} is missing.")
        kinds = declared_kinds(type(self))
        for key in state:
            # Whatever stands in place of a method would be called in its stead.
            own = getattr(type(self), key, None) if isinstance(key, str) else None
            if not isinstance(key, str) or not (own is None or key in parameters or key in kinds):
                raise ValueError(f"{key!r} is no attribute of it.")
        learned = [name for name in kinds if not is_optional(kinds[name])]
        if not any(name in state for name in learned):
            return state
        check_parameters(type(self), {p: state[p] for p in parameters if p in state})
        restored = self._restored(state)
        check_attributes(restored, kinds, self._sizes(restored))
        model = object.__new__(type(self))
        model.__dict__.update(restored)
        model._check_learned()
        return restored

    def _restored(self, state: dict[str, Any]) -> dict[str, Any]:
        """The state with objects in place of the plain data that they are stored as."""
        return state

    def _sizes(self, state: dict[str, Any]) -> dict[str, int]:
        """Lengths of axes that a state tells, by name; see `base.state`."""
        return {}

    def _check_learned(self) -> None:
        """Refuse learned attributes that do not fit each other, each sound in itself."""

    def __copy__(self) -> Self:
        # A model under training, of which callbacks make copies, is not yet one to be stored.
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        return copy


def _our_class(cls: type) -> str:
    """The name of the nearest class of ours."""
    return next(c.__name__ for c in cls.__mro__ if c.__module__.startswith("sklseq."))
