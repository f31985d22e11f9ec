"""The paper as data: its constants, its two tables as printed, and the correction of their columns.

W. Yin, B. Qi, T. Cai, J. Li: X-Ray Image Enhancement Using Blind Denoising Neural Networks.
"""

from __future__ import annotations

from typing import NamedTuple

ALPHA = 0.3
"""Asymmetry of Eq. 3 (Sec. III-A)."""

LAMBDAS = (0.4, 0.6, 0.5, 0.05)
"""Weights of MSE, SSIM, asymmetric and TV loss in Eq. 8 (Sec. III-A)."""

ETA_RANGE = (0.4, 1.9)
"""Training range of the Poisson scale factor (Sec. II-A)."""

SIGMA_RANGE = (0.0, 20.0)
"""Training range of the Gaussian standard deviation, in 8-bit grey levels (Sec. II-A)."""

ETAS = (0.4, 0.6, 0.8)
"""Columns of the strong-noise test, Table II."""

SIGMAS = (5.0, 10.0, 15.0)
"""Row groups of the strong-noise test, Table II, in 8-bit grey levels."""

LEARNING_RATES = (1e-3, 1e-4)
"""Adam's learning rate in the first and in the last 20 epochs (Sec. III-A)."""

EPOCHS = (20, 20)
"""Epochs at each learning rate (Sec. III-A)."""

BATCH_SIZE = 64
"""Patches per step, from the released code; the text gives none."""

IMAGES, PATCHES, PATCH_SIZE = 10_000, 320_000, 128
"""Radiographs, patches cut from them, and patch height and width in pixels (Sec. III-A)."""

SPLIT_RATIO = (7, 2, 1)
"""Training, validation and test shares; the paper splits patches, not patients (Sec. III-A)."""

TRAINING_PIXELS = PATCHES * SPLIT_RATIO[0] // sum(SPLIT_RATIO) * sum(EPOCHS) * PATCH_SIZE**2
"""Pixels seen in training, repeats included: 224,000 patches for 40 epochs (Sec. III-A)."""

TRAINING_HOURS = 30.0
"""Hours of training on one RTX 2080 Ti, as reported in the paper (Sec. III-A)."""


class Scores(NamedTuple):
    """One cell of a table: mean SNR and PSNR in dB, mean SSIM, seconds per image or None."""

    snr: float
    psnr: float
    ssim: float
    seconds: float | None = None


TABLE_1: dict[str, Scores] = {
    "Before Denoising": Scores(18.8836, 24.1916, 0.51),
    "BM3D": Scores(29.2848, 34.5929, 0.8639, 0.152),
    "DnCNN": Scores(40.3754, 35.372, 0.9822, 0.005),
    "X-ReCNN": Scores(38.4869, 33.59, 0.974, 0.004),
    "X-BDCNN": Scores(41.1070, 36.1196, 0.9838, 0.006),
    "X-BDCNN w/o SSIM loss": Scores(40.9966, 35.8403, 0.9838, 0.006),
    "X-BDCNN w/o the NLE": Scores(40.9609, 35.945, 0.9837, 0.005),
}
"""Table I as printed: mean scores on the test set, noise levels drawn at random, by method."""

TABLE_2_NOISY_PSNR: dict[tuple[float, float], float] = {
    (0.4, 5.0): 22.5162,
    (0.6, 5.0): 24.0733,
    (0.8, 5.0): 25.1555,
    (0.4, 10.0): 21.7703,
    (0.6, 10.0): 23.0213,
    (0.8, 10.0): 23.8439,
    (0.4, 15.0): 20.7651,
    (0.6, 15.0): 21.7165,
    (0.8, 15.0): 22.2952,
}
"""Table II, first column: PSNR in dB of the noisy images, by (eta, sigma)."""

TABLE_2: dict[tuple[float, float], dict[str, Scores]] = {
    (0.4, 5.0): {
        "DnCNN": Scores(39.5037, 35.2209, 0.9832),
        "X-ReCNN": Scores(36.9640, 32.6811, 0.9758),
        "X-BDCNN": Scores(40.1925, 35.9096, 0.9848),
    },
    (0.6, 5.0): {
        "DnCNN": Scores(40.1841, 35.9012, 0.9848),
        "X-ReCNN": Scores(37.6373, 33.3545, 0.9786),
        "X-BDCNN": Scores(40.8287, 36.5459, 0.9861),
    },
    (0.8, 5.0): {
        "DnCNN": Scores(40.6018, 36.3189, 0.9858),
        "X-ReCNN": Scores(37.9762, 33.6934, 0.9799),
        "X-BDCNN": Scores(41.2326, 36.9498, 0.9868),
    },
    (0.4, 10.0): {
        "DnCNN": Scores(39.1050, 34.8221, 0.9821),
        "X-ReCNN": Scores(36.5160, 32.2331, 0.9724),
        "X-BDCNN": Scores(39.8214, 35.5385, 0.9840),
    },
    (0.6, 10.0): {
        "DnCNN": Scores(39.6908, 35.4080, 0.9835),
        "X-ReCNN": Scores(37.1694, 32.8865, 0.9754),
        "X-BDCNN": Scores(40.3547, 36.0718, 0.9850),
    },
    (0.8, 10.0): {
        "DnCNN": Scores(40.0154, 35.7326, 0.9842),
        "X-ReCNN": Scores(37.4960, 33.2131, 0.9768),
        "X-BDCNN": Scores(40.6748, 36.3919, 0.9856),
    },
    (0.4, 15.0): {
        "DnCNN": Scores(38.5502, 34.2673, 0.9805),
        "X-ReCNN": Scores(35.6645, 31.3816, 0.9594),
        "X-BDCNN": Scores(39.3198, 35.0369, 0.9828),
    },
    (0.6, 15.0): {
        "DnCNN": Scores(39.0246, 34.7418, 0.9816),
        "X-ReCNN": Scores(36.3036, 32.0207, 0.9634),
        "X-BDCNN": Scores(39.7464, 35.4635, 0.9836),
    },
    (0.8, 15.0): {
        "DnCNN": Scores(39.2669, 34.9841, 0.9822),
        "X-ReCNN": Scores(36.6005, 32.3176, 0.9652),
        "X-BDCNN": Scores(39.9653, 35.6824, 0.9840),
    },
}
"""Table II as printed: mean scores on ten radiographs of 1024 x 1024 pixels under strong noise, by
(eta, sigma) and method."""


def columns_are_swapped(printed: Scores) -> bool:
    """Tell whether the SNR and PSNR columns of a printed cell are interchanged: SNR > PSNR.

    The mean square of an image never exceeds the squared peak, so SNR <= PSNR for every image and
    for every mean over images.

    >>> columns_are_swapped(TABLE_1["X-BDCNN"]), columns_are_swapped(TABLE_1["BM3D"])
    (True, False)
    """
    return printed.snr > printed.psnr


def corrected(printed: Scores) -> Scores:
    """Return a printed cell with SNR <= PSNR: the two are swapped where `columns_are_swapped`.

    >>> corrected(TABLE_1["X-BDCNN"])
    Scores(snr=36.1196, psnr=41.107, ssim=0.9838, seconds=0.006)
    """
    if columns_are_swapped(printed):
        return printed._replace(snr=printed.psnr, psnr=printed.snr)
    return printed
