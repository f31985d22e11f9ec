"""X-BDCNN: parameter counts, shapes, padding, gradients and recipes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from xbdcnn import paper
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import builtin_fields
from xbdcnn.losses import mixed_loss
from xbdcnn.metrics import psnr
from xbdcnn.models import (
    AS_RELEASED,
    AS_WRITTEN,
    BALANCED,
    FAIREST,
    FAIREST_WITHOUT_NLE,
    FAIREST_WITHOUT_SSIM,
    NBD,
    NLE,
    NLE_WIDTH,
    WITHOUT_NLE,
    WITHOUT_SSIM,
    XBDCNN,
    Denoised,
    Recipe,
    count_parameters,
    pad_to_multiple,
)
from xbdcnn.noise import (
    add_hybrid_noise,
    level_maps,
    mid_range_levels,
    standard_deviation_map,
)

ONE_MAP = replace(BALANCED, level_maps="standard deviation")

BORDER = 52
"""Distance in pixels beyond which the image border has no influence on the output."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def image(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def small(recipe: Recipe = AS_WRITTEN, width: int = 8) -> XBDCNN:
    torch.manual_seed(0)
    return XBDCNN(replace(recipe, width=width)).eval()


def conv_parameters(inputs: int, outputs: int, kernel: int) -> int:
    return (inputs * kernel**2 + 1) * outputs


def closed_form(recipe: Recipe) -> int:
    w, k = recipe.width, recipe.output_kernel
    maps = 1 if recipe.level_maps == "standard deviation" else 2
    nle = conv_parameters(1, NLE_WIDTH, 3) + conv_parameters(NLE_WIDTH, maps, 3)
    nle += (1 if recipe.share_nle_weights else 3) * conv_parameters(NLE_WIDTH, NLE_WIDTH, 3)
    plan = [(1 + maps if recipe.use_nle else 1, w), (w, w)]
    plan += [(w, 2 * w)] + 2 * [(2 * w, 2 * w)]
    plan += [(2 * w, 4 * w)] + 5 * [(4 * w, 4 * w)]
    plan += 3 * [(2 * w, 2 * w)] + 2 * [(w, w)]
    nbd = sum(conv_parameters(i, o, 3) for i, o in plan) + conv_parameters(w, 1, k)
    nbd += conv_parameters(4 * w, 2 * w, 2) + conv_parameters(2 * w, w, 2)
    return nbd + (nle if recipe.use_nle else 0)


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (AS_RELEASED, 4_344_163),
        (replace(AS_WRITTEN, output_kernel=1), 4_362_659),
        (AS_WRITTEN, 4_363_171),
        (BALANCED, 4_363_171),
        (WITHOUT_SSIM, 4_363_171),
        (WITHOUT_NLE, 4_333_377),
        (ONE_MAP, 4_362_306),
    ],
)
def test_parameter_count(recipe: Recipe, expected: int) -> None:
    assert count_parameters(XBDCNN(recipe)) == closed_form(recipe) == expected


@pytest.mark.parametrize("width", [4, 8, 32])
@pytest.mark.parametrize("recipe", [AS_WRITTEN, AS_RELEASED, WITHOUT_NLE])
def test_parameter_count_at_other_widths(recipe: Recipe, width: int) -> None:
    assert count_parameters(small(recipe, width)) == closed_form(replace(recipe, width=width))


def test_count_ignores_frozen_parameters() -> None:
    network = NLE()
    before = count_parameters(network)
    network.last.requires_grad_(False)
    assert before - count_parameters(network) == conv_parameters(NLE_WIDTH, 2, 3)


def test_nbd_has_the_17_convolutions_of_the_text() -> None:
    network = NBD()
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(layers) == 17
    assert all(layer.kernel_size == (3, 3) for layer in layers)
    assert sum(isinstance(m, nn.ReLU) for m in network.modules()) == 16
    assert sum(isinstance(m, nn.ConvTranspose2d) for m in network.modules()) == 2
    assert NBD(output_kernel=1).output.kernel_size == (1, 1)


@pytest.mark.parametrize("shape", [(16, 16), (17, 23), (23, 17), (18, 40), (19, 16), (31, 33)])
@pytest.mark.parametrize("recipe", [AS_WRITTEN, AS_RELEASED, WITHOUT_NLE])
def test_output_has_the_size_of_the_input(recipe: Recipe, shape: tuple[int, int]) -> None:
    output = small(recipe)(image(2, 1, *shape))
    assert isinstance(output, Denoised)
    assert output.image.shape == (2, 1, *shape)
    if recipe.use_nle:
        assert output.levels.shape == (2, 2, *shape)
        assert (output.levels >= 0).all()
    else:
        assert output.levels is None


@settings(max_examples=15, deadline=None)
@given(st.integers(16, 41), st.integers(16, 41))
def test_any_size_from_16_pixels(height: int, width: int) -> None:
    output = small(width=4)(image(1, 1, height, width))
    assert output.image.shape == (1, 1, height, width)
    assert torch.isfinite(output.image).all()


