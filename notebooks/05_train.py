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
# The details of training are often missing from a paper and hard to repeat. The training loop below
# is short, trains every network of this project, and draws its noise such that networks with the
# same settings see the same patches. A training run can be interrupted at any time; a resumed run
# gives the same result as an uninterrupted one, which is tested below.
#
# ![Validation PSNR of each shipped network against the training patches seen](../figures/05_shipped.png)
#
# *Figure of this notebook: learning curves of the shipped networks, and two scores on other images.*
#
# ## What you'll do
#
# You examine one batch, write a training loop of twenty lines, train a network at the budget of
# your profile, read its training curves, interrupt and resume a training run, and inspect how the
# shipped weights were trained.
#
# ## What you'll learn
#
# What one training step does, why noise drawn during training is better than noisy files, what a
# checkpoint must contain, and how a short training run compares with the paper's thirty hours.
#
# ## What you need
#
# Notebooks 03 and 04; the [glossary](../docs/glossary.md) explains the terms. With profile `quick`
# the notebook trains a half-width network for a hundred steps as a demonstration: the tables use
# the shipped weights. The profiles `cpu` and `paper` train every network of this project; `xbdcnn
# train --estimate` predicts their time on your machine. The last line of the notebook states how
# long the run took.
#
# The notebook also runs on Colab or Kaggle, which lend a GPU: set `REPOSITORY` in the next cell to
# the address of this project. The cell then shows the badges that open the notebook there, and on
# such a machine installs the package and fetches the ChestX-ray8 sample (140 MB). Where the package
# is installed it does neither. Profile `cpu` trains every network of the tables. Neither service
# has been tried.

# %%
import importlib
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

REPOSITORY = ""  # address of this project on GitHub, https://github.com/OWNER/NAME


def prepare_machine(repository, clone=Path("xbdcnn-clone")):
    """Install the package and fetch the sample, unless the package is installed."""
    if find_spec("xbdcnn"):
        return
    if not repository:
        raise RuntimeError("xbdcnn is not installed: set REPOSITORY to its address and run again")
    clone = clone.resolve()
    if not clone.exists():
        subprocess.run(["git", "clone", "--depth", "1", repository, str(clone)], check=True)
    install = [sys.executable, "-m", "pip", "install", "-q", "-e", f"{clone}[train]"]
    subprocess.run(install, check=True)
    subprocess.run([sys.executable, "-m", "xbdcnn", "fetch-sample"], check=True)
    sys.path.insert(0, str(clone))  # a running interpreter does not see an editable install
    importlib.invalidate_caches()
    os.chdir(clone / "notebooks")


def launch_links(repository):
    """Return Markdown badges that open this notebook on Colab and on Kaggle."""
    if not repository:
        return "REPOSITORY is empty: no badges that open this notebook on Colab and Kaggle"
    page = f"{repository.removesuffix('.git')}/blob/main/notebooks/05_train.ipynb"
    colab, kaggle = "https://colab.research.google.com", "https://kaggle.com"
    on_colab = f"{colab}/{page.removeprefix('https://').replace('github.com', 'github', 1)}"
    badges = {
        "Colab": (f"{colab}/assets/colab-badge.svg", on_colab),
        "Kaggle": (
            f"{kaggle}/static/images/open-in-kaggle.svg",
            f"{kaggle}/kernels/welcome?src={page}",
        ),
    }
    return " ".join(f"[![Open in {name}]({image})]({to})" for name, (image, to) in badges.items())


prepare_machine(REPOSITORY)

# %%
from IPython.display import Markdown

Markdown(launch_links(REPOSITORY))

# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
import itertools
from dataclasses import asdict, replace
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch

from xbdcnn import losses, metrics, models, noise, paper, plotting
from xbdcnn._common import files
from xbdcnn.data import CHESTS, find_source, load_chest
from xbdcnn.inference import zoo
from xbdcnn.inference.weights import build_network, load_network, shipped_path
from xbdcnn.study import budget_gains, results, series, trials
from xbdcnn.study.audit import averaging
from xbdcnn.study.budgets import PAPER_PATCHES, budget_table, complete_runs, learning_curve
from xbdcnn.study.notebook import expect, run_time, show_source
from xbdcnn.study.profiles import PROFILES, get_profile
from xbdcnn.study.trainings import paper_share, recorded_shares
from xbdcnn.training import batches, cost, loop
from xbdcnn.training.named import budget_of, train_named, training_pool

# %%
settings = get_profile(profile)
source = find_source(data)
figures = Path(output) / "figures"
plotting.use_style()
facts = dict(profile=profile, data=source.name)
print(facts, "(a smoke test: the numbers mean little)" if settings.is_smoke else "")
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
print("device:", torch.cuda.get_device_name() if device.type == "cuda" else "CPU")

