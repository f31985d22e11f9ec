"""Denoise a radiograph with trained weights: `load_pretrained("xbdcnn").denoise(image)`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from xbdcnn import noise
from xbdcnn._common.errors import SMALLEST_SIDE, XbdcnnError, require_radiograph
from xbdcnn._common.memory import kept_pages, memory_errors
from xbdcnn.inference import weights
from xbdcnn.inference.precision import Precision, chosen_precision, in_bfloat16
from xbdcnn.inference.tiling import Field, Tile, receptive_field, tiles
from xbdcnn.models import Denoised, Recipe

LARGEST_WHOLE = {"fp32": 616, "bf16": 1024}
"""Side in pixels up to which an image is restored in one piece by default."""

LARGEST_TILE = {"fp32": 616, "bf16": 768}
"""Side of the tiles of a larger image, halo included, such that 2 GB of memory are enough."""

MANY_PIXELS = 2**17
"""Pixels from which on a layer's output is a block that the C library would give back at once."""


class Levels(NamedTuple):
    """Noise level of one radiograph: photons per grey level, and 8-bit grey levels."""

    eta: float
    sigma: float


@dataclass(frozen=True)
class Pretrained:
    """A trained network that takes and returns ordinary arrays."""

    network: nn.Module
    """The torch module in evaluation mode: (B, 1, H, W) in [0, 1] -> Denoised."""
    recipe: Recipe
    metadata: dict[str, Any]
    """Header of the weight file: name, budget, data, validation scores, provenance."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of the convolutions: exact, or twice as fast and, on average, within 0.02 dB."""

    @cached_property
    def computing(self) -> nn.Module:
        """The network that does the work: `network`, or its copy in bfloat16."""
        return in_bfloat16(self.network) if self.precision == "bf16" else self.network

    @property
    def name(self) -> str:
        """What the weight file calls the network."""
        return str(self.metadata.get("name", "unnamed"))

    @property
    def level_error(self) -> Levels | None:
        """Half width of the 95 % interval of an estimate, as the audit has measured it on patches.

        None if it never was, as for weights of one's own.
        """
        measured = self.metadata.get("level_error")
        return Levels(**measured) if measured else None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device

    @cached_property
    def field(self) -> Field:
        """How far the network sees, hence by how much tiles overlap."""
        return receptive_field(self.network)

    def denoise(self, image: NDArray, tile: int | Literal["auto"] | None = "auto") -> NDArray:
        """Return the restored radiograph in the dtype, shape and range of `image`; see `restore`.

        Takes and raises what `restore` does.
        """
        return self.restore(image, tile).image

    def estimate(self, image: NDArray, tile: int | Literal["auto"] | None = "auto") -> Levels:
        """Return the noise level that the NLE sees in `image`, averaged over its maps.

        Takes what `restore` takes. Raises XbdcnnError also if the network has no NLE.
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
    ) -> Denoised:
        """Restore a radiograph and estimate its noise level in one pass.

        Args:
            image: (H, W), each side >= 16 pixels; uint8 or uint16 over its full range, or
                floating point in [0, 1]; white is the largest value.
            tile: largest side restored in one piece, a multiple of 4; "auto" by `LARGEST_WHOLE`,
                None for always in one piece. Larger images go in tiles that overlap by what the
                network sees: the same result (to 1e-5 in fp32) in bounded memory.
            progress: show a progress bar over the tiles.
            maps: return the noise level at every pixel instead of its mean.

        Returns:
            image: the restored radiograph, in the dtype, shape and range of `image`. levels: the
            mean noise level as `Levels`, or (2, H, W) float32 maps of eta and sigma in the paper's
            units; None if the network has no NLE.

        Raises:
            XbdcnnError: another shape, dtype or range, or values that are not finite, be it in
                the image or in what the network returns.
        """
        require_radiograph(image)
        restored, sums = np.empty_like(image), np.zeros(2)
        levels = np.empty((2, *image.shape), np.float32) if maps else None
        for part in tqdm(
            self._plan(image.shape, tile), desc="restoring", unit="tile", disable=not progress
        ):
            output = self._forward(image[part.halo], part.inner)
            restored[part.window] = in_range_of(image.dtype, output.image[0, 0].numpy())
            if output.levels is None:
                continue
            sums += output.levels.double().sum(dim=(0, 2, 3)).numpy()
            if levels is not None:
                levels[(slice(None), *part.window)] = self._in_paper_units(output.levels)
        if output.levels is None:
            return Denoised(restored, None)
        return Denoised(restored, self._mean(sums, image.size) if levels is None else levels)

    def _plan(self, shape: tuple[int, int], tile: int | Literal["auto"] | None) -> list[Tile]:
        if tile is None:
            return tiles(shape, max(shape), self.field)
        if tile == "auto":
            whole, largest = LARGEST_WHOLE[self.precision], LARGEST_TILE[self.precision]
            tile = whole if max(shape) <= whole else largest - 2 * self.field.halo
        elif tile % 4 or tile < SMALLEST_SIDE:
            raise XbdcnnError(f"tile must be a multiple of 4 and at least 16 pixels, got {tile}")
        return tiles(shape, tile, self.field)

    def _mean(self, sums: NDArray[np.float64], pixels: int) -> Levels:
        means = torch.from_numpy(sums / pixels)[None, :, None, None]
        eta, sigma = noise.levels_from_maps(means, self.recipe.level_scaling)
        return Levels(float(eta), float(sigma))

    def _in_paper_units(self, maps: Tensor) -> NDArray[np.float32]:
        """(1, 2, H, W) in the recipe's units -> (2, H, W) photons per grey level, grey levels."""
        # The maps of eta = 1 and sigma = 1 are the units in which the network answers.
        units = noise.level_maps(1.0, 1.0, maps[:, :1], self.recipe.level_scaling)
        return (maps / units)[0].numpy()

    @memory_errors()
    @torch.inference_mode()
    def _forward(self, noisy: NDArray, inner: tuple[slice, slice]) -> Denoised:
        """The network's float32 output for one tile, without the halo, on the CPU."""
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        batch = torch.from_numpy(as_unit_range(noisy))[None, None].to(self.device, dtype)
        # Tile by tile, or what is kept of one would lie in the way of the next.
        with kept_pages(self.device.type == "cpu" and noisy.size >= MANY_PIXELS):
            output = self.computing(batch.contiguous(memory_format=torch.channels_last))
        output = Denoised(*(x if x is None else x[(..., *inner)].float().cpu() for x in output))
        if not all(x is None or x.isfinite().all() for x in output):
            raise XbdcnnError(f"{self.name!r} returns NaN or infinity; its weights are damaged")
        return output


