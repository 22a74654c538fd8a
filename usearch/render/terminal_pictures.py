"""Pictures inside a terminal: which kind it can show, and the characters that draw them.

    kitty   PNG in APC sequences of at most 4,096 characters (kitty, Ghostty, Konsole)
    iterm2  JPEG in one OSC 1337 (iTerm2, WezTerm, mintty)
    sixel   a palette picture in bands of six rows (foot, mlterm, contour, xterm -ti vt340)
    blocks  half blocks, two pixels a cell, in true colour or of 256 colours
    none    no picture

The kind is told from the environment alone: asking a terminal means waiting for an answer
that may never come.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TextIO, TypeAlias, get_args

from usearch.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image as Pillow

    from usearch.records import Image

Protocol: TypeAlias = Literal["kitty", "iterm2", "sixel", "blocks", "none"]

PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)

CELL = (10, 20)
"""Width and height of a cell in pixels where the terminal does not say."""

_CHUNK = 4096
_PALETTE = 64
_KONSOLE_WITH_PICTURES = 220400
_KITTY_PROGRAMS = frozenset(("ghostty", "kitty"))
_ITERM2_PROGRAMS = frozenset(("iTerm.app", "WezTerm", "mintty"))
_SIXEL_TERMS = re.compile(r"sixel|^foot|^mlterm|^contour|^yaft|^vt340")
_NO_COLOUR_TERMS = re.compile(r"^$|^dumb$|^unknown$|^vt(?!340)\d|^emacs$")
_MULTIPLEXED = re.compile(r"^(screen|tmux)")


def picture_protocol(
    environ: Mapping[str, str], stream: TextIO | None, wanted: str = "auto"
) -> Protocol:
    """How pictures can be shown on a stream.

    Args:
        environ: Of the process.
        stream: Where they would be written.
        wanted: A protocol, or "auto" to tell it from the environment. A stream that is no
            terminal gets no pictures, whatever is wanted: what reads it is a program.

    Raises:
        UsageError: `wanted` is no protocol.
    """
    if wanted != "auto" and wanted not in PROTOCOLS:
        raise UsageError(
            f"{wanted!r} is no way to show pictures in a terminal",
            "one of: auto, " + ", ".join(PROTOCOLS),
        )
    if stream is None or not stream.isatty():
        return "none"
    for protocol in PROTOCOLS:
        if wanted == protocol:
            return protocol
    found = _protocol_of(environ)
    if found == "blocks" and not _can_write("▀", stream):
        return "none"
    return found


def _protocol_of(environ: Mapping[str, str]) -> Protocol:
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    if environ.get("NO_COLOR") or _NO_COLOUR_TERMS.search(term):
        return "none"
    if environ.get("TMUX") or environ.get("STY") or _MULTIPLEXED.search(term):
        return "blocks"  # between us and the terminal stands a program that drops pictures
    konsole = environ.get("KONSOLE_VERSION", "")
    if (
        environ.get("KITTY_WINDOW_ID")
        or term in ("xterm-kitty", "xterm-ghostty")
        or program in _KITTY_PROGRAMS
        or (konsole.isdecimal() and int(konsole) >= _KONSOLE_WITH_PICTURES)
    ):
        return "kitty"
    if program in _ITERM2_PROGRAMS or environ.get("LC_TERMINAL") == "iTerm2":
        return "iterm2"
    return "sixel" if _SIXEL_TERMS.search(term) else "blocks"


def _can_write(text: str, stream: TextIO) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def has_true_colour(environ: Mapping[str, str]) -> bool:
    """Whether a terminal shows 24-bit colours and not only 256 of them."""
    told = environ.get("COLORTERM", "").lower() in ("truecolor", "24bit")
    return told or environ.get("TERM", "").endswith("-direct")


def cell_size(stream: TextIO) -> tuple[int, int]:
    """Width and height of a cell of a terminal in pixels, as its driver tells; else `CELL`."""
    try:
        import fcntl
        import struct
        import termios

        answer = fcntl.ioctl(stream.fileno(), termios.TIOCGWINSZ, bytes(8))
        rows, columns, wide, high = struct.unpack("HHHH", answer)
        cell = wide // columns, high // rows
    except (ImportError, OSError, ValueError, ZeroDivisionError):
        return CELL
    # Some drivers tell the size of the screen, or of nothing.
    return cell if 4 <= cell[0] <= 80 and cell[0] <= cell[1] <= 4 * cell[0] else CELL


def terminal_picture(
    image: Image,
    columns: int,
    rows: int,
    protocol: Protocol,
    *,
    cell: tuple[int, int] = CELL,
    true_colour: bool = True,
) -> str:
    """The characters that draw a picture, undistorted, in at most `columns` x `rows` cells.

    Blocks are whole lines of cells with line ends between them. The other protocols draw
    from the cursor to the right and down; where they leave the cursor differs.

    Args:
        image: uint8 [H, W, 3].
        columns: Cells across, at least 1.
        rows: Cells down, at least 1.
        protocol: "none" gives "".
        cell: Width and height of a cell in pixels.
        true_colour: Blocks only: 24-bit colours, else the 256 of xterm.
    """
    from PIL import Image as Pillow

    picture = Pillow.fromarray(image)
    across, down = _fitted(picture.size, columns, rows, cell)
    if protocol == "none":
        return ""
    if protocol == "blocks":
        # A cell is two pixels high, and these are taken for squares, or nearly so.
        size = across, max(1, 2 * down)
        return _blocks(picture.resize(size, Pillow.Resampling.BOX), true_colour)
    scale = min(columns * cell[0] / picture.width, rows * cell[1] / picture.height)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    if scale < 1 or protocol == "sixel":  # the others are enlarged by the terminal
        picture = picture.resize((width, height), Pillow.Resampling.LANCZOS)
    if protocol == "kitty":
        return _kitty(picture, across, down)
    return _iterm2(picture, across, down) if protocol == "iterm2" else _sixel(picture)


def _fitted(
    size: tuple[int, int], columns: int, rows: int, cell: tuple[int, int]
) -> tuple[int, int]:
    """Cells across and down that a picture takes in a room, its shape kept."""
    scale = min(columns * cell[0] / size[0], rows * cell[1] / size[1])
    across = min(columns, max(1, round(size[0] * scale / cell[0])))
    return across, min(rows, max(1, round(size[1] * scale / cell[1])))


def _kitty(picture: Pillow.Image, across: int, down: int) -> str:
    """Kitty's graphics protocol: shown at once, stretched over cells, no answer wanted."""
    out = io.BytesIO()
    picture.save(out, "PNG")
    text = base64.b64encode(out.getvalue()).decode("ascii")
    chunks = [text[i : i + _CHUNK] for i in range(0, len(text), _CHUNK)]
    keys = f"a=T,f=100,q=2,C=1,c={across},r={down},"
    parts = []
    for i, chunk in enumerate(chunks):
        parts.append(f"\x1b_G{keys if i == 0 else ''}m={int(i < len(chunks) - 1)};{chunk}\x1b\\")
    return "".join(parts)


