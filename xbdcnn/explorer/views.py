"""What the noise explorer shows: pure functions from a `State` to arrays, PNG bytes and text.

They need no browser, no widget and no notebook; `xbdcnn.explorer` wraps them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from itertools import repeat
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from xbdcnn import metrics, zoo
from xbdcnn.classical import CLASSICAL
from xbdcnn.data import Source, builtin_crop, builtin_fields
from xbdcnn.errors import XbdcnnError
from xbdcnn.inference import Levels, Pretrained, load_pretrained
from xbdcnn.noise import GREY_LEVELS, add_hybrid_noise, noise_variance

SIDE = 384
"""Height and width of the explored region in pixels."""

ETA_LIMITS, SIGMA_LIMITS = (0.1, 5.0), (0.0, 50.0)
"""Ends of the sliders: wider than the paper's ranges, so that one sees a network leave home."""

RESIDUAL_LIMIT = 64.0
"""The residual panel is black at -64 and white at +64 grey levels, whatever the noise."""

SSIM_CONVENTION = "SSIM: 11-pixel Gaussian window, data range 1, no border"
"""The defaults of `metrics.ssim` in words."""

NO_METHOD = "none"


@dataclass(frozen=True)
class State:
    """Everything that the controls say, and all that the pictures depend on."""

    eta: float = 0.6
    """Photons per grey level, > 0."""
    sigma: float = 10.0
    """Thermal noise in 8-bit grey levels, >= 0."""
    seed: int = 0
    image: str = ""
    """Name of a clean radiograph; the widget offers a dictionary of them."""
    method: str = NO_METHOD
    """Name of a restoration method, see `collect_restorers`."""
    corner: tuple[int, int] | None = None
    """Upper left (row, column) of the region; None for the centre of the radiograph."""


class Restoration(NamedTuple):
    """What a method returns: the image, (H, W) float32 in [0, 1], and the levels it saw."""

    image: NDArray[np.float32]
    levels: Levels | None = None


class Quality(NamedTuple):
    """PSNR and SNR in dB, and SSIM by `SSIM_CONVENTION`."""

    psnr: float
    snr: float
    ssim: float


class View(NamedTuple):
    """One state, restored: images (H, W) float32, residual = noisy - restored, and scores."""

    noisy: NDArray[np.float32]
    restored: NDArray[np.float32]
    residual: NDArray[np.float32]
    levels: Levels | None
    before: Quality
    after: Quality


Restorer = Callable[[NDArray[np.float32], float, float], Restoration]
"""(noisy, eta, sigma) -> Restoration; blind methods ignore eta and sigma."""


