"""What the package of reservoirs is made of."""

import subprocess
import sys

import pytest

import sklseq.reservoir
from sklseq.base import Estimator

ESTIMATORS = [
    cls
    for cls in map(sklseq.reservoir.__dict__.get, sklseq.reservoir.__all__)
    if issubclass(cls, Estimator)
]


@pytest.mark.parametrize("cls", ESTIMATORS, ids=lambda cls: cls.__name__)
def test_at_most_six_classes_of_ours(cls):
    ours = [base for base in cls.__mro__ if base.__module__.startswith("sklseq.")]
    assert len(ours) <= 6


def test_importing_reservoirs_loads_no_trainer():
    program = """
import sys
import torch
before = set(sys.modules)
import sklseq.reservoir
new = {name for name in set(sys.modules) - before}
assert "skorch" not in sys.modules
trainers = [name for name in new if name.startswith("torch.optim")]
assert not trainers, trainers
"""
    subprocess.run([sys.executable, "-c", program], check=True)
