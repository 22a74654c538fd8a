"""What is exported, read by the tools it is for, or by readers that they share."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from export_samples import (
    Photos,
    as_source,
    blobs,
    exported_photo,
    exported_segment,
    on_photo,
    random_photos,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from usearch import masks
from usearch.exports import export_source
from usearch.exports.coco import write_coco
from usearch.exports.cvat import write_cvat
from usearch.exports.labelstudio import write_labelstudio
from usearch.exports.polygons import outer_polygons

pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # pycocotools

SIZE = (60, 90)


def three_masks() -> list[np.ndarray]:
    """With a hole and a second part; one pixel; all pixels. On half the photo's grid."""
    ring = np.zeros((30, 45), bool)
    ring[4:20, 5:25] = True
    ring[8:14, 10:18] = False
    ring[24:28, 30:40] = True
    dot = np.zeros((30, 45), bool)
    dot[29, 44] = True
    return [ring, dot, np.ones((30, 45), bool)]


def sample(name: str = "sub/a.png", labels: tuple[str, ...] = ("segment",)) -> Photos:
    segments = [exported_segment(m, 65536 + i) for i, m in enumerate(three_masks())]
    return Photos([(exported_photo(1, name, SIZE), segments)], labels)


def write_photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(path)


def loaded(data: bytes, folder: Path) -> COCO:
    """A COCO file as pycocotools has it, which prints when it reads."""
    path = folder / "read.json"
    path.write_bytes(data)
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def written(write, source, **options) -> bytes:
    out = io.BytesIO()
    write(out, source, **options)
    return out.getvalue()


@settings(max_examples=25)
@given(random_photos())
def test_pycocotools_gets_the_masks_of_the_photo_s_pixels(tmp_path_factory, content):
    data = loaded(written(write_coco, as_source(content)), tmp_path_factory.mktemp("coco"))
    assert [i["file_name"] for i in data.imgs.values()] == [p.name for p, _, _ in content]
    for image, (photo, found, scores) in zip(data.imgs, content, strict=True):
        annotations = data.loadAnns(data.getAnnIds(imgIds=image))
        assert [np.float32(a["score"]) for a in annotations] == [np.float32(s) for s in scores]
        for annotation, mask in zip(annotations, found, strict=True):
            expected = on_photo(mask, (photo.height, photo.width))
            np.testing.assert_array_equal(data.annToMask(annotation), expected)
            assert annotation["area"] == expected.sum()
            assert annotation["bbox"] == list(coco_mask.toBbox(annotation["segmentation"]))


def filled(mask: np.ndarray) -> np.ndarray:
    """The mask with its holes filled, found by flooding from outside (four neighbours)."""
    outside = np.pad(np.zeros_like(mask), 1, constant_values=True)
    free = np.pad(~mask, 1, constant_values=True)
    while True:
        grown = outside.copy()
        grown[1:] |= outside[:-1]
        grown[:-1] |= outside[1:]
        grown[:, 1:] |= outside[:, :-1]
        grown[:, :-1] |= outside[:, 1:]
        grown &= free
        if (grown == outside).all():
            return ~outside[1:-1, 1:-1]
        outside = grown


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32))
def test_exact_polygons_cover_the_mask_and_nothing_but_its_holes(height, width, seed):
    [mask] = blobs(height, width, 1, seed)
    lines = outer_polygons(exported_segment(mask), mask.shape, 0)
    rles = coco_mask.frPyObjects([line.ravel().tolist() for line in lines], height, width)
    drawn = coco_mask.decode(coco_mask.merge(rles)).astype(bool)
    assert (drawn >= mask).all()
    assert (drawn <= filled(mask)).all()


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32), st.floats(0, 3))
def test_polygons_are_polygons_within_the_photo(height, width, seed, tolerance):
    [mask] = blobs(height, width, 1, seed)
    for line in outer_polygons(exported_segment(mask), (3 * height, 2 * width), tolerance):
        assert len(line) >= 3
        assert line.min() >= 0
        assert (line <= (2 * width, 3 * height)).all()


def test_smooth_polygons_stay_near_the_mask():
    y, x = np.mgrid[:300, :400]
    disc = (y - 150) ** 2 + (x - 200) ** 2 < 100**2
    lines = outer_polygons(exported_segment(disc), (300, 400))
    assert len(lines) == 1
    assert len(lines[0]) < 100
    drawn = coco_mask.decode(coco_mask.frPyObjects([lines[0].ravel().tolist()], 300, 400))[..., 0]
    assert (drawn != disc).sum() < 0.02 * disc.sum()


def test_coco_polygons_are_lists_of_lists(tmp_path):
    data = loaded(written(write_coco, sample(), polygons=True), tmp_path)
    ring = data.loadAnns([1])[0]
    assert len(ring["segmentation"]) == 2
    hole = data.annToMask(ring)[16:28, 20:36]
    assert hole.all()  # filled: polygons have no holes


