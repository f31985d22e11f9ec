# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 12 Your own radiograph
#
# So far the noise was simulated and the clean image was known. For a radiograph of your own neither
# is the case: the noise comes from the detector, the grey levels have 10 to 16 bits, and there is
# no clean image. This notebook processes one DICOM file with `xbdcnn denoise` and then examines,
# with two checks that need no clean image, whether the result can be trusted.
#
# **What this must not be used for.** This is research software and not a medical device. It has not
# been shown to improve a diagnosis, and this notebook shows how it may impair one: a network that
# removes noise also removes fine, low-contrast structure, without any visible sign. Do not report
# from a restored image, do not lower a dose because of it, and do not replace the original by it.
#
# ## What you'll do
#
# You measure the noise of a DICOM radiograph and compare it with that of the training, denoise it,
# read the header of the new object, examine what was removed, and insert small discs into the image
# to measure how much of their contrast is preserved.
#
# ## What you'll learn
#
# Whether a network was trained for the noise of a radiograph, how 15-bit values are mapped to the
# network's range [0, 1] and back without loss, what a derived DICOM object is, and why structures
# are not necessarily easier to detect in a smoother image.
#
# ## What you need
#
# Notebooks 02 and 08; a DICOM file of a projection radiograph if available. Two minutes on 2 CPU
# cores. To use your own file, change `original` below.

# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom

from xbdcnn import load_pretrained, noise, plotting
from xbdcnn.data import Window, find_source, open_radiograph
from xbdcnn.data.builtin import builtin_fields, builtin_path
from xbdcnn.measured_noise import noise_report, trained_noise, training_mismatches
from xbdcnn.study import no_reference
from xbdcnn.study.notebook import show_source
from xbdcnn.study.profiles import get_profile

# %%
settings = get_profile(profile)
source = find_source(data)
figures = Path(output) / "figures"
plotting.use_style()
facts = dict(profile=profile, data="built-in radiograph")
print(facts, "(a smoke test: the numbers mean little)" if settings.is_smoke else "")

# %% [markdown]
# All pictures here show the built-in radiograph, independent of the data source of the other
# notebooks.
#
# ## Theory
#
# ### The window transform and its inverse
#
# A file contains stored values $s$, in DICOM of 8 to 16 bits, signed or unsigned. The network was
# trained on images in [0, 1]. An affine *window* relates the two; its two ends are the stored
# values that are displayed as black and white:
#
# $$f = \operatorname{clip}_{[0,1]} \frac{s - s_\text{black}}{s_\text{white} - s_\text{black}}.$$

# %%
show_source(Window.to_unit)

# %% [markdown]
# In a MONOCHROME1 image, where large values are dark, $s_\text{black} > s_\text{white}$. The ends
# are those of the header's window or given by `--window BLACK WHITE`, and are printed for every
# file.
#
# The output is not the network's image $\hat g$; instead, its *change* is added in stored units:
#
# $$s' = s + (\hat g - f)\,(s_\text{white} - s_\text{black}).$$

# %%
show_source(Window.restore)

# %% [markdown]
# This has two consequences. Where the network changes nothing, the stored value is identical. And a
# value outside the window, in direct exposure or in metal, is not clipped: the network's input is
# black or white there, the change is small, and the value keeps its distance from the window.
# Values are limited only by the bit depth of the file.
#
# ### Detectability
#
# In medical physics, image quality is defined by a task. The simplest one is to decide whether
# there is a low-contrast disc at a known place. The response $t$ of an observer is the mean over
# the disc minus the mean over a ring around it, and the *detectability* is the mean difference of
# the responses with and without a disc, in units of their standard deviation:
#
# $$d' = \frac{\overline{t_1 - t_0}}{\operatorname{std}(t_0)}.$$

# %%
show_source(no_reference.disc_responses)

# %% [markdown]
# ## Practical
#
# ### One DICOM file
#
# The built-in radiograph as a file, in a temporary folder (in the smoke profile, a part of it).

# %%
scratch = tempfile.TemporaryDirectory()
folder = Path(scratch.name)
original = pydicom.dcmread(builtin_path())
side = 256 if settings.is_smoke else 1024
piece = np.ascontiguousarray(original.pixel_array[400 : 400 + side, 400 : 400 + side])
original.Rows, original.Columns, original.PixelData = *piece.shape, piece.tobytes()
original.save_as(folder / "chest.dcm")

