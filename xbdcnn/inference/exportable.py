"""Networks in the form in which they are written as ONNX: plain tensors, images of any sides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from xbdcnn.level_estimator import encode_levels
from xbdcnn.models import Recipe
from xbdcnn.noise import levels_from_maps
from xbdcnn.successor import BlindSuccessor

if TYPE_CHECKING:
    from xbdcnn.inference.restoring import Pretrained

LEVELS = {
    "eta": "(batch,) float32, photons per grey level of 255, above 0; infinity for no such noise",
    "sigma": "(batch,) float32, electronic noise in grey levels of 255, at least 0",
    "correlation": "(batch,) float32, of the noise of adjacent pixels, 0 for white noise",
}
"""Meaning of the noise levels that a network takes or returns."""

MEANINGS = {
    "noisy": "(batch, 1, height, width) float32 in [0, 1], 1 is white",
    "restored": "(batch, 1, height, width) float32, nominally in [0, 1] but not clipped",
    **LEVELS,
}
"""Meaning of every input and output."""


class Exportable(nn.Module):
    """A network for images whose sides are not known when it is converted.

    `models.pad_to_multiple` decides by the sides of an image whether there is anything to pad. A
    converted network cannot, so here rows and columns are always chosen by their index.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __init__(self, network: nn.Module, multiple: int) -> None:
        super().__init__()
        self.network, self.multiple = network, multiple

    def mirrored(self, noisy: Tensor) -> Tensor:
        """Mirror (B, 1, H, W) at the lower and right border up to sides that are multiples."""
        for axis in (2, 3):
            last = noisy.shape[axis] - 1
            full = self.multiple * ((last + self.multiple) // self.multiple)
            noisy = noisy.index_select(axis, last - (torch.arange(full) - last).abs())
        return noisy


class ToldNetwork(Exportable):
    """The denoiser of a successor, which is told the levels in the units of the paper."""

    inputs, outputs = ("noisy", *LEVELS), ("restored",)

    def forward(
        self, noisy: Tensor, eta: Tensor, sigma: Tensor, correlation: Tensor
    ) -> tuple[Tensor]:
        """(B, 1, H, W) in [0, 1] and levels, (B,) each, -> restored (B, 1, H, W)."""
        told = encode_levels(eta, sigma, correlation, noisy)
        restored: Tensor = self.network(self.mirrored(noisy), told).image
        return (restored[..., : noisy.shape[2], : noisy.shape[3]],)


class BlindNetwork(Exportable):
    """A network that is told nothing; it returns eta and sigma, too, if it estimates them."""

    def __init__(self, network: nn.Module, multiple: int) -> None:
        super().__init__(network, multiple)
        recipe = getattr(network, "recipe", Recipe(use_nle=False))
        # CBDNet estimates the joint effect of eta and sigma.
        self.estimates = recipe.use_nle and recipe.level_maps == "eta and sigma"
        self.level_scaling = recipe.level_scaling
        self.inputs = ("noisy",)
        self.outputs = ("restored", "eta", "sigma") if self.estimates else ("restored",)

    def forward(self, noisy: Tensor) -> tuple[Tensor, ...]:
        """(B, 1, H, W) in [0, 1] -> restored (B, 1, H, W), and eta and sigma, (B,) each."""
        output = self.network(self.mirrored(noisy))
        crop = (..., slice(noisy.shape[2]), slice(noisy.shape[3]))
        return output.image[crop], *self._levels(output.levels, crop)

    def _levels(self, maps: Tensor, crop: tuple) -> Iterator[Tensor]:
        if self.estimates:
            yield from levels_from_maps(maps[crop], self.level_scaling)


def exportable(pretrained: Pretrained) -> Exportable:
    """Return the network that is converted: that of a successor without its level estimator."""
    network, multiple = pretrained.network, pretrained.receptive_field.stride
    if isinstance(network, BlindSuccessor):
        return ToldNetwork(network.denoiser, multiple).eval()
    return BlindNetwork(network, multiple).eval()
