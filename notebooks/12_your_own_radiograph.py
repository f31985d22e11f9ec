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
# So far the noise was made by us and the clean image was known. A radiograph of your own has neither:
# its noise is whatever the detector left, its grey levels have 10 to 16 bits, and nobody knows what lies
# underneath. This notebook takes one DICOM file through `xbdcnn denoise` and then asks, with two checks
# that need no clean image, whether the result deserves any trust.
#
# **What this must not be used for.** This is research software and no medical device. Nobody has shown
# that a diagnosis gets better with it, and this notebook shows how it can get worse: a network that
# removes noise also removes fine, faint structure, and it leaves no trace of having done so. Do not
# report from a restored image, do not lower a dose because of it, and do not let it replace the
# original anywhere.
#
# ## What you'll do
#
# You denoise a DICOM radiograph, look at what the new object says about itself, examine what was
# removed, and hide small discs in the image to see whether they survive.
#
# ## What you'll learn
#
# How 15 bits become the [0, 1] of a network and come back without loss, what a derived DICOM object is,
# and why a smoother image is not one in which more can be found.
#
# ## What you need
#
# Notebooks 02 and 08; a DICOM file of the classes CR, DX or RF if you have one. Two minutes on 2 CPU
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
from xbdcnn.data import Window, find_source, open_scan
from xbdcnn.data.builtin import builtin_fields, builtin_path
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
# All pictures here are of the built-in radiograph, whatever data source the other notebooks use.
#
# ## Theory
#
# ### Through a window and back
#
# A file stores numbers $s$, in DICOM of 8 to 16 bits, signed or not. The network has learned from
# images on [0, 1]. Between them stands an affine *window* with two ends, the stored values that are
# seen as black and white:
#
# $$f = \operatorname{clip}_{[0,1]} \frac{s - s_\text{black}}{s_\text{white} - s_\text{black}}.$$

# %%
show_source(Window.to_unit)

# %% [markdown]
# In a MONOCHROME1 image, where large numbers are dark, $s_\text{black} > s_\text{white}$. The ends come
# from the header's window, or from you (`--window BLACK WHITE`), and are printed for every file.
#
# What comes back is not the network's picture $\hat g$ but the *change* it made, in stored units:
#
# $$s' = s + (\hat g - f)\,(s_\text{white} - s_\text{black}).$$

# %%
show_source(Window.restore)

# %% [markdown]
# Two things follow. Where the network changes nothing, the stored number is the same, bit for bit. And a
# number outside the window, in direct exposure or in metal, is not cut off: the network saw it as plain
# black or white, found little to change there, and the number keeps its distance from the window. The
# only limits left are those of the file's bits.
#
# ### Can it still be found?
#
# Medical physics asks of an image not whether it is pretty but whether a task can be done with it. The
# simplest one: is there a faint disc at this place? An observer takes the mean over the disc minus the
# mean over a ring around it, $t$, and its *detectability* is how far the responses with and without
# a disc lie apart, in units of their spread:
#
# $$d' = \frac{\overline{t_1 - t_0}}{\operatorname{std}(t_0)}.$$

# %%
show_source(no_reference.disc_responses)

# %% [markdown]
# ## Practical
#
# ### One DICOM file
#
# The built-in radiograph as a file, in a folder of its own. (Under the smoke profile a piece of it.)

# %%
scratch = tempfile.TemporaryDirectory()
folder = Path(scratch.name)
original = pydicom.dcmread(builtin_path())
side = 128 if settings.is_smoke else 1024
piece = np.ascontiguousarray(original.pixel_array[400 : 400 + side, 400 : 400 + side])
original.Rows, original.Columns, original.PixelData = *piece.shape, piece.tobytes()
original.save_as(folder / "chest.dcm")


# %% [markdown]
# The command line, in that folder, with its messages:


# %%
def xbdcnn(*arguments):
    command = [sys.executable, "-m", "xbdcnn", *map(str, arguments)]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    print(run.stdout + run.stderr)


xbdcnn("denoise", "chest.dcm", "-o", "restored")

# %% [markdown]
# The line names both files, the two ends of the window, the share of pixels beyond them, and the noise
# level that the network believes it sees. Levels are stated on the 8-bit scale *of that window*. A window
# a third as wide spreads the same noise over three times as many grey levels, so sigma should come out
# three times as large. Ask for the estimate alone, and see how far the network follows.

# %%
xbdcnn("denoise", "chest.dcm", "--estimate-only")
xbdcnn("denoise", "chest.dcm", "--estimate-only", "--window", 14000, 4000)

# %% [markdown]
# ### What the new object says
#
# DICOM in, DICOM out: a *derived* object of the same patient and study, with an identity of its own.

# %%
derived = pydicom.dcmread(folder / "restored" / "chest.dcm")
for name in ("ImageType", "SeriesDescription", "DerivationDescription", "BitsStored"):
    print(f"{name:22s} {derived.get(name)}")
reference = derived.SourceImageSequence[0]
print("derived from the original:", reference.ReferencedSOPInstanceUID == original.SOPInstanceUID)

# %% [markdown]
# Size, bits, photometric interpretation and window are those of the source, and so is everything about
# the patient: **a derived object is as confidential as its source.**
#
# **Check.** The same size and depth, another identity, and every grey level still in its order of
# magnitude: no number was moved by more than a fifth of the window.

# %%
scan, restored = (open_scan(folder / name) for name in ("chest.dcm", "restored/chest.dcm"))
assert restored.stored.shape == scan.stored.shape and restored.limits == scan.limits
assert derived.SOPInstanceUID != original.SOPInstanceUID
change = restored.stored.astype(int) - scan.stored
assert 0 < np.abs(change).max() < 0.2 * abs(scan.window.white - scan.window.black)

