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
# # 02 Data
#
# A denoiser is trained and judged on images that are taken to be clean. This notebook looks at those
# images: where they come from, how a file becomes a picture with white bones, how they are divided
# into training and test, and how clean they really are.
#
# ## What you'll do
#
# You open a real chest radiograph from its DICOM file, read other formats, index and split a folder
# of images in three ways, cut patches, and estimate the noise that hides in "clean" images.
#
# ## What you'll learn
#
# What a DICOM header must tell before a pixel value means anything, why the paper's patch-level split
# lets the test set leak into training, and why PSNR on real images has a ceiling.
#
# ## What you need
#
# Nothing beyond the package; the radiograph comes with pip. About one minute on 2 CPU cores.

# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from matplotlib.patches import Rectangle
from PIL import Image

from xbdcnn import data as radiographs
from xbdcnn import noise, paper, plotting
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import find_source, load_radiograph
from xbdcnn.data.builtin import builtin_path
from xbdcnn.data.sample import ATTRIBUTION, REGISTRY
from xbdcnn.study.notebook import show_source
from xbdcnn.study.profiles import get_profile

# %% [markdown]
# The module is called `radiographs` here because `data` is already the notebook's parameter. Two
# kinds of facts go into the figures: most pictures are of the built-in radiograph, whatever the
# statistics are computed on.

# %%
settings = get_profile(profile)
source = find_source(data)
figures = Path(output) / "figures"
plotting.use_style()
facts = dict(profile=profile, data=source.name)
builtin_facts = facts | {"data": "built-in radiograph"}
print(facts, "(a smoke test: the numbers mean little)" if settings.is_smoke else "")

# %% [markdown]
# ## Theory
#
# The paper trains on ChestX-ray8 (Sec. III-A): 10,000 radiographs and 320,000 random patches of 128 ×
# 128, divided 7 : 2 : 1. That is 32 from each, if they are spread evenly; the dataset's files have
# 1024 × 1024 pixels and 8 bits. Every image of this package, whatever its file, obeys one convention:
# float32 in [0, 1], white is 1, bones are white.
#
# X-rays are weakened exponentially on their way. A detector that receives $q$ behind a body of
# attenuation $\mu$ along the ray $s$ sees
#
# $$q = q_0\, e^{-\int \mu\, ds} \quad\Longrightarrow\quad
#   g = \frac{\log(q_\text{black} / q)}{\log(q_\text{black} / q_\text{white})},$$
#
# so a logarithm makes grey proportional to how much tissue the ray has crossed. The built-in
# radiograph is stored without it, and this function puts it in.

# %%
show_source(radiographs.builtin_radiograph)

# %% [markdown]
# A clean image with a little noise of its own, of standard deviation $\sigma_0$ grey levels, bounds
# every score that is measured against it. Even the perfect restoration differs from it by $\sigma_0$:
#
# $$\text{PSNR} \;\le\; 20 \log_{10} \frac{255}{\sigma_0}.$$
#
# ## Practical
#
# ### One real radiograph, without a download
#
# The MIT-licensed package `pydicom-data` ships a real PA chest radiograph, `RG1_UNCR.dcm`: computed
# radiography, made public as a sample for testing DICOM software, without a real name in it. These
# are the header fields that decide what its numbers mean.

# %% tags=["nbval-check-output"]
import pydicom

header = pydicom.dcmread(builtin_path())
fields = "Modality ViewPosition PatientOrientation PhotometricInterpretation Rows Columns "
fields += "BitsStored WindowCenter WindowWidth RescaleSlope"
for name in fields.split():
    print(f"{name:26s} {header.get(name, 'absent')}")

# %% [markdown]
# *PhotometricInterpretation* is MONOCHROME1: large numbers are **dark**. Whoever overlooks it trains
# on negatives. *PatientOrientation* L\F says that rows run to the patient's left and columns to the
# feet, so the heart is on the viewer's right, as it should be. *WindowCenter* and *WindowWidth* name
# the values that a display spreads from black to white; here they span all there is. There is no
# rescale, so the stored values are what the detector's software left.

# %%
views = {
    "as stored": header.pixel_array / header.pixel_array.max(),
    "header's window": load_radiograph(builtin_path()),
    "with the logarithm": radiographs.builtin_radiograph(),
}

