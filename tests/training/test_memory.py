"""Where a device has too little memory, the error says for what, and what would fit."""

import numpy as np
import pytest
import torch

from sklseq.autoencoder import Autoencoder
from sklseq.training.placement import as_tensor, enough_memory

X = np.random.default_rng(0).normal(size=(40, 3))


def out_of_memory(*args, **kwargs):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch_size": 16}, r"device='cpu' has no room for a training step of batch_size=16: "),
        ({"batch_size": 16}, r"take batch_size=8 or less, a smaller network or device='cpu'"),
        ({"dtype": "float64"}, r"batch_size=16 or less, a smaller network, dtype='float32' or"),
        ({"solver": "lbfgs"}, r"solver='lbfgs', which takes all rows: take another solver"),
    ],
)
def test_of_a_step_in_training(given, message, monkeypatch):
    model = Autoencoder(max_epochs=2, random_state=0).set_params(**given).fit(X)
    before = model.transform(X)
    monkeypatch.setattr(Autoencoder, "_objective", out_of_memory)
    with pytest.raises(MemoryError, match=message):
        model.fit(X)
    np.testing.assert_array_equal(model.transform(X), before)


def test_of_rows_in_prediction(monkeypatch):
    model = Autoencoder(max_epochs=2, random_state=0).fit(X)
    monkeypatch.setattr(model.module_, "encode", out_of_memory)
    with pytest.raises(MemoryError, match=r"rows that are computed at once: take fewer or smaller"):
        model.transform(X)


def test_of_data(monkeypatch):
    like = torch.zeros(1, device="meta")
    assert as_tensor(X, like).device.type == "meta"
    monkeypatch.setattr(torch.Tensor, "to", out_of_memory)
    with pytest.raises(MemoryError, match=r"device='meta' has no room for 4.8e-07 GB of data: "):
        as_tensor(X, like)


def test_other_errors_are_left_as_they_are():
    with pytest.raises(KeyError), enough_memory(torch.zeros(1), "anything", "less"):
        raise KeyError
