"""Settings of the process and thread that a result must not hang on, while a method runs.

A library that the user imports may have switched torch to double precision, or the caller may have
switched gradients off or made numpy's warnings errors. Public methods of estimators compute in one
known state and give the user's back, whatever happens.
"""

import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

__all__ = ["known_state", "runs_in_known_state"]

_C = TypeVar("_C", bound=type)

_inside: ContextVar[bool] = ContextVar("inside", default=False)
_lock = threading.RLock()
# Whoever computes now, in any thread of the process, and what its settings were before the first.
_active: set[object] = set()
_process_outside: tuple[Any, ...] = ()


@contextmanager
def known_state() -> Iterator[None]:
    """Default types, devices, precision, gradients, errors of floating point: as after import.

    Settings of the process are given back once nothing computes in any of its threads.
    """
    if _inside.get():
        yield
        return
    torch = sys.modules.get("torch")  # what is not imported has no state
    token = object()
    errors = np.geterr()
    gradients = torch is None or torch.is_grad_enabled()
    # What restores stands twice, and does no harm twice: an interrupt may come within the first.
    try:
        try:
            _inside.set(True)
            # Only what would raise: warnings that the user does not want to see stay unseen.
            np.seterr(**{kind: _quiet(kind) for kind, how in errors.items() if how == "raise"})
            with ExitStack() as thread:
                if torch is not None:
                    _enter_process(torch, token)
                    _enter_thread(torch, thread)
                yield
        finally:
            _restore(torch, token, errors, gradients)
    finally:
        _restore(torch, token, errors, gradients)


def runs_in_known_state(cls: _C) -> _C:
    """Make public methods of a class, and of its bases of ours, run in the known state."""
    for klass in cls.__mro__:
        if not klass.__module__.startswith("sklseq."):
            continue
        for name, method in list(vars(klass).items()):
            if name.startswith("_") or name in ("get_params", "set_params"):
                continue
            if inspect.isfunction(method) and not hasattr(method, "_in_known_state"):
                setattr(klass, name, _wrapped(method))
            # Methods that are there for some settings only: scikit-learn's `available_if`.
            elif inspect.isfunction(fn := getattr(method, "fn", None)) and not hasattr(
                fn, "_in_known_state"
            ):
                method.fn = _wrapped(fn)
    return cls


def _wrapped(method: Callable[..., Any]) -> Callable[..., Any]:
    wrapped: Any = known_state()(method)
    wrapped._in_known_state = True
    return wrapped


def _quiet(kind: str) -> Any:
    return "ignore" if kind == "under" else "warn"


def _restore(torch: Any, token: object, errors: Any, gradients: bool) -> None:
    _inside.set(False)
    np.seterr(**errors)
    if torch is None:
        return
    torch.set_grad_enabled(gradients)
    with _lock:
        _active.discard(token)
        if not _active:
            _set_process(torch, _process_outside)


def _enter_process(torch: Any, token: object) -> None:
    global _process_outside
    with _lock:
        if not _active:
            _process_outside = _process_settings(torch)
        _active.add(token)
        _set_process(torch, (torch.float32, "highest", (False, False), False))


def _process_settings(torch: Any) -> tuple[Any, ...]:
    """Default type, precision of products, deterministic algorithms, detection of anomalies."""
    deterministic = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    return (
        torch.get_default_dtype(),
        torch.get_float32_matmul_precision(),
        deterministic,
        torch.is_anomaly_enabled(),
    )


def _set_process(torch: Any, settings: tuple[Any, ...]) -> None:
    now = _process_settings(torch)
    if not settings or settings == now:
        return
    dtype, precision, (deterministic, warn_only), anomaly = settings
    torch.set_default_dtype(dtype)
    if precision != now[1]:
        torch.set_float32_matmul_precision(precision)
    torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
    if anomaly != now[3]:
        torch.autograd.set_detect_anomaly(anomaly)


def _enter_thread(torch: Any, stack: ExitStack) -> None:
    """Change what stands otherwise in this thread; each change costs something in every call."""
    if torch.is_inference_mode_enabled():
        stack.enter_context(torch.inference_mode(False))
    torch.set_grad_enabled(True)
    if torch.get_default_device() != torch.device("cpu"):
        stack.enter_context(torch.device("cpu"))
    kinds = {"cpu", torch.accelerator.current_accelerator() or torch.device("cpu")}
    for kind in {getattr(kind, "type", kind) for kind in kinds}:
        if torch.is_autocast_enabled(kind):
            stack.enter_context(torch.autocast(kind, enabled=False))
    smallest = sys.float_info.min
    if smallest / 2 == 0:  # denormal numbers are flushed, and there is no way to ask for it
        stack.callback(torch.set_flush_denormal, True)
        torch.set_flush_denormal(False)
