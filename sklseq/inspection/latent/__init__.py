"""Latent spaces, reconstructions and samples of generative models and autoencoders."""
