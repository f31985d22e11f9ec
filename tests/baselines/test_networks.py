from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.baselines.networks import DnCNN, MultiScaleBlock, SkiDNetStyle, XReCNNStyle
from xbdcnn.inference.layers import record_layers
from xbdcnn.models import Denoised, count_parameters, pad_to_multiple

NETWORKS = [DnCNN, XReCNNStyle, SkiDNetStyle]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread, which is faster for small tensors on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def image(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def seeded(make: type[nn.Module], **options: int) -> nn.Module:
    torch.manual_seed(0)
    return make(**options)


def convolutions(network: nn.Module) -> list[nn.Conv2d]:
    return [m for m in network.modules() if isinstance(m, nn.Conv2d)]


@pytest.mark.parametrize(("depth", "expected"), [(17, 556_097), (20, 667_073)])
def test_dncnn_parameter_count(depth: int, expected: int) -> None:
    w = 64
    closed_form = (9 * w + w) + (depth - 2) * (9 * w**2 + 2 * w) + (9 * w + 1)
    assert count_parameters(DnCNN(depth)) == closed_form == expected


def test_xrecnn_style_parameter_count() -> None:
    w, blocks = 48, 6
    closed_form = 10 * w + blocks * (9 * w**2 + 2 * w) + 9 * w + 1
    assert count_parameters(XReCNNStyle()) == closed_form == 125_905
    assert closed_form <= 150_000


@pytest.mark.parametrize(("width", "expected"), [(32, 288_833), (8, 279 * 64 + 98 * 8 + 1)])
def test_skidnet_style_parameter_count(width: int, expected: int) -> None:
    """The published layers: (input, output) channels of all but the last, each with batch norm."""
    w = width
    encoder, decoder = [(w, 2 * w), (2 * w, w)], [(2 * w, 2 * w), (2 * w, w)]
    layers = [(1, w), *encoder * 3, (w, w), *decoder * 3]
    counted = sum(9 * i * o + 2 * o for i, o in layers) + 7 * 7 * w + 1
    assert len(layers) == 14
    assert count_parameters(SkiDNetStyle(width)) == counted == expected


def test_skidnet_style_layers() -> None:
    layers = record_layers(SkiDNetStyle().eval(), 32)[1:]
    shown = [layer.kind if layer.kind != "conv" else layer.channels for layer in layers]
    encoder, decoder = [64, 32, "add", "pool"], ["up", "cat", 64, 32, "add"]
    assert shown == [32, *encoder * 3, 32, *decoder * 3, 1]
    convolutions = [layer for layer in layers if layer.kind == "conv"]
    assert [layer.relu for layer in convolutions] == [True] * 14 + [False]
    assert [layer.kernel for layer in convolutions] == [3] * 14 + [7]
    # Added: the first layer, what was pooled, what was enlarged; joined: the sums of the encoder.
    sums = [layer.inputs for layer in layers if layer.kind == "add"]
    assert [min(inputs) for inputs in sums] == [1, 5, 9, 15, 20, 25]
    joined = [layer.inputs for layer in layers if layer.kind == "cat"]
    assert joined == [(15, 12), (20, 8), (25, 4)]


def test_skidnet_style_mirrors_the_border_to_multiples_of_8() -> None:
    network, noisy = seeded(SkiDNetStyle).eval(), image(1, 1, 29, 33)
    with torch.no_grad():
        by_hand = network(pad_to_multiple(noisy, 8)).image[..., :29, :33]
        torch.testing.assert_close(network(noisy).image, by_hand)


@pytest.mark.parametrize("depth", [17, 20])
def test_dncnn_layers(depth: int) -> None:
    network = DnCNN(depth)
    layers = list(network.residual)
    assert len(convolutions(network)) == depth
    assert [type(m) for m in layers[:2]] == [nn.Conv2d, nn.ReLU]
    assert [type(m) for m in layers[2:-1]] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] * (depth - 2)
    assert all((c.bias is None) == (0 < i < depth - 1) for i, c in enumerate(convolutions(network)))


def test_xrecnn_style_extracts_three_scales_in_every_block() -> None:
    blocks = [m for m in XReCNNStyle().modules() if isinstance(m, MultiScaleBlock)]
    assert len(blocks) == 6
    for block in blocks:
        assert [branch.dilation[0] for branch in block.branches] == [1, 2, 3]
        assert isinstance(block.norm, nn.BatchNorm2d)


@pytest.mark.parametrize(("make", "radius"), [(DnCNN, 17), (XReCNNStyle, 20)])
def test_receptive_field(make: type[nn.Module], radius: int) -> None:
    network = seeded(make).eval().double()
    side = 2 * radius + 11
    centre = side // 2
    noisy = image(1, 1, side, side).double().requires_grad_()
    network.residual(noisy)[0, 0, centre, centre].backward()
    reached = noisy.grad[0, 0].nonzero()
    assert (reached - centre).abs().max() == radius


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("size", [(16, 16), (17, 31), (64, 40)])
def test_shape_is_kept_and_there_are_no_levels(make: type[nn.Module], size: tuple) -> None:
    noisy = image(2, 1, *size)
    output = make()(noisy)
    assert isinstance(output, Denoised)
    assert output.image.shape == noisy.shape
    assert output.image.dtype == torch.float32
    assert output.levels is None


