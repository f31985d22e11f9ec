"""Tiles overlap by exactly the receptive field and cover every pixel once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xbdcnn.inference import zoo
from xbdcnn.inference.tiling import ReceptiveField, receptive_field, tiles
from xbdcnn.inference.weights import build_network
from xbdcnn.models import AS_RELEASED, BALANCED, WITHOUT_NLE

NETWORKS = {
    "xbdcnn": ("xbdcnn", replace(BALANCED, width=4)),
    "as released": ("xbdcnn", replace(AS_RELEASED, width=4)),
    "without the NLE": ("xbdcnn", replace(WITHOUT_NLE, width=4)),
    "dncnn": ("dncnn", zoo.MSE_ONLY),
    "xrecnn": ("xrecnn", zoo.MSE_ONLY),
    "cbdnet": ("xbdcnn", replace(zoo.CBDNET, width=4)),
    "skidnet": ("skidnet", zoo.MSE_ONLY),
}


def positive_network(name: str) -> torch.nn.Module:
    """Return a float64 network with positive weights, so that every ReLU is active."""
    network = build_network(*NETWORKS[name]).double().eval()
    for parameter in network.parameters():
        parameter.data = torch.full_like(parameter, 0.1 if parameter.ndim > 1 else 0.0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
    return network


@pytest.mark.parametrize("name", NETWORKS)
def test_receptive_field_agrees_with_finite_differences(name):
    network = positive_network(name)
    radius, stride = receptive_field(network)
    window = slice(56, 56 + stride)
    dark = torch.zeros(1, 1, 120, 16, dtype=torch.float64)

    def changes(row: int) -> bool:
        lit = dark.clone()
        lit[..., row, :] = 1.0
        with torch.inference_mode():
            before, after = (network(image).image[..., window, :] for image in (dark, lit))
        return not torch.equal(before, after)

    assert changes(window.start - radius) and changes(window.stop - 1 + radius)
    assert not changes(window.start - radius - 1) and not changes(window.stop + radius)


def test_receptive_fields_of_the_deep_networks_have_the_radii_by_hand():
    assert receptive_field(build_network("xbdcnn", BALANCED)) == ReceptiveField(49, 4)
    assert receptive_field(build_network("skidnet", zoo.MSE_ONLY)) == ReceptiveField(47, 8)
    assert [ReceptiveField(*f).overlap for f in ((49, 4), (48, 4), (17, 1))] == [52, 48, 17]


@settings(deadline=None)
@given(
    st.tuples(st.integers(16, 300), st.integers(16, 300)),
    st.integers(4, 40),
    st.sampled_from([ReceptiveField(49, 4), ReceptiveField(17, 1), ReceptiveField(5, 2)]),
)
def test_tiles_cover_every_pixel_once_and_start_at_multiples_of_the_stride(shape, quads, field):
    count = np.zeros(shape, int)
    for window, padded, inner in tiles(shape, 4 * quads, field):
        count[window] += 1
        for w, p, i, length in zip(window, padded, inner, shape, strict=True):
            assert w.start % field.stride == p.start % field.stride == 0
            assert w.stop - w.start <= 4 * quads
            assert p.start == 0 or w.start - p.start >= field.radius
            assert p.stop == length or p.stop - w.stop >= field.radius
            assert (p.start + i.start, p.start + i.stop) == (w.start, w.stop)
    assert (count == 1).all()


def test_tiles_are_of_nearly_equal_size():
    windows = [tile.window[1] for tile in tiles((16, 1100), 1024, ReceptiveField(49, 4))]
    assert [w.stop - w.start for w in windows] == [552, 548]
