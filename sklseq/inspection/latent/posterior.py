"""How much each latent variable of a variational autoencoder says of the rows."""

from functools import partial
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from sklseq.inspection.models import unwrapped

__all__ = ["kl_per_unit"]

# Burda et al. 2016, section 5.2.
_ACTIVE_VARIANCE = 0.01


def kl_per_unit(estimator: Any, X: Any, y: Any = None) -> Bunch:
    """KL divergence of each latent variable's posterior from the prior, in nats.

    Where it is near 0, the posterior is the prior whatever the row: the decoder does not use the
    variable (posterior collapse). The sum over the variables is the KL term of the evidence lower
    bound (Kingma and Welling 2014, appendix B).

    Parameters
    ----------
    estimator : estimator instance
        A fitted `VAE` or `SequenceVAE`, or a pipeline or search with one.
    X : array-like or sequences
        Rows, as in `fit`.
    y : scalar, array-like of shape (n_samples,) or None, default=None
        Class of the rows, with ``conditional=True``; None takes the most probable ones.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        kl : ndarray of shape (n_components,)
            Mean over the rows.
        kl_rows : ndarray of shape (n_samples, n_components)
            Of each row.
        active : ndarray of bool of shape (n_components,)
            Whether the posterior mean has a variance above 0.01 over the rows (Burda et al. 2016,
            section 5.2).

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it has no approximate posterior.
    ValueError
        If X or y are not valid.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.generative import VAE
    >>> from sklseq.inspection import kl_per_unit
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 1)) + 0.1 * rng.normal(size=(300, 4))
    >>> model = VAE(n_components=3, max_epochs=100, random_state=0).fit(X)
    >>> int(kl_per_unit(model, X).active.sum())
    1
    """
    model, X = unwrapped(estimator, X)
    if not hasattr(getattr(model, "module_", None), "posterior_parameters"):
        raise TypeError(
            f"{type(model).__name__} has no approximate posterior: give a fitted VAE or "
            "SequenceVAE."
        )
    data = model._read_fitted(X)
    likely = model._condition.asked_or_likely(partial(model._density, data), y, len(data))
    parameters = model._run("posterior_parameters", model._with_classes(data, likely))
    mean, deviation = np.split(parameters.astype(np.float64), 2, axis=1)
    rows = 0.5 * (mean**2 + deviation**2 - 1) - np.log(deviation)
    return Bunch(kl=rows.mean(axis=0), kl_rows=rows, active=mean.var(axis=0) > _ACTIVE_VARIANCE)
