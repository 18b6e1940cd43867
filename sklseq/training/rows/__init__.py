"""Training data of every kind under one protocol."""
