"""Settings: what a flag does not say comes from the environment, a file, or a default.

    flags  >  USEARCH_*  >  usearch.toml of the project  >  usearch.toml of the user  >  defaults

The project's file is the nearest `usearch.toml` from the current folder upwards, as the store
is found; so worker processes find the same one. Both files are read where both exist; the
project's wins key by key. A key that does not exist and a value of the wrong kind are errors
that name file and line. Reading a file costs its parsing; without a file nothing is imported.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from usearch.errors import UsageError

FILE_NAME = "usearch.toml"

Kind = Literal["folder", "word", "count", "share", "switch"]
"""A folder's path, a word, a whole number from 1, a number from 0 to 1, true or false."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that can be set once instead of being typed each time.

    Attributes:
        name: Key in `usearch.toml`; `USEARCH_` and the name in capitals is the variable. The
            option of this name takes its default from here.
        kind: What values it takes.
        what: What it does, for people.
        default: Its value when nobody sets it; None where something else decides.
        unset: What decides then, for people.
        choices: The words it may be; any when empty.
        is_option_default: Whether it simply is the default of options of this name. The others
            are asked for with `setting`, by commands that must know whether a flag was given.
    """

    name: str
    kind: Kind
    what: str
    default: str | int | float | bool | None = None
    unset: str = ""
    choices: tuple[str, ...] = ()
    is_option_default: bool = False

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return f"USEARCH_{self.name.upper()}"


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting("store", "folder", "the store", unset="the nearest .usearch from here upwards"),
        Setting("preset", "word", "the models of new stores", "mini", is_option_default=True),
        Setting(
            *("model", "folder", "the trained model of new stores; wins over `preset`"),
            unset="the preset",
        ),
        Setting(
            "segmenter",
            "word",
            "what cuts the photos of new stores",
            unset="the preset's own",
            choices=("tree", "sam"),
        ),
        Setting(
            *("device", "word", "where torch models run: auto, cpu, cuda, cuda:1", "auto"),
            is_option_default=True,
        ),
        Setting("workers", "count", "processes that index", unset="one a core"),
        Setting(
            *("max_pixels", "count", "photos of more pixels are skipped", 250_000_000),
            is_option_default=True,
        ),
        Setting(
            *("max_side", "count", "longest side at which `segment` cuts photos", 1024),
            is_option_default=True,
        ),
        Setting("top", "count", "the most hits to print", 10),
        Setting("per_image", "count", "the most hits of one photo", unset="as many as there are"),
        Setting("min_score", "share", "score below which nothing matches", unset="the preset's"),
        Setting(
            "preview",
            "word",
            "how a terminal shows pictures of hits",
            "auto",
            choices=("auto", "kitty", "iterm2", "sixel", "blocks", "none"),
        ),
        Setting("models", "folder", "where weights are looked for first", unset="the user's cache"),
        Setting(
            "sam", "word", "which SAM cuts", "vit-h", choices=("vit-b", "vit-l", "vit-h")
        ),
        Setting("clip", "word", "which CLIP the preset `clip` takes", "clip-vit-l-14-336"),
        Setting("debug", "switch", "show the traceback of an error", False),
    )
}  # fmt: skip
"""All settings by name."""


NO_SETTING = "USEARCH_TOKEN"
"""The one variable that is no setting: what `usearch serve` asks for never stands in a file."""


@dataclass(frozen=True, slots=True)
class Found:
    """The value of a setting and where it comes from.

    Attributes:
        setting: Which one.
        value: A Path, str, int, float, bool, or None where something else decides.
        origin: "default", the name of a variable, or file:line.
    """

    setting: Setting
    value: Any
    origin: str


def setting(name: str, given: Any = None) -> Any:
    """The value of a setting.

    Args:
        name: A name of `SETTINGS`.
        given: What the flag or the caller says; wins when it is not None.

    Raises:
        UsageError: The variable or a file has a value that it cannot be.
    """
    return found_setting(name).value if given is None else given


def found_setting(name: str) -> Found:
    """The value of a setting that no flag gave, with its origin.

    Raises:
        UsageError: The variable or a file has a value that it cannot be.
    """
    known = SETTINGS[name]
    text = os.environ.get(known.variable, "")
    if text:
        return Found(known, _from_text(known, text), known.variable)
    for file in setting_files():
        if name in (values := _read(file)):
            return values[name]
    return Found(known, known.default, "default")


def all_settings() -> list[Found]:
    """All settings with their values and origins.

    Raises:
        UsageError: A variable or a file has a value that it cannot be, or an unknown key.
    """
    for file in setting_files():
        _read(file)
    return [found_setting(name) for name in SETTINGS]


def option_defaults() -> dict[str, Any]:
    """Values that options of the same names default to, of the settings that somebody set."""
    return {
        found.setting.name: found.value
        for found in all_settings()
        if found.origin != "default" and found.setting.is_option_default
    }


def unknown_variables() -> list[str]:
    """Variables that look like settings and are none."""
    known = {setting.variable for setting in SETTINGS.values()} | {NO_SETTING}
    # The other project of this name has build-time variables of these two stems.
    others = ("USEARCH_USE_", "USEARCH_BUILD_", "USEARCH_TESTS_")
    return sorted(
        name
        for name in os.environ
        if name.startswith("USEARCH_") and name not in known and not name.startswith(others)
    )


def setting_files() -> list[Path]:
    """The files that are read, the one that wins first; those that exist."""
    return [path for path in candidate_files() if _is_file(path)]


def candidate_files() -> list[Path]:
    """Where files are looked for: the project's (nearest one upwards), then the user's."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # the current folder was removed
        return [config_dir() / FILE_NAME]
    above = (folder / FILE_NAME for folder in (here, *here.parents))
    project = next((path for path in above if _is_file(path)), here / FILE_NAME)
    return [project, config_dir() / FILE_NAME]