@pytest.mark.parametrize("make", NETWORKS)
def test_restored_is_noisy_minus_residual(make: type[nn.Module]) -> None:
    network, noisy = seeded(make).eval(), image(2, 1, 24, 24)
    with torch.no_grad():
        torch.testing.assert_close(network(noisy).image, noisy - network.residual(noisy))
        nn.init.zeros_(convolutions(network)[-1].weight)
        assert torch.equal(network(noisy).image, noisy)


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("training", [True, False])
def test_initial_network_is_close_to_identity(make: type[nn.Module], training: bool) -> None:
    noisy = image(4, 1, 48, 48)
    with torch.no_grad():
        residual = noisy - seeded(make).train(training)(noisy).image
    assert 0 < residual.square().mean().sqrt() < 4 / 255


@pytest.mark.parametrize("make", NETWORKS)
def test_gradient_reaches_every_parameter(make: type[nn.Module]) -> None:
    network = seeded(make)
    network(image(2, 1, 32, 32)).image.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("make", NETWORKS)
def test_adam_reduces_the_loss(make: type[nn.Module]) -> None:
    network = seeded(make, **({"depth": 5, "width": 24} if make is DnCNN else {"width": 24}))
    ramp = torch.linspace(0.2, 0.8, 32)
    clean = (ramp[:, None] * ramp[None, :]).expand(4, 1, 32, 32)
    noise = 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(60 if make is SkiDNetStyle else 40):
        loss = (network(clean + noise).image - clean).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(0.01, rel=0.1)
    assert losses[-1] < 0.4 * losses[0]


def test_the_first_steps_of_adam_add_less_to_skidnet_style_than_the_noise() -> None:
    """Without the factor of its last layer, the first step adds hundreds of times the noise."""
    network, clean = seeded(SkiDNetStyle), image(4, 1, 32, 32)
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(5):
        loss = (network(noisy).image - clean).square().mean()
        assert loss < 2 * 0.1**2
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@pytest.mark.parametrize("make", NETWORKS)
def test_batch_norm_learns_statistics_in_training_only(make: type[nn.Module]) -> None:
    network, noisy = seeded(make), image(2, 1, 32, 32)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == {DnCNN: 15, XReCNNStyle: 6, SkiDNetStyle: 14}[make]
    network(noisy)
    learnt = norms[0].running_mean.clone()
    assert learnt.abs().max() > 0
    network.eval()(noisy)
    assert torch.equal(norms[0].running_mean, learnt)


@pytest.mark.parametrize("make", NETWORKS)
def test_channels_last_agrees(make: type[nn.Module]) -> None:
    network, noisy = seeded(make).eval(), image(2, 1, 33, 24)
    with torch.no_grad():
        expected = network(noisy).image
        network = network.to(memory_format=torch.channels_last)
        actual = network(noisy.to(memory_format=torch.channels_last)).image
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("make", NETWORKS)
def test_bf16_autocast_keeps_a_float32_image(make: type[nn.Module]) -> None:
    network, noisy = seeded(make), image(2, 1, 32, 32)
    with torch.no_grad():
        # Scale up the residual, so that its rounding error is measurable.
        convolutions(network)[-1].weight.mul_(30)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = network(noisy).image
    assert half.dtype == torch.float32
    half.square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())
    residual = noisy - network(noisy).image
    # With 8 bits of mantissa in 17 layers, the error is about a tenth of the residual.
    assert (noisy - half - residual).std() < 0.25 * residual.std()


def test_xrecnn_style_is_faster_than_dncnn() -> None:
    networks = [XReCNNStyle().eval(), DnCNN().eval()]
    noisy = image(1, 1, 128, 128)
    seconds: list[list[float]] = [[], []]
    with torch.inference_mode():
        for _ in range(7):
            for network, record in zip(networks, seconds, strict=True):
                start = time.perf_counter()
                network(noisy)
                record.append(time.perf_counter() - start)
    xrecnn, dncnn = (statistics.median(record[2:]) for record in seconds)
    assert xrecnn < dncnn


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("shape", [(32, 32), (1, 3, 32, 32), (1, 1, 15, 32)])
def test_bad_shape_is_refused(make: type[nn.Module], shape: tuple) -> None:
    with pytest.raises(XbdcnnError, match="shape"):
        make()(torch.zeros(shape))


@pytest.mark.parametrize(("depth", "width"), [(2, 64), (17, 0)])
def test_dncnn_refuses_impossible_sizes(depth: int, width: int) -> None:
    with pytest.raises(XbdcnnError, match="depth >= 3"):
        DnCNN(depth, width)


def test_skidnet_style_refuses_impossible_sizes() -> None:
    with pytest.raises(XbdcnnError, match="at least 1"):
        SkiDNetStyle(0)


@pytest.mark.parametrize(("width", "blocks"), [(47, 6), (0, 6), (48, 0)])
def test_xrecnn_style_refuses_impossible_sizes(width: int, blocks: int) -> None:
    with pytest.raises(XbdcnnError, match="multiple of 3"):
        XReCNNStyle(width, blocks)
