"""Displays: what a fitted estimator holds, drawn with matplotlib; one a file."""
