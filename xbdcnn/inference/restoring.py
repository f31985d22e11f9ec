"""A trained network that restores NumPy arrays, in one piece or in tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from xbdcnn import noise
from xbdcnn._common.errors import SMALLEST_SIDE, XbdcnnError, require_radiograph
from xbdcnn._common.memory import convert_out_of_memory, reuse_freed_memory
from xbdcnn.inference.precision import to_bfloat16
from xbdcnn.inference.scales import from_unit_range, to_unit_range, warn_of_unused_bits
from xbdcnn.inference.tiling import ReceptiveField, Tile, receptive_field, tiles
from xbdcnn.models import Denoised

MAX_WHOLE_SIDE = {"fp32": 616, "bf16": 1024}
"""Largest side, in pixels, of an image that is not divided into tiles by default."""

MAX_TILE_SIDE = {"fp32": 616, "bf16": 768}
"""Side of the default tiles in pixels, overlap included; inference then needs less than 2 GB."""

LARGE_IMAGE_PIXELS = 2**17
"""Pixels from which on the C library returns a freed layer output to the kernel at once."""


class Levels(NamedTuple):
    """Noise level of one radiograph: eta in photons per grey level, sigma in 8-bit grey levels."""

    eta: float
    sigma: float


@dataclass(frozen=True)
class Pretrained:
    """A trained network that takes and returns NumPy arrays."""

    network: nn.Module
    """The torch module in evaluation mode: (B, 1, H, W) in [0, 1] -> Denoised."""
    recipe: Any
    metadata: dict[str, Any]
    """Header of the weight file: name, training budget, data, validation scores, provenance."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Number format of the convolutions, see `load_pretrained`."""

    @property
    def input_dtype(self) -> torch.dtype:
        """Dtype to which the image is rounded before the network, see `to_bfloat16`."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    @cached_property
    def inference_network(self) -> nn.Module:
        """The network in the chosen precision: `network` itself, or its bfloat16 copy."""
        return to_bfloat16(self.network) if self.precision == "bf16" else self.network

    @property
    def name(self) -> str:
        """Name of the network according to its weight file."""
        return str(self.metadata.get("name", "unnamed"))

    @property
    def training_noise(self) -> noise.TrainingNoise:
        """Noise on which the network was trained: that of the paper, or that of radiographs."""
        return getattr(self.recipe, "noise", "paper")

    @property
    def level_error(self) -> Levels | None:
        """Half widths of the 95 % intervals of an estimated noise level, measured on patches.

        None if they were not measured for these weights; see notebook 11.
        """
        error = self.metadata.get("level_error")
        return Levels(**error) if error else None

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.network.parameters()).device

    @cached_property
    def receptive_field(self) -> ReceptiveField:
        """Receptive field of the network, which determines the overlap of tiles."""
        return receptive_field(self.network)

    def denoise(self, image: NDArray, tile: int | Literal["auto"] | None = "auto") -> NDArray:
        """Return the restored radiograph in the dtype, shape and range of `image`.

        Arguments and errors as for `restore`.
        """
        return self.restore(image, tile).image

    def estimate(self, image: NDArray, tile: int | Literal["auto"] | None = "auto") -> Levels:
        """Return the noise level estimated by the NLE, averaged over the image.

        Arguments and errors as for `restore`; also XbdcnnError if it estimates none.
        """
        levels = self.restore(image, tile).levels
        if levels is None:
            raise XbdcnnError(f"{self.name!r} estimates no noise level; use 'xbdcnn'")
        return levels

    def restore(
        self,
        image: NDArray,
        tile: int | Literal["auto"] | None = "auto",
        progress: bool = False,
        maps: bool = False,
        levels: Levels | None = None,
        strength: float = 1.0,
    ) -> Denoised[Any]:
        """Restore a radiograph and estimate its noise level.

        Args:
            image: (H, W) with H, W >= 16; uint8 or uint16 over the full range, or floating point
                in [0, 1]; white is the largest value. A warning states if uint16 uses fewer bits.
            tile: largest side, in pixels, that is processed in one piece, a multiple of the
                network's stride; "auto" chooses it by `MAX_WHOLE_SIDE` and `MAX_TILE_SIDE`; None
                never divides the image. Tiles overlap by the receptive field, so that the result is
                that of the whole image (to 1e-5 in fp32), in bounded memory.
            progress: show a progress bar over the tiles.
            maps: return noise level maps instead of their means.
            levels: noise level to use instead of the estimate.
            strength: part of the residual that is removed, 0 to 1.

        Returns:
            `Denoised(image, levels)`. image: restored radiograph, in the dtype, shape and range of
            the input. levels: mean noise level as `Levels`; with `maps`, (2, H, W) float32 maps of
            eta (photons per grey level) and sigma (grey levels); None if it estimates none.
            XbdcnnError if an argument is not as above, or the network's output is not finite.
        """
        require_radiograph(image)
        warn_of_unused_bits(image)
        if levels is not None and not (levels[0] > 0 and 0 <= levels[1] < np.inf):
            raise XbdcnnError(f"eta must be above 0 and sigma at least 0, got {levels}")
        told = self._told_levels(image, levels)
        return self._restore(image, told, tile, progress, maps, strength)

    def _restore(
        self,
        image: NDArray,
        told: Tensor | None,
        tile: int | Literal["auto"] | None = "auto",
        progress: bool = False,
        maps: bool = False,
        strength: float = 1.0,
    ) -> Denoised[Any]:
        """Restore a radiograph, given levels of `_told_levels`; the rest as for `restore`."""
        if not 0 <= strength <= 1:
            raise XbdcnnError(f"strength must be within 0 and 1, got {strength}")
        restored = np.empty_like(image)
        sums, used = np.zeros(2), np.empty((2, *image.shape), np.float32) if maps else None
        for part, output in self._outputs(image, told, tile, progress, strength):
            restored[part.window] = from_unit_range(output.image[0, 0].numpy(), image.dtype)
            if output.levels is None:
                continue
            part_levels = self._in_paper_units(output.levels)
            sums += part_levels.sum(axis=(1, 2), dtype=np.float64)
            if used is not None:
                used[:, *part.window] = part_levels
        if output.levels is None:
            return Denoised(restored)
        return Denoised(restored, used if maps else Levels(*(sums / image.size).tolist()))

    @property
    def _knows_eta_and_sigma(self) -> bool:
        """Whether the network estimates eta and sigma; CBDNet estimates their joint effect."""
        has_nle = getattr(self.network, "nle", None) is not None
        return has_nle and self.recipe.level_maps == "eta and sigma"

    def _told_levels(self, image: NDArray, levels: Levels | None) -> Tensor | None:
        """Noise level maps (1, 2, 1, 1) of given levels; None lets the network estimate them."""
        if levels is None:
            return None
        if not self._knows_eta_and_sigma:
            raise XbdcnnError(f"{self.name!r} takes no noise level; use 'xbdcnn'")
        return noise.level_maps(*levels, torch.zeros(1, 1, 1, 1), self.recipe.level_scaling)

    def _outputs(
        self,
        image: NDArray,
        told: Tensor | None,
        tile: int | Literal["auto"] | None,
        progress: bool,
        strength: float,
    ) -> Iterator[tuple[Tile, Denoised[Tensor]]]:
        """Yield every tile of an image with the network's output for its window."""
        plan = self._plan(image.shape, tile)
        for part in tqdm(plan, desc="restoring", unit="tile", disable=not progress):
            yield part, self._forward(image[part.padded], told, part.inner, strength)

    def _plan(self, shape: tuple[int, int], tile: int | Literal["auto"] | None) -> list[Tile]:
        """Return the tiles of an image of shape (H, W); `tile` as for `restore`."""
        field = self.receptive_field
        if tile is None:
            side = max(shape)
        elif tile == "auto":
            whole = MAX_WHOLE_SIDE[self.precision]
            divided = MAX_TILE_SIDE[self.precision] - 2 * field.overlap
            side = whole if max(shape) <= whole else divided
        elif not isinstance(tile, Integral) or tile % field.stride or tile < SMALLEST_SIDE:
            raise XbdcnnError(
                f"tile must be a multiple of {field.stride} and at least 16 pixels, got {tile}"
            )
        else:
            side = tile
        return tiles(shape, side, field)

    @convert_out_of_memory()
    @torch.inference_mode()
    def _forward(
        self, noisy: NDArray, told: Tensor | None, inner: tuple[slice, slice], strength: float
    ) -> Denoised[Tensor]:
        """Return the network's output for one padded tile, cropped to `inner`; float32, on CPU.

        The precision is that of the network, whatever `torch.autocast` surrounds the call.
        """
        unit = torch.from_numpy(to_unit_range(noisy))[None, None]
        batch = unit.to(self.device, self.input_dtype).contiguous(memory_format=torch.channels_last)
        # Memory is returned after every tile, since blocks kept for reuse fragment the heap.
        reused = reuse_freed_memory(self.device.type == "cpu" and noisy.size >= LARGE_IMAGE_PIXELS)
        with reused, torch.autocast(self.device.type, enabled=False):
            output = self._apply(batch, None if told is None else told.to(self.device))
        image = output.image[..., *inner].float().cpu()
        levels = None if output.levels is None else output.levels[..., *inner].float().cpu()
        if not all(x is None or x.isfinite().all() for x in (image, levels)):
            raise XbdcnnError(f"{self.name!r} returns NaN or infinity; its weights are damaged")
        return Denoised(torch.lerp(unit[..., *inner], image, strength), levels)

    def _apply(self, batch: Tensor, told: Tensor | None) -> Denoised[Tensor]:
        """Apply the network to (1, 1, H, W), with the levels of `_told_levels`."""
        if told is None:
            output = self.inference_network(batch)
            return output if self._knows_eta_and_sigma else Denoised(output.image)
        return self.inference_network(batch, told.expand(-1, -1, *batch.shape[-2:]))

    def _in_paper_units(self, maps: Tensor) -> NDArray[np.float32]:
        """(1, 2, H, W) in the recipe's units -> (2, H, W) photons per grey level, grey levels."""
        units = noise.level_maps(1.0, 1.0, maps[:, :1], self.recipe.level_scaling)
        return (maps / units)[0].numpy()
