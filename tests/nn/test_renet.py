"""Recurrence over images equals four loops over each image by itself, however they are batched."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sklseq.data import Images
from sklseq.nn.ragged.grids import Grids
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.nn.recurrent.layer import output_of
from sklseq.nn.recurrent.renet import IMAGE_POOLINGS, ReNet
from sklseq.nn.recurrent.stack import RecurrentStack
from sklseq.training.context import seeded_construction
from sklseq.training.rows.images import ImageRows
from sklseq.training.run import run as compute

many_sizes = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=5)
one_patch_size = st.tuples(st.integers(1, 3), st.integers(1, 3))


def network(**kwargs):
    with seeded_construction(0):
        return ReNet(**{"n_channels": 2, "n_outputs": 3, "hidden_size": 3} | kwargs).double()


def draw(sizes, n_channels=2):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(*size, n_channels)) for size in sizes]


def rows_of(module, images, patch_size):
    sizes = np.array([x.shape[:2] for x in images])
    stacked = Images(np.concatenate([x.reshape(-1, x.shape[2]) for x in images]), *sizes.T)
    like = next(module.parameters())
    return ImageRows(stacked.patches(patch_size), sizes, patch_size, like)


def run(module, images, patch_size=(1, 1)):
    return module(*rows_of(module, images, patch_size).inputs(np.arange(len(images))))


# -- the plain loops -----------------------------------------------------------------------


def sweep(layer, sequence):
    """States of a layer at each step of one sequence ``(n_steps, size)``."""
    state, states = None, []
    for step in sequence:
        state = layer.step(step[None], state)
        states.append(output_of(state)[0])
    return torch.stack(states)


def both_ways(stack, sequence):
    there = sweep(stack.forward_layers[0], sequence)
    back = sweep(stack.backward_layers[0], sequence.flip(0)).flip(0)
    return torch.cat([there, back], dim=1)


def states_of(module, image, patch_size):
    """States at the patches of one image, ``(rows, columns, size)``."""
    height, width = patch_size
    image = np.pad(image, ((0, -len(image) % height), (0, -image.shape[1] % width), (0, 0)))
    grid = range(0, len(image), height), range(0, image.shape[1], width)
    x = torch.from_numpy(
        np.array([[image[i : i + height, j : j + width].ravel() for j in grid[1]] for i in grid[0]])
    )
    for columns, rows in zip(module.columns, module.rows, strict=True):
        x = torch.stack([both_ways(columns, x[:, j]) for j in range(x.shape[1])], dim=1)
        x = torch.stack([both_ways(rows, x[i]) for i in range(len(x))])
    return x


def outputs_of(module, image, patch_size):
    """The output of one image, or those of its pixels, row by row."""
    states = states_of(module, image, patch_size)
    if module.pooling is None:
        height, width = patch_size
        values = module.head(states).unflatten(2, (height, width, -1)).transpose(1, 2)
        return values.flatten(0, 1).flatten(1, 2)[: len(image), : image.shape[1]].flatten(0, 1)
    flat = states.flatten(0, 1)
    if module.pooling == "attention":
        scores = module.attention.score(torch.tanh(module.attention.hidden(flat)))
        pooled = (scores.softmax(0) * flat).sum(0)
    elif module.pooling == "max":
        pooled = flat.max(0).values
    else:
        pooled = flat.mean(0) if module.pooling == "mean" else flat.flatten()
    return module.head(pooled)[None]


def assert_equals_loops(module, images, patch_size):
    found = run(module, images, patch_size)
    expected = torch.cat([outputs_of(module, image, patch_size) for image in images])
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    upstream, inputs = torch.randn_like(found), list(module.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(found, inputs, upstream),
        torch.autograd.grad(expected, inputs, upstream),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(
    sizes=many_sizes,
    patch_size=one_patch_size,
    cell=st.sampled_from(["gru", "lstm"]),
    num_layers=st.integers(1, 2),
    pooling=st.sampled_from([None, "mean", "max", "attention"]),
)
def test_images_of_all_sizes_equal_plain_loops(sizes, patch_size, cell, num_layers, pooling):
    module = network(patch_size=patch_size, cell=cell, num_layers=num_layers, pooling=pooling)
    assert_equals_loops(module, draw(sizes), patch_size)


@pytest.mark.parametrize("cell", CELLS)
def test_any_cell(cell):
    module = network(cell=cell, pooling=None, patch_size=(2, 1))
    assert_equals_loops(module, draw([(3, 4), (2, 5)]), (2, 1))


def test_flattened_states():
    module = network(pooling="flatten", n_patches=6, patch_size=(2, 2))
    assert_equals_loops(module, draw([(3, 6)] * 3), (2, 2))


# -- symmetries ----------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(size=st.tuples(st.integers(1, 6), st.integers(1, 6)))
def test_a_mirrored_image_and_swapped_directions_mirror_the_pixels(size):
    module = network(pooling=None)
    image = draw([size])[0]
    plain = run(module, [image]).view(*size, -1)
    rows = module.rows[0]
    rows.forward_layers, rows.backward_layers = rows.backward_layers, rows.forward_layers
    right, left = module.head.weight.data.chunk(2, dim=1)
    module.head.weight.data = torch.cat([left, right], dim=1)
    mirrored = run(module, [image[:, ::-1]]).view(*size, -1)
    torch.testing.assert_close(mirrored.flip(1), plain, rtol=1e-12, atol=1e-12)


@settings(max_examples=10, deadline=None)
@given(sizes=many_sizes)
def test_columns_are_the_rows_of_the_transposed_image(sizes):
    """The passes themselves do not commute: columns come first."""
    with seeded_construction(0):
        stack = RecurrentStack("gru", 2, 3, bidirectional=True).double()
    images = draw(sizes)
    heights, widths = np.array(sizes).T
    upright, lying = Grids(heights, widths), Grids(widths, heights)
    x = torch.from_numpy(np.concatenate([x.reshape(-1, 2) for x in images]))
    packed = stack(x[upright.stacked_to_columns], upright.columns, need_last=False)[0]
    by_column = upright.to_stacked(upright.to_rows(packed)).split([h * w for h, w in sizes])
    transposed = [torch.from_numpy(x).transpose(0, 1).reshape(-1, 2) for x in images]
    packed = torch.cat(transposed)[lying.rows.to_packed]
    by_row = stack(packed, lying.rows, need_last=False)[0][lying.rows.to_stacked]
    for a, b, (h, w) in zip(by_column, by_row.split([h * w for h, w in sizes]), sizes, strict=True):
        torch.testing.assert_close(a.view(h, w, -1), b.view(w, h, -1).transpose(0, 1))


# -- where things lie ----------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(sizes=many_sizes, patch_size=one_patch_size)
def test_patches_and_pixels_are_each_others_inverse(sizes, patch_size):
    images = draw(sizes)
    heights, widths = np.array(sizes).T
    pixels = np.concatenate([x.reshape(-1, 2) for x in images])
    cut = Images(pixels, heights, widths).patches(patch_size)
    grids = Grids(heights, widths, patch_size)
    patches = torch.from_numpy(cut).unflatten(1, (-1, 2))
    np.testing.assert_array_equal(grids.to_pixels(patches).numpy(), pixels)
    # What images are filled up with is zero.
    np.testing.assert_allclose(cut.sum(), pixels.sum())
    assert grids.images.lengths.sum() == len(cut)


# -- alone and in company ------------------------------------------------------------------


@pytest.mark.parametrize("cell", [*CELLS, nn.GRUCell], ids=str)
@settings(max_examples=4, deadline=None)
@given(
    dtype=st.sampled_from([torch.float32, torch.float64]),
    size=st.integers(1, 40),
    patch_size=one_patch_size,
    num_layers=st.integers(1, 2),
    pooling=st.sampled_from([*IMAGE_POOLINGS, None]),
    longest=st.integers(1, 40),
    few=st.booleans(),
)
def test_an_image_alone_has_the_bits_that_it_has_in_company(
    cell, dtype, size, patch_size, num_layers, pooling, longest, few
):
    rng = np.random.default_rng(0)
    n_images, side = 12, [-(-longest // k) for k in patch_size]
    if pooling == "flatten":
        sizes = [(longest, longest)] * n_images
    else:
        sizes = rng.integers(1, longest + 1, (n_images, 2))
    with seeded_construction(0):
        module = ReNet(
            n_channels=2,
            n_outputs=3,
            cell=cell,
            hidden_size=size,
            patch_size=patch_size,
            num_layers=num_layers,
            pooling=pooling,
            n_patches=side[0] * side[1],
        ).to(dtype)
    images = draw(sizes)
    with pytest.MonkeyPatch.context() as patch:
        if few:  # as if images were so large that memory allowed few of them
            patch.setattr("sklseq.training.rows.images._MAX_NUMBERS", 1000)
        together = results(module, images, patch_size)
        order = rng.permutation(n_images)
        for chosen in (order, order[:5], *([i] for i in order[:3])):
            found = results(module, [images[i] for i in chosen], patch_size)
            for i, result in zip(chosen, found, strict=True):
                assert np.isfinite(result).all()
                np.testing.assert_array_equal(result, together[i])


def results(module, images, patch_size):
    per_pixel = module.pooling is None
    rows = rows_of(module, images, patch_size)
    out = compute(module, module, rows, per_part=per_pixel, n_threads=1)
    ends = np.cumsum([len(x) * x.shape[1] for x in images])[:-1]
    return np.split(out, ends) if per_pixel else list(out)
