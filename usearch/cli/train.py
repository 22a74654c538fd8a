"""`usearch train`: a USE head of one's own, from pairs of segments and texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from usearch.cli.options import JsonOption, typed_value
from usearch.cli.output import json_result, note, result
from usearch.cli.train_export import export as export_run
from usearch.cli.train_pairs import pairs as make_pairs
from usearch.errors import ExitCode, UsageError
from usearch.render.safe_text import json_name

if TYPE_CHECKING:
    from trainer.use.backbones import Backbones
    from trainer.use.loop import Outcome
    from trainer.use.recipe import Recipe
    from trainer.use.run import Request

_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_UNNAMED = "run"
"""What `usearch train PAIRS` is among the commands of its group; never typed."""


class _TrainGroup(typer.core.TyperGroup):
    """`usearch train PAIRS...` trains; words that are commands of the group do what they say."""

    @property
    def unnamed(self) -> Any:
        """The command that needs no name of its own."""
        return self.commands[_UNNAMED]

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Puts the unnamed command before what begins with no command."""
        named = bool(args) and args[0] in self.commands and args[0] != _UNNAMED
        return super().parse_args(ctx, args if named else [_UNNAMED, *args])

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        """Hides the name of the unnamed command from messages."""
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if name == _UNNAMED else name), command, rest


