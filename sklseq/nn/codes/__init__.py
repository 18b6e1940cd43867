"""Autoencoders of rows and of sequences, variational ones among them."""
