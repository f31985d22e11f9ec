"""Commands that train and evaluate networks: train, trials, evaluate, audit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xbdcnn.cli.names import ESTIMATORS, EXPERIMENTS, NETWORKS, SERIES, require_known
from xbdcnn.cli.options import Data, ProfileName, chosen_profile

if TYPE_CHECKING:
    from xbdcnn.training.batches import TrainConfig


def train(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the network, e.g. xbdcnn or dncnn.")
    ],
    profile: ProfileName = "quick",
    data: Data = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Folder for checkpoint, log and weights. Default: runs/NAME."),
    ] = None,
    patches: Annotated[
        int | None, typer.Option(min=1, help="Total number of training patches.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Patches per optimisation step.")
    ] = None,
    width: Annotated[
        int | None, typer.Option(min=1, help="Channels of X-BDCNN and of DnCNN; 64 is full width.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of initial weights, patches and noise.")
    ] = None,
    initial: Annotated[
        Path | None,
        typer.Option(help="Weight file of the same network to start from. Default: random."),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=0.0, help="First learning rate of Adam.")
    ] = None,
    store: Annotated[
        Path, typer.Option(help="Folder of the stored patches of profile paper (5.2 GB).")
    ] = Path("runs/patches"),
    estimate: Annotated[
        bool,
        typer.Option("--estimate", help="Predict time and memory from a few steps; do not train."),
    ] = False,
) -> None:
    """Train a network of the paper's tables; an interrupted training run is resumed.

    On several GPUs: `accelerate launch -m xbdcnn train xbdcnn --profile paper`, or torchrun.
    """
    require_known("network", name, (*NETWORKS, *ESTIMATORS))
    chosen = chosen_profile(profile)
    from xbdcnn.data.source import find_source
    from xbdcnn.training.distributed import this_process
    from xbdcnn.training.named import budget_of, train_named, training_pool

    main = this_process().is_main_process
    budget = budget_of(name, chosen.train)
    config = _with_options(budget, patches=patches, batch_size=batch_size, seed=seed)
    if learning_rate is not None:
        config = replace(config, learning_rates=(learning_rate, config.learning_rates[1]))
    source, target = find_source(data), folder or Path("runs") / name
    width = width or chosen.width
    if estimate:
        from xbdcnn.training.cost import as_table, predict_cost

        count, stored = chosen.radiographs(source), chosen.patches_per_image
        cost = predict_cost(name, source, config, width, count, stored)
        result = as_table(cost).to_string(index=False)
    else:
        side, per_image = config.patch_size, chosen.patches_per_image
        pool = training_pool(source, store, chosen.images, per_image, side)
        before = _modified(target / "log.csv")
        images = chosen.train_images
        path = train_named(name, source, config, target, width, images, pool=pool, initial=initial)
        earlier = before is not None and before == _modified(target / "log.csv")
        when = "earlier, no step was left" if earlier else f"after {config.steps} steps"
        result = f"training finished {when}; weights: {path}"
    if main:
        typer.echo(result)


def _modified(path: Path) -> int | None:
    """Return when a file was last written, in ns; None if there is no such file."""
    return path.stat().st_mtime_ns if path.exists() else None


def _with_options(config: TrainConfig, **options: int | None) -> TrainConfig:
    """Return the configuration with the options that were given on the command line."""
    given: dict[str, Any] = {k: value for k, value in options.items() if value is not None}
    return replace(config, **given)


def trials(
    series: Annotated[
        str,
        typer.Argument(metavar="SERIES", help=f"Series of training runs: {', '.join(SERIES)}."),
    ],
    data: Data = None,
    folder: Annotated[Path, typer.Option(help="Folder for the checkpoints.")] = Path("runs/trials"),
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the csv and its provenance.")
    ] = Path("tables"),
    seed: Annotated[list[int] | None, typer.Option(help="Seed; repeatable. Default: 0.")] = None,
    patches: Annotated[
        int | None, typer.Option(min=1, help="Patches of 64 x 64 per training run.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Patches per step, unless the trial sets it.")
    ] = None,
) -> None:
    """Train small networks that differ in one choice each, and tabulate their PSNR."""
    require_known("series", series, SERIES)
    from xbdcnn.data.source import find_source
    from xbdcnn.study.series import BUDGET
    from xbdcnn.study.trials import run_series

    budget = _with_options(BUDGET, patches=patches, batch_size=batch_size)
    table = run_series(series, find_source(data), folder, output, seed or [0], budget)
    typer.echo(table.round(2).to_string(index=False))


def evaluate(
    table: Annotated[
        list[int] | None,
        typer.Option(min=1, max=2, help="Table 1 or 2; repeatable. Default: both."),
    ] = None,
    profile: ProfileName = "quick",
    data: Data = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the csv, Markdown and LaTeX tables.")
    ] = Path("tables"),
    method: Annotated[
        list[str] | None,
        typer.Option(help="Method to evaluate, e.g. xbdcnn or GAT+BM3D; repeatable. Default: all."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Keep what the output folder has of these and of other methods."
        ),
    ] = False,
    weights: Annotated[
        Path | None, typer.Option(help="Folder of weight files. Default: the shipped weights.")
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(help="Folder of earlier tables; print the largest difference in PSNR."),
    ] = None,
) -> None:
    """Re-measure Tables I and II of the paper, next to their printed and corrected values.

    The default profile takes minutes. `--profile cpu` evaluates all methods on ten whole
    radiographs and takes hours, mostly for BM3D, unless methods are chosen with `--method`. It
    needs `xbdcnn fetch-networks` and the extra `independent`.
    """
    chosen, numbers = chosen_profile(profile), table or [1, 2]
    from xbdcnn.data.source import find_source
    from xbdcnn.study.table_differences import compare_psnr, read_earlier_table
    from xbdcnn.study.table_text import readable
    from xbdcnn.study.tables import run_table

    source = find_source(data)
    earlier = {n: read_earlier_table(n, compare) for n in numbers} if compare else {}
    for number in numbers:
        results = run_table(number, chosen, source, output, weights, method, resume)
        typer.echo(readable(results).to_string(index=False))
        if compare:
            difference = compare_psnr(number, earlier[number], results)
            kept = compare / f"table_{number}.csv"
            typer.echo(
                f"PSNR of {difference.values} rows differs by at most {difference.largest:.2g} dB "
                f"from {kept}"
            )
    typer.echo(f"tables: {output}")


def audit(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(help=f"{', '.join(EXPERIMENTS)}. Default: all."),
    ] = None,
    data: Data = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the csv and its provenance.")
    ] = Path("tables"),
) -> None:
    """Run the long experiments of the audit: noise estimates, limits, and what denoising harms.

    Notebooks 06 and 11 to 13 read their results. The training runs of the audit are those of
    `xbdcnn trials choices`.
    """
    chosen = experiments or list(EXPERIMENTS)
    for name in chosen:
        require_known("experiment", name, EXPERIMENTS)
    from xbdcnn.data.source import find_source
    from xbdcnn.study.audit.experiments import file_stem, run_experiments

    tables = run_experiments(chosen, find_source(data), output)
    for name, table in tables.items():
        typer.echo(f"written: {output / file_stem(name)}.csv, {len(table)} rows")
