"""Tiles overlap by what the network sees, no more and no less, and cover every pixel once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xbdcnn.inference import zoo
from xbdcnn.inference.tiling import Field, receptive_field, tiles
from xbdcnn.inference.weights import build_network
from xbdcnn.models import AS_RELEASED, BALANCED, WITHOUT_NLE

NETWORKS = {
    "xbdcnn": ("xbdcnn", replace(BALANCED, width=4)),
    "as released": ("xbdcnn", replace(AS_RELEASED, width=4)),
    "without the NLE": ("xbdcnn", replace(WITHOUT_NLE, width=4)),
    "dncnn": ("dncnn", zoo.PLAIN_MSE),
    "xrecnn": ("xrecnn", zoo.PLAIN_MSE),
}


def positive(name: str) -> torch.nn.Module:
    """A network in float64 in which nothing cancels and no ReLU is closed."""
    network = build_network(*NETWORKS[name]).double().eval()
    for parameter in network.parameters():
        parameter.data = torch.full_like(parameter, 0.1 if parameter.ndim > 1 else 0.0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
    return network


@pytest.mark.parametrize("name", NETWORKS)
def test_the_reach_is_what_finite_differences_find(name):
    network = positive(name)
    reach, grid = receptive_field(network)
    window = slice(56, 56 + grid)
    dark = torch.zeros(1, 1, 120, 16, dtype=torch.float64)

    def changes(row: int) -> bool:
        lit = dark.clone()
        lit[..., row, :] = 1.0
        with torch.inference_mode():
            before, after = (network(image).image[..., window, :] for image in (dark, lit))
        return not torch.equal(before, after)

    assert changes(window.start - reach) and changes(window.stop - 1 + reach)
    assert not changes(window.start - reach - 1) and not changes(window.stop + reach)


def test_the_field_of_x_bdcnn_is_49_pixels_on_a_grid_of_4():
    assert receptive_field(build_network("xbdcnn", BALANCED)) == Field(49, 4)
    assert Field(49, 4).halo == 52 and Field(48, 4).halo == 48 and Field(17, 1).halo == 17


@settings(deadline=None)
@given(
    st.tuples(st.integers(16, 300), st.integers(16, 300)),
    st.integers(4, 40),
    st.sampled_from([Field(49, 4), Field(17, 1), Field(5, 2)]),
)
def test_tiles_cover_every_pixel_once_and_begin_on_the_grid(shape, quads, field):
    seen = np.zeros(shape, int)
    for window, halo, inner in tiles(shape, 4 * quads, field):
        seen[window] += 1
        for w, h, i, length in zip(window, halo, inner, shape, strict=True):
            assert w.start % field.grid == h.start % field.grid == 0
            assert w.stop - w.start <= 4 * quads
            assert h.start == 0 or w.start - h.start >= field.reach
            assert h.stop == length or h.stop - w.stop >= field.reach
            assert (h.start + i.start, h.start + i.stop) == (w.start, w.stop)
    assert (seen == 1).all()


def test_tiles_are_of_about_equal_size():
    windows = [tile.window[1] for tile in tiles((16, 1100), 1024, Field(49, 4))]
    assert [w.stop - w.start for w in windows] == [552, 548]
