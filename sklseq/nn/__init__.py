"""Torch modules and kernels: tensors in, tensors out."""