def _iterm2(picture: Pillow.Image, across: int, down: int) -> str:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    data = out.getvalue()
    keys = f"inline=1;size={len(data)};width={across};height={down};preserveAspectRatio=1"
    return f"\x1b]1337;File={keys}:{base64.b64encode(data).decode('ascii')}\x07"


def _sixel(picture: Pillow.Image) -> str:
    """DEC's sixels: palette, then bands of six rows, one pass a colour in each band."""
    import numpy as np
    from PIL import Image as Pillow

    # Median cut alone gives all colours to the dim rest and leaves few for what is lit.
    few = picture.reduce(2) if min(picture.size) > 20 else picture
    reduced = picture.quantize(palette=few.quantize(_PALETTE, kmeans=1), dither=Pillow.Dither.NONE)
    index = np.asarray(reduced)
    colours = np.array(reduced.getpalette() or [], np.int64).reshape(-1, 3)
    height, width = index.shape
    parts = [f'\x1bP0;1;0q"1;1;{width};{height}']
    for colour in np.unique(index):
        red, green, blue = (round(int(v) * 100 / 255) for v in colours[colour])
        parts.append(f"#{colour};2;{red};{green};{blue}")
    for top in range(0, height, 6):
        band = index[top : top + 6]
        weights = (1 << np.arange(len(band)))[:, None]
        passes = []
        for colour in np.unique(band):
            sixels = ((band == colour) * weights).sum(0)
            passes.append(f"#{colour}{_run_lengths(sixels.tolist())}")
        parts.append("$".join(passes) + "-")
    return "".join(parts) + "\x1b\\"


def _run_lengths(sixels: list[int]) -> str:
    """Sixels of a row as characters; empty ones at the end are left out."""
    import itertools

    runs = [(value, len(list(same))) for value, same in itertools.groupby(sixels)]
    if runs and runs[-1][0] == 0:
        runs.pop()
    return "".join(f"!{n}{chr(63 + value)}" if n > 3 else chr(63 + value) * n for value, n in runs)


def _blocks(picture: Pillow.Image, true_colour: bool) -> str:
    """Upper half blocks: the ink is the upper pixel, the ground the lower one."""
    import numpy as np

    pixels = np.asarray(picture)
    codes = _true_codes(pixels) if true_colour else _codes_of_256(pixels)
    lines = []
    for y in range(0, len(codes), 2):
        line, last = [], ""
        for upper, lower in zip(codes[y], codes[y + 1], strict=True):
            style = f"\x1b[38;{upper};48;{lower}m"
            line.append((style if style != last else "") + "▀")
            last = style
        lines.append("".join(line) + "\x1b[0m")
    return "\n".join(lines)


def _true_codes(pixels: Image) -> list[list[str]]:
    return [[f"2;{r};{g};{b}" for r, g, b in row] for row in pixels.tolist()]


def _codes_of_256(pixels: Image) -> list[list[str]]:
    """The nearest of xterm's colours: a cube of six levels a channel, and 24 greys."""
    import numpy as np

    levels = np.array([0, 95, 135, 175, 215, 255])
    values = pixels.astype(np.int64)
    near = np.abs(values[..., None] - levels).argmin(-1)
    cube = levels[near]
    grey = np.clip((values.mean(-1) - 3) // 10, 0, 23).astype(np.int64)
    grey_far = ((values - (8 + 10 * grey)[..., None]) ** 2).sum(-1)
    cube_far = ((values - cube) ** 2).sum(-1)
    number = np.where(grey_far < cube_far, 232 + grey, 16 + near @ np.array([36, 6, 1], near.dtype))
    return [[f"5;{n}" for n in row] for row in number.tolist()]
