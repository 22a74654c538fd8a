"""`usearch eval`: how good it is, on labelled photos."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from usearch.cli.eval_compare import compare
from usearch.cli.eval_options import MapChoices
from usearch.cli.eval_parts import partimagenet
from usearch.cli.eval_retrieval import retrieval

_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

eval = typer.Typer(  # noqa: A001 - the command's name
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=False,
    context_settings=_HELP,
    help="""Measure how good it is, on labelled photos.

    \b
    usearch eval ade150 --root ADEChallengeData2016
    usearch eval folder --images photos --masks labels --classes names.txt
    usearch eval pc59 --root VOCdevkit --systems tree+mini,given+mini,tree+crop
    usearch eval ade150 --root data --errors -o report.json --html report.html

    Photos are indexed into a store once (Ctrl-C keeps what is done); every class list over
    the same photos is answered from it. Needs the extra `eval`; docs/evaluation.md has what
    is measured and the figures, docs/datasets.md the layouts of the data sets.
    """,
)

_BY_NAME = inspect.Parameter.KEYWORD_ONLY
_SETS = {
    "ade150": "ADE20K, 150 classes.",
    "ade847": "ADE20K, 847 classes.",
    "pc59": "Pascal Context, 59 classes.",
    "pc459": "Pascal Context, 459 classes.",
    "voc20": "Pascal VOC 2012, 20 classes without background.",
    "voc21": "Pascal VOC 2012, 20 classes and background.",
    "cocostuff": "COCO-Stuff, 171 classes.",
}
"""Benchmarks of semantic segmentation by name."""

_SET_HELP = """{what}

    \b
    usearch eval {name} --root DIR
    usearch eval {name} --root DIR --errors           # masks or names: where is the error?
    usearch eval {name} --root DIR --limit 100        # quick, but not comparable
    usearch eval {name} --root DIR --systems tree+mini,given+mini,tree+crop

    DIR is the data set's folder, or one that holds it at most two levels deeper; the layouts
    of detectron2, mmsegmentation and the original archives are recognised.

    Prints mIoU over the classes in the labels and over those labelled or predicted, fwIoU,
    pixel accuracy and the covered share with 95 % intervals over photos, beside the figures
    of the paper. Pixels get their class as in section 4.3 of the USE paper; --vote,
    --stability, --second and --bank change that and are off by default."""


def _with_choices(own: Callable[..., None]) -> Callable[..., None]:
    """A command with its own options first, and then those that all map commands share."""

    def run(context: typer.Context, **values: Any) -> None:
        shared = MapChoices(**{one.name: values.pop(one.name) for one in fields(MapChoices)})
        own(context, shared, **values)

    hints = get_type_hints(MapChoices, include_extras=True)
    parameters = [
        parameter
        for name, parameter in inspect.signature(own, eval_str=True).parameters.items()
        if name != "shared"
    ] + [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=one.default,
            annotation=hints[one.name],
        )
        for one in fields(MapChoices)
    ]
    run.__doc__ = own.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _benchmark(name: str) -> Callable[..., None]:
    def run(
        context: typer.Context,
        shared: MapChoices,
        *,
        root: Annotated[
            Path,
            typer.Option(
                "--root", metavar="DIR", help="Where the data set is.", show_default=False
            ),
        ],
        split: Annotated[
            str, typer.Option("--split", metavar="val|train", help="Which photos of it.")
        ] = "val",
        layout: Annotated[
            str,
            typer.Option(
                "--layout",
                metavar="NAME",
                help="Take this layout (docs/datasets.md). Without it: the first that is there.",
                show_default=False,
            ),
        ] = "",
        names: Annotated[
            str,
            typer.Option(
                "--names",
                metavar="synonyms|first|official|...",
                help="Which names the classes have (docs/datasets.md). Without it: the usual list.",
                show_default=False,
            ),
        ] = "",
        label_size: Annotated[
            str,
            typer.Option(
                "--label-size",
                metavar="published|original",
                help="Labels at the size of published figures (ade847: short side 512), or as "
                "they are.",
            ),
        ] = "published",
    ) -> None:
        from eval.datasets import MapSet, open_dataset
        from usearch.cli.eval_maps import run_maps

        labelled = open_dataset(name, root, split, layout, names, label_size)
        assert isinstance(labelled, MapSet), "a benchmark of maps"
        run_maps(context, labelled, shared)

    return run


for _name, _what in _SETS.items():
    _command = _with_choices(_benchmark(_name))
    _command.__doc__ = _SET_HELP.format(name=_name, what=_what)
    eval.command(_name, context_settings=_HELP)(_command)


@eval.command("folder", context_settings=_HELP)
@_with_choices
def _folder(
    context: typer.Context,
    shared: MapChoices,
    *,
    images: Annotated[
        Path,
        typer.Option("--images", metavar="DIR", help="Folder of the photos.", show_default=False),
    ],
    masks: Annotated[
        Path,
        typer.Option(
            "--masks",
            metavar="DIR",
            help="Folder of index PNGs, one a photo, of the photo's stem.",
            show_default=False,
        ),
    ],
    classes: Annotated[
        Path,
        typer.Option(
            "--classes",
            metavar="FILE",
            help="One class a line, in the order of the values: name, synonym, ...",
            show_default=False,
        ),
    ],
    first_index: Annotated[
        int | None,
        typer.Option(
            "--first-index",
            metavar="0|1",
            min=0,
            help="The value of the first class. Without it: found out, and said.",
            show_default=False,
        ),
    ] = None,
    ignore: Annotated[
        int | None,
        typer.Option(
            "--ignore",
            metavar="N",
            help="The value of pixels that do not count. Without it: found out, and said.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Your own photos and index PNGs, paired by file stem.

    \b
    usearch eval folder --images photos --masks labels --classes names.txt
    usearch eval folder --images photos --masks labels --classes names.txt --first-index 1
    usearch eval folder --images photos --masks labels --classes names.txt --errors --html r.html

    A pixel's value in labels/NAME.png is the class of that pixel in photos/NAME.jpg: its place
    in the list, from --first-index. The values found are said before anything is scored.
    """
    from eval.datasets import open_folder
    from usearch.cli.eval_maps import run_maps

    run_maps(context, open_folder(images, masks, classes, first_index, ignore), shared)


eval.command("partimagenet", context_settings=_HELP)(partimagenet)
eval.command("retrieval", context_settings=_HELP)(retrieval)
eval.command("compare", context_settings=_HELP)(compare)
