"""Denoise a radiograph with trained weights: `load_pretrained("xbdcnn").denoise(image)`."""

from __future__ import annotations

from collections.abc import Iterator
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
from xbdcnn._common.memory import convert_out_of_memory, reuse_freed_memory
from xbdcnn.inference import weights
from xbdcnn.inference.precision import Precision, resolve_precision, to_bfloat16
from xbdcnn.inference.tiling import ReceptiveField, Tile, receptive_field, tiles
from xbdcnn.models import Denoised, Recipe

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
    recipe: Recipe
    metadata: dict[str, Any]
    """Header of the weight file: name, training budget, data, validation scores, provenance."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Number format of the convolutions, see `load_pretrained`."""

    @cached_property
    def inference_network(self) -> nn.Module:
        """The network in the chosen precision: `network` itself, or its bfloat16 copy."""
        return to_bfloat16(self.network) if self.precision == "bf16" else self.network

    @property
    def name(self) -> str:
        """Name of the network according to its weight file."""
        return str(self.metadata.get("name", "unnamed"))

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

        Arguments and errors as for `restore`; also XbdcnnError if the network has no NLE.
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
    ) -> Denoised[Any]:
        """Restore a radiograph and estimate its noise level in one pass.

        Args:
            image: (H, W) with H, W >= 16; uint8 or uint16 over the full range, or floating point
                in [0, 1]; white is the largest value.
            tile: largest side, in pixels, that is processed in one piece, a multiple of 4; "auto"
                chooses it by `MAX_WHOLE_SIDE` and `MAX_TILE_SIDE`; None never divides the image.
                Tiles overlap by the receptive field, so that the result is that of the whole image
                (to 1e-5 in fp32), in bounded memory.
            progress: show a progress bar over the tiles.
            maps: return noise level maps instead of their means.

        Returns:
            `Denoised(image, levels)`. image: restored radiograph, in the dtype, shape and range of
            the input. levels: mean noise level as `Levels`; with `maps`, (2, H, W) float32 maps of
            eta (photons per grey level) and sigma (grey levels); None if the network has no NLE.

        Raises:
            XbdcnnError: shape, dtype, range or tile is not as above, or the image or the output of
                the network is not finite.
        """
        require_radiograph(image)
        restored, sums = np.empty_like(image), np.zeros(2)
        levels = np.empty((2, *image.shape), np.float32) if maps else None
        for part, output in self._outputs(image, tile, progress):
            restored[part.window] = from_unit_range(output.image[0, 0].numpy(), image.dtype)
            if output.levels is None:
                continue
            if levels is None:
                sums += output.levels.double().sum(dim=(0, 2, 3)).numpy()
            else:
                levels[:, *part.window] = self._in_paper_units(output.levels)
        if output.levels is None:
            return Denoised(restored)
        return Denoised(restored, self._mean_levels(sums, image.size) if levels is None else levels)

    def _outputs(
        self, image: NDArray, tile: int | Literal["auto"] | None, progress: bool
    ) -> Iterator[tuple[Tile, Denoised[Tensor]]]:
        """Yield every tile of an image with the network's output for its window."""
        plan = self._plan(image.shape, tile)
        for part in tqdm(plan, desc="restoring", unit="tile", disable=not progress):
            yield part, self._forward(image[part.padded], part.inner)

    def _plan(self, shape: tuple[int, int], tile: int | Literal["auto"] | None) -> list[Tile]:
        """Return the tiles of an image of shape (H, W); `tile` as for `restore`."""
        if tile is None:
            side = max(shape)
        elif tile == "auto":
            whole = MAX_WHOLE_SIDE[self.precision]
            divided = MAX_TILE_SIDE[self.precision] - 2 * self.receptive_field.overlap
            side = whole if max(shape) <= whole else divided
        elif tile % 4 or tile < SMALLEST_SIDE:
            raise XbdcnnError(f"tile must be a multiple of 4 and at least 16 pixels, got {tile}")
        else:
            side = tile
        return tiles(shape, side, self.receptive_field)

    @convert_out_of_memory()
    @torch.inference_mode()
    def _forward(self, noisy: NDArray, inner: tuple[slice, slice]) -> Denoised[Tensor]:
        """Return the network's output for one padded tile, cropped to `inner`; float32, on CPU."""
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        batch = torch.from_numpy(to_unit_range(noisy))[None, None].to(self.device, dtype)
        # Memory is returned after every tile, since blocks kept for reuse fragment the heap.
        with reuse_freed_memory(self.device.type == "cpu" and noisy.size >= LARGE_IMAGE_PIXELS):
            output = self.inference_network(batch.contiguous(memory_format=torch.channels_last))
        output = Denoised(*(x if x is None else x[..., *inner].float().cpu() for x in output))
        if not all(x is None or x.isfinite().all() for x in output):
            raise XbdcnnError(f"{self.name!r} returns NaN or infinity; its weights are damaged")
        return output

    def _mean_levels(self, sums: NDArray[np.float64], pixels: int) -> Levels:
        """Return the mean noise level, given the sums (2,) of the maps in the recipe's units."""
        means = torch.from_numpy(sums / pixels)[None, :, None, None]
        eta, sigma = noise.levels_from_maps(means, self.recipe.level_scaling)
        return Levels(float(eta), float(sigma))

    def _in_paper_units(self, maps: Tensor) -> NDArray[np.float32]:
        """(1, 2, H, W) in the recipe's units -> (2, H, W) photons per grey level, grey levels."""
        # The maps of eta = 1 and sigma = 1 hold the values that correspond to the paper's units.
        units = noise.level_maps(1.0, 1.0, maps[:, :1], self.recipe.level_scaling)
        return (maps / units)[0].numpy()