def crop(image: NDArray[np.float32], corner: tuple[int, int] | None = None) -> NDArray[np.float32]:
    """Cut the explored region, at most `SIDE` x `SIDE`, out of a radiograph (H, W).

    corner: see `State`. XbdcnnError if the region leaves the radiograph.
    """
    sides = [min(SIDE, length) for length in image.shape]
    if corner is None:
        corner = [(length - side) // 2 for length, side in zip(image.shape, sides, strict=True)]
    ends = [start + side for start, side in zip(corner, sides, strict=True)]
    if min(corner) < 0 or ends[0] > image.shape[0] or ends[1] > image.shape[1]:
        raise XbdcnnError(
            f"a region of {sides[0]} x {sides[1]} pixels at {tuple(corner)} leaves the radiograph "
            f"of {image.shape[0]} x {image.shape[1]}; move its corner"
        )
    return image[corner[0] : ends[0], corner[1] : ends[1]]


def simulate(clean: NDArray[np.float32], state: State) -> NDArray[np.float32]:
    """Eq. 1 at the state's eta, sigma and seed; the same state always gives the same noise.

    clean: (H, W) in [0, 1]. Returns float32, clipped to [0, 1]. Raises XbdcnnError on bad levels
    or a bad image, see `noise.add_hybrid_noise`.
    """
    generator = torch.Generator().manual_seed(state.seed)
    g = torch.from_numpy(np.array(clean, np.float32))
    return add_hybrid_noise(g, state.eta, state.sigma, generator).numpy()


def restore(
    clean: NDArray[np.float32],
    noisy: NDArray[np.float32],
    state: State,
    restorers: Mapping[str, Restorer],
) -> View:
    """Restore `noisy` by the state's method and compare it with `clean`, both (H, W) in [0, 1].

    XbdcnnError if the method is not among `restorers`, or if it refuses the image.
    """
    if state.method not in restorers:
        raise XbdcnnError(f"unknown method {state.method!r}; choose from {', '.join(restorers)}")
    restored, levels = restorers[state.method](noisy, state.eta, state.sigma)
    before, after = quality(noisy, clean), quality(restored, clean)
    return View(noisy, restored, noisy - restored, levels, before, after)


def quality(image: NDArray[np.float32], clean: NDArray[np.float32]) -> Quality:
    """PSNR, SNR and SSIM of one image (H, W) in [0, 1] as `xbdcnn.metrics` measures them."""
    return Quality(*(score(image, clean) for score in (metrics.psnr, metrics.snr, metrics.ssim)))


def describe(state: State, mean_grey: float) -> str:
    """Say in one sentence what eta and sigma mean for a pixel of `mean_grey` grey levels.

    The photon count is eta times the grey level; its square root, in grey levels, is the quantum
    noise sqrt(g / eta) of Eq. 1.
    """
    quantum, total = (
        float(noise_variance(mean_grey / GREY_LEVELS, state.eta, sigma))
        for sigma in (0.0, state.sigma)
    )
    if total == 0:
        return "A black pixel without thermal noise stays black: there is nothing to fluctuate."
    return (
        f"A pixel of average brightness ({mean_grey:.0f} of 255) counts about "
        f"{state.eta * mean_grey:.0f} photons, so it fluctuates by {quantum**0.5:.1f} grey levels; "
        f"with {state.sigma:.1f} grey levels of thermal noise that makes {total**0.5:.1f}, and "
        f"{quantum / total:.0%} of the noise variance comes from the photons."
    )


def quality_table(
    state: State, before: Quality, after: Quality | None = None, levels: Levels | None = None
) -> str:
    """HTML table of the scores before and after; the latter are dots while they are awaited."""
    names, digits = ("PSNR (dB)", "SNR (dB)", "SSIM"), (2, 2, 3)
    table = _html_table(("", "noisy", "restored"), names, digits, before, after)
    table += f"<p><small>{SSIM_CONVENTION}.</small></p>"
    if after is None or levels is None:
        return table
    true = Levels(state.eta, state.sigma)
    return table + _html_table(("", "true", "estimated"), Levels._fields, (2, 1), true, levels)


def _html_table(
    head: Iterable[str],
    names: Iterable[str],
    digits: Iterable[int],
    left: Iterable[float],
    right: Iterable[float] | None,
) -> str:
    """Two columns of numbers with header cells, so that a screen reader can name each."""
    lines = ["".join(f'<th scope="col">{cell}</th>' for cell in head)]
    right = repeat(None) if right is None else right
    for name, precision, *pair in zip(names, digits, left, right, strict=False):
        texts = ("…" if number is None else f"{number:.{precision}f}" for number in pair)
        cells = "".join(f'<td style="text-align: right">{text}</td>' for text in texts)
        lines.append(f'<th scope="row">{name}</th>{cells}')
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def png(image: NDArray[np.floating], low: float = 0.0, high: float = 1.0) -> bytes:
    """Encode (H, W) as an 8-bit grey PNG: `low` and below is black, `high` and above white."""
    from PIL import Image

    unit = (np.asarray(image) - low) / (high - low)
    stream = io.BytesIO()
    picture = Image.fromarray(np.round(unit.clip(0, 1) * GREY_LEVELS).astype(np.uint8))
    # Noise does not compress: the fastest setting is as small as any.
    picture.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def residual_png(residual: NDArray[np.floating]) -> bytes:
    """`png` with mid grey at zero and the fixed `RESIDUAL_LIMIT`, so that states compare."""
    limit = RESIDUAL_LIMIT / GREY_LEVELS
    return png(residual, -limit, limit)


def collect_images(source: Source, count: int = 4) -> dict[str, NDArray[np.float32]]:
    """Radiographs to choose from by name: the built-in one, then `count` of a folder's test split.

    The built-in radiograph comes as the whole chest, reduced to `SIDE`, and as two fields at the
    detector's own resolution. XbdcnnError if the source has no readable test images.
    """
    images = {"built-in: whole chest": builtin_crop(SIDE)}
    for number, field in enumerate(builtin_fields("test"), start=1):
        images[f"built-in: field {number}"] = field
    if source.index is not None:
        paths = source.paths("test", count)
        for path, image in zip(paths, source.images("test", count), strict=True):
            images[f"{source.name}: {path.stem}"] = image
    return images


def collect_restorers() -> dict[str, Restorer]:
    """Every method at hand by its label: none, the shipped networks, the classical ones.

    A network is loaded when it is first used. BM3D is left out if its package, which is free for
    non-commercial use only, is not installed.
    """
    restorers: dict[str, Restorer] = {NO_METHOD: lambda noisy, eta, sigma: Restoration(noisy)}
    for name in zoo.shipped_names():
        restorers[zoo.ZOO[name].label] = partial(_by_network, name)
    for name, denoise in CLASSICAL.items():
        if "BM3D" not in name or find_spec("bm3d"):
            restorers[name] = partial(_by_classical, denoise)
    return restorers


def _by_network(name: str, noisy: NDArray[np.float32], eta: float, sigma: float) -> Restoration:
    """One pass for both the image and, if there is an NLE, the levels."""
    return Restoration(*_loaded(name).restore(noisy))


@lru_cache(maxsize=4)
def _loaded(name: str) -> Pretrained:
    return load_pretrained(name)


def _by_classical(denoise, noisy: NDArray[np.float32], eta: float, sigma: float) -> Restoration:
    return Restoration(denoise(noisy, eta=eta, sigma=sigma))
