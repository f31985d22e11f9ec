"""Laws of the noise variance, fitted to bins by maximum likelihood.

P. McCullagh and J. A. Nelder, Generalized Linear Models, 2nd ed. 1989, Chap. 8 (gamma errors).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.measured_noise.photon_transfer import NoiseBins

Values = NDArray[np.floating]

LEAST_CONTRAST = 1.05
"""Largest signal of the bins divided by the smallest; with less, no law can be told."""

_STEPS = 100
_SMALLEST_GAIN = 1e-9
"""Gain of log-likelihood at which the fit has converged."""


class _Form(NamedTuple):
    """A law as a generalised linear model: link(variance) = design(signal) @ coefficients.

    design: (bins,) to (bins, coefficients); logarithmic: the link is the logarithm, else identity.
    """

    design: Callable[[Values], Values]
    logarithmic: bool

    def predicted(self, signal: Values, coefficients: Values) -> Values:
        """Variance at a signal, before and without a check that it is positive."""
        linear = self.design(signal) @ coefficients
        return np.exp(linear) if self.logarithmic else linear


_FORMS = {
    "linear": _Form(lambda g: np.stack([g], -1), False),
    "affine": _Form(lambda g: np.stack([g, np.ones_like(g)], -1), False),
    "exponential": _Form(lambda g: np.stack([np.ones_like(g), g], -1), True),
    "power": _Form(lambda g: np.stack([np.ones_like(g), np.log(g)], -1), True),
}


class NoiseLaw(NamedTuple):
    """A fitted law of the noise variance.

    name: "linear" a g, "affine" a g + b, "exponential" a exp(k g), "power" a g^k; parameters: in
    this order; log_likelihood: natural logarithm; error: root mean square relative deviation of
    the bins' variances from the law.
    """

    name: str
    parameters: tuple[float, ...]
    log_likelihood: float
    error: float

    @property
    def aic(self) -> float:
        """Akaike's criterion 2 (parameters - log-likelihood): the smallest is the best."""
        return 2 * (len(self.parameters) - self.log_likelihood)

    def variance(self, signal: Values) -> Values:
        """Variance of the law at a signal > 0, in the square of its unit, like `signal`."""
        signal = np.asarray(signal, np.float64)
        coefficients = np.array(self.parameters)
        if _FORMS[self.name].logarithmic:
            coefficients[0] = np.log(coefficients[0])
        return _FORMS[self.name].predicted(signal, coefficients)


def fit_laws(bins: NoiseBins) -> list[NoiseLaw]:
    """Fit the four laws to the variances of bins by maximum likelihood; the best first, by AIC.

    A variance from n samples has a chi-squared distribution with n degrees of freedom, scaled to
    the variance of the law: a gamma distribution of shape n / 2. The likelihood is maximised by
    iteratively reweighted least squares. AIC and not the likelihood decides, because the affine
    law contains the linear one.

    Bins without signal or variance are left out. XbdcnnError if fewer than three are left, or if
    they do not have `contrast`.
    """
    used = (bins.signal > 0) & (bins.variance > 0) & (bins.samples > 0)
    if used.sum() < 3:
        raise XbdcnnError("fewer than three bins with signal and noise; use a larger image")
    usable = NoiseBins(*(values[used] for values in bins))
    if not contrast(usable):
        raise XbdcnnError("the signal of the bins is too uniform; use an image with more contrast")
    return sorted((_fit(name, usable) for name in _FORMS), key=lambda law: law.aic)


def contrast(bins: NoiseBins) -> bool:
    """Tell whether the largest signal is at least `LEAST_CONTRAST` times the smallest."""
    return bool(bins.signal.max() >= LEAST_CONTRAST * bins.signal.min())


def _fit(name: str, bins: NoiseBins) -> NoiseLaw:
    form = _FORMS[name]
    coefficients = _most_likely(form, bins)
    predicted = form.predicted(bins.signal, coefficients)
    error = float(np.sqrt(np.mean((bins.variance / predicted - 1) ** 2)))
    if form.logarithmic:
        coefficients[0] = np.exp(coefficients[0])
    return NoiseLaw(name, tuple(coefficients.tolist()), _log_likelihood(bins, predicted), error)


def _most_likely(form: _Form, bins: NoiseBins) -> Values:
    """Coefficients of the largest likelihood, by scoring steps that never lower it."""
    coefficients = _start(form, bins)
    best = _log_likelihood(bins, form.predicted(bins.signal, coefficients))
    step = _scoring_step(form, bins, coefficients)
    for _ in range(_STEPS):
        raised = _log_likelihood(bins, form.predicted(bins.signal, coefficients + step))
        if raised < best:
            step = step / 2
            continue
        coefficients, gain, best = coefficients + step, raised - best, raised
        if gain < _SMALLEST_GAIN:
            break
        step = _scoring_step(form, bins, coefficients)
    return coefficients


def _start(form: _Form, bins: NoiseBins) -> Values:
    """Coefficients of a positive variance: constant with the logarithm, else a g."""
    coefficients = np.zeros(form.design(bins.signal).shape[1])
    coefficients[0] = (
        np.log(np.average(bins.variance, weights=bins.samples))
        if form.logarithmic
        else np.average(bins.variance / bins.signal, weights=bins.samples)
    )
    return coefficients


def _scoring_step(form: _Form, bins: NoiseBins, coefficients: Values) -> Values:
    """Change of the coefficients by weighted least squares, Fisher scoring of the gamma model."""
    predicted = form.predicted(bins.signal, coefficients)
    relative = bins.variance / predicted - 1
    scale = np.ones_like(predicted) if form.logarithmic else 1 / predicted
    root = np.sqrt(bins.samples)
    design = (root * scale)[:, None] * form.design(bins.signal)
    return np.linalg.lstsq(design, root * relative, rcond=None)[0]


def _log_likelihood(bins: NoiseBins, predicted: Values) -> float:
    """Logarithm of the gamma density of the variances; minus infinity if one is not positive."""
    if not (predicted > 0).all():
        return -math.inf
    shape = bins.samples / 2
    constant = shape * np.log(shape) - [math.lgamma(value) for value in shape]
    varying = (shape - 1) * np.log(bins.variance) - shape * np.log(predicted)
    return float((constant + varying - shape * bins.variance / predicted).sum())