# %% [markdown]
# ### Before denoising: measure the noise
#
# A network removes noise like that of its training, so first measure which noise the radiograph
# has. `noise_report` needs no clean image: it evaluates the quietest blocks of 16 × 16 pixels.

# %%
show_source(noise_report)

# %%
scan = open_radiograph(folder / "chest.dcm")
report = noise_report(scan.unit)
rows = [(at.grey, at.noise, *trained_noise(at.grey)) for at in report.levels]
columns = ["grey level", "noise", "trained, least", "trained, most"]
pd.DataFrame(rows, ["dark", "middle", "bright"][: len(rows)], columns).round(1)

# %% [markdown]
# The noise is in grey levels of the display in the header's window; the last two columns are the
# limits of the paper's training noise at the same grey level. An empty table means that the noise
# cannot be determined. Fine anatomy counts as noise, so the true noise may be weaker.

# %%
print("differs from the training noise:", training_mismatches(report) or "no")
if report.levels:
    middle = report.levels[1]
    fewer = [(limit / middle.noise) ** 2 for limit in trained_noise(middle.grey)]
    print(f"correlation length: {report.correlation_length:.2f} pixels")
    print(f"photons of this radiograph / those of the training: {fewer[0]:.0f} to {fewer[1]:.0f}")

# %% [markdown]
# The last line is the dose reduction that the levels of the paper mean for this radiograph in this
# window, if all of its noise is quantum noise, whose variance is inversely proportional to the
# dose.
#
# **A warning.** *weaker*: the radiograph has less noise than any training image. There is little to
# gain, and a network that expects strong noise may remove structure instead; leave such an image as
# it is. *correlated*: the network was trained on independent noise and takes a part of this noise
# for structure. *stronger*: noise remains. "No" does not make the result reliable, because the law
# of the noise matters, too. Relative to the signal the noise of a radiograph is strongest where few
# photons pass, for example behind the heart ([notebook
# 01](01_noise_synthesis.ipynb#where-are-the-photons)). In grey levels it depends on the display: in
# the header's window of this file it is weaker in white than at middle grey levels, with a
# logarithm strongest in white ([notebook 02](02_data.ipynb#residual-noise-of-the-clean-images)).
# What follows shows what the network does in spite of such a warning.
#
# **Check.** The report recognises noise like that of the training: with noise of Eq. 1 added to the
# radiograph it measures its strength within 15 % and finds no difference.

# %%
levels = (1.0, 10.0)
trained = noise.add_hybrid_noise_numpy(scan.unit, *levels, np.random.default_rng(0))
with_noise = noise_report(trained)
for at in with_noise.levels:
    expected = noise.noise_variance(at.grey / 255, *levels) ** 0.5
    print(f"grey {at.grey:.0f}: measured {at.noise:.1f}, added {expected:.1f}")
    assert abs(at.noise / expected - 1) < 0.15
assert with_noise.levels and not training_mismatches(with_noise)


# %% [markdown]
# ### Denoise
#
# The command line, in that folder, with its messages:


# %%
def xbdcnn(*arguments):
    command = [sys.executable, "-m", "xbdcnn", *map(str, arguments)]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    print(run.stdout + run.stderr)


xbdcnn("denoise", "chest.dcm", "-o", "restored")

# %% [markdown]
# The line names both files, the two ends of the window, the share of pixels outside it, and the
# estimated noise level. Levels refer to the 8-bit scale *of that window*. In a window a third as
# wide the same noise covers three times as many grey levels, so sigma should be three times as
# large. The next cell prints the estimate for both windows, with the measured noise of the report
# above, and writes no file.

# %%
xbdcnn("denoise", "chest.dcm", "--estimate-only")
xbdcnn("denoise", "chest.dcm", "--estimate-only", "--window", 14000, 4000)

# %% [markdown]
# ### The header of the new object
#
# The output is a *derived* DICOM object of the same patient and study, with its own identifiers.

# %%
derived = pydicom.dcmread(folder / "restored" / "chest.dcm")
for name in ("ImageType", "SeriesDescription", "DerivationDescription", "BitsStored"):
    print(f"{name:22s} {derived.get(name)}")
reference = derived.SourceImageSequence[0]
print("derived from the original:", reference.ReferencedSOPInstanceUID == original.SOPInstanceUID)

