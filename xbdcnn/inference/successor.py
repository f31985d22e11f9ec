"""Apply a successor: its level estimator sees the whole image, its denoiser the tiles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xbdcnn._common.errors import XbdcnnError, require_radiograph
from xbdcnn._common.memory import convert_out_of_memory
from xbdcnn.inference.precision import to_bfloat16
from xbdcnn.inference.restoring import Levels, Pretrained
from xbdcnn.inference.scales import to_unit_range, warn_of_unused_bits
from xbdcnn.inference.tiling import ReceptiveField, receptive_field
from xbdcnn.level_estimator import LevelEstimate, decode_levels, encode_levels
from xbdcnn.models import Denoised
from xbdcnn.successor import BlindSuccessor

NORMAL_95 = 1.96
"""Half width of the central 95 % of a normal distribution, in standard deviations."""


class NoiseEstimate(NamedTuple):
    """Noise of one radiograph, with 95 % intervals.

    levels: eta and sigma; lowest, highest: ends of their intervals; correlation: of adjacent
    pixels, -1 to 1, and correlation_error: half width of its interval.
    """

    levels: Levels
    lowest: Levels
    highest: Levels
    correlation: float
    correlation_error: float


def told_levels(found: LevelEstimate) -> Tensor:
    """Encoded levels (2, 3): those that are reported, and those that the denoiser is told."""
    return torch.cat([found.levels, found.cautious()])


def with_intervals(found: LevelEstimate) -> NoiseEstimate:
    """Convert the encoded estimate of one radiograph, (1, 3) each, to levels with intervals."""
    half = NORMAL_95 * found.error
    low, high = (found.levels - half).clamp(min=1e-6), found.levels + half
    # A larger encoded level means fewer photons, hence a smaller eta.
    (eta, sigma, correlation), lowest, highest = (
        [float(value) for value in decode_levels(x)] for x in (found.levels, low, high)
    )
    return NoiseEstimate(
        Levels(eta, sigma),
        Levels(highest[0], lowest[1]),
        Levels(lowest[0], highest[1]),
        correlation,
        float(half[0, 2]),
    )


@dataclass(frozen=True)
class PretrainedSuccessor(Pretrained):
    """A trained successor that takes and returns NumPy arrays, see `Pretrained`.

    network: a `successor.BlindSuccessor`.
    """

    @property
    def _parts(self) -> BlindSuccessor:
        assert isinstance(self.network, BlindSuccessor)
        return self.network

    @property
    def input_dtype(self) -> torch.dtype:
        """float32: rounding the image to bfloat16 would change it by more than weak noise does."""
        return torch.float32

    @cached_property
    def inference_network(self) -> nn.Module:
        """The denoiser in the chosen precision; the estimator is always applied in float32."""
        denoiser = self._parts.denoiser
        return to_bfloat16(denoiser) if self.precision == "bf16" else denoiser

    @cached_property
    def receptive_field(self) -> ReceptiveField:
        """Receptive field of the denoiser, which determines the overlap of tiles."""
        return receptive_field(self._parts.denoiser, torch.zeros(1, 3, device=self.device))

    def measure(self, image: NDArray) -> NoiseEstimate:
        """Estimate the noise of a radiograph; `image` and errors as for `restore`."""
        require_radiograph(image)
        return with_intervals(self._estimate(image))

    def measure_and_restore(
        self, image: NDArray, progress: bool = False, strength: float = 1.0
    ) -> tuple[NoiseEstimate, Denoised[Any]]:
        """Return the results of `measure` and `restore`, for which the noise is estimated once.

        Arguments and errors as for `restore`.
        """
        require_radiograph(image)
        warn_of_unused_bits(image)
        found = self._estimate(image)
        restored = self._restore(image, told_levels(found), progress=progress, strength=strength)
        return with_intervals(found), restored

    @convert_out_of_memory()
    @torch.inference_mode()
    def _estimate(self, image: NDArray) -> LevelEstimate:
        """Encoded levels and the standard deviations of their errors, (1, 3) each, on the CPU."""
        batch = torch.from_numpy(to_unit_range(image))[None, None].to(self.device)
        with torch.autocast(self.device.type, enabled=False):
            levels, error = (part.float().cpu() for part in self._parts.estimator(batch))
        if not (levels.isfinite().all() and error.isfinite().all()):
            raise XbdcnnError(f"{self.name!r} returns NaN or infinity; its weights are damaged")
        return LevelEstimate(levels, error)

    def _told_levels(self, image: NDArray, levels: Levels | None) -> Tensor:
        """Encoded levels as from `told_levels`; given ones replace both eta and sigma."""
        found = self._estimate(image)
        if levels is None:
            return told_levels(found)
        given = encode_levels(*levels, found.levels[:, 2], found.levels[:, :1, None, None])
        return given.expand(2, -1)

    def _apply(self, batch: Tensor, told: Tensor | None) -> Denoised[Tensor]:
        """Apply the denoiser; the levels become maps (1, 3, H, W), as those of an X-BDCNN."""
        assert told is not None
        output = self.inference_network(batch, told[1:])
        maps = told[:1, :, None, None].expand(-1, -1, *batch.shape[-2:])
        return Denoised(output.image, maps)

    def _in_paper_units(self, maps: Tensor) -> NDArray[np.float32]:
        """(1, 3, H, W) encoded levels -> (2, H, W) photons per grey level, grey levels."""
        eta, sigma, _ = decode_levels(maps)
        return torch.cat([eta, sigma]).numpy()
