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
# A denoiser is trained and tested on images that are assumed to be noise-free. This notebook
# describes these images: where they come from, how a file is converted to an image in which bones
# are white, how the images are split into training and test sets, and how much noise they contain.
#
# ![Six chest radiographs with their views and findings](../figures/02_chests.png)
#
# *Figure of this notebook: six test radiographs of ChestX-ray8, which are part of the package, reduced.*
#
# ## What you'll do
#
# You open a real chest radiograph from its DICOM file, read other formats, index a folder of images
# and split it in three ways, cut patches, and measure the residual noise of "clean" images.
#
# ## What you'll learn
#
# Which DICOM header fields are needed to interpret pixel values, why the patch-level split of the
# paper leaks training data into the test set, how the noise of a radiograph depends on its display,
# and when the noise of the reference limits PSNR.
#
# ## What you need
#
# A clone of the repository; the radiograph is installed with the package. The
# [glossary](../docs/glossary.md) explains the terms. The last line of the notebook states how long
# the run took.

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
import torch
from matplotlib.patches import Rectangle
from PIL import Image

from xbdcnn import data as radiographs
from xbdcnn import measured_noise, noise, paper, plotting
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import CHESTS, find_source, load_chest, load_radiograph
from xbdcnn.data.builtin import EXPOSED, builtin_path
from xbdcnn.data.sample import ATTRIBUTION, REGISTRY
from xbdcnn.detector import scintillator_blur
from xbdcnn.study import detectors, results, scoring
from xbdcnn.study.detector_noise import measure_radiograph
from xbdcnn.study.notebook import expect, run_time, short_labels, show_source
from xbdcnn.study.profiles import get_profile

# %% [markdown]
# The module is imported as `radiographs` because `data` is a parameter of the notebook. Most
# pictures show the built-in radiograph whatever the data source, so their figures are saved with
# `builtin_facts`.

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
# The paper trains on ChestX-ray8 (Sec. III-A): 10,000 radiographs and 320,000 random patches of 128
# × 128, split 7 : 2 : 1. This is 32 patches per radiograph if they are distributed evenly; the
# files of the dataset have 1024 × 1024 pixels and 8 bits. In this package every image, whatever its
# file format, follows one convention: float32 in [0, 1] with white equal to 1, and bones are white.
#
# X-rays are attenuated exponentially. A detector behind a body with attenuation $\mu$ along the ray
# $s$ receives the signal $q$:
#
# $$q = q_0\, e^{-\int \mu\, ds} \quad\Longrightarrow\quad
#   g = \frac{\log(q_\text{black} / q)}{\log(q_\text{black} / q_\text{white})}.$$
#
# The logarithm makes the grey level proportional to the attenuation along the ray. White is where
# few photons arrive ([notebook 01](01_noise_synthesis.ipynb#where-are-the-photons)). The value that
# the file of the built-in radiograph stores is treated as the signal $q$, to which this function
# applies the logarithm; a section below shows that it is not proportional to the photons.

# %%
show_source(radiographs.builtin_radiograph)

# %% [markdown]
# If the "clean" image has residual noise of standard deviation $\sigma_0$ grey levels, a perfect
# restoration, the true scene, differs from it by $\sigma_0$ and scores
# $20 \log_{10} (255 / \sigma_0)$. Other methods can score higher: the noisy image contains the
# residual noise of its reference, and a method that keeps a part of it is nearer to the reference
# than the true scene. If noise of standard deviation $\sigma_n$ was added and both are white and
# Gaussian, the best estimate keeps the share $\sigma_0^2 / (\sigma_0^2 + \sigma_n^2)$ of both
# together, so that
#
# $$\text{PSNR} \;\le\; 20 \log_{10} \frac{255}{\sigma_0}
#   + 10 \log_{10} \Bigl(1 + \frac{\sigma_0^2}{\sigma_n^2}\Bigr).$$
#
# Only if the added noise is much stronger than $\sigma_0$ is the second term negligible and the
# score of the true scene a limit. A section below simulates both cases.
#
# ## Practical
#
# ### One real radiograph, without a download
#
# The MIT-licensed package `pydicom-data` contains a real PA chest radiograph, `RG1_UNCR.dcm`: an
# anonymised computed radiograph, published as a sample for testing DICOM software. These header
# fields determine the meaning of its pixel values.