# %% [markdown]
# Size, bit depth, photometric interpretation and window are those of the source, and so are all
# patient data: **a derived object is as confidential as its source.**
#
# **Check.** The same size and bit depth, another identifier, and no stored value is changed by more
# than a fifth of the window.

# %%
restored = open_radiograph(folder / "restored" / "chest.dcm")
assert restored.stored.shape == scan.stored.shape and restored.limits == scan.limits
assert derived.SOPInstanceUID != original.SOPInstanceUID
change = restored.stored.astype(int) - scan.stored
assert 0 < np.abs(change).max() < 0.2 * abs(scan.window.white - scan.window.black)

# %% [markdown]
# ### First check: what was removed
#
# Examine the residual before the restored image. It should contain noise only. Ribs, vessels or the
# edge of a lead marker in it are lost structure.

# %%
removed = 255 * (scan.unit - restored.unit)
fig = plotting.new_figure(7.2, 2.8, layout="constrained")
panels = zip(
    fig.subplots(1, 3),
    ("original", "restored", "removed"),
    (scan.unit, restored.unit, removed),
    strict=True,
)
limit = 3 * removed.std()
for axis, title, image in panels:
    scale = dict(vmin=-limit, vmax=limit) if title == "removed" else dict(vmin=0, vmax=1)
    axis.imshow(image, cmap="gray", **scale)
    axis.set_title(f"removed, ± {limit:.0f} grey levels" if title == "removed" else title)
    axis.axis("off")