# %%
if settings.shipped_weights:
    print(f"Profile {profile!r} trains one small network as a demonstration. The networks of the")
    print("tables are shipped with the package; how they were trained is printed below.")
else:
    print(f"Profile {profile!r} trains all {len(zoo.ZOO)} networks of the tables, one by one, and")
    print("the level estimator that the successors share.")

# %% [markdown]
# ## Theory
#
# Training minimises the expected loss over patches $g$, noise levels and noise, estimated from one
# batch of $B$ patches per step:
#
# $$\min_W\; \mathbb E_{g,\,\eta,\,\sigma,\,f}\;
#   \mathcal L\bigl(\hat g(f; W),\, \hat l(f; W);\; g,\, \tilde l_{\sigma,\eta}\bigr),
#   \qquad \mathcal L \text{ from Eq. 8.}$$
#
# Noise can be drawn anew for every batch. The paper adds noise once and splits the noisy patches
# 7:2:1; the released code draws it in every step. We also draw it in every step, which needs no
# disk space and trains on each patch at many noise levels.

# %%
show_source(batches.draw_batch)

# %% [markdown]
# A batch is determined by the seed and the number of the step. Networks that are trained with the
# same settings therefore see the same patches with the same noise, and a resumed run needs no
# stored random state.
#
# One step draws a batch, restores it, computes the loss and updates the weights. `accelerator` is a
# thin layer for running on a CPU, a GPU or several GPUs, and for the precision.

# %%
show_source(loop.train_step)

# %% [markdown]
# The optimiser is Adam. Its learning rate is $10^{-3}$ in the first half and $10^{-4}$ in the
# second, as in the paper, or decreases from the first to the second value along half a cosine,
# which suits short training runs.

# %%
show_source(batches.learning_rate)

# %% [markdown]
# The training loop calls this step. It validates at regular intervals, keeps the best weights,
# writes checkpoints, and stops if the loss is not finite.

# %%
show_source(loop.train)

# %% [markdown]
# ## Practical
#
# ### One batch
#
# A batch consists of patches cut at random from the training radiographs, each with noise of its
# own level. The images are stored as 8-bit integers, as in the paper, until a patch is cut. Here we
# cut a batch from the six ChestX-ray8 radiographs that are part of the package (provided by the NIH
# Clinical Center, see [notebook 02](02_data.ipynb#chestx-ray8-and-a-public-sample-of-it)). They are
# test images, so this batch is only looked at; the training below draws its own.

# %%
config = settings.train
pool = batches.as_pool([load_chest(name) for name in CHESTS])
batch = batches.draw_batch(pool, models.BALANCED, config, step=0, device=torch.device("cpu"))
print(f"clean {tuple(batch.clean.shape)}, noisy {tuple(batch.noisy.shape)}, {batch.clean.dtype}")
print(f"η from {batch.eta.min():.2f} to {batch.eta.max():.2f}, ", end="")
print(f"σ from {batch.sigma.min():.1f} to {batch.sigma.max():.1f}")

# %%
pictures = {}
for clean, noisy, eta, sigma in list(zip(*batch[:4], strict=True))[:6]:
    pictures[f"η {eta:.2f}, σ {sigma:.1f}"] = torch.cat([clean[0], noisy[0]]).numpy()
