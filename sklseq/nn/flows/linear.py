"""Invertible linear maps."""

import torch
from torch import Tensor, nn

from sklseq.nn.flows.transforms import Transform

__all__ = ["LULinear"]

_NOISE = 1e-4
# Smallest eigenvalue of correlations with which features are not collinear.
_COLLINEAR = 1e-6


class LULinear(Transform):
    """A linear map ``x (L U W)'`` of triangular factors, L's diagonal of ones.

    The determinant of U is the product of its diagonal, which is an exponential and so never zero
    (Kingma and Dhariwal 2018, section 3.2). W is the identity until `initialize`, which makes it
    whiten the training data. W is not a parameter: weight decay regularizes towards the normal
    distribution of the training data.

    Parameters
    ----------
    n_features : int
    from_data : bool, default=True
        False keeps W the identity, where the data are white already.
    exact : bool, default=False
        Whether W whitens exactly where the covariance allows it. Otherwise a little noise is added,
        so that training starts from features that are not quite collinear.
    """

    whitening: Tensor

    def __init__(self, n_features: int, from_data: bool = True, exact: bool = False):
        super().__init__()
        self.from_data, self.exact = from_data, exact
        self.lower = nn.Parameter(torch.zeros(n_features, n_features))
        self.upper = nn.Parameter(torch.zeros(n_features, n_features))
        self.log_diagonal = nn.Parameter(torch.zeros(n_features))
        self.register_buffer("whitening", torch.eye(n_features))

    def factors(self) -> tuple[Tensor, Tensor]:
        """L and U."""
        eye = torch.eye(len(self.lower), dtype=self.lower.dtype, device=self.lower.device)
        return self.lower.tril(-1) + eye, self.upper.triu(1) + self.log_diagonal.exp().diag()

    def _log_det(self) -> Tensor:
        return self.log_diagonal.sum() + self.whitening.diagonal().log().sum()

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        lower, upper = self.factors()
        return x @ (lower @ upper @ self.whitening).T, self._log_det()

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        lower, upper = self.factors()
        x = torch.linalg.solve_triangular(lower, z.T, upper=False, unitriangular=True)
        x = torch.linalg.solve_triangular(upper, x, upper=True)
        return torch.linalg.solve_triangular(self.whitening, x, upper=False).T, -self._log_det()

    def learn(self, x: Tensor, context: Tensor | None, share: Tensor) -> None:
        if self.from_data:
            self.whitening.copy_(_whitening(x, share, self.exact))


def _whitening(x: Tensor, share: Tensor, exact: bool) -> Tensor:
    """Lower triangular W such that ``x W'`` has uncorrelated features of unit variance."""
    # On the CPU: not every device has double precision.
    x, share = x.to("cpu", torch.float64), share.to("cpu", torch.float64)
    centered = x - (share * x).sum(dim=0)
    covariance = (share * centered).T @ centered
    scale = covariance.diagonal().clamp(min=1e-12).rsqrt()
    correlations = covariance * scale * scale[:, None]
    if not exact or torch.linalg.eigvalsh(correlations)[0] < _COLLINEAR:
        # A little noise keeps the covariance of collinear features positive definite.
        covariance.diagonal().mul_(1 + _NOISE).add_(1e-12)
    factor = torch.linalg.cholesky(covariance)
    eye = torch.eye(len(factor), dtype=x.dtype)
    return torch.linalg.solve_triangular(factor, eye, upper=False)