caption = "A DICOM radiograph in its header's window, restored, and what was removed (± 3 std)."
plotting.save_figure(fig, figures / "12_removed", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The built-in radiograph in its header's window, the restored one, and their difference on a scale
# of three standard deviations. Three numbers describe the residual.

# %%
show_source(no_reference.residual_structure)

# %%
found = no_reference.residual_structure(scan.unit, restored.unit)
print(f"removed: {removed.std():.2f} grey levels rms, offset {found.offset:+.2f}")
print(f"correlation of adjacent pixels {found.whiteness:+.2f}, with anatomy {found.anatomy:+.2f}")

# %% [markdown]
# *Adjacent pixels*: the noise of the training is independent from pixel to pixel, so the residual
# should be white, too. *Anatomy*: the correlation of fine structure in the residual with that of
# the restored image, for example a vessel that is visible in both. The noise of this radiograph is
# correlated itself (see the report above), so the first number need not be zero. The second should
# be. Compare it with those of the check, and look at the third panel again.
#
# **Check.** This tests the measure, not the network: a Gaussian blur must give a high correlation
# with anatomy, true white noise a low one.

# %%
from scipy.ndimage import gaussian_filter

field = builtin_fields("table2")[1][: 448 if not settings.is_smoke else 128]
white_noise = np.random.default_rng(0).normal(0, 5 / 255, field.shape)
of_noise = no_reference.residual_structure(field + white_noise, field)
of_blur = no_reference.residual_structure(field, gaussian_filter(field, 3))
print(f"white noise: anatomy {of_noise.anatomy:+.2f}; a blur: anatomy {of_blur.anatomy:+.2f}")
assert abs(of_noise.anatomy) < 0.1 < of_blur.anatomy

# %% [markdown]
# The result of the network on the radiograph above lies between the two; the next cell compares it
# with the same threshold.

# %%
conclusion = "some fine anatomy removed" if found.anatomy > 0.1 else "no anatomy detected"
print(f"residual of the radiograph: anatomy {found.anatomy:+.2f}, {conclusion}")

# %% [markdown]
# ### Second check: inserted discs
#
# Insert discs of known size and contrast into the image *before* denoising, and measure the
# remaining contrast: in a field of the radiograph as it is, and in the same field at a simulated
# low dose.

# %%
model = load_pretrained("xbdcnn")
low_dose = noise.add_hybrid_noise_numpy(field, 0.4, 10.0, np.random.default_rng(1))
fields = {"as it is": field, "low dose (0.4, 10)": low_dose}
print({name: model.estimate(image) for name, image in fields.items()})

# %%
radii = (2,) if settings.is_smoke else (2, 4, 8)
contrasts = (4, 16) if settings.is_smoke else (2, 4, 8, 16)


def before_and_after(image, radius, contrast):
    """Detectability of discs in an image and in its restored version."""
    centres = no_reference.disc_centres(image.shape, radius)
    marked = no_reference.insert_discs(image, centres, radius, contrast).clip(0, 1)
    pairs = {"before": (image, marked), "after": (model.denoise(image), model.denoise(marked))}
    return {
        when: no_reference.detectability(*pair, centres, radius, contrast)
        for when, pair in pairs.items()
    }


# %%
table = pd.DataFrame(
    {"image": name, "radius": radius, "contrast": contrast, "when": when} | score._asdict()
    for name, image in fields.items()
    for radius in radii
    for contrast in contrasts
    for when, score in before_and_after(image, radius, contrast).items()
)
wide = table.pivot(index=["image", "radius", "contrast"], columns="when")
wide.sort_index(axis=1, level=1, ascending=False).round(2)

# %% [markdown]
# Radius in pixels, contrast in 8-bit grey levels. *Kept* is the share of the contrast that remains,
# *d_prime* the detectability.
#
# **Check.** Before denoising the contrast is complete, except for a few pixels that are clipped at
# white. After denoising no disc has gained substantial contrast.

# %%
kept = wide["kept"]
assert (kept["before"] > 0.9).all() and (kept["before"] <= 1.001).all()
assert (kept["after"] < 1.25).all()

# %%
fig = plotting.new_figure(7.2, 2.9, layout="constrained")
for axis, name in zip(fig.subplots(1, 2, sharey=True), fields, strict=True):
    for radius, part in kept.loc[name]["after"].groupby("radius"):
        axis.plot(contrasts, part, "o-", label=f"radius {radius}")
    axis.axhline(1, color="0.6", lw=1)
    axis.set(title=name, xlabel="contrast in grey levels", xscale="log")
    axis.set_xticks(contrasts, [str(contrast) for contrast in contrasts])
    axis.minorticks_off()
fig.axes[0].set_ylabel("contrast kept")
fig.axes[0].set_ylim(0, 1.05)
fig.legend(*axis.get_legend_handles_labels(), loc="outside right upper")
caption = "Share of the contrast of inserted discs that remains after denoising."
plotting.save_figure(fig, figures / "12_discs", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Contrast kept after denoising, on a field of the built-in radiograph, profile as printed at the
# top. The line at 1 is the original. A curve falls towards low contrasts if the network removes
# low-contrast discs like noise. The smaller the disc, the less contrast remains.

# %%
worst = kept["after"].idxmin()
share = f"{kept['after'].min():.0%} of {worst[2]} grey levels"
print(f"least kept: {share}, radius {worst[1]}, {worst[0]}")
gain = wide["d_prime"]["after"] / wide["d_prime"]["before"]
limits = f"{gain.min():.2f} to {gain.max():.2f}, median {gain.median():.2f}"
print(f"ratio of detectability after to before: {limits}")

# %% [markdown]
# ## Discussion
#
# Consider the last line. A denoiser can hardly help this observer, who knows the place and averages
# over the disc: averaging itself reduces the noise, and structure that the network removed is lost.
# A human observer averages less well and may benefit; whether a radiologist does has to be tested
# in a reader study, which neither the paper nor this project has made.
#
# The discs have sharp edges and often lie in flatter surroundings than a nodule does, so they are a
# best case: a lesion of the same contrast and size may lose at least as much.
#
# For your own images: measure their noise first, and do not denoise an image whose noise is weaker
# than that of the training; compare the report with repeated exposures of a uniform object on your
# detector ([notebook 01](01_noise_synthesis.ipynb#measured-on-detectors)); make sure that the
# window is the one used for reading; apply both checks to some examples of each kind from your
# department. If the residual shows anatomy, or discs that must be visible disappear, do not use the
# restored images.

# %% [markdown]
# ## Two questions
#
# **1.** Why is the change added to the stored values, instead of storing the restored image?
#
# <details><summary>Answer</summary>
#
# The restored image lacks the values outside the window, because clipping cannot be undone. The change is
# zero where the network did nothing, so those values stay exact, and values outside the window keep their
# order and distance. The new object can therefore be displayed with other windows.
# </details>
#
# **2.** A network keeps all of the contrast of large discs and half that of small, low-contrast
# ones, and its PSNR is excellent. How is that possible?
#
# <details><summary>Answer</summary>
#
# PSNR averages squared errors over all pixels. A few low-contrast discs are a very small share of them:
# losing half of their contrast costs less than a hundredth of a decibel, while the noise removed elsewhere
# gains many decibels. PSNR is insensitive to rare structures such as lesions.
# </details>