fig = plotting.show_images(pictures)
caption = "Six patches of one batch, clean above and noisy below; each has its own noise level."
batch_facts = facts | {"data": "ChestX-ray8, six test images"}
plotting.save_figure(fig, figures / "05_batch", caption, batch_facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Six patches of the batch, clean above and noisy below. Both levels determine the noise: few
# photons with little electronic noise can be as noisy as many photons with strong electronic noise.
# Where a patch is almost uniform there is no structure to preserve, and the network has to remove
# all of the noise.
#
# **Check.** The same seed and step give the same batch, and another step gives another. The
# comparisons at equal budget in notebooks 06 and 07 depend on this.

# %%
again, later = (
    batches.draw_batch(pool, models.BALANCED, config, step, torch.device("cpu")) for step in (0, 1)
)
assert all(torch.equal(a, b) for a, b in zip(batch, again, strict=True))
assert not torch.equal(batch.clean, later.clean)

# %% [markdown]
# ### A training loop that you can edit
#
# The loop of the package adds validation, checkpoints, exact resuming and several GPUs. Without
# them, twenty lines remain. Here the loop trains a network of a quarter of the paper's width for
# two hundred steps (ten in profile smoke); after every five steps the network restores patches that
# are not used for training.

# %%
STEPS = 10 if settings.is_smoke else 200
training = batches.as_pool(source.images("train", 8))
short_run = batches.TrainConfig(patches=8 * STEPS, patch_size=64, batch_size=8)
held_out = batches.validation_batch(source.images("val", 4), short_run)


def held_out_psnr(network):
    """Mean PSNR of the restored held-out patches, and the first of them."""
    with torch.no_grad():
        restored = network(held_out.noisy.to(device)).image.clamp(0, 1).cpu()
    return np.mean(metrics.psnr(restored, held_out.clean)), restored[0, 0].numpy()


# %%
def train_briefly(network, recipe):
    """Train for `STEPS` steps; return the loss of each, and (PSNR, patch) at some of them."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    curve, seen = [], {0: held_out_psnr(network)}
    for step in range(STEPS):
        batch = batches.draw_batch(training, recipe, short_run, step, device)
        levels = noise.level_maps(batch.eta, batch.sigma, batch.clean, recipe.level_scaling)
        output_now = network(batch.noisy)
        loss, _ = losses.mixed_loss(output_now, batch.noisy, batch.clean, levels, recipe)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(loss.item())
        if (step + 1) % 5 == 0:
            seen[step + 1] = held_out_psnr(network)
    return curve, seen


# %%
narrow = replace(models.BALANCED, width=16)
curve, seen = train_briefly(build_network("xbdcnn", narrow).to(device), narrow)
fig = plotting.new_figure(5.6, 2.8, layout="constrained")
axis = fig.subplots()
axis.semilogy(range(1, STEPS + 1), curve, color="0.6", label="loss of each batch")
axis.set(xlabel="step", ylabel="loss, Eq. 8")
right = axis.twinx()
right.plot(list(seen), [psnr for psnr, _ in seen.values()], "o-", ms=3, label="held-out PSNR")
right.set(ylabel="PSNR of held-out patches (dB)")
fig.legend(loc="outside upper center", ncols=2)
caption = f"Loss and held-out PSNR during {STEPS} steps of the loop above, width 16."
plotting.save_figure(fig, figures / "05_short_curve", caption, facts, smoke=settings.is_smoke)
fig

# %%
strip = {"noisy": held_out.noisy[0, 0].numpy()}
shown = [step for step in (0, 25, 50, 100, 200) if step in seen]
strip |= {f"step {step}: {seen[step][0]:.1f}": seen[step][1] for step in shown}
strip["clean"] = held_out.clean[0, 0].numpy()
fig = plotting.show_images(strip)
caption = "A held-out patch at some steps of the loop above; PSNR of all such patches in dB."
plotting.save_figure(fig, figures / "05_strip", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The first picture shows the loss, which varies with the noise levels of each batch, and the PSNR
# of the held-out patches; the second one of them at some steps, with the PSNR of all of them in dB
# (profile and data as printed at the top).
# An untrained network shifts the brightness; its PSNR is below that of the noisy patches. The first
# steps correct this shift, and only later the noise decreases, together with fine detail. Two
# hundred steps are far too few, as the next section shows.
#
# **Check.** The loss decreases, and the result is better than the noisy patch.

# %%
noisy_psnr = np.mean(metrics.psnr(held_out.noisy, held_out.clean))
print(f"noisy {noisy_psnr:.1f} dB, after {STEPS} steps {seen[STEPS][0]:.1f} dB")
expect(settings.is_smoke or seen[STEPS][0] > noisy_psnr + 3, "the loop trains", source)

# %% [markdown]
# ### The budgets
#
# The training budget of each profile for one network; the row `paper` is the budget of the paper.
# The last column counts pixels, since patches differ in size.

# %%
budgets = pd.DataFrame({name: asdict(p.train) for name, p in PROFILES.items()}).T
budgets["steps"] = [p.train.steps for p in PROFILES.values()]
budgets["width"] = [p.width for p in PROFILES.values()]
budgets["megapixels"] = budgets["patches"] * budgets["patch_size"] ** 2 / 1e6

# %% tags=["nbval-check-output"]
shown = ["width", "patches", "patch_size", "batch_size", "steps", "schedule", "precision"]
for name, digits in {"patches": 0, "steps": 0, "megapixels": 2}.items():
    budgets[name] = [f"{value:,.{digits}f}" for value in budgets[name]]
print(budgets[[*shown, "megapixels"]].to_string())

# %% [markdown]
# The paper's 224,000 patches for 40 epochs in 30 hours are 83 patches per second on its GPU.

# %% tags=["nbval-check-output"]
rate = PROFILES["paper"].train.patches / paper.TRAINING_HOURS / 3600
print(f"{rate:.0f} patches of {paper.PATCH_SIZE} x {paper.PATCH_SIZE} per second")

# %% [markdown]
# ### Training
#
# `train_named` selects a network from the zoo by name, trains it on the `train` split, selects the
# best weights on `val`, and writes a weight file whose header records all of this. If this cell is
# interrupted and run again, it resumes from the last checkpoint. Profile and data are part of the
# name of the folder, so a training run is never resumed with other images; delete the folder to
# start again. The profile `paper` first cuts its 320,000 patches to disk, from 10,000 radiographs
# drawn at random; the other profiles cut them from images in memory.

# %%
names = ["xbdcnn"] if settings.shipped_weights else [*zoo.ZOO, *zoo.ESTIMATORS]
runs = Path(output) / "runs" / f"{profile}-{source.fingerprint[:8]}"

# %%
paths = {}
stored = (settings.images, settings.patches_per_image, config.patch_size)
pool = training_pool(source, runs / "patches", *stored, progress=False)
for name in names:
    known = (runs / name / "checkpoint.pt").exists()
    print(
        name,
        "goes on from its checkpoint, if it is not complete" if known else "starts",
        flush=True,
    )
    budget = config if settings.shipped_weights else budget_of(name, config)
    size = {"width": settings.width, "count": settings.train_images, "pool": pool}
    paths[name] = train_named(name, source, budget, runs / name, **size, progress=False)

# %% [markdown]
# Profiles that train the networks of the tables copy the finished weights to the folder in which
# notebook 06 looks for them.

# %%
if not settings.shipped_weights:
    for path in paths.values():
        with files.atomic_path(Path(output) / "weights" / path.name) as temporary:
            temporary.write_bytes(path.read_bytes())
        print(f"weights/{path.name}: {path.stat().st_size / 1e6:.1f} MB")

# %% [markdown]
# ### The curves
#
# The loop logs one row per validation. The table shows a few rows of the log of X-BDCNN (balanced).
# The loss is that of one batch and varies with its noise levels; the columns that start with `val_`
# are more reliable, because the validation batch does not change.

# %%
scored = [name for name in names if name in zoo.ZOO]  # an estimator restores nothing
histories = {zoo.ZOO[name].label: pd.read_csv(runs / name / "log.csv") for name in scored}
log = histories[zoo.ZOO["xbdcnn"].label]
shown = ["step", "seconds", "loss", "loss_mse", "val_psnr", "val_eta_rmse", "val_sigma_rmse"]
digits = dict(zip(shown, (0, 1, 4, 4, 2, 2, 1), strict=True))
log[shown].iloc[np.linspace(0, len(log) - 1, min(6, len(log))).astype(int)].round(digits)

# %% [markdown]
# The complete log as curves. A PSNR that still rises at the end shows that the training run was too
# short, and a term that does not decrease has too little influence or needs a longer run.

# %%
fig = plotting.training_curves(histories)
caption = "Validation PSNR and the terms of Eq. 8, before weighting, against patches seen."
plotting.save_figure(fig, figures / "05_curves", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Validation PSNR and the loss terms during this training run (profile and data as printed at the
# top). The next cell compares the best weights with the noisy images.

# %%
validation = batches.validation_batch(source.images("val", 20), config)
unrestored = np.mean(metrics.psnr(validation.noisy, validation.clean))
print(f"noisy {unrestored:.2f} dB, best {log.val_psnr.max():.2f} dB ", end="")
print(f"after {log.step[log.val_psnr.idxmax()]} steps, {log.seconds.iloc[-1]:.0f} s in all")

# %% [markdown]
# The errors of the level estimates are compared with those of a constant estimate, the middle of
# the range. For uniformly distributed levels this constant has an RMSE of the range divided by
# $\sqrt{12}$.

# %%
for level, (low, high) in {"eta": paper.ETA_RANGE, "sigma": paper.SIGMA_RANGE}.items():
    error, constant = log[f"val_{level}_rmse"].iloc[-1], (high - low) / 12**0.5
    print(f"{level}: RMSE {error:.2f}, of a constant estimate {constant:.2f}")

# %% [markdown]
# **Check.** The trained network has to exceed the PSNR of the noisy images by 3 dB. The profile
# smoke is too short for that; there the loss only has to stay finite.

# %%
assert np.isfinite(log.loss).all()
gained = log.val_psnr.max() - unrestored
expect(settings.is_smoke or gained > 3, "training gains more than 3 dB", source)

# %% [markdown]
# ### Interrupting and resuming a training run
#
# A training run that is interrupted and resumed must end with exactly the same weights as an
# uninterrupted one. We test this with a small network, which validates and saves a checkpoint every
# few steps and keeps averaged weights, so that the whole state is involved.

# %%
recipe = replace(models.BALANCED, width=4)
short = batches.TrainConfig(
    patches=60, patch_size=32, batch_size=4, validate_every=3, checkpoint_seconds=0.0, ema=0.9
)
images = [image[:128, :128] for image in source.images("train", 2)]

# %% [markdown]
# The interruption is an exception in the middle of a step, after the batch is drawn and before the
# weights are updated. A hook counts forward passes and raises it.


# %%
class Interruption(Exception):
    """Stands for a crash or a power failure."""


def interrupt_at(step):
    """Return a forward hook that raises `Interruption` at the n-th forward pass."""
    passes = itertools.count(1)

    def hook(*_):
        if next(passes) == step:
            raise Interruption

    return hook


# %%
def train_small(folder, hook=None):
    """Train the small network in a folder, or resume the training run in it."""
    network = build_network("xbdcnn", recipe)
    if hook:
        network.nbd.register_forward_pre_hook(hook)
    loop.train(network, recipe, images, images, short, folder, progress=False)
    return network


# %% [markdown]
# Two training runs in two folders. The second is interrupted and then called again with the same
# arguments and without the hook, as after a real crash.

# %%
with TemporaryDirectory() as folder:
    uninterrupted = train_small(Path(folder) / "whole")
    try:
        train_small(Path(folder) / "interrupted", interrupt_at(step=11))
    except Interruption:
        saved = torch.load(Path(folder) / "interrupted" / "checkpoint.pt", weights_only=True)
        print(f"interrupted; the checkpoint is of step {saved['step']} of {short.steps}")
    resumed = train_small(Path(folder) / "interrupted")

# %% [markdown]
# **Check.** Every tensor of both networks agrees exactly.

# %%
pairs = zip(uninterrupted.state_dict().items(), resumed.state_dict().values(), strict=True)
different = [name for (name, first), second in pairs if not torch.equal(first, second)]
print(f"{len(uninterrupted.state_dict())} tensors, {len(different)} of them differ")
assert not different

# %% [markdown]
# The checkpoint therefore contains the weights, Adam's two moments, the averaged weights if there
# are any, the best weights so far, the log, and the step. It contains no random state, because the
# step determines it. Exact agreement requires the same machine, PyTorch version and number of
# threads; otherwise sums may be computed in another order.
#
# ### Precision and hardware
#
# `TrainConfig.precision` enables autocast through the library `accelerate`, which also uses a GPU
# if there is one and distributes batches over several. On CPUs with bfloat16 instructions "bf16"
# makes the networks faster ([measured speed](../figures/benchmark/benchmark.md)). A device without them
# computes a "bf16" run in float32, since emulation is slower. The progress bar, the header of the
# weights and the line below name the arithmetic that was used. GPUs, several GPUs and fp16 were
# **not measured here**.

# %%
cpu = torch.backends.cpu.get_cpu_capability()
print(f"{torch.get_num_threads()} threads, {cpu}, CUDA {torch.cuda.is_available()}")
speed = log.patches.iloc[-1] / log.seconds.iloc[-1]
arithmetic = load_network(paths["xbdcnn"])[1]["arithmetic"]
print(f"{arithmetic}, width {settings.width}, side {config.patch_size}: ", end="")
print(f"{speed:.1f} patches per second")

# %% [markdown]
# ### How the shipped weights were trained
#
# The header of each weight file records recipe, budget, duration, scores and data. The table is
# read from these headers, so it always agrees with the files.

# %%
loaded = {name: load_network(shipped_path(name)) for name in zoo.shipped_names()}
headers = {zoo.ZOO[name].label: header for name, (_, header) in loaded.items()}
shipped = pd.DataFrame({label: header["budget"] for label, header in headers.items()}).T
shipped = shipped[["batch_size", "learning_rates", "precision"]]
shipped["learning_rates"] = [
    " to ".join(f"{r:g}" for r in ends) for ends in shipped["learning_rates"]
]

# %% [markdown]
# We add the number of parameters, for the successors without the level estimator, the wall time, which includes delays on a busy machine, the data
# and the number of training runs.

# %%
shipped["parameters"] = [f"{models.count_parameters(n):,}" for n, _ in loaded.values()]
shipped["hours"] = [header["seconds"] / 3600 for header in headers.values()]
shipped["data"] = [header["provenance"]["data"] for header in headers.values()]
shipped["runs"] = [1 + len(header.get("earlier", ())) for header in headers.values()]
shipped.round(2)

# %% [markdown]
# Networks with two runs started the second from the weights of the first (`xbdcnn train
# --initial`); hours and patches include both. The first runs of the successors saw patches at
# uniformly random positions, in which the outermost pixels of an image are rare, and many
# radiographs have a frame of one or two pixels there. In the second runs a pixel at an edge of the
# image is seen about half as often as one inside, and one in a corner a quarter as often.
#
# **Check.** A comparison is fair only at equal budget: the same pixels, patches, noise and seed for
# all compared networks. X-BDCNN (balanced) is not one of them: it was trained longer, on more
# pixels and in more steps; nor are the successors, which have a budget of their own.

# %%
own_budget = {e.label for e in zoo.ZOO.values() if e.budget_factor > 1 or "Successor" in e.label}
compared = [label for label in shipped.index if label not in own_budget]
full_budgets = [headers[label]["budget"] for label in compared]
assert all(budget == full_budgets[0] for budget in full_budgets)

# %% [markdown]
# ### What they saw, and what it cost
#
# The table counts the patches of all runs of a denoiser, as a share of the pixels that the paper's
# network saw: 224,000 patches of 128 × 128 for 40 epochs. The core hours are processor time of the
# training on CPUs; older headers do not have it. The memory of a step, without the radiographs, is
# that of weights, gradients and moments, and of the tensors that the step keeps for its gradients,
# in the arithmetic of the machine that runs this notebook.
# The networks were not trained on a GPU. If this notebook runs on a machine with one, the next cell
# times the steps on it and predicts the hours for the same patches; otherwise the columns say *not
# measured*. The successors share a level estimator, which was trained before them and is not in the
# table; its share is printed below.

# %%
costs = cost.step_costs(headers, source.images("train", 4))
budget_table(headers, costs)

# %%
spent = {label: header["budget"] for label, header in headers.items()}
share = {label: paper_share(b["patches"], b["patch_size"]) for label, b in spent.items()}
estimator = recorded_shares()[zoo.find_entry("levels").label]
print(f"{min(share.values()):.2f} to {max(share.values()):.2f} % of the paper's pixels: ", end="")
print(f"the paper's budget is {100 / max(share.values()):.0f} times the largest of a denoiser")
print(f"level estimator: {estimator:.1f} %; with it the successors saw up to ", end="")
print(f"{max(share.values()) + estimator:.1f} %")
assert max(share.values()) < 2

# %% [markdown]
# The validation curves of the shipped networks on the same twenty radiographs. A curve that falls
# or jumps by tenths of a decibel at its end is unstable; the weights that were kept are the best
# ones before.
#
# For orientation the figure has two scores of X-BDCNN on *test* patches, open diamonds on dashed
# lines: the paper's in Table I with its columns exchanged ([notebook
# 04](04_losses_and_metrics.ipynb#psnr-snr-and-the-papers-columns)), at the paper's budget, and that of
# X-BDCNN (balanced) in our Table I.

# %%
curves = {label: learning_curve(header) for label, header in headers.items()}
printed, ours = paper.TABLE_1, results.table("table_1").set_index("method")["psnr"]
best = zoo.ZOO["xbdcnn"].label
theirs = "X-BDCNN in Table I of the paper, corrected (its own test patches)"
tested = {theirs: (PAPER_PATCHES, paper.corrected(printed["X-BDCNN"]).psnr)}
tested[f"{best} in our Table I (test patches)"] = (curves[best]["patches"].max(), ours[best])

# %%
fig = plotting.budget_curves(curves, tested, PAPER_PATCHES)
caption = "Validation PSNR of the shipped networks during training on ChestX-ray8 radiographs, "
caption += "against the patches seen. The two dashed lines are scores on test patches of Table I, "
caption += "the paper's and ours, which are other images than those of the curves."
patches = full_budgets[0]["patches"]
trained_as = {"profile": next(n for n, p in PROFILES.items() if p.train.patches == patches)}
trained_as["data"] = next(iter(headers.values()))["provenance"]["data"]
plotting.save_figure(fig, figures / "05_shipped", caption, trained_as)
fig

# %% [markdown]
# Validation PSNR against patches seen, for all networks; the filled marker is at the best value,
# whose weights were kept, and the number is that value. The successors are told the true noise
# levels here, which the others have to estimate, so their values are slightly too high for a
# comparison. A curve measured in bfloat16 is slightly below the float32 score in the table.
#
# The distance from a curve to the paper's line is not what the budget costs. The curves are scored
# on central fields of validation radiographs, Table I on patches of test radiographs, ours and the
# paper's on different ones, and the paper tests on patches of the radiographs that it trains on.
# The next cell prints how far the scores of the same weights on our two sets of images are apart,
# and the gain over the noisy patches, which depends on the images, too (notebook 06):

# %%
validated = pd.Series({label: header["scores"]["val_psnr"] for label, header in headers.items()})
shift = (ours - validated).dropna()
print(f"our Table I minus validation, same weights: {shift.min():+.2f} to {shift.max():+.2f} dB")
noisy, restored = "Before Denoising", paper.corrected(printed["X-BDCNN"]).psnr
print(f"gain in Table I: paper {restored - printed[noisy].psnr:.2f} dB (corrected), ", end="")
print(f"{best} {ours[best] - ours[noisy]:.2f} dB, with {share[best]:.2f} % of its pixels")

# %% [markdown]
# Had the curves converged? The next cell fits a straight line to the last tenth of each. At the end
# of a run the learning rate is close to zero, so a flat end shows that this run is over, not that a
# longer run would bring nothing.


# %%
def slope(curve):
    """PSNR gained per tenth of the training run, from a line through its last tenth."""
    late = curve[curve["patches"] > 0.9 * curve["patches"].max()]
    return np.polyfit(late["patches"], late["val_psnr"], 1)[0] * curve["patches"].max() / 10


slopes = pd.Series({label: slope(curve) for label, curve in curves.items()}, name="dB per tenth")
(slopes.round(2) + 0.0).to_frame()  # 0.00, not -0.00

# %% [markdown]
# Is X-BDCNN (balanced) the paper's network with the best recipe? That is not shown. The recipe as
# released was trained on the budget of the compared networks; its weights are not shipped, but the
# scores of its training run on the same validation images are on file:

# %%
recorded = results.table("trainings").set_index("network")
balanced, released = (recorded.loc[name] for name in ("xbdcnn", "xbdcnn-as-released"))
print(f"balanced {balanced.val_psnr:.2f} dB after {balanced.patches:,.0f} patches, ", end="")
print(f"as released {released.val_psnr:.2f} dB after {released.patches:,.0f} patches")
print(f"difference {balanced.val_psnr - released.val_psnr:+.2f} dB, one training run each")

# %% [markdown]
# ### The effect of each choice of the recipe
#
# Short training runs at half width on the same number of pixels, each with one or two changes to
# the trial "first guess", scored on the validation radiographs by `xbdcnn trials recipe` at the
# budget below. There is one seed each, so small differences are not significant: [notebook
# 07](07_ablations.ipynb#more-than-one-seed) measures how much one network differs between seeds.
# The training runs by which the weights of X-BDCNN (balanced) were selected are not on record. The
# runs below do not single them out: compare the rows "a tenth of SSIM, ten times the levels" and
# "best weights" with those of the first guess at as many patches per step.

# %%
search, record = results.table("trials_recipe"), results.facts("trials_recipe")
print(results.source_line("trials_recipe"))
print(f"{record['budget']['patches']} patches of side {record['budget']['patch_size']}", end=", ")
print(f"width {record['width']}, seeds {record['seeds']}")

# %%
gains = trials.effects(search).set_index("trial")[["effect"]]
gains["val_psnr"] = search.groupby("trial")["val_psnr"].mean()
gains.sort_values("effect", ascending=False).round(2)

# %% [markdown]
# The effect of each change in dB against the first guess, whose own score is printed below. The
# budget is counted in pixels, so smaller batches mean more steps at equal cost, and a training run
# this short mainly lacks steps. Averaged weights extend over a thousand steps, more than these
# training runs have.

# %%
first = search["trial"].iloc[0]
print(f"{first}: {search.loc[search['trial'] == first, 'val_psnr'].mean():.2f} dB; ", end="")
print("weights of MSE, SSIM, levels and TV:", series.FIRST_GUESS["loss_weights"])
print(
    f'BALANCED, "best weights": {models.BALANCED.loss_weights}; X-BDCNN (balanced) is trained with '
)
print(f"{zoo.ZOO['xbdcnn'].optimiser['batch_size']} patches per step")

# %% [markdown]
# ### What more would bring
#
# X-BDCNN and the specialist reach similar validation scores although they have different
# architectures. How much would a larger network, more training, or averaging over mirrored and
# turned versions of an image add? First short training runs of the specialist by `xbdcnn trials
# successor`, each with one change and one seed. All are told the true noise levels in validation.

# %%
sizes, known = results.table("trials_successor"), results.facts("trials_successor")
print(results.source_line("trials_successor"))
print(f"{known['budget']['patches']} patches of side {known['budget']['patch_size']} each")
sized = trials.effects(sizes).set_index("trial")[["effect"]]
sized["core minutes"] = sizes.set_index("trial")["cpu_seconds"] / 60
sized.round(2)

# %% [markdown]
# Then the same network trained for longer. The figure above does not show this: a point in the
# middle of a curve is not the result of a run with that budget, because the learning rate there is
# still that of the longer run. Only complete runs can be compared, of the same network, recipe,
# optimiser and data, and scored on the same validation images. The next cell collects all of them
# on file: trials, runs with several seeds, and the shipped weights, of which continued ones count
# with their first run only.

# %%
complete = complete_runs(headers.values())
doublings = budget_gains.gains_per_doubling(complete)
print(f"{len(complete)} complete runs, {len(doublings)} pairs of budgets that can be compared")
counts = doublings[["fewer", "more"]].map("{:,.0f}".format)
doublings.assign(**counts).round(2).astype(object).fillna("–")

# %% [markdown]
# One row per pair of neighbouring budgets: number of patches of each, doublings between them, the
# gain in dB, and the gain per doubling with its 95 % interval over seeds (none for one seed).
#
# What would ten times the budget bring, which is 3.3 doublings? In many tasks the error falls with
# a power of the amount of training, $\text{PSNR}(n) = a - b\,n^{-c}$ for $n$ patches: the gain per
# doubling decreases, and $c$ says how fast. It is estimated only for networks with at least three
# budgets on file and more runs than the law has parameters.

# %%
show_source(budget_gains.extrapolate)

# %%
tenfold = budget_gains.extrapolations(complete)
most = complete.groupby("settings")["patches"].nunique().max()
print(f"networks that can be extrapolated: {len(tenfold)}; budgets of one network: {most} or fewer")
tenfold.round(2) if len(tenfold) else None

# %% [markdown]
# A network that is not extrapolated has too few runs on file. Its gain per doubling may stay the
# same or fall to nothing, and the data cannot tell, so **no number is given** for another tenfold
# budget, nor for the paper's, which is further away still. A gain of one network, at one width, is
# not that of another: the specialist, for example, is told the true noise levels.

# %% [markdown]
# And the gain in dB of averaging over 2 or 8 versions of each image, which takes 2 or 8 times as
# long:

# %%
averaged = results.table("audit_averaging")
print(
    results.source_line("audit_averaging"), f"{averaged['image'].nunique()} radiographs", sep=", "
)
averaging.gains(averaged).round(3).add_suffix(" versions", axis=1)

# %% [markdown]
# ## Discussion
#
# Our budgets and the paper's differ, which has to be considered when PSNRs are compared. The
# compared rows show the *order* of one training run of each method at equal budget; another seed
# can change it. With a GPU the full protocol can be run with the same code by the profile `paper`.
#
# There are two deliberate departures from the paper. The paper splits *patches* into training,
# validation and test set, so that each test patch has patches of the same radiograph in training;
# we split by patient. (The built-in radiograph has one patient only, so its fields are kept apart
# instead, and scores on it say nothing about other patients.) The paper also does not state which
# epoch's weights it reports; we keep the best on validation, for every network.
#
# A network can restore well although its NLE has large errors: the NLE is trained by its own loss
# term, and the U-Net can estimate the noise from the image itself.

# %% [markdown]
# ## Two questions
#
# **1.** Why is the noise of the validation patches drawn once, and that of the training patches in
# every step?
#
# <details><summary>Answer</summary>
#
# New noise in training is additional data: the network cannot memorise a noise realisation. A
# validation score should change only because the network has changed, so its noise, levels and
# patches are fixed. Otherwise the selected weights could be those with the most favourable noise.
#
# </details>
#
# **2.** Suppose a checkpoint contained weights and step, but not Adam's moments. What would the
# loss curve look like after resuming?
#
# <details><summary>Answer</summary>
#
# Adam divides the mean gradient by its root mean square. With the moments reset, the first steps
# are about as large as the learning rate in every coordinate, whatever the size of the gradient, so
# the loss rises suddenly and then decreases again. Such jumps are common in training scripts that
# do not save the moments.
#
# </details>

# %% [markdown]
# ## Take-away
#
# - Seed and step determine patches and noise of a batch, so networks with the same settings are
#   trained on the same data, and an interrupted training run ends with the same weights as an
#   uninterrupted one.
# - The shipped denoisers saw less than two percent of the paper's pixels, the level estimator of the
#   successors another 14 %. A learning curve does not show what a larger budget brings; complete
#   runs with several budgets do, and there are too few.
# - One training run per recipe does not show which recipe is best: the recipe as released reaches
#   the validation PSNR of X-BDCNN (balanced) with fewer patches.
#
# ## References
#
# - D. P. Kingma, J. Ba, *Adam: A method for stochastic optimization*, ICLR 2015,
#   [doi:10.48550/arXiv.1412.6980](https://doi.org/10.48550/arXiv.1412.6980).
# - X. Wang et al., *ChestX-ray8*, CVPR 2017,
#   [doi:10.1109/CVPR.2017.369](https://doi.org/10.1109/CVPR.2017.369): the radiographs, provided by
#   the NIH Clinical Center, <https://nihcc.app.box.com/v/ChestXray-NIHCC>.

# %%
print(run_time())
