"""The spectral radius of a recurrent matrix, exact: by structure first, by eigenvalues else."""

from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import ArpackError, eigs

from sklseq.nn.reservoir.weights.structured import StructuredMatrix

__all__ = ["spectral_radius"]

# Below this, all eigenvalues take seconds at most. ARPACK with a small subspace can converge to
# the wrong eigenvalue of a random matrix (many have almost the same modulus), so its subspace is
# large and it is kept for where a dense solver would take minutes.
_DENSE_UNITS = 2000
_ARPACK_EIGENVALUES = 16
_ARPACK_SUBSPACE = 256


def spectral_radius(weights: Any) -> float:
    """Largest modulus of the eigenvalues, to rounding; never by power iteration.

    The matrix is split into its strongly connected parts (its radius is the largest of theirs).
    A part of one unit, of one cycle, or an orthogonal one has its radius in closed form: so a
    delay line has 0 and a ring with weights r has r. Any other part takes a dense eigenvalue
    solver or, when it is large and sparse, ARPACK, and the dense solver if that does not
    converge.

    Parameters
    ----------
    weights : ndarray, sparse array or StructuredMatrix of shape (units, units)
        The recurrent weights.

    Returns
    -------
    radius : float
        At least 0.

    Raises
    ------
    ValueError
        If the matrix is not square or has values that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> spectral_radius(np.diag([0.5, 0.5], k=-1))
    0.0
    >>> spectral_radius(np.array([[0.0, 2.0], [0.5, 0.0]]))
    1.0
    """
    if isinstance(weights, StructuredMatrix):
        return abs(weights.scale)
    matrix = sp.csr_array(weights, dtype=np.float64, copy=True)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"The recurrent weights must be square, got shape {matrix.shape}.")
    if not np.isfinite(matrix.data).all():
        raise ValueError("The recurrent weights have values that are not finite.")
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    n_parts, labels = connected_components(matrix, connection="strong")
    sizes = np.bincount(labels, minlength=n_parts)
    # A unit alone in its part contributes its own loop; most parts of a sparse matrix are such.
    alone = sizes[labels] == 1
    radius = float(np.abs(matrix.diagonal()[alone]).max(initial=0.0))
    for part in np.flatnonzero(sizes > 1):
        units = np.flatnonzero(labels == part)
        radius = max(radius, _connected(matrix[units][:, units]))
    return radius


def _connected(matrix: sp.csr_array) -> float:
    """The radius of a strongly connected matrix of two units at least."""
    if matrix.nnz == len(matrix.indptr) - 1:
        # Connected with one weight a unit: a cycle; all eigenvalues have the geometric mean.
        return float(np.exp(np.log(np.abs(matrix.data)).mean()))
    return _if_orthogonal(matrix) or _by_eigenvalues(matrix)


def _if_orthogonal(matrix: sp.csr_array) -> float | None:
    """The c where ``W^T W = c^2 I`` to rounding, else None."""
    units = matrix.shape[0]
    square = float(matrix.data @ matrix.data) / units
    # Two generic vectors are fixed by W^T W / c^2 only if it is the identity: O(nnz), not O(N^3).
    probe = np.random.default_rng(0).standard_normal((units, 2))
    if np.abs(matrix.T @ (matrix @ probe) - square * probe).max() > 1e-12 * square * units**0.5:
        return None
    return float(np.sqrt(square))


def _by_eigenvalues(matrix: sp.csr_array) -> float:
    units = matrix.shape[0]
    if units > _DENSE_UNITS and matrix.nnz < 0.2 * units**2:
        start = np.random.default_rng(0).standard_normal(units)
        try:
            values: NDArray[Any] = eigs(
                matrix,
                k=_ARPACK_EIGENVALUES,
                ncv=_ARPACK_SUBSPACE,
                v0=start,
                return_eigenvectors=False,
            )
            return float(np.abs(values).max())
        except ArpackError:
            pass  # ArpackNoConvergence is one: the dense solver always has an answer.
    return float(np.abs(scipy.linalg.eigvals(matrix.toarray(), overwrite_a=True)).max())
