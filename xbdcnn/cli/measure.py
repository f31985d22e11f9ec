"""Commands that train and measure: train, trials, evaluate, audit, benchmark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from xbdcnn.cli.options import Data, ProfileName, chosen_profile
from xbdcnn.cli.reporting import BadUse, command_line


def train(
    name: Annotated[str, typer.Argument(help="Which network, e.g. xbdcnn or dncnn.")],
    profile: ProfileName = "quick",
    data: Data = None,
    folder: Annotated[
        Path | None, typer.Option(help="Checkpoint, log and weights. Default: runs/NAME.")
    ] = None,
    patches: Annotated[int | None, typer.Option(min=1, help="Patches seen in total.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Patches per step.")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Channels of an X-BDCNN.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of initial weights, patches, noise.")] = None,
    store: Annotated[
        Path, typer.Option(help="Stored patches of profile paper, made if need be (5.2 GB).")
    ] = Path("runs/patches"),
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Only say what it will take, after some seconds.")
    ] = False,
) -> None:
    """Train a network of the paper's tables, going on where an interrupted run stopped.

    Several GPUs: `accelerate launch -m xbdcnn train xbdcnn --profile paper`, or torchrun.
    """
    from xbdcnn.inference import zoo

    chosen = chosen_profile(profile)
    with command_line():
        zoo.entry(name)
    from xbdcnn.data.source import find_source
    from xbdcnn.training.distributed import this_process
    from xbdcnn.training.named import budget_of, train_named, training_pool

    given = {"patches": patches, "batch_size": batch_size, "seed": seed}
    budget = budget_of(name, chosen.train)
    config = replace(budget, **{k: v for k, v in given.items() if v is not None})
    source, target = find_source(data), folder or Path("runs") / name
    width = width or chosen.width
    if estimate:
        from xbdcnn.training.cost import as_table, predict_cost

        count, stored = chosen.radiographs(source), chosen.patches_per_image
        cost = predict_cost(name, source, config, width, count, stored)
        said = as_table(cost).to_string(index=False)
    else:
        side, per_image = config.patch_size, chosen.patches_per_image
        pool = training_pool(source, store, chosen.images, per_image, side)
        path = train_named(name, source, config, target, width, chosen.train_images, pool=pool)
        said = f"weights: {path}"
    if this_process().is_main_process:
        typer.echo(said)


def trials(
    series: Annotated[str, typer.Argument(help="Which series: recipe, ablation or flips.")],
    data: Data = None,
    folder: Annotated[Path, typer.Option(help="Checkpoints, to resume from.")] = Path(
        "runs/trials"
    ),
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the csv and its provenance.")
    ] = Path("tables"),
    seed: Annotated[list[int] | None, typer.Option(help="Repeatable; 0 by default.")] = None,
    patches: Annotated[
        int | None, typer.Option(min=1, help="Patches of 64 x 64 that each training sees.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Of these per step, where a trial sets no other.")
    ] = None,
) -> None:
    """Train small networks that differ in one choice, and tabulate what each choice brings."""
    from xbdcnn.data.source import find_source
    from xbdcnn.study.trials import BUDGET, SERIES, run_series

    if series not in SERIES:
        raise BadUse(f"unknown series {series!r}; choose from {', '.join(SERIES)}")
    given = {"patches": patches, "batch_size": batch_size}
    budget = replace(BUDGET, **{k: v for k, v in given.items() if v is not None})
    table = run_series(series, find_source(data), folder, output, seed or [0], budget)
    typer.echo(table.round(2).to_string(index=False))


def evaluate(
    table: Annotated[
        list[int] | None, typer.Option(min=1, max=2, help="Table 1 or 2; both by default.")
    ] = None,
    profile: ProfileName = "cpu",
    data: Data = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for csv, Markdown and LaTeX.")
    ] = Path("tables"),
    method: Annotated[
        list[str] | None,
        typer.Option(help="This method only, e.g. xbdcnn or GAT+BM3D; repeatable."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Keep what an interrupted evaluation has measured of these methods."
        ),
    ] = False,
    weights: Annotated[
        Path | None, typer.Option(help="Folder of weights of your own; default: the shipped.")
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(help="Folder of earlier tables; say how far the new ones are from them."),
    ] = None,
) -> None:
    """Measure Table I and II of the paper: printed, corrected and ours side by side.

    The default profile takes ten whole radiographs, which is hours for all methods, most of which
    are BM3D's; `--profile quick` or a few `--method` take minutes.
    """
    from xbdcnn.data.source import find_source
    from xbdcnn.study.remeasured import earlier_table, largest_difference
    from xbdcnn.study.tables import readable, run_table

    chosen, numbers = chosen_profile(profile), table or [1, 2]
    source = find_source(data)
    earlier = {n: earlier_table(n, compare) for n in numbers} if compare else {}
    for number in numbers:
        results = run_table(number, chosen, source, output, weights, method, resume)
        typer.echo(readable(results).to_string(index=False))
        if earlier:
            rows, gap = largest_difference(number, results, earlier[number])
            kept = compare / f"table_{number}.csv"
            typer.echo(f"PSNR of {rows} rows at most {gap:.2g} dB from {kept}")
    typer.echo(f"tables are in {output}")


def audit(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(help="calibration, levels, beyond, leakage, residual; all by default."),
    ] = None,
    data: Data = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the csv and its provenance.")
    ] = Path("tables"),
) -> None:
    """Run the audit's long experiments: what the noise estimate is worth, and where things break.

    Notebook 11 reads their results; the trainings behind it are `xbdcnn trials flips`.
    """
    from xbdcnn.data.source import find_source
    from xbdcnn.study.audit.experiments import EXPERIMENTS, run_experiments

    chosen = experiments or list(EXPERIMENTS)
    if unknown := sorted(set(chosen) - set(EXPERIMENTS)):
        raise BadUse(f"unknown experiment {unknown[0]!r}; choose from {', '.join(EXPERIMENTS)}")
    tables = run_experiments(chosen, find_source(data), output)
    for name, table in tables.items():
        typer.echo(f"written: {output / f'audit_{name}.csv'}, {len(table)} rows")