def load_pretrained(
    name: str | Path = "xbdcnn",
    device: str | torch.device = "cpu",
    precision: Precision = "auto",
) -> Pretrained:
    """Load a trained network by its name in `zoo.ZOO`, or from a weight file.

    Shipped weights are verified against their recorded SHA-256; nothing is downloaded.

    Args:
        name: name of a shipped network, or path of a .safetensors file.
        device: device for inference.
        precision: "fp32" for reproducible results; "bf16" for about twice the speed, with a PSNR
            within 0.02 dB on average and 0.05 dB for very smooth images; "auto" for bf16 on
            devices with bfloat16 instructions, else fp32.

    Raises:
        XbdcnnError: name or precision is unknown, the file is missing, damaged or altered, or it
            holds a successor, which has to be told the noise levels.
    """
    is_file = isinstance(name, Path) or str(name).endswith(".safetensors")
    resolved = resolve_precision(precision, torch.device(device))
    path = Path(name) if is_file else weights.shipped_path(str(name))
    network, header = weights.load_network(path)
    header["level_error"] = weights.level_error(path)
    # CPU convolutions take about half the time in this memory format.
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    recipe = weights.recipe_from(header)
    if not isinstance(recipe, Recipe):
        raise XbdcnnError(
            f"{path}: this network must be told the noise levels; load it with "
            "xbdcnn.inference.weights.load_network"
        )
    return Pretrained(network, recipe, header, resolved)


def to_unit_range(image: NDArray) -> NDArray[np.float32]:
    """Convert to float32; integers are divided by the largest value of their dtype."""
    if np.issubdtype(image.dtype, np.floating):
        return image.astype(np.float32)
    return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)


def from_unit_range(restored: NDArray[np.float32], dtype: DTypeLike) -> NDArray:
    """Invert `to_unit_range`: clip to [0, 1], then scale to the full range of an integer dtype."""
    unit = restored.clip(0.0, 1.0)
    if np.issubdtype(dtype, np.floating):
        return unit.astype(dtype)
    return np.round(unit * np.iinfo(dtype).max).astype(dtype)
