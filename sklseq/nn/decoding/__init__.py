"""Decoding apart from models: whatever gives one step can be searched and sampled."""