def test_supervision_reads_coco(tmp_path):
    sv = pytest.importorskip("supervision", reason="supervision is not installed")
    write_photo(tmp_path / "sub" / "a.png")
    export_source(sample(labels=("red car",)), tmp_path / "out.json", "coco")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own
        data = sv.DetectionDataset.from_coco(
            str(tmp_path), str(tmp_path / "out.json"), force_masks=True
        )
    assert data.classes == ["red car"]
    [(_, _, found)] = list(data)
    for mask, expected in zip(found.mask, three_masks(), strict=True):
        np.testing.assert_array_equal(mask, on_photo(expected, SIZE))


def cvat_mask(shape: ElementTree.Element) -> np.ndarray:
    """As CVAT's importer: run lengths row by row within the box, beginning with zeros."""
    left, top, width, height = (int(shape.get(k)) for k in ("left", "top", "width", "height"))
    runs = [int(v) for v in shape.get("rle").split(",")]
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
    mask = np.zeros(SIZE, bool)
    mask[top : top + height, left : left + width] = inside
    return mask


def test_cvat_s_run_lengths_go_row_by_row_within_the_box():
    root = ElementTree.fromstring(written(write_cvat, sample()))
    assert root.findtext("version") == "1.1"
    [image] = root.iter("image")
    assert (image.get("name"), image.get("width"), image.get("height")) == ("sub/a.png", "90", "60")
    shapes = image.findall("mask")
    for shape, mask in zip(shapes, three_masks(), strict=True):
        np.testing.assert_array_equal(cvat_mask(shape), on_photo(mask, SIZE))
    assert shapes[0].find("attribute[@name='segment']").text == "65536"


def test_text_from_outside_is_text_in_xml():
    name, label = "x\" y='<b>&\x1b\udcff.png", 'a <b> & "c" \x00'
    root = ElementTree.fromstring(written(write_cvat, sample(name, (label,))))
    assert root.find("image").get("name").startswith("x\" y='<b>&")
    assert root.findtext("meta/task/labels/label/name") == 'a <b> & "c" \ufffd'
    assert root.find("image/mask").get("label") == 'a <b> & "c" \ufffd'


@pytest.mark.parametrize("polygons", [False, True])
def test_datumaro_reads_cvat(polygons, tmp_path):
    dm = pytest.importorskip("datumaro", reason="datumaro is not installed")
    write_photo(tmp_path / "images" / "sub" / "a.png")
    export_source(sample(labels=("red car",)), tmp_path / "x.xml", "cvat", polygons=polygons)
    [item] = dm.Dataset.import_from(str(tmp_path / "x.xml"), "cvat")
    assert item.id == "sub/a"
    if polygons:
        assert {a.type.name for a in item.annotations} == {"polygon"}
        assert len({a.group for a in item.annotations}) == 3
        return
    assert [a.attributes["segment"] for a in item.annotations] == ["65536", "65537", "65538"]
    for found, mask in zip(item.annotations, three_masks(), strict=True):
        np.testing.assert_array_equal(found.image, on_photo(mask, SIZE))


def test_datumaro_reads_coco(tmp_path):
    dm = pytest.importorskip("datumaro", reason="datumaro is not installed")
    path = tmp_path / "annotations" / "instances_all.json"
    path.parent.mkdir()
    write_photo(tmp_path / "images" / "sub" / "a.png")
    export_source(sample(labels=("red car",)), path, "coco")
    [item] = dm.Dataset.import_from(str(tmp_path), "coco_instances")
    found_masks = sorted((a for a in item.annotations if a.type.name == "mask"), key=lambda a: a.id)
    for found, mask in zip(found_masks, three_masks(), strict=True):
        np.testing.assert_array_equal(found.image, on_photo(mask, SIZE))


def labelme_mask(shape: dict) -> np.ndarray:
    """As LabelMe draws it: both corners are pixels of the mask."""
    (x0, y0), (x1, y1) = shape["points"]
    mask = np.zeros(SIZE, bool)
    picture = Image.open(io.BytesIO(base64.b64decode(shape["mask"])))
    mask[y0 : y1 + 1, x0 : x1 + 1] = np.asarray(picture, bool)
    return mask


def test_labelme_files_lie_where_the_photos_do_and_lead_to_them(tmp_path):
    source = sample()
    export_source(source, tmp_path / "out", "labelme")
    path = tmp_path / "out" / "sub" / "a.json"
    document = json.loads(path.read_text())
    assert (path.parent / document["imagePath"]).resolve() == Path("/photos/sub/a.png")
    assert (document["imageWidth"], document["imageHeight"]) == (90, 60)
    for shape, mask in zip(document["shapes"], three_masks(), strict=True):
        assert shape["shape_type"] == "mask"
        np.testing.assert_array_equal(labelme_mask(shape), on_photo(mask, SIZE))


def test_labelme_polygons_of_one_segment_are_a_group(tmp_path):
    export_source(sample(), tmp_path / "out", "labelme", polygons=True)
    shapes = json.loads((tmp_path / "out" / "sub" / "a.json").read_text())["shapes"]
    assert [s["shape_type"] for s in shapes] == ["polygon"] * 4
    assert [s["group_id"] for s in shapes] == [65536, 65536, None, None]


