"""The engine that trains and runs torch modules."""
