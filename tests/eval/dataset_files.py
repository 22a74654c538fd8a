"""Tiny data sets on disk, in the layouts of the tools that people have them from."""

import numpy as np
from PIL import Image

from eval.datasets import NO_LABEL

PHOTO = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


def photo(path, size=(3, 2), exif=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(PHOTO).resize(size)
    picture.save(path, **({} if exif is None else {"exif": exif}))


def labels(path, raw, bits=8):
    """An index picture; `bits` 0 = a MATLAB file, 24 = the colours of ADE20K."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = np.asarray(raw)
    if bits == 0:
        from scipy.io import savemat

        savemat(path, {"LabelMap": raw.astype(np.uint16)})
    elif bits == 24:
        colours = np.stack([raw // 256 * 10 + 3, raw % 256, raw * 0 + 9], -1)
        Image.fromarray(colours.astype(np.uint8)).save(path)
    else:
        Image.fromarray(raw.astype(f"uint{bits}")).save(path)


def write(root, images, folder, raws, end=".png", bits=8, suffix=".jpg"):
    """Photos and label files of the same stems; `raws` is stem -> values."""
    for stem, raw in raws.items():
        height, width = np.shape(raw)
        photo(root / images / f"{stem}{suffix}", (width, height))
        labels(root / folder / f"{stem}{end}", raw, bits)


def rows(values):
    """Class rows, with None for "not labelled"."""
    return [[NO_LABEL if value is None else value for value in line] for line in values]
