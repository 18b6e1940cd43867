"""Linear recurrences, ``h_t = a_t * h_{t-1} + b_t`` with an own factor for each unit.

Sequences are cut into chunks of a few dozen steps, which run side by side as the rows of a batch:
once from zero, for what each chunk makes of its start; then from the states that follow from
that, the carries. These are a linear recurrence themselves, over chunks, and run the same way. So
T steps take about 3 K + K + ... operations on many rows, instead of T on few. (The scan of
Blelloch 1990, Prefix sums and their applications, with trees of K branches.)

No logarithms are taken: factors and states may have any sign, may be zero (which is a reset) or
complex. Products and sums are operations of their own, so that each is rounded alone and
the result of an element does not depend on the place that it has in the call; neither do chunks,
cut from the start of each sequence.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from sklseq.nn.ragged.chunks import Chunks

__all__ = ["scan"]

# Complex numbers that the widest processors take at a time, or a multiple of it.
_VECTOR = 16


def scan(a: Tensor, b: Tensor, start: Tensor, chunks: Chunks) -> Tensor:
    """States of ``h_t = a_t * h_{t-1} + b_t``.

    Parameters
    ----------
    a : Tensor of shape (n_steps, size) or (1, size)
        Real or complex, a step for each cell of `chunks`; one row stands for all of them.
    b : Tensor of shape (n_steps, size)
    start : Tensor of shape (n_sequences, size)
        State before the first step.
    chunks : Chunks

    Returns
    -------
    Tensor of shape (n_steps, size)
        By the same cells.
    """
    size = b.shape[1]
    if b.is_complex() and size % _VECTOR:
        # Complex numbers in a vector and those left over are rounded in two ways.
        a, b, start = (pad(v, (0, -size % _VECTOR)) for v in (a, b, start))
    states: Tensor = Scan.apply(a, b, start, chunks)
    return states[:, :size]


class Scan(Function):
    """`scan` with its gradients.

    Those of the states obey ``g_t = grad_t + u_{t+1}`` and ``u_t = conj(a_t) * g_t``, from the
    end: a linear recurrence with the same factors, which runs by the same chunks.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, start: Tensor, chunks: Chunks) -> Tensor:
        states, begin, product = _run(a, b, start, chunks)
        ctx.save_for_backward(a, states, begin, product)
        ctx.chunks = chunks
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        a, states, begin, product = ctx.saved_tensors
        chunks: Chunks = ctx.chunks
        factors = _steps(_conj(a), chunks)[::-1]
        grads = grad.split(chunks.sizes)[::-1]
        u = torch.zeros_like(begin)
        if chunks.carries is not None:
            for factor, grad_k in zip(factors, grads, strict=True):
                u[: len(grad_k)].add_(grad_k).mul_(factor)
            # Behind the last chunk of a sequence is zero, whatever it is multiplied by.
            rows = chunks.carried_back_by
            factor = _rows(_conj(product), rows.clamp_max(chunks.n_going_on - 1))
            none = u.new_zeros(len(chunks), u.shape[1])
            carried, _, _ = _run(factor, u.index_select(0, rows), none, chunks.carries)
            u.zero_()
            u[: chunks.n_going_on] = carried.index_select(0, chunks.source_back)
        db = torch.empty_like(states)
        da = torch.empty_like(states) if len(a) > 1 else torch.zeros_like(begin)
        das = da.split(chunks.sizes)[::-1] if len(a) > 1 else [da] * len(grads)
        before = [begin, *states.split(chunks.sizes)[:-1]][::-1]
        parts = (factors, grads, das, db.split(chunks.sizes)[::-1], before)
        for factor, grad_k, da_k, db_k, h in zip(*parts, strict=True):
            n = len(grad_k)
            torch.add(grad_k, u[:n], out=db_k)
            if len(a) > 1:
                torch.mul(db_k, _conj(h[:n]), out=da_k)
            else:
                da_k[:n].addcmul_(db_k, _conj(h[:n]))
            torch.mul(db_k, factor, out=u[:n])
        d_start = u.index_select(0, chunks.begins)
        return da if len(a) > 1 else da.sum(0, keepdim=True), db, d_start, None


def _run(
    a: Tensor, b: Tensor, start: Tensor, chunks: Chunks
) -> tuple[Tensor, Tensor, Tensor | None]:
    """States; with what each row begins; and the product of the factors of rows that go on."""
    factors, drives = _steps(a, chunks), b.split(chunks.sizes)
    product = None
    if chunks.carries is not None:
        n = chunks.n_going_on
        product, end = factors[0][:n].clone(), drives[0][:n].clone()
        for factor, drive in zip(factors[1:], drives[1:], strict=True):
            product.mul_(factor[:n])
            end.mul_(factor[:n]).add_(drive[:n])
        rows = chunks.carried_by
        carried, _, _ = _run(_rows(product, rows), end.index_select(0, rows), start, chunks.carries)
        start = torch.cat([start, carried])
    begin = start.index_select(0, chunks.source)
    states, h = torch.empty_like(b), begin
    for factor, drive, now in zip(factors, drives, states.split(chunks.sizes), strict=True):
        h = torch.mul(h[: len(drive)], factor, out=now).add_(drive)
    return states, begin, product


def _steps(a: Tensor, chunks: Chunks) -> Any:
    return a.split(chunks.sizes) if len(a) > 1 else (a,) * len(chunks.sizes)


def _rows(factor: Tensor, rows: Tensor) -> Tensor:
    return factor.index_select(0, rows) if len(factor) > 1 else factor


def _conj(x: Tensor) -> Tensor:
    return x.conj_physical() if x.is_complex() else x
