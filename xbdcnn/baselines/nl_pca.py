"""NL-PCA: principal component analysis of patches for Poisson noise (Salmon et al. 2014).

All overlapping patches of the image are the rows y_i of a matrix of counts. `poisson_k_means`
divides them into clusters, and in each cluster `poisson_pca` models the n patches Y of m pixels as
Poisson variables whose log-rates have rank l:

    minimise  F(U, V) = sum(exp(U V) - Y * (U V))    over U (n, l), the coefficients,
                                                      and V (l, m), the axes,

by Newton steps in U and V by turns. F is the negative log-likelihood but for a constant. The
restored image is the mean of all restored patches exp(U V) that contain a pixel. With fewer than
`BINNED_BELOW` photons per pixel, the image is binned first.

Counts: Eq. 1 adds Gaussian noise to the photons. For z = Poisson(eta g) / eta + N(0, sigma^2),

    t = eta z + (eta sigma)^2    has mean and variance    eta g + (eta sigma)^2,

as a Poisson variable of this mean. This is the shifted Poisson approximation (Snyder et al. 1993,
compared with the exact likelihood by Benvenuto et al. 2008); Salmon et al. treat Poisson noise
only. The estimate of t less the shift (eta sigma)^2, over eta, is the restored grey level. t need
not be whole, since F is defined for every t >= 0.

References:
    Salmon, Harmany, Deledalle and Willett, Poisson noise reduction with non-local PCA, J. Math.
    Imaging Vis. 48(2), 2014; the variant without sparsity.
    Gordon, Generalized^2 linear^2 models, NIPS 2002.
    Snyder, Hammoud and White, Image recovery from data acquired with a charge-coupled-device
    camera, J. Opt. Soc. Am. A 10(5), 1993.
    Benvenuto, La Camera, Theys, Ferrari, Lantéri and Bertero, The study of an iterative method
    for the reconstruction of images corrupted by Poisson and Gaussian noise, Inverse Probl. 24(3),
    2008.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from xbdcnn.baselines.binning import bin_means, unbin
from xbdcnn.baselines.grey_levels import Image, equivalent_count, from_grey_levels, to_grey_levels

Matrix = NDArray[np.floating]

PATCH = 14
"""Side of the patches in pixels.

The best, with 12 pixels and 3 axes, of nine combinations of 8 to 16 pixels and 3 to 6 axes on six
validation crops of ChestX-ray8 at four noise levels. The authors' demonstration, at 0.1 photon per
pixel, has 20 pixels and 4 axes, which lose 0.4 dB on average.
"""

AXES = 4
"""Axes per cluster, the rank of its log-rates, as in the authors' demonstration."""

PATCHES_PER_CLUSTER = 2000
"""Mean size of a cluster.

The demonstration has 14 clusters in an image of 256 x 256, 4,000 patches in each; this loses 0.1 dB
on crops of that size. 14 clusters in one of 1024 x 1024 lost 1.0 dB on a validation image.
"""

K_MEANS_ROUNDS = 10
"""Most updates of the clusters."""

PART = 2**15
"""Patches that are compared with all clusters at once."""

SMALLEST_RATE = 1e-6
"""Smallest mean of a cluster in counts, so that its logarithm is finite."""

BIN = 3
"""Side of the bins in pixels, that of Salmon et al."""

BINNED_BELOW = 8.0
"""`equivalent_count` in photons per pixel below which the image is binned.

On six validation crops, bins gain 0.5 dB at 6.6 photons and lose 0.8 dB at 13.
"""

ROUNDS = 15
"""Most Newton steps in U and V, as in the authors' demonstration."""

SMALL_DECREASE = 1e-4
"""Decrease of F per entry of Y at which the steps end; the noise contributes about 0.5."""

HALVINGS = 12
"""How often a Newton step that increases F is halved."""


def nl_pca(noisy: Image, *, eta: float, sigma: float) -> Image:
    """Restore `noisy` by Poisson NL-PCA, see the module; arguments and errors as in `classical`.

    An image of 1024 x 1024 pixels takes about a minute and 2 GB of memory.
    """
    grey = to_grey_levels(noisy, eta, sigma)
    side = BIN if equivalent_count(noisy, eta, sigma) < BINNED_BELOW else 1
    eta, sigma = eta * side**2, sigma / side
    restored = denoise_counts(shifted_counts(bin_means(grey, side), eta, sigma))
    return from_grey_levels(unbin(restored / eta - eta * sigma**2, side, grey.shape))


def shifted_counts(grey: Image, eta: float, sigma: float) -> Image:
    """t = eta z + (eta sigma)^2, whose mean and variance are equal; z: grey levels, any shape."""
    return eta * grey + (eta * sigma) ** 2


