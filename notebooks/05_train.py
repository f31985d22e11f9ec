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
# # 05 Train
#
# Training is where a paper is easiest to describe and hardest to repeat. The loop below fits on a
# screen, trains every network of the tables, and draws its noise so that two networks see exactly
# the same patches. Kill it at any time; it goes on as if nothing had happened, and this is tested.
#
# ## What you'll do
#
# You look at one batch, train a network at the budget of your profile, read its curves, interrupt a
# run on purpose and resume it, and inspect how the shipped weights came to be.
#
# ## What you'll learn
#
# What one step does, why noise made on the fly is better than noisy files, what a checkpoint must
# contain to be exact, and how far a short run is from the paper's thirty hours.
#
# ## What you need
#
# Notebooks 03 and 04. With profile `quick` it takes about two minutes on 2 CPU cores and trains a
# half-width network for a hundred steps, for its own sake: the tables use the shipped weights. The
# profiles `cpu` (most of a day) and `paper` (a week for each, or GPUs) train every network of the
# tables.

# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
import itertools
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch

from xbdcnn import metrics, models, paper, plotting
from xbdcnn._common import files
from xbdcnn.data import find_source
from xbdcnn.inference import zoo
from xbdcnn.inference.weights import build_network, load_network, shipped_path
from xbdcnn.study import results, trials
from xbdcnn.study.notebook import show_source
from xbdcnn.study.profiles import PROFILES, get_profile
from xbdcnn.training import batches, loop
from xbdcnn.training.named import train_named, training_pool

# %%
settings = get_profile(profile)
source = find_source(data)
figures = Path(output) / "figures"
plotting.use_style()
facts = dict(profile=profile, data=source.name)
print(facts, "(a smoke test: the numbers mean little)" if settings.is_smoke else "")

# %%
if settings.shipped_weights:
    print(f"Profile {profile!r} trains one small network for show. It does NOT train the networks")
    print("of the tables: those come with the package, and how they were made is printed below.")
else:
    print(f"Profile {profile!r} trains all {len(zoo.ZOO)} networks of the tables, one by one.")

# %% [markdown]
# ## Theory
#
# Training looks for the weights that minimise the expected loss over patches $g$, noise levels and
# noise, estimated from one batch of $B$ at a time:
#
# $$\min_W\; \mathbb E_{g,\,\eta,\,\sigma,\,f}\;
#   \mathcal L\bigl(\hat g(f; W),\, \hat l(f; W);\; g,\, \tilde l_{\sigma,\eta}\bigr),
#   \qquad \mathcal L \text{ from Eq. 8.}$$
#
# The expectation over noise costs nothing, since noise can be made anew for every batch. The paper
# makes it once and divides the noisy patches 7:2:1; the released code draws it on the fly. We draw,
# too, which needs no disk and shows the network each patch under many noise levels.

# %%
show_source(batches.draw_batch)

# %% [markdown]
# Everything in a batch follows from the seed and the number of the step. So networks compared in a
# table met the same patches under the same noise, and a resumed run needs no record of a random
# state.
#
# One step: draw, restore, compare, go downhill. `accelerator` is a thin layer that hides whether this
# happens on a CPU, a GPU or several, and in which precision.

# %%
show_source(loop.train_step)

# %% [markdown]
# The optimiser is Adam. Its rate is $10^{-3}$ in the first half and $10^{-4}$ in the second, as in
# the paper, or falls between its two ends along half a cosine, which suits short runs.

# %%
show_source(batches.learning_rate)

# %% [markdown]
# Around the step stands the loop: it validates from time to time, keeps the best weights, writes
# checkpoints, and stops if the loss is no longer a number.

# %%
show_source(loop.train)

# %% [markdown]
# ## Practical
#
# ### What one batch is
#
# Patches cut at random from the training radiographs, each under noise of its own level. Images are
# held as 8-bit numbers, as the paper's are, until a patch is cut.