# %% [markdown]
# The mean grey level stands above each picture; it alone moves by a large part of the scale from one
# reading of the file to the next.

# %%
fig = plotting.new_figure(7.2, 2.9, layout="constrained")
for axis, (title, image) in zip(fig.subplots(1, 3), views.items(), strict=True):
    axis.imshow(image[::6, ::6], cmap="gray", vmin=0, vmax=1)
    axis.set_title(f"{title}: mean {255 * image.mean():.0f}")
    axis.axis("off")
caption = "One file, three pictures: stored numbers, the header's window, and the logarithm."
plotting.save_figure(fig, figures / "02_windowing", caption, builtin_facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# All three panels show the built-in radiograph. In the first, bone is dark, as the file has it; read
# without its header this is a negative. In the second the lungs have lost their contrast, because the
# large values of direct exposure claim most of the scale. The third shows lung, ribs and the
# spine behind the heart at once.
#
# The header alone gives a correct but washed-out picture, which is what `load_radiograph` returns for
# this file, since it invents nothing. The built-in radiograph adds the logarithm and cuts off the
# collimator's edge. `builtin_crop(1024)` then frames the chest as ChestX-ray8 does.
#
# **Check.** Ranges and convention hold, and the picture is upright: on a chest radiograph the lower
# half is whiter than the lungs, and the middle, with the spine, whiter than the lung fields.

# %%
chest = radiographs.builtin_crop(1024)
assert chest.dtype == np.float32 and chest.min() >= 0 and chest.max() <= 1
assert chest[800:].mean() > chest[250:500].mean()
assert chest[250:500, 460:580].mean() > chest[250:500, 200:400].mean()

# %% [markdown]
# ### Any file becomes the same thing
#
# `load_radiograph` decides by content, not by name. We write one image as 8- and 16-bit PNG, 16-bit
# TIFF and JPEG, read each back, and measure the largest change in 8-bit grey levels.

# %%
scratch = tempfile.TemporaryDirectory()
folder = Path(scratch.name)
small = radiographs.builtin_crop(256)
eight, sixteen = np.rint(small * 255).astype(np.uint8), np.rint(small * 65535).astype(np.uint16)
Image.fromarray(eight).save(folder / "8-bit.png")
Image.fromarray(eight).convert("RGB").save(folder / "grey-as-rgb.png")
Image.fromarray(sixteen).save(folder / "16-bit.png")
tifffile.imwrite(folder / "16-bit.tif", sixteen)
Image.fromarray(eight).save(folder / "lossy.jpg", quality=90)

# %%
change = {
    path.name: 255 * np.abs(load_radiograph(path) - small).max()
    for path in sorted(folder.iterdir())
}
pd.Series(change, name="largest change (grey levels)").sort_values().round(3).to_frame()

# %% [markdown]
# **Check.** Rounding to $n$ levels changes a value by at most half a step. JPEG is lossy and is
# accepted, but should not be measured on.

# %%
assert max(change["8-bit.png"], change["grey-as-rgb.png"]) <= 0.5 + 1e-3
assert max(change["16-bit.png"], change["16-bit.tif"]) <= 0.5 / 257 + 1e-3

# %% [markdown]
# Sixteen bits are worth keeping where a detector gives them. The noise of a low-dose image is far
# larger than a rounding step of eight bits, but the clean image's shadows are not. What the networks
# saw in training were 8-bit images, as in the paper.
#
# A file that is not a radiograph is refused in one line that names it and the remedy.

# %%
(folder / "cut.png").write_bytes((folder / "8-bit.png").read_bytes()[:2000])
Image.fromarray(np.dstack([eight, 255 - eight, eight])).save(folder / "colour.png")
for name in ("cut.png", "colour.png", "nowhere.png"):
    try:
        load_radiograph(folder / name)
    except XbdcnnError as error:
        print(str(error).replace(str(folder), "folder"))

# %% [markdown]
# ### ChestX-ray8, and a public sample of it
#
# ChestX-ray8 has 108,948 frontal radiographs of 32,717 patients (Wang et al., CVPR 2017). Nobody needs
# all of it to follow this project: a public sample of 340 original files, about 140 MB, is fetched by
#
# ```
# xbdcnn fetch-sample
# ```
#
# which verifies each file against a SHA-256 that the package carries and resumes where it was cut off.
# Afterwards every command and notebook finds it by itself. A folder of your own, in the NIH's layout,
# is named by `--data` or the variable `XBDCNN_DATA`. Use is free with this attribution:

# %% tags=["nbval-check-output"]
print(ATTRIBUTION)

# %% tags=["nbval-check-output"]
registry = pd.read_csv(REGISTRY, dtype=str)
print(pd.crosstab(registry["split"], registry["view"], margins=True))
print("patients:", registry["patient_id"].nunique(), "of", len(registry), "images")

# %% [markdown]
# One image per patient, so no patient is on both sides. The ten images of `table2` play the paper's
# ten; which ones the paper took is not known.
#
# The views are what a hospital takes: most patients stand for a PA exposure, from back to front, and
# those too ill to stand are exposed AP, in bed. A method that is tested on one view only has been
# tested on the healthier patients.
#
# An index needs no pixel: names are enough. A little folder with the NIH's file names shows what
# `index_folder` makes of it; the first eight digits are the patient.

# %%
nih = folder / "nih"
nih.mkdir()
for patient, visits in enumerate((3, 1, 2, 4, 1, 1, 2, 1, 3, 2), start=1):
    for visit in range(visits):
        Image.fromarray(eight).save(nih / f"{patient:08d}_{visit:03d}.png")
index = radiographs.index_folder(nih)
index.drop(columns="path").head(4)

# %% [markdown]
# What this run of the notebook works with:

# %%
if source.index is None:
    print("built-in radiograph; fields per split:")
    print({split: len(source.images(split)) for split in radiographs.SPLITS})
else:
    print(source.name, source.index["split"].value_counts().to_dict())

# %% [markdown]
# The built-in radiograph has splits too, so that every notebook runs without any data set: sixteen
# disjoint fields at full resolution. They all show one patient, so they can prove that the code works
# and never that a method generalises.

# %%
shades = {"train": "C0", "val": "C2", "test": "C1", "table2": "C3"}
fig = plotting.show_images({"sixteen fields": chest})
axis, cuts = fig.axes[0], range(256, 1024, 256)
for (row, column), split in np.ndenumerate(np.array(radiographs.BUILTIN_LAYOUT)):
    box = dict(color=shades[split], alpha=0.8)
    axis.text(256 * column + 100, 256 * row + 128, split, color="white", fontsize=8, bbox=box)

# %%
axis.hlines(cuts, 0, 1023, color="white", lw=0.7)
axis.vlines(cuts, 0, 1023, color="white", lw=0.7)
caption = "The sixteen fields of the built-in radiograph and the split each of them belongs to."
plotting.save_figure(fig, figures / "02_fields", caption, builtin_facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The fields lie so that each split gets lung as well as soft tissue, and that the four of `table2`
# together are about as bright as the paper's ten images. They touch but do not overlap.
#
# ### Who is in the test set? Three ways to split
#
# The paper cuts the patches first and then divides **patches** 7 : 2 : 1. Patches of one radiograph
# end up on both sides. One could also divide images, or, as this project does, patients.

# %%
show_source(radiographs.split_index)

# %% [markdown]
# We repeat the paper's numbers: 10,000 images, 32 patches each. The patients are drawn evenly from
# the 32,717; in truth some have many more images than others, which makes siblings more frequent, so
# the patient column below is a floor.

# %%
rng = np.random.default_rng(0)
images = [f"{number:05d}.png" for number in range(paper.IMAGES)]
patients = rng.integers(32_717, size=paper.IMAGES).astype(str)
collection = pd.DataFrame({"path": "", "image": images, "patient_id": patients})


def siblings(rows):
    """How many test rows share an image or a patient with a training row."""
    train, test = (rows[rows["split"] == split] for split in ("train", "test"))
    shared = {f"same {c}": test[c].isin(train[c].unique()).sum() for c in ("image", "patient_id")}
    return {"test rows": len(test)} | shared


# %% [markdown]
# The three rows below are the three ways to split, on the same collection. The columns count the test
# rows that have an image, or at least a patient, in common with the training rows.

# %%
levels = ("patch", "image", "patient")
splits = {level: radiographs.split_index(collection, level) for level in levels}
leaks = pd.DataFrame({level: siblings(rows) for level, rows in splits.items()}).T
leaks

# %% [markdown]
# **Check.** Under the paper's split *every one* of the 32,000 test patches has patches of the same
# radiograph in training. (A test patch would need all its 31 siblings outside, at odds of
# $0.3^{31}$.) The patient-level split leaves none, of image or patient.

# %%
assert leaks.loc["patch", "test rows"] == leaks.loc["patch", "same image"] == 32_000
assert leaks.loc["image", "same image"] == 0 < leaks.loc["image", "same patient_id"]
assert (leaks.loc["patient", ["same image", "same patient_id"]] == 0).all()

# %% [markdown]
# How close are these siblings? The patches are cut at random, so they overlap. A trick counts how
# much: give `random_patches` an image whose pixels are their own addresses.

# %%
train, test = (splits["patch"].query("split == @s") for s in ("train", "test"))
in_training = train["image"].value_counts()[test["image"]].mean()
print(f"training patches of the same image: {in_training:.1f}")

# %% [markdown]
# With so many of its siblings in training, twenty repetitions of the cutting tell how much of a test
# patch they cover together.

# %%
addresses = np.arange(1024 * 1024).reshape(1024, 1024)
seen = []
for seed in range(20):
    patches = radiographs.random_patches(addresses, 32, paper.PATCH_SIZE, rng=seed)
    seen.append(np.isin(patches[22:], patches[:22]).mean())
print(f"pixels of a test patch that training has already seen: {np.mean(seen):.0%}")

# %% [markdown]
# So a part of every test image of the paper was, literally, training material. The noise is drawn
# anew, and a denoiser of local structure may gain little from it; how much, the paper cannot say. A
# test set of other patients can, which is why this project measures on one.
#
# ### Patches
#
# This is what 32 random patches of 128 × 128, the paper's average, cover of one radiograph. They are
# those of the last repetition above, and the address of a patch's first pixel tells where it was cut.

# %%
fig = plotting.show_images({"32 patches": chest})
for number, corner in enumerate(patches[:, 0, 0]):
    place, colour = divmod(corner, 1024)[::-1], "C0" if number < 22 else "C1"
    look = dict(ec=colour, lw=1, ls="-" if number < 22 else "--")
    fig.axes[0].add_patch(Rectangle(place, 128, 128, fill=False, **look))

# %%
caption = "32 random patches of one radiograph: 22 to train, ten (dashed) for validation or test."
plotting.save_figure(fig, figures / "02_patches", caption, builtin_facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Solid squares train, dashed ones validate or test, if patches are divided 7 : 2 : 1. The patches of the
# built-in radiograph leave gaps and pile up elsewhere, as chance has it. Their
# size is worth a thought: 128 pixels are about an eighth of the image, enough for a rib and the
# texture between two ribs, and wider than what the network sees around a pixel (notebook 03 measures
# that). Patches lose little and make batches cheap; `dense_patches` cuts them on a grid where every pixel is to count once.
#
# ### Grey levels
#
# Notebook 01 turned the noisy PSNRs of Table II into the mean grey level of the images behind them.
# Do real radiographs look like that?

# %%
printed = paper.TABLE_2_NOISY_PSNR
implied = [noise.implied_mean(psnr, eta, sigma) for (eta, sigma), psnr in printed.items()]
count = 4 if settings.is_smoke else 60
gallery = [chest] if source.index is None else source.images("train", count)
means = np.array([255 * image.mean() for image in gallery])
pixels = 255 * np.concatenate([image[::2, ::2].ravel() for image in gallery])

# %%
fig = plotting.new_figure(6.4, 2.9, layout="constrained")
axis = fig.subplots()
axis.hist(pixels, bins=np.arange(0, 257, 4), density=True, color="0.7", label="pixels")
axis.axvspan(min(implied), max(implied), color="C1", alpha=0.5, label="mean implied by Table II")
axis.plot(means, np.zeros_like(means), "^", clip_on=False, label="mean of each image")
axis.set(xlabel="grey level", ylabel="density", xlim=(0, 255))
axis.legend()

# %%
caption = f"Grey levels of {len(gallery)} radiograph(s), their means, and what Table II implies."
plotting.save_figure(fig, figures / "02_grey_levels", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Two humps, lung and everything else, with the mean in the valley between them: a chest has fewer
# pixels of its own mean grey level than of either hump's. The PSNR of the noisy image depends on that mean alone, as
# long as little is clipped, which is why nine numbers of the paper reveal so much about its images
# and so little about their contents.
#
# **Check.** The mean lies where the table says, give or take what clipping (notebook 01) and the
# choice of ten images can do.

# %%
print(f"{source.name}: mean {means.mean():.1f}; implied {min(implied):.1f} to {max(implied):.1f}")
assert abs(means.mean() - np.mean(implied)) < 25

# %% [markdown]
# ### How clean is clean?
#
# The "clean" images are photographs by X-ray, with quantum noise of their own. A wavelet estimate
# (scikit-image's `estimate_sigma`) takes the smallest structures of an image for noise. First a check
# of the instrument: add a known σ = 5 and see whether 5 comes back, after the noise that was there.

# %%
from skimage.restoration import estimate_sigma

before = 255 * estimate_sigma(chest)
noisier = noise.add_hybrid_noise_numpy(chest, np.inf, 5.0, np.random.default_rng(0))
added = np.sqrt((255 * estimate_sigma(noisier)) ** 2 - before**2)
print(f"noise found in the clean image: {before:.2f}; noise added: 5; found after: {added:.2f}")
assert abs(added - 5) < 0.25

# %% [markdown]
# The instrument works. Now the clean images themselves: the built-in radiograph at three sizes and in
# fields, and the images of the data source if there are any. Reducing an image averages neighbouring
# pixels, which lowers their noise; that is why the size matters.

# %%
originals = {f"built-in, {n} × {n}": [radiographs.builtin_crop(n)] for n in (1792, 1024, 512)}
originals["built-in, fields at full resolution"] = radiographs.builtin_fields("train")
if source.index is not None:
    originals[f"{source.name}, {len(gallery)} images"] = gallery
residual = {name: [255 * estimate_sigma(g) for g in group] for name, group in originals.items()}

# %%
ceilings = pd.DataFrame({name: np.quantile(s, [0, 0.5, 1]) for name, s in residual.items()}).T
ceilings.columns = ["least", "median", "most"]
ceilings["PSNR ceiling (dB)"] = 20 * np.log10(255 / ceilings["median"])
ceilings.round(2)

# %% [markdown]
# A residual noise of one grey level bounds any PSNR at 48.1 dB, and of two at 42.1 dB, for the best
# method imaginable. Read the ceiling as a range: the estimate takes some fine texture for noise, and
# one number per image hides that quantum noise is stronger in the bright parts. The best value of the
# paper, with its columns in the order that is possible, stays below the ceiling of a typical image.

# %%
best = max(paper.corrected(row["X-BDCNN"]).psnr for row in paper.TABLE_2.values())
print(f"best PSNR of Table II, columns corrected: {best:.2f} dB")
assert best < ceilings["PSNR ceiling (dB)"].min()

# %% [markdown]
# ## Discussion
#
# The images are as the paper's tables suggest: of ordinary brightness, and clean enough that scores
# around 40 dB still measure the method and not the reference. Close to the ceiling a difference of a
# few tenths of a decibel would begin to reward the copying of noise.
#
# The split is where this project departs from the paper on purpose. A patch-level split lets all test
# patches meet their siblings in training; here, patients are kept together, and the loss in
# comparability is small next to the gain in meaning. Siblings can flatter the paper's numbers; in the
# small test of [notebook 11](11_audit.ipynb) they did not.

# %%
share = leaks.loc["patch", "same image"] / leaks.loc["patch", "test rows"]
print(f"test patches with siblings in training, paper's split: {share:.0%}; ours: 0 %")
print(f"median residual noise of the clean images: {ceilings['median'].iloc[-1]:.2f} grey levels")

# %% [markdown]
# ## Two questions
#
# **1.** You load a hospital's DICOM file yourself, and the bones come out black. Which header field
# did you miss, and why does denoising still seem to work?
#
# <details><summary>Answer</summary>
#
# PhotometricInterpretation: MONOCHROME1 means that large values are dark. A denoiser does smooth a
# negative too, but the noise model no longer fits: in a negative the variance *falls* with the grey
# level, and every estimate of η is wrong.
# </details>
#
# **2.** A method reaches 47 dB against clean images with 1.2 grey levels of noise. Well done?
#
# <details><summary>Answer</summary>
#
# The ceiling is 20 log10(255 / 1.2) = 46.5 dB. Beyond it the output agrees with the reference better
# than the true scene does, so it reproduces the reference's own noise, for instance because the test
# image was seen in training.
# </details>
