"""Diagnostics of trained recurrent networks."""