@pytest.mark.parametrize("shape", [(1, 1, 15, 64), (1, 1, 64, 15), (1, 3, 32, 32), (32, 32)])
def test_wrong_shape_is_rejected_with_a_remedy(shape: tuple[int, ...]) -> None:
    with pytest.raises(XbdcnnError, match=r"\(B, 1, H, W\).*>= 16.*larger crop") as caught:
        small()(image(*shape))
    assert str(shape) in str(caught.value)


def test_levels_without_nle_are_rejected() -> None:
    with pytest.raises(XbdcnnError, match="no noise level input"):
        small(WITHOUT_NLE)(image(1, 1, 16, 16), levels=image(1, 2, 16, 16))


def test_known_levels_replace_the_estimate() -> None:
    network, noisy = small(), image(2, 1, 21, 18)
    estimate = network(noisy)
    known = network(noisy, level_maps(0.4, 15.0, noisy))
    assert torch.equal(known.levels, level_maps(0.4, 15.0, noisy))
    assert not torch.allclose(known.image, estimate.image)
    # Without padding, passing the estimate itself as known levels changes nothing.
    aligned = image(1, 1, 32, 32)
    again = network(aligned, network(aligned).levels)
    torch.testing.assert_close(again.image, network(aligned).image)


def test_a_map_of_the_standard_deviation_is_estimated_or_given() -> None:
    network, noisy = small(ONE_MAP), image(2, 1, 21, 18)
    estimate = network(noisy)
    assert estimate.levels.shape == noisy.shape and (estimate.levels >= 0).all()
    known = network(noisy, standard_deviation_map(noisy, 0.4, 15.0))
    assert torch.equal(known.levels, standard_deviation_map(noisy, 0.4, 15.0))
    assert not torch.allclose(known.image, estimate.image)


def test_known_levels_give_the_nle_no_gradient() -> None:
    network, noisy = small(), image(1, 1, 16, 16)
    network(noisy, level_maps(1.0, 5.0, noisy)).image.sum().backward()
    assert all(p.grad is None for p in network.nle.parameters())
    assert all(p.grad is not None for p in network.nbd.parameters())


def test_level_maps_of_half_precision_images() -> None:
    network, noisy = small().bfloat16(), image(1, 1, 16, 16)
    output = network(noisy.bfloat16(), level_maps(1.0, 5.0, noisy))
    assert output.image.dtype == torch.bfloat16


def test_residual_is_added_to_the_noisy_image() -> None:
    network, noisy = small(), image(1, 1, 17, 23)
    nn.init.zeros_(network.nbd.output.weight)
    nn.init.constant_(network.nbd.output.bias, 0.25)
    torch.testing.assert_close(network(noisy).image, noisy + 0.25)


def test_network_is_nle_then_nbd() -> None:
    network, noisy = small(), image(2, 1, 20, 24)
    levels = network.nle(noisy)
    expected = noisy + network.nbd(torch.cat([noisy, levels], dim=1))
    output = network(noisy)
    torch.testing.assert_close(output.image, expected)
    torch.testing.assert_close(output.levels, levels)


def test_restored_is_not_clipped() -> None:
    network = small()
    nn.init.constant_(network.nbd.output.bias, 3.0)
    assert network(image(1, 1, 16, 16)).image.max() > 1.5


def test_nle_skip_joins_first_and_fourth_layer() -> None:
    torch.manual_seed(0)
    network, noisy = NLE(), image(1, 1, 16, 16)
    for layer in network.middle:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    expected = network.last(network.first(noisy).relu()).relu()
    torch.testing.assert_close(network(noisy), expected)


def test_shared_nle_applies_one_convolution_three_times() -> None:
    shared, separate = NLE(AS_RELEASED), NLE(AS_WRITTEN)
    assert len(shared.middle) == 1 and len(separate.middle) == 3
    for layer in separate.middle:
        layer.load_state_dict(shared.middle[0].state_dict())
    separate.first.load_state_dict(shared.first.state_dict())
    separate.last.load_state_dict(shared.last.state_dict())
    noisy = image(1, 1, 16, 16)
    torch.testing.assert_close(shared(noisy), separate(noisy))
    nn.init.zeros_(separate.middle[1].weight)
    assert not torch.allclose(shared(noisy), separate(noisy))


@pytest.mark.parametrize("recipe", [AS_WRITTEN, BALANCED, ONE_MAP])
def test_nle_starts_near_the_middle_of_the_range(recipe: Recipe) -> None:
    middle = mid_range_levels(recipe.level_scaling, recipe.level_maps)
    for seed in range(20):
        torch.manual_seed(seed)
        maps = NLE(recipe)(image(1, 1, 32, 32)).mean(dim=(0, 2, 3))
        assert ((maps - middle).abs() < 0.1 * middle).all()


