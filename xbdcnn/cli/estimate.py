"""The command that measures the noise of radiographs: estimate, also denoise --estimate-only."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from xbdcnn.cli.names import DEFAULT_NETWORK
from xbdcnn.cli.options import Inputs, NetworkName, PrecisionName, Recursive, WindowLimits
from xbdcnn.cli.processing import (
    find_files,
    load_requested_network,
    process_files,
    require_network,
)
from xbdcnn.cli.reporting import print_line

if TYPE_CHECKING:
    from xbdcnn.cli.batch import StoredWindow
    from xbdcnn.inference.pretrained import Pretrained
    from xbdcnn.measured_noise import NoiseReport

LAWS = {
    "linear": "{:.3g} g",
    "affine": "{:.3g} g {:+.3g}",
    "exponential": "{:.3g} exp({:.3g} g)",
    "power": "{:.3g} g^{:.3g}",
}
"""Variance in grey levels^2 at the grey level g, by the law's parameters."""


def estimate(
    ctx: typer.Context,
    inputs: Inputs,
    network: NetworkName = DEFAULT_NETWORK,
    precision: PrecisionName = "auto",
    window: WindowLimits = None,
    recursive: Recursive = False,
) -> None:
    """Measure the noise of radiographs and compare it with a network's training; write no file.

    For each file: eta and sigma as the network estimates them; the noise in grey levels where the
    image is dark, middle and bright; its correlation length; the law that it follows. Each line
    begins with the name of the file and a colon.
    """
    files, skipped = find_files(inputs, window, recursive=recursive)
    require_network(network, precision)
    pretrained = load_requested_network(network, precision, f"radiographs to measure: {len(files)}")
    attempts = ((file, partial(estimate_file, pretrained, file, window)) for file in files)
    debug = ctx.find_root().params["debug"]
    failures = process_files(attempts, len(files), _print_lines, lambda file, error: None, debug)
    summary = f"{len(files) - failures} of {len(files)} radiographs estimated"
    summary += f"; {skipped} other files skipped" if skipped else ""
    print_line(summary, on_stderr=True)
    if failures:
        raise typer.Exit(1)


def _print_lines(file: Path, lines: list[str]) -> None:
    for line in lines:
        print_line(line)


def estimate_file(pretrained: Pretrained, source: Path, window: StoredWindow = None) -> list[str]:
    """Return the lines about the noise of a radiograph; XbdcnnError if it cannot be read."""
    from xbdcnn.cli import batch, wording
    from xbdcnn.inference.successor import PretrainedSuccessor
    from xbdcnn.measured_noise import noise_report

    radiograph = batch.open_checked(source, window)
    if isinstance(pretrained, PretrainedSuccessor):  # it need not restore the image
        estimated = wording.format_estimate(pretrained.measure(radiograph.unit))
    else:
        levels = pretrained.restore(radiograph.unit).levels
        estimated = wording.format_levels(levels, pretrained.level_error)
    report = noise_report(radiograph.unit)
    lines = [
        f"{estimated}; {wording.format_window(radiograph)}",
        *measured_lines(report),
        training_line(report, pretrained),
    ]
    return [f"{source}: {line}" for line in lines]


def measured_lines(report: NoiseReport) -> list[str]:
    """Return lines with the measured noise, its correlation length and its law."""
    if not report.levels:
        return [f"measured noise: undetermined, {undetermined_text(report)}"]
    names = ("dark", "middle", "bright")
    levels = ", ".join(
        f"{at.noise:.1f} at grey {at.grey:.0f} ({name})"
        for name, at in zip(names, report.levels, strict=True)
    )
    return [
        f"measured noise: {levels}, grey levels of 255, from {report.blocks} blocks",
        f"correlation length: {report.correlation_length:.2f} pixels",
        f"noise law: {law_text(report)}",
    ]


def undetermined_text(report: NoiseReport) -> str:
    """Return why the noise of an image is undetermined."""
    from xbdcnn.measured_noise import REQUIRED_BLOCKS

    if report.blocks >= REQUIRED_BLOCKS:
        return "no difference between pixels and their surroundings is as fine as noise"
    return (
        f"{report.blocks} of the {REQUIRED_BLOCKS} necessary blocks of 16x16 pixels are neither "
        "clipped nor constant"
    )


def law_text(report: NoiseReport) -> str:
    """Return the law with its parameters, how clearly it is the best, and how well it fits."""
    from xbdcnn.measured_noise import CLEAR_MARGIN, LARGEST_DEVIATION, WEAK_MARGIN

    law, margin = report.law, report.margin
    if law is None or margin is None:
        return "undetermined, all blocks have nearly the same grey level"
    fitted = f"{law.name}, variance {LAWS[law.name].format(*law.parameters)}"
    if law.error > LARGEST_DEVIATION:
        return f"none of the four, nearest {fitted}, deviation {law.error:.0%}"
    clear = margin >= CLEAR_MARGIN
    certainty = "clearly" if clear else "probably" if margin >= WEAK_MARGIN else "perhaps"
    return f"{certainty} {fitted}, deviation {law.error:.0%}"


def training_line(report: NoiseReport, pretrained: Pretrained) -> str:
    """Return whether the network was trained for the measured noise, with the remedy if not."""
    from xbdcnn.inference.trained_range import REMEDIES
    from xbdcnn.measured_noise import trained_noise, training_mismatches
    from xbdcnn.noise import GREY_LEVELS, LARGEST_BLUR

    training = pretrained.training_noise
    if not report.levels:
        return f"training: undetermined whether {pretrained.name} was trained for this noise"
    found = training_mismatches(report, training)
    if not found:
        return f"training: {pretrained.name} was trained for noise like this"
    low, high = trained_noise(GREY_LEVELS / 2, training)
    correlation = {"paper": "uncorrelated", "radiographs": f"blur up to {LARGEST_BLUR:g} pixels"}
    return (
        f"training: {pretrained.name} was not trained for this noise, which is "
        f"{' and '.join(found)} (trained: {correlation[training]}, {low:.0f} to {high:.0f} grey "
        f"levels at mid grey); {REMEDIES[training][found[0]]}"
    )
