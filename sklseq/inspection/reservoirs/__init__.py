"""Diagnostics of reservoirs: dynamics and memory."""
