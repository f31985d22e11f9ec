"""Model observers: how well a known signal at a known place is detected in noise.

Images are (H, W) floats in [0, 1]. Signals, templates and channels are (h, h) with odd h; a signal
has the peak 1, and its contrast is given in 8-bit grey levels. A *linear* observer forms one number
per place, t = sum w f, and decides by its size; d' = (mean t_1 - mean t_0) / std t. None of the
functions is in the paper, which reports no detectability.

References:
    Barrett and Myers, Foundations of Image Science, Wiley 2004, chapters 13 and 14.
    Gallas and Barrett, Validating the use of channels to estimate the ideal linear observer,
    Journal of the Optical Society of America A 20(9), 2003, doi 10.1364/JOSAA.20.001725.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import eval_laguerre

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.study.no_reference import Centres, Image, distance_from_centre

Array = NDArray[np.float64]

HALF = 13
"""Pixels from the centre of a signal, a template or a channel to its border."""


def disc_signal(radius: float, half: int = HALF) -> Array:
    """s = 1 within `radius` pixels of the centre, else 0."""
    return (distance_from_centre(half) <= radius).astype(np.float64)


def nodule_signal(scale: float, half: int = HALF) -> Array:
    """s = exp(-r^2 / (2 scale^2)): the smooth profile of a nodule; scale in pixels."""
    return np.exp(-0.5 * (distance_from_centre(half) / scale) ** 2)


def laguerre_gauss_channels(count: int, scale: float, half: int = HALF) -> Array:
    """u_n = sqrt(2) / a exp(-pi r^2 / a^2) L_n(2 pi r^2 / a^2), n = 0 ... count - 1.

    L_n: Laguerre polynomials. a = sqrt(2 pi) scale, so that u_0 is `nodule_signal(scale)` up to a
    factor. The channels are orthonormal, except that the window cuts those of high order, and have
    no direction: they represent round signals (Gallas and Barrett 2003). Returns (count, h, h).
    """
    a = np.sqrt(2 * np.pi) * scale
    area = np.pi * (distance_from_centre(half) / a) ** 2
    orders = np.arange(count)[:, None, None]
    return np.sqrt(2) / a * np.exp(-area) * eval_laguerre(orders, 2 * area)


def white_noise_d_prime(signal: Array, contrast: float, variance: float) -> float:
    """d' = contrast sqrt(sum s^2 / variance): the matched filter in independent noise.

    There no observer, linear or not, detects the signal better (Barrett and Myers 2004, Sec. 13.2).
    contrast: grey levels; variance: of the noise of a pixel, in grey levels^2.
    """
    return float(contrast * np.sqrt(np.square(signal).sum() / variance))


def contrast_for(d_prime: float, signal: Array, variance: float) -> float:
    """Invert `white_noise_d_prime`: the contrast in grey levels that has this d'."""
    return d_prime / white_noise_d_prime(signal, 1.0, variance)