# %% tags=["nbval-check-output"]
import pydicom

header = pydicom.dcmread(builtin_path())
fields = "Modality ViewPosition PatientOrientation PhotometricInterpretation Rows Columns "
fields += "BitsStored WindowCenter WindowWidth RescaleSlope"
for name in fields.split():
    print(f"{name:26s} {header.get(name, 'absent')}")

# %% [markdown]
# *PhotometricInterpretation* is MONOCHROME1: large values are **dark**. A program that ignores this
# field trains on negatives. *PatientOrientation* L\F means that rows run to the patient's left and
# columns to the feet, so the heart is correctly on the viewer's right. *WindowCenter* and
# *WindowWidth* give the range of values that a display maps from black to white; here it
# contains all stored values. There is no rescale, so the stored values are used as they are.

# %%
views = {
    "as stored": header.pixel_array / header.pixel_array.max(),
    "header's window": load_radiograph(builtin_path()),
    "with the logarithm": radiographs.builtin_radiograph(),
}

# %% [markdown]
# The mean grey level is printed above each picture; it differs considerably between the three
# interpretations of the file.

# %%
fig = plotting.new_figure(7.2, 2.9, layout="constrained")
for axis, (title, image) in zip(fig.subplots(1, 3), views.items(), strict=True):
    reduced = Image.fromarray(np.uint8(255 * image)).reduce(6)
    axis.imshow(reduced, cmap="gray", vmin=0, vmax=255)
    axis.set_title(f"{title}: mean {255 * image.mean():.0f}")
    axis.axis("off")
