"""Recurrent layers by the name of their cell."""
