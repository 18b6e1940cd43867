"""Ragged sequences: containers, symbols, and targets for each step."""