def test_photos_of_one_stem_get_two_labelme_files(tmp_path):
    mask = exported_segment(blobs(5, 5, 1, 0)[0])
    photos = [exported_photo(i, name) for i, name in enumerate(["a.jpg", "a.png", "A.webp"])]
    export_source(Photos([(photo, [mask]) for photo in photos]), tmp_path / "out", "labelme")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "A-3.json",
        "a-2.json",
        "a.json",
    ]


@pytest.mark.parametrize("polygons", [False, True])
def test_labelme_itself_loads_its_files(polygons, tmp_path, monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    pytest.importorskip("labelme", reason="labelme is not installed", exc_type=ImportError)
    from labelme._label_file import LabelFile

    write_photo(tmp_path / "photos" / "a.png")
    photo = exported_photo(1, "a.png", SIZE)
    photo = type(photo)(1, str(tmp_path / "photos" / "a.png"), "a.png", SIZE[1], SIZE[0], None)
    segments = [exported_segment(m, i) for i, m in enumerate(three_masks())]
    source = Photos([(photo, segments)])
    export_source(source, tmp_path / "photos", "labelme", polygons=polygons)
    found = LabelFile(str(tmp_path / "photos" / "a.json"))
    assert found.image_path == "a.png"
    assert len(found.shapes) == (4 if polygons else 3)
    if not polygons:
        for shape, mask in zip(found.shapes, three_masks(), strict=True):
            (x0, y0), (x1, y1) = np.array(shape["points"], int)
            np.testing.assert_array_equal(
                shape["mask"], on_photo(mask, SIZE)[y0 : y1 + 1, x0 : x1 + 1]
            )


def brush_mask(rle: list[int], size: tuple[int, int] = SIZE) -> np.ndarray:
    """As Label Studio unpacks its run lengths: RGBA, of which the last one is the mask."""
    bits = iter("".join(f"{byte:08b}" for byte in rle))

    def read(size: int) -> int:
        return int("".join(next(bits) for _ in range(size)), 2)

    total, word = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < total:
        assert read(1) == 1  # a run, not a copy
        times = read(sizes[read(2)]) + 1
        values += [read(word)] * times
    assert len(values) == total
    return np.array(values, np.uint8).reshape(*size, 4)


def test_label_studio_s_run_lengths_are_packed_pixels(tmp_path):
    export_source(sample(labels=("red car",)), tmp_path / "out.json", "labelstudio")
    [task] = json.loads((tmp_path / "out.json").read_text())
    assert task["data"]["image"].endswith("?d=sub/a.png")
    [prediction] = task["predictions"]
    for result, mask in zip(prediction["result"], three_masks(), strict=True):
        assert (result["original_width"], result["original_height"]) == (90, 60)
        assert result["value"]["brushlabels"] == ["red car"]
        pixels = brush_mask(result["value"]["rle"])
        for channel in range(4):
            np.testing.assert_array_equal(pixels[..., channel] == 255, on_photo(mask, SIZE))


@given(random_photos())
def test_label_studio_s_own_decoder_gets_the_masks(content):
    pytest.importorskip("label_studio_sdk", reason="label-studio-sdk is not installed")
    from label_studio_sdk.converter.brush import decode_rle

    for task, (photo, found, _) in zip(
        json.loads(written(write_labelstudio, as_source(content))), content, strict=True
    ):
        size = photo.height, photo.width
        for result, mask in zip(task["predictions"][0]["result"], found, strict=True):
            pixels = decode_rle(result["value"]["rle"]).reshape(*size, 4)
            np.testing.assert_array_equal(pixels[..., 3] == 255, on_photo(mask, size))


def test_runs_longer_than_the_longest_are_several():
    mask = np.zeros((3, 3), bool)
    mask[1, 1] = True
    size = (300, 300)
    photo = Photos([(exported_photo(size=size), [exported_segment(mask)])])
    [task] = json.loads(written(write_labelstudio, photo))
    pixels = brush_mask(task["predictions"][0]["result"][0]["value"]["rle"], size)
    np.testing.assert_array_equal(pixels[..., 3] == 255, on_photo(mask, size))


def test_masks_are_never_lost_in_a_photo_larger_than_their_grid():
    dot = np.zeros((10, 10), bool)
    dot[3, 7] = True
    counts = masks.mask_to_counts(on_photo(dot, (4000, 3000)))
    out = json.loads(
        written(write_coco, Photos([(exported_photo(size=(4000, 3000)), [exported_segment(dot)])]))
    )
    [annotation] = out["annotations"]
    assert annotation["area"] == 400 * 300 == masks.area(counts)
    assert annotation["bbox"] == [2100, 1200, 300, 400]


@pytest.mark.parametrize("write", [write_coco, write_cvat])
def test_a_photo_is_written_before_the_next_one_is_asked_for(write):
    out, places = io.BytesIO(), []

    class Watched(Photos):
        def segments(self):
            for entry in self.content:
                places.append(out.tell())
                yield entry

    photos = [exported_photo(i, f"{i}.jpg") for i in range(5)]
    found = [exported_segment(mask) for mask in three_masks()]
    write(out, Watched([(photo, found) for photo in photos]))
    assert len(places) == 5
    assert sorted(set(places)) == places
