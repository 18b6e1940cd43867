"""Networks from sequences to sequences of another length."""
