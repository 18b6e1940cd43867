"""Layers and likelihoods that several families are built from."""