def template_outputs(image: Image, centres: Centres, templates: Array) -> Array:
    """t = sum w f around each centre for each template, in grey levels: (n, p).

    image: (H, W); centres: (n, 2), at least h // 2 pixels inside; templates: (p, h, h).
    """
    side = templates.shape[-1]
    rows, columns = (centres - side // 2).T
    patches = sliding_window_view(image, (side, side))[rows, columns]
    return GREY_LEVELS * np.einsum("nij,pij->np", patches, templates, dtype=np.float64)


def hotelling_template(difference: Array, covariance: Array) -> Array:
    """w = K^-1 (mean v_1 - mean v_0), scaled to w' K w = 1: the best linear observer.

    It decorrelates ("prewhitens") the noise before it matches the signal. With pixels as v it is
    the Hotelling observer, which is ideal in normal noise; with channel outputs the channelised
    Hotelling observer, CHO (Barrett and Myers 2004, Sec. 13.2 and 14.3).

    difference: (p,); covariance K: (p, p), the same with and without the signal.
    """
    template = np.linalg.solve(covariance, difference)
    return template / np.sqrt(template @ covariance @ template)


def template_d_prime(template: Array, difference: Array, covariance: Array) -> float:
    """d' = w' (mean v_1 - mean v_0) / sqrt(w' K w) of the observer t = w' v; (p,), (p,), (p, p).

    With w = s it is the (non-prewhitening) matched filter, with w of `hotelling_template` the
    largest of all linear observers, sqrt(s' K^-1 s).
    """
    return float(template @ difference / np.sqrt(template @ covariance @ template))


def contrast_to_noise(contrast: Array | float, variance: Array | float) -> Array | float:
    """CNR = contrast / sqrt(variance): contrast of a region of interest over the noise of a pixel.

    Both in grey levels, the variance squared. The size of the region and the correlation of the
    noise do not enter, so that CNR is no measure of detectability (Barrett and Myers 2004).
    """
    return contrast / np.sqrt(variance)


def within_background_covariance(absent: Array, present: Array) -> Array:
    """Unbiased covariance (p, p) of the draws of the noise in the same background.

    absent, present: (..., draws, p), responses without and with the signal. The deviations are from
    the mean of each background and class, so that anatomy does not count: the observer knows the
    background exactly. XbdcnnError for fewer than two draws.
    """
    draws, size = absent.shape[-2:]
    if draws < 2:
        raise XbdcnnError(f"{draws} draw of the noise: give at least two for each background")
    both = np.stack([absent, present])
    deviations = (both - both.mean(axis=-2, keepdims=True)).reshape(-1, size)
    return deviations.T @ deviations / (len(deviations) * (draws - 1) / draws)


def total_covariance(absent: Array, present: Array) -> Array:
    """Covariance (p, p) over backgrounds and draws: the observer does not know the background.

    absent, present: (..., p); the deviations are from the mean of each class.
    """
    size = absent.shape[-1]
    parts = [np.cov(responses.reshape(-1, size), rowvar=False) for responses in (absent, present)]
    return np.atleast_2d(np.mean(parts, axis=0))


class Trained(NamedTuple):
    """Responses of an observer to images on which it was not trained.

    absent, present: (images, places, draws). Without the signal the mean of the other images is 0,
    and their standard deviation 1, for the covariance of the training.
    """

    absent: Array
    present: Array


def held_out_responses(absent: Array, present: Array, known: bool) -> Trained:
    """Respond to each image with the Hotelling template of all other images.

    A template that is tested on the draws from which it was computed has a too large d', by about
    p / (n d') for n pairs, since it also matches their noise. Tested on other images, d' is not too
    large; it is slightly below that of infinitely many training images, in the tests by 1 to 3 %.

    absent, present: (images, places, draws, p). known: train with
    `within_background_covariance`, else with `total_covariance`. XbdcnnError for a single image.
    """
    if len(absent) < 2:
        raise XbdcnnError("a single image: an observer needs others for its training")
    covariance = within_background_covariance if known else total_covariance
    responses = []
    for image in range(len(absent)):
        train = [np.delete(outputs, image, axis=0) for outputs in (absent, present)]
        means = [outputs.reshape(-1, outputs.shape[-1]).mean(axis=0) for outputs in train]
        template = hotelling_template(means[1] - means[0], covariance(*train))
        responses.append([(outputs[image] - means[0]) @ template for outputs in (absent, present)])
    return Trained(*np.moveaxis(np.array(responses), 1, 0))


class Detection(NamedTuple):
    """Sums from which d' of any set of images follows, each (images,).

    response: mean t_1 - mean t_0. variance: of t. d' = mean response / sqrt(mean variance).
    correct: share of the pairs of a draw with and one without the signal, in the same background,
    in which t is larger with it: the two-alternative forced choice, the area under the ROC curve.
    """

    response: Array
    variance: Array
    correct: Array


def detection(absent: Array, present: Array, known: bool = True) -> Detection:
    """Summarise responses (images, places, draws) per image.

    known: variance between draws in the same background, averaged over both classes, at least two
    draws; else mean square of t_0, whose mean over the training images is 0.
    """
    response = (present - absent).mean(axis=(1, 2))
    if known:
        variance = np.mean([t.var(axis=2, ddof=1).mean(axis=1) for t in (absent, present)], axis=0)
    else:
        variance = np.square(absent).mean(axis=(1, 2))
    pairs = present[..., :, None] - absent[..., None, :]
    correct = (pairs > 0).mean(axis=(1, 2, 3)) + 0.5 * (pairs == 0).mean(axis=(1, 2, 3))
    return Detection(response, variance, correct)
