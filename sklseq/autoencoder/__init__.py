"""Autoencoders as scikit-learn transformers and outlier detectors."""

from sklseq.autoencoder._autoencoder import Autoencoder
from sklseq.autoencoder._convolutional import ConvolutionalAutoencoder
from sklseq.autoencoder._regularized import (
    ContractiveAutoencoder,
    DenoisingAutoencoder,
    SparseAutoencoder,
)
from sklseq.autoencoder._sequence import SequenceAutoencoder

__all__ = [
    "Autoencoder",
    "ContractiveAutoencoder",
    "ConvolutionalAutoencoder",
    "DenoisingAutoencoder",
    "SequenceAutoencoder",
    "SparseAutoencoder",
]
