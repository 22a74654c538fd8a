"""`usearch demo`: the whole job on photographs that two packages bring along."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usearch.cli.entry import run_command
from usearch.cli.output import note, result
from usearch.errors import ExitCode, InputError, ModelError

if TYPE_CHECKING:
    from usearch.opened import OpenStore
    from usearch.records import Image

SAMPLES = {
    "astronaut.png": ("skimage", "data/astronaut.png"),
    "cat.png": ("skimage", "data/chelsea.png"),
    "coffee.png": ("skimage", "data/coffee.png"),
    "motorcycle.png": ("skimage", "data/motorcycle_left.png"),
    "rocket.jpg": ("skimage", "data/rocket.jpg"),
    "temple.jpg": ("sklearn", "datasets/images/china.jpg"),
    "flower.jpg": ("sklearn", "datasets/images/flower.jpg"),
}
"""Our names of the sample photos, and the files they are in the installed packages."""

QUERIES = ("a cat", "cup of coffee", "motorcycle", "sky", "person", "pink flower")

CLASSES = """\
person, woman, face
flag
cat
cup, coffee
spoon
table, wood
motorcycle, motorbike
wheel, tire
garage, room
rocket, tower
sky
smoke, cloud
temple, palace, building
tree
grass, lawn
flower, petals
leaves
"""

_HITS = 6


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where the demo is put.")
    ] = Path("usearch-demo"),
) -> None:
    """Show all of it on sample photos.

    Takes the photographs that the packages scikit-image and scikit-learn bring along (extra
    `demo`), indexes them, asks a few questions, classifies every pixel, and writes pictures
    of the answers. Nothing is downloaded. Each command is printed as you would type it.
    """
    found = sample_files()
    from usearch.result_files import make_folder

    photos = output / "photos"
    make_folder(photos)
    make_folder(output / "answers")
    for name, source in found.items():
        _copy(source, photos / name)
    note(f"{len(found)} photos are in {photos}")
    store = output / ".usearch"
    _type(["index", str(photos), "--store", str(store)])
    pictures = _ask(store, output / "answers")
    classes = output / "classes.txt"
    classes.write_text(CLASSES, encoding="utf-8")
    maps = output / "maps"
    _type(["segment", str(photos), "--classes", str(classes), "-o", str(maps)])
    _say_where(output, [*pictures, *sorted(maps.glob("*-overlay.png"))], photos)


def sample_files() -> dict[str, Path]:
    """The sample photos that the installed packages hold: our names and their paths.

    The packages are found, not imported, so that nothing of theirs runs or downloads.

    Raises:
        ModelError: Neither package holds any of them.
    """
    found = {}
    for name, (package, inside) in SAMPLES.items():
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec is not None else []:
            path = Path(folder) / inside
            if path.is_file():
                found[name] = path
    if not found:
        raise ModelError(
            "the demo needs the photographs in scikit-image and scikit-learn",
            "pip install 'use-segments[demo]', or index your own photos: usearch index FOLDER",
        )
    return found


def _copy(source: Path, target: Path) -> None:
    try:
        if not target.exists():
            shutil.copyfile(source, target)
    except OSError as problem:
        raise InputError(
            f"cannot write {target}: {problem.strerror}", "name another folder with -o"
        ) from problem


def _type(words: list[str]) -> int:
    """Print a command as one would type it, and run it."""
    note(f"\n$ {shlex.join(['usearch', *words])}")
    code = run_command(words)
    if code not in (ExitCode.DONE, ExitCode.NO_MATCH):
        raise typer.Exit(code)
    return code


def _ask(store: Path, folder: Path) -> list[Path]:
    """Ask each question; a picture of the answers of each that has any."""
    from usearch.opened import OpenStore
    from usearch.render.class_files import write_picture
    from usearch.store import open_snapshot

    pictures = []
    opened = OpenStore(open_snapshot(store))
    for text in QUERIES:
        words = ["query", text, "--store", str(store), "-k", "3"]
        if _type(words) == ExitCode.NO_MATCH:
            continue
        path = folder / f"{text.replace(' ', '-')}.png"
        write_picture(path, answer_sheet(opened, text))
        pictures.append(path)
    return pictures


def answer_sheet(opened: OpenStore, text: str) -> Image:
    """One picture of the best hits, one segment a photo: uint8 [H, W, 3]."""
    from usearch.render.hits import Tile, contact_sheet, hit_view

    hits = opened.query(text, _HITS, per_image=1)
    tiles = [Tile(hit_view(hit, hits.read_photo), Path(hit.path).name, hit.score) for hit in hits]
    return contact_sheet(text, tiles)


def _say_where(output: Path, pictures: list[Path], photos: Path) -> None:
    note("\npictures of the answers:")
    for path in pictures:
        result(str(path))
    here = shlex.quote(str(output))
    cat = shlex.quote(str(photos / "cat.png"))
    note(
        "\nnext, try:\n"
        f'  usearch query "wheel" --store {here}\n'
        f"  usearch segment {cat} --classes {shlex.quote(str(output / 'classes.txt'))} -o maps\n"
        '  usearch index FOLDER-WITH-YOUR-PHOTOS && usearch query "red car"'
    )
