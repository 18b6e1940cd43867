"""The promises of every generator, over all of them: none is listed by hand."""

import pytest

from sklseq.autoencoder import Autoencoder
from sklseq.generative import AAE, VAE, RealNVP, SequenceVAE
from sklseq.training import NeuralEstimator
from sklseq.utils import all_estimators, check_generator, generator_checks

SAMPLERS = [
    c for _, c in all_estimators() if issubclass(c, NeuralEstimator) and hasattr(c, "sample")
]


def quick(cls, **settings):
    """Small, yet able to tell two classes apart."""
    settings |= {"n_layers": 2, "hidden_layer_sizes": (16,), "max_epochs": 30, "random_state": 0}
    settings |= {"hidden_size": 16}
    settings |= {"learning_rate": 0.02, "lr_schedule": "cosine"}
    known = cls().get_params()
    return cls(**{k: v for k, v in settings.items() if k in known})


# An autoencoder samples with a `latent_prior` alone; the others have a prior of their own, too.
GENERATORS = {cls.__name__: quick(cls) for cls in SAMPLERS if hasattr(cls(), "sample")}
# With 30 epochs it hangs on the seed how often its values are missing.
GENERATORS["GAN"].set_params(max_epochs=120)
GENERATORS |= {
    f"{cls.__name__}-{kind}": quick(cls, latent_prior=kind)
    for cls, kind in ((AAE, "normal"), (VAE, "gmm"), (SequenceVAE, "gmm"), (Autoencoder, "gmm"))
}
CHECKS = [
    pytest.param(check, id=f"{name}-{check_name}")
    for name, generator in GENERATORS.items()
    for check_name, check in generator_checks(generator)
    # An autoencoder takes arrays of numbers, and gives arrays.
    if not (isinstance(generator, Autoencoder) and "frames" in check_name)
]


# Of sequences, class and noise may explain so much that no latent variable is needed.
@pytest.mark.filterwarnings("ignore:Posterior collapse")
@pytest.mark.parametrize("check", CHECKS)
def test_generator_checks(check):
    check()


class FixedClass(RealNVP):
    """Gives rows of its first class, whatever was asked for."""

    def _draw(self, n_samples, condition, rng):
        return super()._draw(n_samples, tuple(c * 0 + [1, 0] for c in condition), rng)


class Repeating(RealNVP):
    """Draws the same rows with each call."""

    def sample(self, n_samples=1, y=None, random_state=None):
        return super().sample(n_samples, y, 0)


class ScoreOfTheBatch(RealNVP):
    """Scores rows by how they compare with the others."""

    def score_samples(self, X, y=None):
        scores = super().score_samples(X, y)
        return scores - scores.mean()


@pytest.mark.parametrize(
    ("cls", "complaint"),
    [(FixedClass, "asked for"), (Repeating, "another seed"), (ScoreOfTheBatch, "tolerance")],
)
def test_the_checks_find_faults(cls, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_generator(quick(cls))
