"""The picture in the README: the best hit of some questions to the demo's store, as it comes.

usearch demo
python examples/readme_picture.py usearch-demo docs/demo.png "a cat" sky "pink flower"
"""

from __future__ import annotations

import sys
from pathlib import Path

from usearch import open_store
from usearch.render.class_files import write_picture
from usearch.render.hits import Tile, contact_sheet, hit_view
from usearch.stored_photos import photo_reader


def main(demo: Path, output: Path, questions: list[str]) -> None:
    opened = open_store(demo)
    read = photo_reader(opened.snapshot)
    best = [(text, opened.query(text, k=1)[0]) for text in questions]
    tiles = [Tile(hit_view(hit, read), f"“{text}”", hit.score) for text, hit in best]
    write_picture(output, contact_sheet("usearch query …", tiles))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
