"""Generative models as scikit-learn estimators: fit, sample and, where it exists, score."""

from sklseq.generative._aae import AAE
from sklseq.generative._flows import Glow, RealNVP
from sklseq.generative._gan import GAN
from sklseq.generative._oversampling import GenerativeOverSampler
from sklseq.generative._sequences import SequenceVAE
from sklseq.generative._vae import VAE

__all__ = ["AAE", "GAN", "VAE", "GenerativeOverSampler", "Glow", "RealNVP", "SequenceVAE"]