# %%
config = settings.train
pool = batches.as_pool(source.images("train", 8))
batch = batches.draw_batch(pool, models.BALANCED, config, step=0, device=torch.device("cpu"))
print(f"clean {tuple(batch.clean.shape)}, noisy {tuple(batch.noisy.shape)}, {batch.clean.dtype}")
print(f"η from {batch.eta.min():.2f} to {batch.eta.max():.2f}, ", end="")
print(f"σ from {batch.sigma.min():.1f} to {batch.sigma.max():.1f}")

# %%
pictures = {}
for clean, noisy, eta, sigma in list(zip(*batch, strict=True))[:6]:
    pictures[f"η {eta:.2f}, σ {sigma:.1f}"] = torch.cat([clean[0], noisy[0]]).numpy()
fig = plotting.show_images(pictures)
caption = "Six patches of one batch, clean above and noisy below; each has its own noise level."
plotting.save_figure(fig, figures / "05_batch", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Six patches of the first batch, clean above and noisy below (profile and data as printed at the
# top). Both levels count: few photons over quiet electronics can be as noisy as many photons over
# loud ones. Where a patch is almost flat, there is little to restore, and the network has to leave it
# alone.
#
# **Check.** The same seed and step give the same batch, and another step gives another. All the
# comparisons in notebooks 06 and 07 stand on this.

# %%
again, later = (
    batches.draw_batch(pool, models.BALANCED, config, step, torch.device("cpu")) for step in (0, 1)
)
assert all(torch.equal(a, b) for a, b in zip(batch, again, strict=True))
assert not torch.equal(batch.clean, later.clean)

# %% [markdown]
# ### The budgets
#
# What the profiles spend on one network; the row `paper` is the paper's own budget. The last column
# counts pixels, since patches differ in size.

# %%
budgets = pd.DataFrame({name: asdict(p.train) for name, p in PROFILES.items()}).T
budgets["steps"] = [p.train.steps for p in PROFILES.values()]
budgets["width"] = [p.width for p in PROFILES.values()]
budgets["megapixels"] = (budgets["patches"] * budgets["patch_size"] ** 2 / 1e6).astype(int)

# %% tags=["nbval-check-output"]
shown = ["width", "patches", "patch_size", "batch_size", "steps", "schedule", "precision"]
print(budgets[[*shown, "megapixels"]].to_string())

# %% [markdown]
# The paper's 224,000 patches for 40 epochs in 30 hours are 83 patches a second on its GPU.

# %% tags=["nbval-check-output"]
rate = PROFILES["paper"].train.patches / paper.TRAINING_HOURS / 3600
print(f"{rate:.0f} patches of {paper.PATCH_SIZE} x {paper.PATCH_SIZE} per second")

# %% [markdown]
# ### Training
#
# `train_named` looks a network up in the zoo, trains it on the `train` split, chooses the best
# weights on `val`, and writes a weight file whose header says all of that. Interrupt this cell and
# run it again: it goes on from its last checkpoint. Profile and data are part of the folder's name,
# so that no run continues one with other images; delete the folder to train anew. The profile
# `paper` first cuts its 320,000 patches to disk, from 10,000 radiographs drawn at random; the others
# cut theirs from images in memory.

# %%
names = ["xbdcnn"] if settings.shipped_weights else list(zoo.ZOO)
runs = Path(output) / "runs" / f"{profile}-{source.fingerprint[:8]}"

# %%
paths = {}
pool = training_pool(source, settings, runs / "patches", progress=False)
for name in names:
    print(name, "resumes" if (runs / name / "checkpoint.pt").exists() else "starts", flush=True)
    budget = config if settings.shipped_weights else zoo.entry(name).budget(config)
    size = {"width": settings.width, "count": settings.train_images, "pool": pool}
    paths[name] = train_named(name, source, budget, runs / name, **size, progress=False)

# %% [markdown]
# Profiles that train the networks of the tables put finished weights where notebook 06 looks for
# them.

# %%
if not settings.shipped_weights:
    for path in paths.values():
        with files.atomic_path(Path(output) / "weights" / path.name) as temporary:
            temporary.write_bytes(path.read_bytes())
        print(f"weights/{path.name}: {path.stat().st_size / 1e6:.1f} MB")

# %% [markdown]
# ### The curves
#
# The loop logs one row per validation. Here is the log of X-BDCNN with the balanced loss, thinned to
# a handful of rows. The loss is that of one batch and jumps with its noise levels; trust the columns
# that start with `val_`, whose material never changes.

# %%
histories = {zoo.ZOO[name].label: pd.read_csv(runs / name / "log.csv") for name in names}
log = histories["X-BDCNN balanced"]
shown = ["step", "seconds", "loss", "loss_mse", "val_psnr", "val_eta_rmse", "val_sigma_rmse"]
log[shown].iloc[np.linspace(0, len(log) - 1, min(6, len(log))).astype(int)].round(4)

# %% [markdown]
# All of it as curves. Look for a PSNR that still rises at the end, the mark of a run that was too short,
# and for a term that does not fall at all, the mark of one that nobody listens to.

# %%
fig = plotting.training_curves(histories)
caption = "Validation PSNR and the terms of Eq. 8, before weighting, against patches seen."
plotting.save_figure(fig, figures / "05_curves", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Validation PSNR and the loss terms during this run (profile and data as printed at the top). How
# does the best state compare with the noisy images it was given?

# %%
validation = batches.validation_batch(source.images("val", 20), config)
unrestored = np.mean(metrics.psnr(validation.noisy, validation.clean))
print(f"noisy {unrestored:.2f} dB, best {log.val_psnr.max():.2f} dB ", end="")
print(f"after {log.step[log.val_psnr.idxmax()]} steps, {log.seconds.iloc[-1]:.0f} s in all")

# %% [markdown]
# And the level estimates, with someone who never looks and always says the middle of the range? For
# levels spread evenly that guess errs by the range over $\sqrt{12}$.

# %%
for level, (low, high) in {"eta": paper.ETA_RANGE, "sigma": paper.SIGMA_RANGE}.items():
    error, guess = log[f"val_{level}_rmse"].iloc[-1], (high - low) / 12**0.5
    print(f"{level}: error {error:.2f}, blind guess {guess:.2f}")

# %% [markdown]
# **Check.** Training has to beat doing nothing. A smoke run is too short for that; there it only
# has to lower the loss it started from, or stay finite.

# %%
assert np.isfinite(log.loss).all()
assert settings.is_smoke or log.val_psnr.max() > unrestored + 3

# %% [markdown]
# ### Pulling the plug
#
# A run that is interrupted and resumed must end in the same weights as one that is not: not similar
# ones, the same bits. We try it on a tiny network, which validates and saves a checkpoint every few
# steps and keeps averaged weights, so that every part of the state is at stake.

# %%
tiny = replace(models.BALANCED, width=4)
short = batches.TrainConfig(
    patches=60, patch_size=32, batch_size=4, validate_every=3, checkpoint_seconds=0.0, ema=0.9
)
images = [image[:128, :128] for image in source.images("train", 2)]

# %% [markdown]
# The accident is an error in the middle of a step, after the batch is drawn and before the weights
# move, which is as rude as a power cut. A hook counts forward passes and raises it.


# %%
class PowerCut(Exception):
    """What happens to computers."""


def power_cut(at):
    """A hook that lets the power fail at the n-th forward pass."""
    passes = itertools.count(1)

    def hook(*_):
        if next(passes) == at:
            raise PowerCut

    return hook


# %%
def train_tiny(folder, hook=None):
    """Train the tiny network in a folder, or go on with the run that the folder holds."""
    network = build_network("xbdcnn", tiny)
    if hook:
        network.nbd.register_forward_pre_hook(hook)
    loop.train(network, tiny, images, images, short, folder, progress=False)
    return network


# %% [markdown]
# Two runs in two folders. The second is cut, then called again with the same arguments and no hook,
# as one would after a real power cut.

# %%
with TemporaryDirectory() as folder:
    uninterrupted = train_tiny(Path(folder) / "whole")
    try:
        train_tiny(Path(folder) / "cut", power_cut(at=11))
    except PowerCut:
        saved = torch.load(Path(folder) / "cut" / "checkpoint.pt", weights_only=True)
        print(f"power cut; the checkpoint is of step {saved['step']} of {short.steps}")
    resumed = train_tiny(Path(folder) / "cut")

# %% [markdown]
# **Check.** Every tensor of both networks agrees to the last bit.

# %%
pairs = zip(uninterrupted.state_dict().items(), resumed.state_dict().values(), strict=True)
different = [name for (name, first), second in pairs if not torch.equal(first, second)]
print(f"{len(uninterrupted.state_dict())} tensors, {len(different)} of them differ")
assert not different

# %% [markdown]
# For this the checkpoint holds weights, Adam's two moments, the averaged weights if there are any,
# the best weights so far, the log, and the step. No random state: the step implies it. Bits agree
# on one machine with one version of PyTorch and one number of threads; elsewhere sums may be taken
# in another order.
#
# ### Precision and hardware
#
# `TrainConfig.precision` switches autocast on through the library `accelerate`, which also moves
# everything to a GPU if there is one and spreads batches over several. On CPUs with bfloat16 units
# "bf16" speeds training up. CPUs without them, GPUs, several GPUs and fp16 were **not measured
# here**.

# %%
cpu = torch.backends.cpu.get_cpu_capability()
print(f"{torch.get_num_threads()} threads, {cpu}, CUDA {torch.cuda.is_available()}")
speed = log.patches.iloc[-1] / log.seconds.iloc[-1]
print(f"precision {config.precision}, width {settings.width}, side {config.patch_size}: ", end="")
print(f"{speed:.1f} patches per second")

# %% [markdown]
# ### How the shipped weights were trained
#
# Each weight file carries its own birth certificate: recipe, budget, duration, scores and data. The
# table is read from those headers, so it cannot drift away from the files.

# %%
loaded = {name: load_network(shipped_path(name)) for name in zoo.shipped_names()}
headers = {zoo.ZOO[name].label: header for name, (_, header) in loaded.items()}
shipped = pd.DataFrame({label: header["budget"] for label, header in headers.items()}).T
shipped = shipped[["patches", "patch_size", "batch_size", "learning_rates", "precision"]]

# %% [markdown]
# To the budget we add the size, the time of processor cores, the speed on them, the best validation
# score and the data. A header from before the time of cores was recorded has only that of the clock,
# which a busy machine stretches. Speeds count patches of the size trained on.

# %%
cores = {label: header.get("cpu_seconds") for label, header in headers.items()}
shipped["parameters"] = [models.count_parameters(network) for network, _ in loaded.values()]
shipped["hours"] = [header["seconds"] / 3600 for header in headers.values()]
shipped["core hours"] = pd.Series(cores, dtype=float) / 3600
shipped["patches/s of a core"] = shipped["patches"] / pd.Series(cores, dtype=float)

# %%
shipped["val_psnr"] = [header["scores"]["val_psnr"] for header in headers.values()]
shipped["data"] = [header["provenance"]["data"] for header in headers.values()]
shipped.astype({"patches": int}).round(2)

# %% [markdown]
# **Check.** A comparison is fair only at equal budget: the same pixels, patches, noise and seed for
# all rows that answer to one of the paper's. "Balanced" is no such row: it is the paper's network at
# its best, trained longer: on more pixels, and in more steps.

# %%
compared = [label for label in shipped.index if label != zoo.ZOO["xbdcnn"].label]
budgets_in_full = [headers[label]["budget"] for label in compared]
assert all(budget == budgets_in_full[0] for budget in budgets_in_full)

# %%
megapixels = shipped["patches"] * shipped["patch_size"] ** 2 / 1e6
share = megapixels.astype(float) / budgets.loc["paper", "megapixels"]
for label, part in share.items():
    print(f"{label}: {megapixels[label]:.0f} megapixels, {part:.2%} of the paper's")

# %% [markdown]
# Their curves on the same twenty validation radiographs. A curve that is flat at its end is done. One
# that falls or jumps by tenths there is unstable: its best weights, from before, are those that were
# kept.

# %%
curves = {label: pd.DataFrame(header["curve"]) for label, header in headers.items()}
fig = plotting.psnr_curves(curves)
caption = (
    "Validation PSNR of the shipped networks during their trainings on ChestX-ray8 radiographs."
)
spent = budgets_in_full[0]["patches"]
of_file = {"profile": next(n for n, p in PROFILES.items() if p.train.patches == spent)}
plotting.save_figure(
    fig, figures / "05_shipped", caption, of_file | {"data": shipped["data"].iloc[0]}
)
fig

# %% [markdown]
# Validation PSNR against patches seen, all networks; the dot is the best, whose weights were kept, and
# the number says how good. A curve in bfloat16 lies a little below the score in float32 that the table
# gives. Its slope at the end, as a straight line through the last tenth:


# %%
def slope(curve):
    """PSNR gained per tenth of the training, from a line through its last tenth."""
    late = curve[curve["patches"] > 0.9 * curve["patches"].max()]
    return np.polyfit(late["patches"], late["val_psnr"], 1)[0] * curve["patches"].max() / 10


pd.Series({label: slope(curve) for label, curve in curves.items()}, name="dB per tenth").round(3)

# %% [markdown]
# ### What each choice of the recipe brings
#
# Short trainings at half width, all on the same number of pixels, each with one change to a first
# guess, scored on the validation radiographs: `xbdcnn trials recipe` at the budget below. One seed
# each, so small differences mean little. The trainings by which the weights of "balanced" were chosen
# are not on record. These do not single them out: compare its rows, "a tenth of SSIM, ten times the
# levels" and "best weights", with those of the first guess at as many patches per step.

# %%
search, known = results.table("trials_recipe"), results.facts("trials_recipe")
print(results.source_line("trials_recipe"))
print(f"{known['budget']['patches']} patches of side {known['budget']['patch_size']}", end=", ")
print(f"width {known['width']}, seeds {known['seeds']}")

# %%
brought = trials.effects(search).set_index("trial")[["effect"]]
brought["val_psnr"] = search.groupby("trial")["val_psnr"].mean()
brought.sort_values("effect", ascending=False).round(2)

# %% [markdown]
# What each change brings, in dB against the first guess, whose own score is below. Patches are counted
# in pixels, so smaller batches mean more steps at equal cost, and so short a training is mostly short
# of steps. Averaged weights look back over a thousand steps, more than these trainings have.

# %%
first = search["trial"].iloc[0]
print(f"{first}: {search.loc[search['trial'] == first, 'val_psnr'].mean():.2f} dB; ", end="")
print(f"chosen: {models.BALANCED.loss_weights} as weights of MSE, SSIM, levels and TV,")
print(f"{zoo.ZOO['xbdcnn'].batch_size} patches per step")

# %% [markdown]
# ## Discussion
#
# Compare the budgets, ours and the paper's, before you compare any two PSNRs. What the compared rows
# can show is the *order* of methods at one budget, and each number in the tables is labelled with its
# origin. Whoever has a GPU can close the gap: the profile `paper` runs the full protocol with the same
# code.
#
# Two departures from the paper are deliberate. It divides *patches* into training, validation and
# test set, so that each test patch has siblings from the same radiograph in training; we divide by
# patient. (The built-in radiograph has one patient only, so its fields are kept apart instead, and
# scores on it say nothing about others.) And it does not say which epoch's weights it reports; we
# keep the best on validation, for every network alike.
#
# A last remark on the level errors above. The NLE is trained by a term of its own, and still a
# network can do well while its NLE says little; what the U-Net needs it can see for itself.

# %% [markdown]
# ## Two questions
#
# **1.** Why are the validation patches noised once, and the training patches anew at every step?
#
# <details><summary>Answer</summary>
#
# New noise in training is free data: the network can never learn a noise realisation by heart. A
# validation score should change only because the network has, so its noise, levels and patches stay
# fixed. Otherwise "best on validation" would also mean "luckiest draw".
#
# </details>
#
# **2.** Suppose a checkpoint stored weights and step, but not Adam's moments. What would the loss
# curve look like after a resume?
#
# <details><summary>Answer</summary>
#
# Adam divides a mean gradient by its root mean square. From empty moments the first steps are about
# as long as the learning rate in every coordinate, whatever the gradient's size, so the loss jumps
# up and needs a while to settle. Many public training scripts show such jumps.
#
# </details>
