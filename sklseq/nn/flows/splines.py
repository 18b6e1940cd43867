"""Monotonic rational-quadratic splines (Durkan et al. 2019, Neural Spline Flows, section 3.1)."""

import math

import torch
from torch import Tensor
from torch.nn.functional import softmax, softplus

__all__ = ["n_spline_parameters", "rational_quadratic"]

_SMALLEST_BIN = 1e-3
_SMALLEST_SLOPE = 1e-3
# softplus of this, and the smallest slope, is 1: parameters of zero are the identity.
_UNIT_SLOPE = math.log(math.expm1(1 - _SMALLEST_SLOPE))


def n_spline_parameters(n_bins: int) -> int:
    """Numbers that make one spline: widths and heights of its bins, slopes between them."""
    return 3 * n_bins - 1


def rational_quadratic(
    x: Tensor, parameters: Tensor, bound: float, inverse: bool = False
) -> tuple[Tensor, Tensor]:
    """Each value through its own spline on [-bound, bound], and the logarithm of the slope there.

    The spline maps the interval onto itself and is the identity outside; parameters of zero make
    it the identity everywhere.

    Parameters
    ----------
    x : Tensor of shape (...)
    parameters : Tensor of shape (..., 3 * n_bins - 1)
        Unbounded: logits of the widths, logits of the heights, slopes at the inner knots.
    bound : float
    inverse : bool, default=False
        The inverse function; the slope is that of the inverse.

    Returns
    -------
    y, log_slope : Tensor of shape (...)
    """
    n_bins = (parameters.shape[-1] + 1) // 3
    widths, heights, slopes = parameters.split([n_bins, n_bins, n_bins - 1], dim=-1)
    x_edges, widths = _bins(widths, bound)
    y_edges, heights = _bins(heights, bound)
    ones = torch.ones_like(slopes[..., :1])
    slopes = torch.cat([ones, _SMALLEST_SLOPE + softplus(slopes + _UNIT_SLOPE), ones], dim=-1)

    # Outside the interval the formula is evaluated at its end, so that no branch makes a NaN.
    inside = (x > -bound) & (x < bound)
    clamped = x.clamp(-bound, bound)
    edges = y_edges if inverse else x_edges
    index = (clamped.unsqueeze(-1) >= edges[..., 1:-1]).sum(dim=-1, keepdim=True)

    def at(values: Tensor) -> Tensor:
        return values.gather(-1, index).squeeze(-1)

    left, bottom, width, height = at(x_edges), at(y_edges), at(widths), at(heights)
    slope_0, slope_1 = at(slopes), slopes.gather(-1, index + 1).squeeze(-1)
    mean_slope = height / width
    bend = slope_0 + slope_1 - 2 * mean_slope
    if inverse:
        part = _solve(clamped - bottom, height, slope_0, mean_slope, bend)
        y = left + part * width
    else:
        part = (clamped - left) / width
        rise = mean_slope * part.square() + slope_0 * part * (1 - part)
        y = bottom + height * rise / (mean_slope + bend * part * (1 - part))
    # Equation 5 of the paper.
    log_slope = (
        2 * mean_slope.log()
        + (
            slope_1 * part.square()
            + 2 * mean_slope * part * (1 - part)
            + slope_0 * (1 - part).square()
        ).log()
        - 2 * (mean_slope + bend * part * (1 - part)).log()
    )
    if inverse:
        log_slope = -log_slope
    return torch.where(inside, y, x), torch.where(inside, log_slope, torch.zeros_like(x))


def _bins(logits: Tensor, bound: float) -> tuple[Tensor, Tensor]:
    """Edges from -bound to bound, and the sizes between them."""
    n_bins = logits.shape[-1]
    shares = _SMALLEST_BIN + (1 - _SMALLEST_BIN * n_bins) * softmax(logits, dim=-1)
    inner = 2 * bound * shares.cumsum(dim=-1)[..., :-1] - bound
    end = torch.full_like(logits[..., :1], bound)
    edges = torch.cat([-end, inner, end], dim=-1)
    return edges, edges[..., 1:] - edges[..., :-1]


def _solve(rise: Tensor, height: Tensor, slope: Tensor, mean_slope: Tensor, bend: Tensor) -> Tensor:
    """Where in its bin the spline has risen so far: equations 6 to 8, the stable root."""
    a = height * (mean_slope - slope) + rise * bend
    b = height * slope - rise * bend
    c = -mean_slope * rise
    root = (b.square() - 4 * a * c).clamp(min=0).sqrt()
    return 2 * c / (-b - root)