@pytest.mark.parametrize("shape", [(17, 23), (16, 16), (30, 21)])
def test_padding_mirrors_at_the_lower_and_right_border(shape: tuple[int, int]) -> None:
    original = image(1, 1, *shape)
    padded = pad_to_multiple(original, 4)
    height, width = shape
    assert padded.shape[-2] % 4 == padded.shape[-1] % 4 == 0
    assert padded.shape[-2] - height < 4 and padded.shape[-1] - width < 4
    assert torch.equal(padded[..., :height, :width], original)
    for extra in range(padded.shape[-1] - width):
        assert torch.equal(padded[..., :height, width + extra], original[..., width - 2 - extra])


def test_padding_and_cropping_equals_padding_by_hand() -> None:
    network, odd = small(), image(1, 1, 29, 23)
    by_hand = network(pad_to_multiple(odd, 4))
    torch.testing.assert_close(network(odd).image, by_hand.image[..., :29, :23])
    torch.testing.assert_close(network(odd).levels, by_hand.levels[..., :29, :23])


def test_padding_does_not_change_the_interior() -> None:
    network, whole = small(width=4), image(1, 1, 96, 96)
    crop = whole[..., :93, :94]
    full, cut = network(whole).image, network(crop).image
    inner = (..., slice(93 - BORDER), slice(94 - BORDER))
    torch.testing.assert_close(cut[inner], full[inner], rtol=0, atol=1e-6)
    assert not torch.allclose(cut, full[..., :93, :94])


def test_receptive_field_is_smaller_than_the_border_width() -> None:
    network = small(width=4).double()
    for parameter in network.parameters():
        parameter.data = parameter.data.abs() * 0.1
    noisy = image(1, 1, 128, 128).double().requires_grad_()
    network(noisy).image[0, 0, 64, 64].backward()
    rows = noisy.grad[0, 0].abs().amax(dim=1).nonzero().flatten()
    assert 40 < 64 - rows.min() <= BORDER
    assert 40 < rows.max() - 64 <= BORDER


def test_images_of_a_batch_are_independent() -> None:
    network, batch = small(), image(3, 1, 18, 19)
    together = network(batch)
    for index in range(3):
        alone = network(batch[index : index + 1])
        torch.testing.assert_close(together.image[index], alone.image[0])


@pytest.mark.parametrize(
    "recipe", [AS_WRITTEN, FAIREST, AS_RELEASED, BALANCED, WITHOUT_SSIM, WITHOUT_NLE]
)
def test_every_parameter_gets_a_finite_gradient(recipe: Recipe) -> None:
    network, clean = small(recipe).train(), image(2, 1, 20, 20)
    noisy = add_hybrid_noise(clean, 0.8, 10.0)
    levels = level_maps(0.8, 10.0, clean, recipe.level_scaling)
    loss, _ = mixed_loss(network(noisy), noisy, clean, levels, network.recipe)
    loss.backward()
    for name, parameter in network.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_recipes_are_frozen_and_share_the_paper_s_constants() -> None:
    with pytest.raises(FrozenInstanceError):
        AS_WRITTEN.alpha = 0.1
    assert Recipe() == AS_WRITTEN
    assert AS_WRITTEN.loss_weights == AS_RELEASED.loss_weights == paper.LAMBDAS
    assert AS_WRITTEN.alpha == AS_RELEASED.alpha == paper.ALPHA


def changed(recipe: Recipe, base: Recipe = AS_WRITTEN) -> set[str]:
    return {f.name for f in fields(Recipe) if getattr(recipe, f.name) != getattr(base, f.name)}


def test_recipes_differ_in_the_expected_fields() -> None:
    assert changed(WITHOUT_NLE) == {"use_nle"}
    assert changed(WITHOUT_SSIM) == {"loss_weights"}
    assert changed(FAIREST) == {"loss_scale", "level_scaling"}
    assert changed(FAIREST_WITHOUT_NLE, FAIREST) == {"use_nle"}
    assert changed(FAIREST_WITHOUT_SSIM, FAIREST) == {"loss_weights"}
    weights = list(paper.LAMBDAS)
    weights[1] = 0.0
    assert WITHOUT_SSIM.loss_weights == tuple(weights)
    assert changed(AS_RELEASED) == {
        "share_nle_weights",
        "output_kernel",
        "level_sampling",
        "asymmetry",
        "reduction",
        "tv_reduction",
        "ssim_domain",
        "ssim_data_range",
    }


@pytest.mark.slow
def test_network_overfits_one_patch_to_more_than_40_db() -> None:
    """Failure to fit a single patch reveals an error in network, loss or noise."""
    recipe = replace(BALANCED, width=32)
    clean = torch.from_numpy(builtin_fields("train")[3][100:148, 100:148])[None, None]
    noisy = add_hybrid_noise(clean, 0.4, 5.0)
    levels = level_maps(0.4, 5.0, clean, recipe.level_scaling)
    network = XBDCNN(recipe).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    assert psnr(noisy, clean)[0, 0] < 25
    for _ in range(600):
        output = network(noisy)
        best = psnr(output.image, clean)[0, 0]
        if best > 40:
            break
        loss, _ = mixed_loss(output, noisy, clean, levels, recipe)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert best > 40
