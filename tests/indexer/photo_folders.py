"""Folders of small photos, and runs over them, for tests of indexing."""

import numpy as np
from PIL import Image
from toys import load_toys

from indexer.pipeline import index_photos
from usearch.store import check_store, open_snapshot


def picture(path, shade, size=(24, 16)):
    """A photo with content of its own for each shade (0..99)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((size[1], size[0], 3), 60 + shade, np.uint8)
    pixels[: size[1] // 2, : size[0] // 2] = (100 - shade, 100, 2 * shade)
    Image.fromarray(pixels).save(path)


def run(folder, store, load=load_toys, *, workers=0, preset="toy", **options):
    return index_photos([folder], store, load, preset=preset, workers=workers, **options)


def stored(store):
    """Relative path -> status of all photos in the store, after a check of everything."""
    assert check_store(store) == []
    records = open_snapshot(store).photo_records()
    by_path = {record.path: record.status for record in records}
    assert len(by_path) == len(records), "a photo is there twice"
    return by_path


ALL = {
    "0.png": "ok",
    "1.png": "ok",
    "2.png": "ok",
    "3.png": "ok",
    "broken.jpg": "not_an_image",
    "sub/4.png": "ok",
    "sub/5.png": "ok",
}


def fail_to_load(*, threads):
    raise AssertionError("no model may be loaded")
