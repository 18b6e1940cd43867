"""Recurrent layers, each of one cell."""
