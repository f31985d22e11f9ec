"""Denoise a radiograph with trained weights: `load_pretrained("xbdcnn").denoise(image)`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xbdcnn import noise, zoo
from xbdcnn.errors import XbdcnnError
from xbdcnn.models import MINIMUM_SIDE, Denoised, Recipe

HALO = 64
"""Pixels a tile sees beyond its own: more than any network's receptive field reaches."""

WHOLE_IMAGE_SIDE = 1024
"""Side in pixels up to which an image is restored in one piece by default."""


class Levels(NamedTuple):
    """Noise level of one radiograph: photons per grey level, and 8-bit grey levels."""

    eta: float
    sigma: float


class Outcome(NamedTuple):
    """What one pass through a network gives.

    restored: (H, W) float32, cut to [0, 1]. levels: None if the network estimates none.
    """

    restored: NDArray[np.float32]
    levels: Levels | None


@dataclass(frozen=True)
class Pretrained:
    """A trained network that takes and returns ordinary arrays."""

    network: nn.Module
    """The torch module in evaluation mode: (B, 1, H, W) in [0, 1] -> Denoised."""
    recipe: Recipe
    metadata: dict[str, Any]
    """Header of the weight file: name, budget, data, validation scores, provenance."""

    @property
    def name(self) -> str:
        """What the weight file calls the network."""
        return str(self.metadata.get("name", "unnamed"))

    @property
    def level_error(self) -> Levels | None:
        """Half width of the 95 % interval of an estimate, as an audit has measured and recorded it.

        From `level_error` of the metadata, {"eta": ..., "sigma": ...}; None if never measured.
        """
        measured = self.metadata.get("level_error")
        return Levels(**measured) if measured else None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device

    def denoise(self, image: NDArray, tile: int | None = WHOLE_IMAGE_SIDE) -> NDArray:
        """Return the restored radiograph in the dtype, shape and range of `image`.

        Args:
            image: (H, W), each side >= 16 pixels; uint8 or uint16 over its full range, or
                floating point in [0, 1]; white is the largest value.
            tile: largest side restored in one piece, a multiple of 4. Larger images go in tiles
                that overlap by more than the receptive field, which gives the same result in
                bounded memory. None: always in one piece.

        Raises:
            XbdcnnError: another shape, dtype or range, or values that are not finite.
        """
        restored = self.run(image, tile).restored
        if np.issubdtype(image.dtype, np.floating):
            return restored.astype(image.dtype)
        return np.round(restored * np.iinfo(image.dtype).max).astype(image.dtype)

    def estimate(self, image: NDArray, tile: int | None = WHOLE_IMAGE_SIDE) -> Levels:
        """Return the noise level that the NLE sees in `image`, averaged over its maps.

        Takes what `denoise` takes. Raises XbdcnnError also if the network has no NLE.
        """
        levels = self.run(image, tile).levels
        if levels is None:
            raise XbdcnnError(f"{self.name!r} estimates no noise level; use 'xbdcnn'")
        return levels

    def run(self, image: NDArray, tile: int | None = WHOLE_IMAGE_SIDE) -> Outcome:
        """Restore and estimate in one pass; takes what `denoise` takes, and raises what it does.

        XbdcnnError also if the network returns a number that is not finite.
        """
        restored, maps = self._run(image, tile)
        if not np.isfinite(restored).all() or (maps is not None and not np.isfinite(maps).all()):
            raise XbdcnnError(f"{self.name!r} returns NaN or infinity; its weights are damaged")
        restored = restored.clip(0.0, 1.0)
        if maps is None:
            return Outcome(restored, None)
        eta, sigma = noise.levels_from_maps(torch.from_numpy(maps)[None], self.recipe.level_scaling)
        return Outcome(restored, Levels(float(eta), float(sigma)))

    def _run(
        self, image: NDArray, tile: int | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Restored image (H, W) and level maps (2, H, W), tile by tile if need be."""
        noisy = torch.from_numpy(as_unit_range(image))[None, None]
        if tile is not None and (tile % 4 or tile < MINIMUM_SIDE):
            raise XbdcnnError(f"tile must be a multiple of 4 and at least 16 pixels, got {tile}")
        restored, maps = torch.empty_like(noisy), torch.empty(1, 2, *image.shape)
        for window, halo in tiles(image.shape, tile or max(image.shape)):
            output = self._forward(noisy[(..., *halo)])
            inner = (..., *(within(w, h) for w, h in zip(window, halo, strict=True)))
            restored[(..., *window)] = output.restored[inner]
            if output.levels is None:
                maps = None
            else:
                maps[(..., *window)] = output.levels[inner]
        return restored[0, 0].numpy(), None if maps is None else maps[0].numpy()

    @torch.inference_mode()
    def _forward(self, noisy: Tensor) -> Denoised:
        output = self.network(noisy.to(self.device).contiguous(memory_format=torch.channels_last))
        return Denoised(*(part if part is None else part.float().cpu() for part in output))


def load_pretrained(name: str | Path = "xbdcnn", device: str | torch.device = "cpu") -> Pretrained:
    """Load a trained network by its name in `zoo.ZOO`, or from a weight file of your own.

    Shipped weights are verified against their recorded SHA-256; nothing is downloaded.

    Raises:
        XbdcnnError: unknown name, or the file is missing, damaged or altered.
    """
    is_file = isinstance(name, Path) or str(name).endswith(".safetensors")
    network, header = zoo.load_network(Path(name) if is_file else zoo.shipped_path(str(name)))
    # On CPUs convolutions run about twice as fast with channels last.
    network.to(device, memory_format=torch.channels_last)
    return Pretrained(network, zoo.recipe_from(header["recipe"]), header)


def as_unit_range(image: NDArray) -> NDArray[np.float32]:
    """Check a radiograph and scale it to float32 in [0, 1]; see `Pretrained.denoise`."""
    if image.ndim != 2 or min(image.shape) < MINIMUM_SIDE:
        raise XbdcnnError(
            f"expected one grey radiograph (H, W) with sides >= {MINIMUM_SIDE}, got shape "
            f"{image.shape}; pass one channel of a larger crop"
        )
    if image.dtype in (np.uint8, np.uint16):
        return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)
    if not np.issubdtype(image.dtype, np.floating):
        raise XbdcnnError(
            f"expected uint8, uint16 or floating point, got {image.dtype}; convert it"
        )
    if not ((image >= 0) & (image <= 1)).all():
        raise XbdcnnError("a floating-point radiograph must be finite and in [0, 1]; rescale it")
    return image.astype(np.float32)


def tiles(
    shape: tuple[int, int], side: int
) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Cover (H, W) with windows of at most `side` pixels, each with its window-plus-halo.

    `side` and the halo are multiples of 4, so that every tile pools the same pixel quadruples
    as the whole image does.
    """
    height, width = shape
    for top in range(0, height, side):
        for left in range(0, width, side):
            window = (slice(top, min(top + side, height)), slice(left, min(left + side, width)))
            halo = tuple(
                slice(max(axis.start - HALO, 0), min(axis.stop + HALO, length))
                for axis, length in zip(window, shape, strict=True)
            )
            yield window, halo


def within(window: slice, halo: slice) -> slice:
    """The window's place inside its halo."""
    return slice(window.start - halo.start, window.stop - halo.start)