def load_pretrained(
    name: str | Path = "xbdcnn",
    device: str | torch.device = "cpu",
    precision: Precision = "auto",
) -> Pretrained:
    """Load a trained network by its name in `zoo.ZOO`, or from a weight file of your own.

    Shipped weights are verified against their recorded SHA-256; nothing is downloaded.

    Args:
        name: a name, or the path of a .safetensors file.
        device: where to compute.
        precision: "fp32" for exact and reproducible results; "bf16" for about twice the speed,
            at a PSNR within 0.02 dB on average and 0.05 dB on very smooth images; "auto" for bf16
            where the device has it natively.

    Raises:
        XbdcnnError: unknown name or precision, or the file is missing, damaged or altered.
    """
    is_file = isinstance(name, Path) or str(name).endswith(".safetensors")
    chosen = chosen_precision(precision, torch.device(device))
    path = Path(name) if is_file else weights.shipped_path(str(name))
    network, header = weights.load_network(path)
    header["level_error"] = weights.level_error(path)
    # On CPUs convolutions run about twice as fast with channels last.
    network.to(device, memory_format=torch.channels_last)
    return Pretrained(network, weights.recipe_from(header["recipe"]), header, chosen)


def as_unit_range(image: NDArray) -> NDArray[np.float32]:
    """Scale integers over their full range to float32 in [0, 1]; floating point stays as it is."""
    if np.issubdtype(image.dtype, np.floating):
        return image.astype(np.float32)
    return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)


def in_range_of(dtype: DTypeLike, restored: NDArray[np.float32]) -> NDArray:
    """Undo `as_unit_range`: cut to [0, 1], then scale to the full range of an integer dtype."""
    unit = restored.clip(0.0, 1.0)
    if np.issubdtype(dtype, np.floating):
        return unit.astype(dtype)
    return np.round(unit * np.iinfo(dtype).max).astype(dtype)
