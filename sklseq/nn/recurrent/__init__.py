"""Recurrent networks over ragged sequences."""