class _Unnamed(typer.core.TyperCommand):
    def format_usage(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """As always, without the space that an empty name leaves."""
        pieces = self.collect_usage_pieces(ctx)
        formatter.write_usage(ctx.command_path.rstrip(), " ".join(pieces))


train = typer.Typer(
    cls=_TrainGroup,
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=False,
    context_settings=_HELP,
)

train.command("export", context_settings=_HELP)(export_run)
train.command("pairs", context_settings=_HELP)(make_pairs)


@train.command(_UNNAMED, cls=_Unnamed, hidden=True, context_settings=_HELP)
def train_head(
    context: typer.Context,
    pairs: Annotated[
        list[Path],
        typer.Argument(metavar="PAIRS...", help="Parquet files of pairs, or folders of them."),
    ],
    run: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="RUN", help="Folder of the run.", show_default=False
        ),
    ],
    preset: Annotated[
        str,
        typer.Option(
            "--preset",
            metavar="large|large-336|large-gt",
            help="Recipe to begin with: the paper's, that of its ablations, or that of a second "
            "model on labelled masks with class names.",
        ),
    ] = "large",
    backbones: Annotated[
        str,
        typer.Option(
            "--backbones",
            metavar="NAME[=MODEL@FILE],...",
            help="Frozen towers, joined in this order: clip, dino, mini, mobilenet=FILE.",
        ),
    ] = "clip,dino",
    dino_blocks: Annotated[
        int,
        typer.Option("--dino-blocks", metavar="L", min=1, help="DINOv2's last blocks in use."),
    ] = 6,
    cls: Annotated[
        bool, typer.Option("--cls/--no-cls", help="Give the head the class tokens.")
    ] = True,
    crop: Annotated[
        int,
        typer.Option("--crop", metavar="PIXELS", min=8, help="Side of the crops; large-336: 336."),
    ] = 560,
    scale: Annotated[
        str,
        typer.Option(
            "--scale", metavar="LOW,HIGH", help="Photos are resized by a factor between them."
        ),
    ] = "0.5,2",
    max_segments: Annotated[
        int,
        typer.Option("--max-segments", metavar="N", min=1, help="Most segments of a photo a step."),
    ] = 32,
    batch: Annotated[
        int, typer.Option("--batch", metavar="N", min=1, help="Photos a step, in all processes.")
    ] = 32,
    epochs: Annotated[
        float, typer.Option("--epochs", metavar="E", help="Passes over the photos.")
    ] = 5.0,
    steps: Annotated[
        int,
        typer.Option("--steps", metavar="N", min=0, help="Steps; 0 leaves it to --epochs."),
    ] = 0,
    learning_rate: Annotated[
        float, typer.Option("--learning-rate", metavar="X", help="Of AdamW, at the first step.")
    ] = 1e-3,
    weight_decay: Annotated[
        float, typer.Option("--weight-decay", metavar="X", help="Of AdamW.")
    ] = 0.01,
    power: Annotated[
        float, typer.Option("--power", metavar="X", help="Exponent of the decay of the rate to 0.")
    ] = 0.9,
    logit_scale: Annotated[
        float,
        typer.Option("--logit-scale", metavar="X", help="Multiplies cosines in the softmax."),
    ] = 30.0,
    templates: Annotated[
        str,
        typer.Option("--templates", metavar="SET", help="Sentences that texts are put into."),
    ] = "use4",
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of all chance.")] = 0,
    mask_equal: Annotated[
        bool,
        typer.Option(
            "--mask-equal", help="Beyond the paper: no segment is a negative of a text true of it."
        ),
    ] = False,
    learn_scale: Annotated[
        bool, typer.Option("--learn-scale", help="Beyond the paper: learn the logit scale.")
    ] = False,
    hard_negatives: Annotated[
        int,
        typer.Option(
            "--hard-negatives",
            metavar="N",
            min=0,
            help="Beyond the paper: N near texts from elsewhere a segment compete too.",
        ),
    ] = 0,
    rarity: Annotated[
        float,
        typer.Option(
            "--rarity",
            metavar="P",
            help="Beyond the paper: draw texts by their count to the power of -P.",
        ),
    ] = 0.0,
    device: Annotated[
        str, typer.Option("--device", metavar="auto|cpu|cuda|mps", help="Where it computes.")
    ] = "auto",
    precision: Annotated[
        str,
        typer.Option(
            "--precision",
            metavar="auto|fp32|bf16",
            help="Of the backbones; auto is bf16 on a GPU and fp32 elsewhere.",
        ),
    ] = "auto",
    compiled: Annotated[
        bool, typer.Option("--compile", help="Run the backbones through torch.compile.")
    ] = False,
    micro_batch: Annotated[
        int,
        typer.Option(
            "--micro-batch",
            metavar="N",
            min=0,
            help="Photos at a time in a backbone, for its memory; 0 for all of a step. The "
            "gradients are those of the whole batch either way.",
        ),
    ] = 0,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=1, help="Threads that make views.")
    ] = 2,
    look_every: Annotated[
        int,
        typer.Option(
            "--look-every", metavar="N", min=1, help="Steps between looks at held-out photos."
        ),
    ] = 500,
    save_minutes: Annotated[
        float,
        typer.Option("--save-minutes", metavar="X", help="Minutes between checkpoints."),
    ] = 10.0,
    cache: Annotated[
        Path | None,
        typer.Option(
            "--cache",
            metavar="DIR",
            help="Run the backbones once, keep the features in DIR, and train on them.",
            show_default=False,
        ),
    ] = None,
    views: Annotated[
        int,
        typer.Option(
            "--views",
            metavar="K",
            min=1,
            help="Views of each photo in the cache; epochs take turns among them.",
        ),
    ] = 1,
    warm_start: Annotated[
        str,
        typer.Option(
            "--warm-start",
            metavar="ridge",
            help="Begin as the best affine head in closed form; needs --cache.",
            show_default=False,
        ),
    ] = "",
    ablate: Annotated[
        bool,
        typer.Option(
            "--ablate",
            help="Train heads without one backbone, class token or block, and print the table.",
        ),
    ] = False,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds", metavar="N", min=1, help="With --ablate: how often each head is trained."
        ),
    ] = 3,
    random_towers: Annotated[
        str,
        typer.Option(
            "--random-towers",
            metavar="tiny|large",
            help="Towers with random weights instead of --backbones, to try the machinery.",
            show_default=False,
        ),
    ] = "",
    json: JsonOption = False,
) -> None:
    """Train a USE head on segments with texts, over frozen backbones.

    \b
    usearch train pairs annotations/instances.json --images photos -o coco.parquet
    usearch train coco.parquet -o runs/coco                      # the paper's recipe
    usearch train coco.parquet -o runs/coco                      # again: goes on after a kill
    usearch train a.parquet b.parquet -o runs/ab --preset large-336 --mask-equal
    usearch train coco.parquet -o runs/named --preset large-gt   # a second model
    usearch train coco.parquet -o runs/small --backbones mini --crop 352 --batch 64
    usearch train coco.parquet -o runs/dino --backbones dino --no-cls
    usearch train coco.parquet -o runs/fast --cache features --views 5
    usearch train coco.parquet -o runs/tables --cache features --views 5 --ablate
    torchrun --nproc-per-node 4 -m usearch train coco.parquet -o runs/coco
    usearch index photos --model runs/coco

    The folder gets the head with its card (head.safetensors, head.json), metrics.jsonl,
    curve.png and the last two checkpoints; it can be used with --model from the first
    checkpoint on. Ctrl-C ends after the step and keeps it. Photos of the split "held" are
    never trained on: the figures are theirs. docs/training.md has what each option does and
    what it was measured to change.
    """
    from usearch.models.files import require_packages

    require_packages("torch", "open_clip", "timm", "safetensors", "matplotlib", extra="train")
    from indexer.interrupts import interrupts
    from indexer.memory import pick_device
    from trainer.use.distributed import joined
    from trainer.use.run import train_run
    from usearch.cli.train_progress import watched

    recipe = _recipe(context)
    options = _Options(
        cls,
        precision,
        compiled,
        micro_batch,
        workers,
        look_every,
        save_minutes,
        cache or (run / "features" if ablate else None),
        views,
        _warm(warm_start, cache),
    )
    with joined(pick_device(device)) as processes, interrupts() as stop:
        request = _request(tuple(pairs), run, recipe, options, processes.device)
        towers = _towers(backbones, random_towers, processes.device, dino_blocks)
        if ablate:
            from usearch.cli.train_ablation import show_ablation

            show_ablation(request, towers, seeds, processes, stop, json)
            return
        with watched(processes.first) as watch:
            outcome = train_run(request, towers, processes, stop, watch)
    if processes.first:
        _say(run, outcome, json)
    if not outcome.finished:
        raise typer.Exit(ExitCode.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class _Options:
    """What is typed about how to go about a run."""

    cls: bool
    precision: str
    compiled: bool
    micro_batch: int
    workers: int
    look_every: int
    save_minutes: float
    cache: Path | None
    views: int
    warm_start: bool


def _warm(typed: str, cache: Path | None) -> bool:
    """Whether a ridge comes first."""
    if typed not in ("", "ridge"):
        raise UsageError(f"--warm-start {typed}: only a ridge is known", "--warm-start ridge")
    if typed and cache is None:
        raise UsageError("--warm-start ridge is fitted to cached features", "add --cache DIR")
    return bool(typed)


def _recipe(context: typer.Context) -> Recipe:
    """The preset's recipe with what was typed."""
    from dataclasses import fields, replace

    from trainer.use.recipe import Recipe, recipe_of

    own = {field.name for field in fields(Recipe)} - {"preset"}
    typed: dict[str, Any] = {
        name: value
        for name, value in context.params.items()
        if name in own and typed_value(context, name, "typed") is not None
    }
    if "scale" in typed:
        typed["scale"] = _range(typed["scale"])
    return replace(recipe_of(context.params["preset"]), **typed)


def _range(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"--scale {text}: two numbers are needed", "--scale 0.5,2") from error
    return low, high


def _request(
    pairs: tuple[Path, ...], run: Path, recipe: Recipe, options: _Options, device: str
) -> Request:
    from trainer.use.features import Precision
    from trainer.use.loop import Schedule
    from trainer.use.run import Request

    if options.precision not in ("auto", "fp32", "bf16"):
        raise UsageError(f"--precision {options.precision}: auto, fp32 or bf16")
    mixed = options.precision == "bf16" or (
        options.precision == "auto" and device.startswith("cuda")
    )
    precision: Precision = "bf16" if mixed else "fp32"
    return Request(
        pairs=pairs,
        run=run,
        recipe=recipe,
        cls=options.cls,
        precision=precision,
        micro_batch=options.micro_batch,
        workers=options.workers,
        compiled=options.compiled,
        schedule=Schedule(options.look_every, options.save_minutes),
        cache=options.cache,
        views=options.views,
        warm_start=options.warm_start,
    )


def _towers(names: str, random_size: str, device: str, dino_blocks: int) -> Backbones:
    if random_size:
        from trainer.use.random_towers import random_backbones

        return random_backbones(random_size, device, dino_blocks)
    from trainer.use.backbones import open_backbones

    return open_backbones(names.split(","), device, dino_blocks=dino_blocks)


def _say(run: Path, outcome: Outcome, json: bool) -> None:
    """The figures on stdout, and what comes next on stderr."""
    if json:
        values = {
            "run": json_name(run),
            "step": outcome.step,
            "finished": outcome.finished,
            "logit_scale": outcome.logit_scale,
            "held_out": outcome.held or None,
        }
        json_result("train", values)
    else:
        result(f"step\t{outcome.step}")
        for name, figure in outcome.held.items():
            result(f"held {name}\t{figure:.6g}")
    if outcome.finished:
        note(f"trained; use it with --model {run}")
    else:
        note(f"stopped after step {outcome.step}; the same command goes on from there")
