"""Variational inference: the objective of training, and its failure, posterior collapse."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from sklseq.base import attribute, choice, estimator, integer, param, real
from sklseq.parts.conditions import OneHot, set_class_prior
from sklseq.parts.latent_priors import (
    LATENT_DISTRIBUTIONS,
    check_latent_prior,
    latent_prior_of,
)
from sklseq.training.rows.batch import Batch, Targets

__all__ = [
    "VARIATIONAL_ATTRIBUTES",
    "VARIATIONAL_STORED",
    "VariationalParameters",
    "check_variational",
    "evidence_bound",
    "finish_variational",
    "variational_loss",
]

# Burda et al. 2016, section 5.2: a latent variable is active if its posterior mean varies by more.
_ACTIVE_VARIANCE = 0.01

VARIATIONAL_ATTRIBUTES = {
    "active_units_": attribute(
        "ndarray of bool of shape (n_components,)",
        "Whether each latent variable is active: whether its posterior mean has a variance above "
        "0.01 over the training rows (Burda et al. 2016).",
    )
}

VARIATIONAL_STORED = {
    "_scored_bound": "str",
    "active_units_": "ndarray of bool of shape (n_components,)",
    "_latent_distribution": LATENT_DISTRIBUTIONS,
}


@estimator
class VariationalParameters:
    """Parameters of estimators that are trained by `variational_loss`."""

    beta: float = param(
        1.0,
        "Weight of the KL divergence from the prior in training (beta-VAE, Higgins et al. 2017); "
        "scores always have weight 1.",
        real(0),
    )
    kl_warm_up: int | None = param(
        None,
        "Epochs over which the weight of the KL divergence rises from 0 to `beta`, to avoid "
        "posterior collapse early in training (KL annealing, Bowman et al. 2016). The validation "
        "loss has the full weight. None takes a fifth of `max_epochs`, and 0 with 'lbfgs', which "
        "compares losses.",
        integer(0),
        None,
    )
    free_bits: float = param(
        0.0,
        "KL divergence in nats that each latent variable may have without a penalty, as a mean "
        "over a batch (Kingma et al. 2016, section C.8).",
        real(0),
    )
    bound: str = param(
        "elbo",
        "Bound of the log-density that `score_samples` gives: the evidence lower bound, 'elbo', or "
        "the importance-weighted one, 'iwae', which lies between it and the log-density. It sets "
        "`offset_`, so that another bound needs another fit.",
        choice("elbo", "iwae"),
    )
    n_importance_samples: int = param(
        32, "Number of latent draws for each score (importance samples).", integer(1)
    )
    common_random_numbers: bool = param(
        False,
        "Whether training uses the latent draws of the scores, the same for each row and step. The "
        "loss then has no noise, which suits 'lbfgs' and small data, at `n_importance_samples` "
        "times the cost of the decoder.",
        "boolean",
    )


def variational_loss(model: Any, module: Any, batch: Batch) -> Tensor:
    """Negative evidence lower bound of a batch, with KL annealing; the objective of estimators."""
    terms = module.expected_terms if model.common_random_numbers else module
    log_likelihood, divergence = terms(*batch.inputs)
    share = batch.weight / batch.n_rows
    by_unit = share @ divergence
    if model.free_bits:
        by_unit = by_unit.clamp(min=model.free_bits)
    return _beta_now(model, module, batch) * by_unit.sum() - share @ log_likelihood


def _beta_now(model: Any, network: Any, batch: Batch) -> Any:
    """Weight of the KL divergence; it rises with the rows seen, in this fit and earlier ones."""
    if (warm_up := model.kl_warm_up) is None:
        warm_up = 0 if model.solver == "lbfgs" else model.max_epochs // 5
    # Validation losses are compared between epochs, so they must mean the same in each.
    if not warm_up or not network.training:
        return model.beta
    if model.solver == "lbfgs":
        raise ValueError(
            f"kl_warm_up={warm_up} changes the loss from step to step, and 'lbfgs' compares "
            "losses: set it to 0, or take another solver."
        )
    progress = network.rows_seen / (warm_up * network.n_rows)
    network.rows_seen += batch.n_rows
    return model.beta * progress.clamp(max=1.0)


def evidence_bound(model: Any, data: Any, classes: OneHot) -> NDArray[np.float64]:
    """Lower bound of the log-density of rows, given their classes; the density of estimators."""
    inputs = model._with_classes(data, classes)
    return model._run(model._scored_bound, inputs).astype(np.float64)


def finish_variational(model: Any, data: Any, targets: Targets) -> None:
    """What estimators learn once their network is trained: threshold, active units, prior.

    Warns
    -----
    ConvergenceWarning
        If no latent variable is active: posterior collapse.
    """
    set_class_prior(model, targets.values, targets.weights)
    model._scored_bound = model.bound  # `offset_` is computed with it
    if model.conditional:
        model._learn_offset(data, targets.weights)
    else:
        model._set_offset(model._density(data, None), targets.weights)
    parameters = model._run("posterior_parameters", model._with_classes(data, targets.values))
    means, deviations = np.split(parameters, 2, axis=1)
    center = np.average(means, axis=0, weights=targets.weights)
    variance = np.average((means - center) ** 2, axis=0, weights=targets.weights)
    model.active_units_ = variance > _ACTIVE_VARIANCE
    if not model.active_units_.any():
        warnings.warn(
            "Posterior collapse: no latent variable is active, and samples are noise alone. Raise "
            "kl_warm_up to half of max_epochs, lower beta, raise free_bits, scale the features "
            "alike, or train longer.",
            ConvergenceWarning,
            stacklevel=2,
        )
    # The decoder was trained on draws of the posterior, not on means.
    noise = np.random.default_rng(model._seed).standard_normal(means.shape)
    model._latent_distribution = latent_prior_of(model, means + deviations * noise, targets)


def check_variational(model: Any) -> None:
    """Refuse what `finish_variational` never learns; called of what was stored.

    Raises
    ------
    ValueError
        If the bound of scores has no such name, or the latent prior is one of other codes.
    """
    if model._scored_bound not in ("elbo", "iwae"):
        raise ValueError(f"its scores are bounded by {model._scored_bound!r}.")
    settings = model._module_kwargs
    check_latent_prior(model._latent_distribution, settings["n_components"], settings["n_context"])
