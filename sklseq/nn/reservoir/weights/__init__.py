"""Weights of reservoirs."""