def denoise_counts(counts: Image) -> Image:
    """Return the Poisson rates (H, W) of an image of counts (H, W) >= 0, not necessarily whole."""
    width = min(PATCH, min(counts.shape) // 2)
    # Single precision and one copy: a radiograph of 1024 x 1024 pixels has a million patches.
    windows = sliding_window_view(counts.astype(np.float32), (width, width))
    patches = np.array(windows).reshape(-1, width**2)
    labels = poisson_k_means(patches, 1 + len(patches) // PATCHES_PER_CLUSTER)
    for label in np.unique(labels):
        members = labels == label
        patches[members] = poisson_pca(patches[members].astype(np.float64))
    return average_patches(patches.reshape(windows.shape), counts.shape)


def average_patches(patches: Matrix, shape: tuple[int, int]) -> Image:
    """Average patches (H - p + 1, W - p + 1, p, p) where they overlap, into an image (H, W)."""
    rows, columns, width, _ = patches.shape
    total, weight = np.zeros(shape), np.zeros(shape)
    for i, j in np.ndindex(width, width):
        total[i : i + rows, j : j + columns] += patches[:, :, i, j]
        weight[i : i + rows, j : j + columns] += 1
    return total / weight


def poisson_k_means(patches: Matrix, clusters: int) -> NDArray[np.intp]:
    """Assign each patch (n, m) to the most likely of the cluster means; returns labels (n,).

    The log-likelihood of a patch y for the mean c is sum(y log c - c) but for a constant. At first
    the clusters are equally large and ordered by brightness; the authors start at random.
    """
    ranks = np.argsort(np.argsort(patches.sum(axis=1), kind="stable"), kind="stable")
    labels = ranks * clusters // len(patches)
    for _ in range(K_MEANS_ROUNDS):
        groups = (patches[labels == label] for label in np.unique(labels))
        means = np.stack([group.mean(axis=0, dtype=np.float64) for group in groups])
        previous, labels = labels, most_likely(patches, means)
        if np.array_equal(previous, labels):
            break
    return labels


def most_likely(patches: Matrix, means: Matrix) -> NDArray[np.intp]:
    """Return the index (n,) of the mean (clusters, m) for which each patch (n, m) is likeliest."""
    means = np.maximum(means, SMALLEST_RATE)
    # Relative to a common mean, single precision suffices.
    weights = np.log(means / means.mean(axis=0)).astype(patches.dtype)
    sums = means.sum(axis=1).astype(patches.dtype)
    # In parts, since a million patches and 500 clusters are 2 GB of likelihoods.
    parts = np.array_split(patches, 1 + len(patches) // PART)
    return np.concatenate([np.argmax(part @ weights.T - sums, axis=1) for part in parts])


def poisson_pca(counts: Matrix, axes: int = AXES) -> Matrix:
    """Return rates exp(U V) (n, m) with log-rates of rank `axes` that minimise F for `counts`.

    Starts from the truncated singular value decomposition of log(Y + 1/2).
    """
    logarithms = np.log(counts + 0.5)
    vectors = np.linalg.eigh(logarithms.T @ logarithms).eigenvectors
    v = vectors[:, -axes:].T
    u = logarithms @ v.T
    objective = np.inf
    for _ in range(ROUNDS):
        u = newton_step(counts, u, v)
        v = newton_step(counts.T, v.T, u.T).T
        previous, objective = objective, row_objectives(counts, u @ v).sum()
        if previous - objective < SMALL_DECREASE * counts.size:
            break
    return np.exp(u @ v)


def row_objectives(counts: Matrix, log_rates: Matrix) -> Matrix:
    """Return the part of F of each row: sum_j exp(r_ij) - y_ij r_ij; infinite if it overflows."""
    with np.errstate(over="ignore"):
        return (np.exp(log_rates) - counts * log_rates).sum(axis=1)


def newton_step(counts: Matrix, u: Matrix, v: Matrix) -> Matrix:
    """Return U after one Newton step of each row, with V fixed; F increases in no row.

    u_i <- u_i - s (V diag(e_i) V^T)^-1 V (e_i - y_i) with the rates e_i = exp(u_i V). s = 1 at
    first, halved in the rows where F would increase, and 0 after `HALVINGS`; the line search is
    ours. By transposition, the same function makes the step in V with U fixed (Gordon 2002).
    """
    log_rates = u @ v
    rates = np.exp(log_rates)
    gradients = (rates - counts) @ v.T
    steps = np.linalg.solve(_hessians(rates, v), gradients[..., None])[..., 0]
    before, updated = row_objectives(counts, log_rates), u.copy()
    pending = np.arange(len(u))
    for halving in range(HALVINGS):
        trial = u[pending] - 0.5**halving * steps[pending]
        better = row_objectives(counts[pending], trial @ v) <= before[pending]
        updated[pending[better]] = trial[better]
        pending = pending[~better]
    return updated


def _hessians(rates: Matrix, v: Matrix) -> Matrix:
    """V diag(e_i) V^T for each row e_i of the rates, (n, l, l), made safe to invert."""
    axes = len(v)
    products = (v[:, None] * v[None]).reshape(axes**2, -1)
    hessians = (rates @ products.T).reshape(-1, axes, axes)
    ridge = 1e-6 * np.trace(hessians, axis1=1, axis2=2) / axes + np.finfo(float).tiny
    return hessians + ridge[:, None, None] * np.eye(axes)
