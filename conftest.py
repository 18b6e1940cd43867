"""What every test starts and ends with, those in docstrings too."""

import sys

import matplotlib
import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    # Two threads on a busy machine can be ten times slower than one.
    torch.set_num_threads(1)
    matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _no_figures_left():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