caption = "One file, reduced: stored values, the header's window, and the logarithm."
plotting.save_figure(fig, figures / "02_windowing", caption, builtin_facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# All three panels show the built-in radiograph, reduced. In the first, bone is dark, because the
# header is ignored. In the second the lungs have little contrast, because the large values of
# direct exposure take most of the scale. The third shows lung, ribs and the spine behind the heart.
#
# The header alone gives a correct image of low contrast, which is what `load_radiograph` returns
# for this file. The built-in radiograph adds the logarithm and removes the edge of the collimator.
# `builtin_crop(1024)` crops to the chest as in ChestX-ray8.
#
# **Check.** Data type and range follow the convention, and the image is upright: its lower fifth,
# the abdomen, is brighter than the lungs, and the middle, with the spine, is brighter than the lung
# fields.

# %%
chest = radiographs.builtin_crop(1024)
assert chest.dtype == np.float32 and chest.min() >= 0 and chest.max() <= 1
assert chest[800:].mean() > chest[250:500].mean()
assert chest[250:500, 460:580].mean() > chest[250:500, 200:400].mean()

# %% [markdown]
# ### File formats
#
# `load_radiograph` detects the format from the content, not from the file name. We write one image
# as 8- and 16-bit PNG, 16-bit TIFF and JPEG, read each file back, and measure the largest change in
# 8-bit grey levels.

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
# **Check.** Rounding to $n$ levels changes a value by at most half a step. JPEG is lossy; it is
# accepted, but should not be used for measurements.

# %%
assert max(change["8-bit.png"], change["grey-as-rgb.png"]) <= 0.5 + 1e-3
assert max(change["16-bit.png"], change["16-bit.tif"]) <= 0.5 / 257 + 1e-3

# %% [markdown]
# The 16 bits of a detector should be kept. The noise of a low-dose image is far larger than the
# rounding step of eight bits, but grey-level differences in dark regions of the clean image are
# not. The networks were trained on 8-bit images, as in the paper.
#
# A file that is not a radiograph is rejected with a one-line message that names the file and the
# remedy.

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
# ChestX-ray8 has 108,948 frontal radiographs of 32,717 patients (Wang et al., CVPR 2017). This
# project needs only a public sample of 340 original files, about 140 MB, which is downloaded by
#
# ```
# xbdcnn fetch-sample
# ```
#
# The command verifies the SHA-256 of each file and resumes an interrupted download. Afterwards
# every command and notebook finds the sample automatically. A folder of your own, in the layout of
# the NIH, is given by `--data` or the variable `XBDCNN_DATA`. The use of the images is free with
# this attribution:

# %% tags=["nbval-check-output"]
print(ATTRIBUTION)

# %% tags=["nbval-check-output"]
registry = pd.read_csv(REGISTRY, dtype=str)
print(pd.crosstab(registry["split"], registry["view"], margins=True))
print("patients:", registry["patient_id"].nunique(), "of", len(registry), "images")

# %% [markdown]
# There is one image per patient, so no patient is in two splits. The ten images of `table2` take
# the place of the paper's ten, which are not known. Six of these ten are part of the package, for
# pictures without a download:

# %%
shipped = {f"{name}: {text}": load_chest(name) for name, text in CHESTS.items()}
fig = plotting.contact_sheet(shipped)
caption = "Six test radiographs of ChestX-ray8 that are part of the package, with their labels."
sheet_facts = facts | {"data": "ChestX-ray8, six test images"}
plotting.save_figure(fig, figures / "02_chests", caption, sheet_facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The pictures are reduced to less than a third of 1024 pixels, so that their own noise cannot be
# seen. View and findings are labels of the data set; a program extracted the findings from reports.
# The bright letters are markers of the side and of the technologist. The radiographs differ in
# exposure, contrast and cropping, and some show electrodes and lines of patients under treatment.
#
# Patients who can stand are exposed PA, from back to front; patients who are too ill to stand are
# exposed AP, in bed. A method that is tested on PA views only is tested on the healthier patients.
#
# An index is built from file names alone. The example shows the result of `index_folder` for a
# small folder with file names of the NIH, whose first eight digits identify the patient.

# %%
nih = folder / "nih"
nih.mkdir()
for patient, visits in enumerate((3, 1, 2, 4, 1, 1, 2, 1, 3, 2), start=1):
    for visit in range(visits):
        Image.fromarray(eight).save(nih / f"{patient:08d}_{visit:03d}.png")
index = radiographs.index_folder(nih)
index.drop(columns="path").head(4)

# %% [markdown]
# The images of this run:

# %%
if source.index is None:
    print("built-in radiograph; fields per split:")
    print({split: len(source.images(split)) for split in radiographs.SPLITS})
else:
    print(source.name, source.index["split"].value_counts().to_dict())

# %% [markdown]
# The built-in radiograph also has splits, so that every notebook runs without a data set: sixteen
# disjoint fields at full resolution. They all show one patient, so they can show that the code
# works, but not that a method generalises.

# %%
colours = {"train": "C0", "val": "C2", "test": "C1", "table2": "C3"}
fig = plotting.show_images({"sixteen fields": chest})
axis, cuts = fig.axes[0], range(256, 1024, 256)
for (row, column), split in np.ndenumerate(np.array(radiographs.BUILTIN_LAYOUT)):
    box = dict(color=colours[split], alpha=0.8)
    axis.text(256 * column + 100, 256 * row + 128, split, color="white", fontsize=8, bbox=box)

# %%
axis.hlines(cuts, 0, 1023, color="white", lw=0.7)
axis.vlines(cuts, 0, 1023, color="white", lw=0.7)
caption = "The sixteen fields of the built-in radiograph and the split each of them belongs to."
plotting.save_figure(fig, figures / "02_fields", caption, builtin_facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The picture is reduced. The fields are assigned such that each split contains lung and soft
# tissue, and that the four fields of `table2` together have about the mean grey level of the
# paper's ten images. Agreement in brightness between them and the paper is therefore no evidence.
# They touch but do not overlap.
#
# ### Three ways to split
#
# The paper cuts the patches first and then splits the **patches** 7 : 2 : 1, apparently at random, so
# that patches of one radiograph are in both training and test set. One can also split images, or, as this project does,
# patients.

# %%
show_source(radiographs.split_index)

# %% [markdown]
# We use the numbers of the paper: 10,000 images, 32 patches each. The patients are drawn uniformly
# from the 32,717. In the dataset some patients have many more images than others, which makes
# shared patients more frequent, so the patient column below is a lower bound.

# %%
rng = np.random.default_rng(0)
images = [f"{number:05d}.png" for number in range(paper.IMAGES)]
patients = rng.integers(32_717, size=paper.IMAGES).astype(str)
collection = pd.DataFrame({"path": "", "image": images, "patient_id": patients})


def overlap(rows):
    """Number of test rows that share an image or a patient with a training row."""
    train, test = (rows[rows["split"] == split] for split in ("train", "test"))
    shared = {f"same {c}": test[c].isin(train[c].unique()).sum() for c in ("image", "patient_id")}
    return {"test rows": len(test)} | shared


# %% [markdown]
# The three rows below are the three ways to split the same images. The columns count the test rows
# that share an image or a patient with a training row.

# %%
levels = ("patch", "image", "patient")
splits = {level: radiographs.split_index(collection, level) for level in levels}
overlaps = pd.DataFrame({level: overlap(rows) for level, rows in splits.items()}).T
overlaps

# %% [markdown]
# **Check.** With 32 patches from each radiograph, every one of the 32,000 test patches has patches
# of the same radiograph in training. (The probability that all 31 other patches of a radiograph are
# outside the training set is $0.3^{31}$.) The patient-level split has no such overlap.

# %%
assert overlaps.loc["patch", "test rows"] == overlaps.loc["patch", "same image"] == 32_000
assert overlaps.loc["image", "same image"] == 0 < overlaps.loc["image", "same patient_id"]
assert (overlaps.loc["patient", ["same image", "same patient_id"]] == 0).all()

# %% [markdown]
# The patches are cut at random positions, so patches of one radiograph also overlap in space. To
# measure the overlap, we pass to `random_patches` an image in which each pixel value is the index
# of the pixel.

# %%
train, test = (splits["patch"].query("split == @s") for s in ("train", "test"))
in_training = train["image"].value_counts()[test["image"]].mean()
print(f"training patches of the same image: {in_training:.1f}")

# %% [markdown]
# With this number of training patches of the same image, twenty repetitions measure what share of
# the pixels of a test patch they contain.

# %%
pixel_indices = np.arange(1024 * 1024).reshape(1024, 1024)
shared = []
for seed in range(20):
    patches = radiographs.random_patches(pixel_indices, 32, paper.PATCH_SIZE, rng=seed)
    shared.append(np.isin(patches[22:], patches[:22]).mean())
print(f"pixels of a test patch that are also in training patches: {np.mean(shared):.0%}")

# %% [markdown]
# The radiographs behind the test patches of Table I were therefore also training images. For the
# ten radiographs of Table II the paper does not state whether they are among the 10,000. The noise
# is drawn independently, and a denoiser of local structure may gain little from the overlap; the
# paper does not measure it. This project tests on other patients.
#
# ### Patches
#
# The figure shows the 32 random patches of 128 × 128 of the last repetition above; 32 per
# radiograph is the paper's average. The index of the first pixel of a patch gives its position.

# %%
fig = plotting.show_images({"32 patches": chest})
for number, first_pixel in enumerate(patches[:, 0, 0]):
    position, colour = divmod(first_pixel, 1024)[::-1], "C0" if number < 22 else "C1"
    style = dict(ec=colour, lw=1, ls="-" if number < 22 else "--")
    fig.axes[0].add_patch(Rectangle(position, 128, 128, fill=False, **style))

# %%
caption = "32 random patches of one radiograph: 22 to train, ten (dashed) for validation or test."
plotting.save_figure(fig, figures / "02_patches", caption, builtin_facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The radiograph is reduced here. Solid squares are training patches, dashed ones are validation or
# test patches, if patches are split 7 : 2 : 1. Random patches overlap in some places and leave gaps
# in others. A patch side of
# 128 pixels is an eighth of the image and covers a rib and the texture between two ribs, which is
# more than the receptive field of the network (measured in notebook 03). Small patches therefore
# lose little and keep batches small; `dense_patches` cuts patches on a regular grid, in which every
# pixel is covered.
#
# ### Grey levels
#
# Notebook 01 derived the mean grey level of the paper's images from the noisy PSNRs of Table II. We
# compare it with real radiographs.


# %%
def implied_means(psnr_by_level):
    """Mean grey level that each noisy PSNR implies, by (eta, sigma)."""
    return [noise.implied_mean(psnr, *level) for level, psnr in psnr_by_level.items()]


implied = implied_means(paper.TABLE_2_NOISY_PSNR)
count = 4 if settings.is_smoke else 60
examples = [chest] if source.index is None else source.images("train", count)
means = np.array([255 * image.mean() for image in examples])
pixels = 255 * np.concatenate([image[::2, ::2].ravel() for image in examples])

# %%
fig = plotting.new_figure(6.4, 2.9, layout="constrained")
axis = fig.subplots()
axis.hist(pixels, bins=np.arange(0, 257, 4), density=True, color="0.7", label="pixels")
axis.axvspan(min(implied), max(implied), color="C1", alpha=0.5, label="mean implied by Table II")
axis.plot(means, np.zeros_like(means), "^", clip_on=False, label="mean of each image")
axis.set(xlabel="grey level", ylabel="density", xlim=(0, 255))
axis.legend()

# %%
caption = f"Grey levels of {len(examples)} radiograph(s), their means, and what Table II implies."
plotting.save_figure(fig, figures / "02_grey_levels", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The histogram of the built-in radiograph has two broad modes, lung and other tissue, and its mean
# is in the valley between them. At a given noise level the PSNR of the noisy image depends on this
# mean only, as long as few pixels are clipped. Clipping reduces the error, so that the implied mean
# is too low, the more the larger σ is. The nine numbers of the paper therefore determine its mean
# grey level approximately, and their decrease with σ how many pixels are near black or white.
#
# Do radiographs that were not chosen for their brightness agree with Table II? The noisy PSNRs of
# ten ChestX-ray8 radiographs are on file, and the same formula gives the mean that they imply. (The
# window of the built-in radiograph was chosen such that its mean is near the printed ones.)
#
# **Check.** The implied means of ChestX-ray8 and of the paper agree within 15 grey levels.

# %%
rows = results.table("table_2")
noisy = rows[rows["method"] == scoring.BEFORE].set_index(["eta", "sigma"])["psnr"]
chestxray8 = implied_means(noisy.to_dict())
print(f"{source.name}: mean {means.mean():.1f}")
for name, values in {"Table II": implied, "ten ChestX-ray8 radiographs": chestxray8}.items():
    print(f"implied by {name}: {min(values):.1f} to {max(values):.1f}")
drawn = results.table("audit_draws").drop_duplicates("image")
ten = drawn.loc[drawn["image"].str.startswith("table2"), "mean"]
print(f"true mean of the {len(ten)} ChestX-ray8 radiographs: {ten.mean():.1f}")
assert np.abs(np.subtract(chestxray8, implied)).max() < 15

# %% [markdown]
# ### Residual noise of the clean images
#
# The "clean" images were taken with X-rays and contain quantum noise of their own. It can be
# measured without a noise-free image. `single_exposure` takes the finest diagonal detail of 2 × 2
# pixels ([notebook 01](01_noise_synthesis.ipynb#measured-on-a-radiograph)), which contains little
# anatomy, and underestimates noise that is correlated between adjacent pixels. `noise_report` takes
# the quietest blocks of 16 × 16 pixels and corrects for the correlation, but fine anatomy counts as
# noise.
#
# First we validate both: we add noise of σ = 5 to the built-in radiograph, independent from pixel
# to pixel as in Eq. 1 or blurred as by a scintillator, and test by how much the variance increases.


# %%
def measured_noises(image):
    """Noise of an image in grey levels, rms over its area: finest detail, quietest blocks."""
    detail = measured_noise.single_exposure(255 * image)
    blocks = measured_noise.noise_report(image).bins
    return np.sqrt([detail.variance.mean(), blocks.variance.mean()])


normal = np.random.default_rng(0).normal(size=(1, 1, *chest.shape)).astype(np.float32)
blurred = scintillator_blur(torch.from_numpy(normal), blur=0.6).numpy()
before, found = measured_noises(chest), {}
for kind, pattern in {"independent": normal, "correlated": blurred}.items():
    noisy = (chest + 5 / 255 * pattern[0, 0] / pattern.std()).clip(0, 1)
    found[kind] = np.sqrt(measured_noises(noisy) ** 2 - before**2)
added = pd.DataFrame(found, index=["finest detail", "quietest blocks"]).T
added.round(2)

# %% [markdown]
# **Check.** Both find independent noise. The finest detail contains only a part of correlated
# noise.

# %%
assert (added.loc["independent"].sub(5).abs() < 0.5).all()
assert added.loc["correlated", "finest detail"] < 4
assert abs(added.loc["correlated", "quietest blocks"] - 5) < 0.5

# %% [markdown]
# Now the images themselves. At which grey levels is their noise strongest? We measure the built-in
# radiograph in two displays, the header's window and the logarithm, and images of the data source
# if there are any.

# %%
stored, logarithmic, extremity = detectors.measured_radiographs()
window = measure_radiograph(
    255 * views["header's window"][EXPOSED], "built-in CR, header's window", "grey levels"
)
others = [] if source.index is None else detectors.measured_images(source, min(count, 20))

# %%
fig = plotting.new_figure(6.4, 3.2, layout="constrained")
axis = fig.subplots()
for measured in others:
    axis.plot(measured.bins.signal, np.sqrt(measured.bins.variance), color="0.75", lw=0.8)
for title, measured in {"with the logarithm": logarithmic, "header's window": window}.items():
    axis.plot(measured.bins.signal, np.sqrt(measured.bins.variance), "o-", ms=4, label=title)
mean = logarithmic.bins.signal.mean()
model = np.sqrt(np.arange(256) / mean * logarithmic.bins.variance.mean())
axis.plot(model, "--", color="0.3", lw=1, label="law of Eq. 1, σ = 0")
if others:
    axis.plot([], [], color="0.75", lw=0.8, label=f"{len(others)} images, {source.name}")
axis.set(xlabel="grey level", ylabel="noise (grey levels)", xlim=(0, 255), ylim=(0, None))
fig.legend(loc="outside right upper")

# %%
caption = "Noise by grey level: the built-in radiograph in two displays"
caption += f", and {len(others)} radiographs of {source.name}." if others else "."
name = figures / "02_residual_noise"
plotting.save_figure(fig, name, caption, facts, smoke=settings.is_smoke)
fig
# %% [markdown]
# Each curve with dots is the noise from the finest detail in bins of the local mean. These two
# curves are the same file, hence the same photons: what is measured in grey levels depends on the
# display. With the logarithm the noise is strongest near white, where few photons arrived; in the
# header's window it falls from middle grey levels towards white. The dashed law of Eq. 1 has the
# average strength of the blue curve; it rises like $\sqrt g$, the measured noise faster. With a
# folder of radiographs as data source the figure also shows their curves, thin and grey; they were
# processed in ways that their files do not state.
#
# The table lists the correlation of adjacent pixels, in the smoothest blocks, and the law that fits
# best. The last row is the median of the images of the data source, if there are any.

# %%
rows = [detectors.table_row(m) for m in (stored, extremity, window, logarithmic)]
rows += [detectors.median_row(others)] if others else []
table = pd.DataFrame(rows).set_index("detector")
table[["unit", "exposures", "noise few", "noise many", "across", "down", "law", "error"]].round(2)

# %% [markdown]
# *Noise few* and *many*: where the photons are fewest and most; *error*: relative deviation of the
# variances from the law, which is large where the variance does not rise or fall steadily. Eq. 1
# draws the noise of each pixel independently; in these radiographs adjacent pixels are correlated,
# by the scintillator or storage phosphor and by processing. A part of the number can be anatomy.
#
# **Check.** With the logarithm the noise is several times stronger in white than in black, in the
# header's window it is weaker in white than at middle grey levels, and adjacent pixels are
# correlated.

# %%
log_row, curve = table.loc[logarithmic.title], np.sqrt(window.bins.variance)
assert log_row["noise few"] > 3 * log_row["noise many"]
assert curve[-1] < 0.7 * curve.max()
assert (table[["across", "down"]] > 0.1).all(axis=None)

# %% [markdown]
# Are the stored values photon counts? If they were proportional to them, the variance would be
# proportional to the value, $q^1$, and the signal-to-noise ratio would rise with $\sqrt q$.

# %%
for measured in (stored, extremity):
    row = table.loc[measured.title]
    exponent = next(law.parameters[1] for law in measured.laws if law.name == "power")
    range_, gain = row["highest"] / row["lowest"], row["SNR many"] / row["SNR few"]
    print(f"{measured.title}: variance like q^{exponent:.2f}; values × {range_:.1f}, ", end="")
    print(f"signal-to-noise × {gain:.1f}, of counts × {range_**0.5:.1f}")

# %% [markdown]
# They are not. In the second file the noise falls as the value rises, as after a logarithm; in the
# first it is strongest at middle values, so the values were processed before they were stored. The
# direction is certain, photons per stored value are not: for them one needs raw frames
# ([notebook 01](01_noise_synthesis.ipynb#measured-on-detectors)).
#
# ### PSNR against a noisy reference
#
# First the two cases of the theory, on a uniform scene. The reference has residual noise of one
# grey level; noise of four strengths is added to it. Three estimates are compared with the
# reference: the true scene, the noisy image itself, and the best mixture of both.

# %%
rng, rows = np.random.default_rng(0), {}
reference = rng.normal(0, 1, (500, 500))  # deviation from the scene, in grey levels
for strength in (16, 4, 1, 0.25):
    noisy = reference + rng.normal(0, strength, reference.shape)
    estimates = {"true scene": 0, "noisy image": noisy, "best mixture": noisy / (1 + strength**2)}
    errors = {name: np.sqrt(np.mean((e - reference) ** 2)) for name, e in estimates.items()}
    rows[strength] = {name: 20 * np.log10(255 / error) for name, error in errors.items()}
scores = pd.DataFrame(rows).T.rename_axis("added noise (grey levels)")
short_labels(scores.round(2))

# %% [markdown]
# **Check.** Under strong noise no estimate scores higher than the true scene by more than 0.1 dB.
# Under weak noise the unrestored image scores higher than the true scene.

# %%
assert scores.loc[16, "best mixture"] - scores.loc[16, "true scene"] < 0.1
assert scores.loc[0.25, "noisy image"] > scores.loc[0.25, "true scene"] + 10

# %% [markdown]
# Now real references: the built-in radiograph at three sizes and in fields, and the images of the
# data source if there are any. The table has the median noise by both measurements, and the PSNR of
# the true scene that follows from each.

# %%
originals = {f"built-in, {n} × {n}": [radiographs.builtin_crop(n)] for n in (1792, 1024, 512)}
originals["built-in, fields at full resolution"] = radiographs.builtin_fields("train")
if source.index is not None:
    originals[f"{source.name}, {len(examples)} images"] = examples
noises = {name: [measured_noises(g) for g in group] for name, group in originals.items()}

# %%
methods = ["finest detail", "quietest blocks"]
medians = {name: np.median(values, axis=0) for name, values in noises.items()}
residual = pd.DataFrame(medians, index=methods).T
of_scene = 20 * np.log10(255 / residual)
pd.concat({"noise (grey levels)": residual, "true scene (dB)": of_scene}, axis=1).round(2)

# %% [markdown]
# The noise of a reference is probably between the two columns. A reduction to 512 pixels averages
# 12 pixels and would reduce independent noise to less than a third. Neither column falls that much,
# and the second one falls and then rises above its first value: in small images the estimators find
# fine anatomy. We compare the best value of the paper, its columns corrected, with the score of the
# true scene by both measurements, and with that of the test radiographs of ChestX-ray8, whose
# residual noise is on file (by an estimate from the finest wavelet coefficients, which is too low
# for correlated noise).

# %%
best = max(paper.corrected(row["X-BDCNN"]).psnr for row in paper.TABLE_2.values())
group = list(noises)[-1]
below = np.mean(20 * np.log10(255 / np.array(noises[group])) < best, axis=0)
print(f"best PSNR of Table II, columns corrected: {best:.2f} dB; true scene below it, {group}:")
print(", ".join(f"{share:.0%} by the {name}" for name, share in zip(methods, below, strict=True)))
on_file = 20 * np.log10(255 / results.table("audit_residual")["residual"])
print(f"true scene, {len(on_file)} ChestX-ray8 radiographs: {on_file.min():.1f} to ", end="")
print(f"{on_file.max():.1f} dB, {(on_file < best).mean():.0%} of them below the best PSNR")
below_medians = best < of_scene["finest detail"].min()
expect(below_medians, "the best PSNR is below the medians by the finest detail", source)

# %% [markdown]
# ## Discussion
#
# The ChestX-ray8 radiographs agree with what the paper's tables imply: they have an ordinary
# brightness and less residual noise than the built-in one. By the lower bound of that noise the true
# scenes would score several decibels more than the best methods, by an upper bound ([notebook
# 06](06_tables.ipynb#why-our-numbers-are-lower-than-the-papers)) about two decibels in the median.
# Around 40 dB most of the error is therefore that of the method, but the noise of the references
# costs a part of a decibel by the lower bound and more than a decibel by the upper. In the fields of the built-in
# radiograph such scores are close to that of the true scene, where a difference of a few tenths of
# a decibel could come from the noise of the reference. Even weak residual noise has another law
# than Eq. 1 and is correlated.
#
# The split is a deliberate departure from the paper. In a patch-level split every test patch has
# patches of the same image in training; here all images of a patient are in one split. Patches of
# the same image could increase the scores of the paper; the small test of [notebook
# 11](11_audit.ipynb) with three seeds does not decide it.

# %%
share = overlaps.loc["patch", "same image"] / overlaps.loc["patch", "test rows"]
print(f"test patches whose image is also in training, paper's split: {share:.0%}; ours: 0 %")
least, most = residual.iloc[-1]
print(f"median residual noise of the clean images: {least:.2f} to {most:.2f} grey levels")

# %% [markdown]
# ## Two questions
#
# **1.** You load a DICOM file from a hospital yourself, and the bones are black. Which header field
# did you ignore, and why does denoising still seem to work?
#
# <details><summary>Answer</summary>
#
# PhotometricInterpretation: MONOCHROME1 means that large values are dark. A denoiser also smooths a
# negative, but it was trained on noise that increases with the grey level. In the negative of a
# logarithmic display the variance *decreases* with it, and every estimate of η is wrong. (In the
# negative of a linear display the grey level is a number of photons, as Eq. 1 assumes.)
# </details>
#
# **2.** A method restores strongly noisy images and reaches 47 dB against clean images with 1.2
# grey levels of noise. Is this a good result?
#
# <details><summary>Answer</summary>
#
# No. The true scene scores 20 log10(255 / 1.2) = 46.5 dB, and under strong noise this is a limit.
# Above it the output agrees with the reference better than the true scene does, so the method
# reproduces the noise of the reference, for instance because the test image was used in training.
# </details>

# %% [markdown]
# ## Take-away
#
# - The header defines what a stored value means (MONOCHROME1, window), and the display, linear or
#   logarithmic, decides at which grey levels the noise of the same file is strongest.
# - A split of patches puts patches of one radiograph into training and test set; a split by patient
#   does not.
# - The reference contains noise. Under much stronger added noise the score of the true scene limits
#   PSNR; under weak noise it does not, since a method that keeps noise scores higher.
#
# ## References
#
# - W. Yin, B. Qi, T. Cai, J. Li, *X-Ray Image Enhancement Using Blind Denoising Neural Networks*.
# - X. Wang et al., *ChestX-ray8: Hospital-scale chest X-ray database and benchmarks on
#   weakly-supervised classification and localization of common thorax diseases*, CVPR 2017,
#   [doi:10.1109/CVPR.2017.369](https://doi.org/10.1109/CVPR.2017.369).

# %%
print(run_time())