def _is_file(path: Path) -> bool:
    """As `Path.is_file`, which raises where a folder above may not be searched."""
    return os.path.isfile(path)  # noqa: PTH113


def config_dir() -> Path:
    """The folder of this user's settings, by the platform's custom."""
    if sys.platform == "darwin":
        return home() / "Library" / "Application Support" / "usearch"
    return Path(os.environ.get("XDG_CONFIG_HOME") or home() / ".config") / "usearch"


def home() -> Path:
    """The user's home; a folder that does not exist for a user without one, as in containers."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/nonexistent")


def _read(file: Path) -> dict[str, Found]:
    """The settings in a file, checked."""
    import tomllib

    try:
        text = file.read_bytes().decode("utf-8-sig")
        keys = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", "move it away") from error
    except ValueError as error:  # tomllib's own error and that of bytes that are no UTF-8
        place = re.search(r"\(at line (\d+), column \d+\)", str(error))
        where = f"{file}:{place[1]}" if place else str(file)
        why = re.sub(r" \(at .*\)$", "", str(error))
        raise UsageError(f"{where}: not TOML: {why}", "lines look like: top = 20") from error
    found: dict[str, Found] = {}
    for key, value in keys.items():
        where = f"{file}:{_line_of(text, key)}"
        name = key.replace("-", "_")
        if name not in SETTINGS:
            raise UsageError(f"{where}: there is no setting {key!r}", _did_you_mean(name))
        if name in found:
            raise UsageError(f"{where}: {key} is set twice", "remove one of the two lines")
        known = SETTINGS[name]
        found[name] = Found(known, _checked(known, value, where, file.parent), where)
    return found


def _line_of(text: str, key: str) -> int:
    """The line, from 1, on which a top-level key or table stands."""
    wanted = re.compile(rf"""\s*\[*\s*["']?{re.escape(key)}["']?\s*[=.\]]""")
    lines = enumerate(text.splitlines(), 1)
    return next((number for number, line in lines if wanted.match(line)), 1)


def _did_you_mean(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, SETTINGS, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + "`usearch config` lists all settings"


def _from_text(known: Setting, text: str) -> Any:
    """The value of a variable."""
    value: Any = text
    if known.kind == "switch":
        value = {"0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}.get(
            text.lower(), text
        )
    elif known.kind in ("count", "share"):
        for number in (int, float):
            try:
                value = number(text)
                break
            except ValueError:
                continue
    return _checked(known, value, known.variable, Path())


_EXPECTED = {
    "folder": "the path of a folder, in quotes",
    "word": "a word, in quotes",
    "count": "a whole number from 1",
    "share": "a number from 0 to 1",
    "switch": "true or false",
}


def _checked(known: Setting, value: Any, where: str, base: Path) -> Any:
    """A value of the right kind.

    Raises:
        UsageError: It is of another kind, or none of the choices.
    """
    kind = type(value)
    fits = {
        "folder": kind is str and value != "" and "\0" not in str(value),
        "word": kind is str and value != "",
        "count": kind is int and value >= 1,
        "share": kind in (int, float) and 0 <= value <= 1,
        "switch": kind is bool,
    }
    if not fits[known.kind]:
        shown = f"{value!r}" if kind in (str, int, float, bool) else f"a {kind.__name__}"
        raise UsageError(f"{where}: {known.name} is {shown}", f"it is {_EXPECTED[known.kind]}")
    if known.choices and value not in known.choices:
        raise UsageError(
            f"{where}: {known.name} is {value!r}", f"it is one of {', '.join(known.choices)}"
        )
    if known.kind == "folder":
        return base / os.path.expanduser(value)  # noqa: PTH111 - Path's fails without a home
    return float(value) if known.kind == "share" else value


def template() -> Iterator[str]:
    """Lines of a `usearch.toml` that sets nothing and says what could be set."""
    yield "# Settings of usearch. Flags and USEARCH_* variables win over this file."
    for known in SETTINGS.values():
        yield ""
        said = f"# {known.what}"
        if known.choices:
            said += f": {', '.join(known.choices)}"
        yield said + (f"; without it {known.unset}" if known.unset else "")
        yield f"# {known.name} = {_toml(known)}"


def _toml(known: Setting) -> str:
    examples = {"folder": '"folder"', "word": '"word"', "count": "4", "share": "0.5"}
    if isinstance(known.default, bool):
        return str(known.default).lower()
    if isinstance(known.default, str):
        return f'"{known.default}"'
    if known.default is None:
        return f'"{known.choices[0]}"' if known.choices else examples[known.kind]
    return str(known.default)