# %% [markdown]
# ### First check: what was removed
#
# Take the difference and look at it before you look at the restored image. It should be grain and
# nothing else. Ribs, vessels or the edge of a lead marker in it are structure that you have lost.

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
    shown = dict(vmin=-limit, vmax=limit) if title == "removed" else dict(vmin=0, vmax=1)
    axis.imshow(image, cmap="gray", **shown)
    axis.set_title(f"removed, ± {limit:.0f} grey levels" if title == "removed" else title)
    axis.axis("off")
caption = "A DICOM radiograph in its header's window, restored, and what was removed (± 3 std)."
plotting.save_figure(fig, figures / "12_removed", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The built-in radiograph through its header's window, the restored one, and their difference, whose
# scale is stretched to three standard deviations. Three numbers say the same without the eye.

# %%
show_source(no_reference.residual_structure)

# %%
found = no_reference.residual_structure(scan.unit, restored.unit)
print(f"removed: {removed.std():.2f} grey levels rms, offset {found.offset:+.2f}")
print(f"correlation of neighbours {found.whiteness:+.2f}, with anatomy {found.anatomy:+.2f}")

# %% [markdown]
# *Neighbours*: the noise that the network has learned is independent from pixel to pixel, so what it
# removes should be, too. *Anatomy*: where the restored image has a vessel, does the removed part show the
# same vessel, fainter? A real detector's noise is blurred a little by the detector itself, so the first
# number need not be zero. The second should be. Compare it with those of the check, and look at the third
# panel again.
#
# **Check.** The instrument, not the network: a plain blur must be caught with vessels in its pockets,
# while true white noise must not be suspected.

# %%
from scipy.ndimage import gaussian_filter

field = builtin_fields("table2")[1][: 448 if not settings.is_smoke else 128]
grain = np.random.default_rng(0).normal(0, 5 / 255, field.shape)
innocent = no_reference.residual_structure(field + grain, field)
guilty = no_reference.residual_structure(field, gaussian_filter(field, 3))
print(f"white noise: anatomy {innocent.anatomy:+.2f}; a blur: anatomy {guilty.anatomy:+.2f}")
assert abs(innocent.anatomy) < 0.1 < guilty.anatomy

# %% [markdown]
# And the network, on the radiograph above? It stands between the two, and the sentence below says on
# which side of the line that parts them.

# %%
taken = "some fine anatomy went, too" if found.anatomy > 0.1 else "no anatomy to be seen"
print(f"what was removed above: anatomy {found.anatomy:+.2f}, {taken}")

# %% [markdown]
# ### Second check: hide something and look for it
#
# Put discs of known size and contrast into the image *before* denoising, and see what is left of them.
# We do so in a field of the radiograph as it is, and in the same field under a simulated low dose.

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
# Radius in pixels, contrast in 8-bit grey levels. *Kept* is the share of the contrast that is still
# there, *d_prime* the detectability.
#
# **Check.** Before denoising nothing is missing, up to the few pixels that were too bright to become
# brighter. After denoising no disc has gained contrast out of nothing.

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
caption = "Share of the contrast of inserted discs that is left after denoising."
plotting.save_figure(fig, figures / "12_discs", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Contrast kept after denoising, on a field of the built-in radiograph, profile as printed at the top.
# The line at 1 is what the original keeps. Read it from right to left: where a curve falls, the network
# took faint discs for noise, and from curve to curve: the smaller the disc, the less of it is left.

# %%
worst = kept["after"].idxmin()
print(
    f"least kept: {kept['after'].min():.0%} of {worst[2]} grey levels, radius {worst[1]}, {worst[0]}"
)
gain = wide["d_prime"]["after"] / wide["d_prime"]["before"]
print(
    f"detectability after over before: {gain.min():.2f} to {gain.max():.2f}, median {gain.median():.2f}"
)

# %% [markdown]
# ## Discussion
#
# The last line is the sober one. To this observer, who knows where to look and averages over the disc,
# a denoiser can hardly help: the average takes the noise away by itself, and what the network removed
# with the noise is gone. A human eye averages less well and may profit; whether a radiologist
# does is a question for a reader study, which neither the paper nor this project has made.
#
# The discs have sharp edges and stand in flat surroundings more often than a nodule does. Take them as
# a best case: what the network does to a disc of some contrast and size, it may do to a lesion.
#
# What you can do with your own images: run both checks on a few of each kind that your department
# makes; compare the printed levels with a photon transfer curve of your detector (notebook 01); see
# whether the window is the one you read in. If the removed part shows anatomy, or discs vanish that
# you need to see, the answer is no.

# %% [markdown]
# ## Two questions
#
# **1.** Why is the change added to the stored numbers, instead of storing the restored picture?
#
# <details><summary>Answer</summary>
#
# The picture has lost what lay outside the window, and has been through a clip that cannot be undone.
# The change is zero where the network did nothing, so those numbers stay exact, and grey levels beyond
# black and white keep their order and distance. Windowing the new object differently still works.
# </details>
#
# **2.** A network keeps all of the contrast of large discs and half that of small, faint ones. Its PSNR is
# excellent. How can that be?
#
# <details><summary>Answer</summary>
#
# PSNR adds up squares over all pixels. A few faint discs are a tiny share of them: losing half of their
# contrast costs less than a hundredth of a decibel, while the noise removed everywhere else gains many.
# PSNR rewards what is common, and a finding is rare.
# </details>
