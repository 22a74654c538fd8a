"""Naming regions by the nearest text vector, and finding them by text."""

import numpy as np
import pytest
from PIL import Image

from eval import naming
from eval.datasets import Region, RegionPhoto, RegionSet
from usearch import masks
from usearch.errors import InputError

NAMES = ("red", "green", "blue")
TEXT = np.eye(3, dtype=np.float32)


def mean_colour(image, segments):
    """An embedder of known geometry: the mean colour of the region, unit length."""
    inside = [image[masks.decode(rle, segments.size)].mean(0) for rle in segments.rles]
    vectors = np.array(inside, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def region(name, mask, **changes):
    counts = masks.mask_to_counts(mask)
    box = masks.box_of(counts, mask.shape[0])
    fields = {"name": name, "rle": masks.encode(mask), "box": box, "area": int(mask.sum())}
    return Region(**fields | changes)


@pytest.fixture
def photos(tmp_path):
    """Two photos of 40 x 80 pixels: red beside green, and blue; the last region's name lies."""
    left = np.zeros((40, 80), bool)
    left[:, :40] = True
    first = np.zeros((40, 80, 3), np.uint8)
    first[:, :40, 0] = first[:, 40:, 1] = 200
    second = np.zeros((40, 80, 3), np.uint8)
    second[..., 2] = 200
    for i, pixels in enumerate((first, second)):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    regions = (
        (region("red", left), region("green", ~left)),
        (region("blue", left), region("red", ~left)),
    )
    return [RegionPhoto(tmp_path / f"{i}.png", (40, 80), rows) for i, rows in enumerate(regions)]


def named(photos):
    return naming.regions_to_name([RegionSet("two", tuple(photos), NAMES, ())])


def test_regions_get_the_name_of_the_nearest_text_vector(photos):
    report = naming.naming_report(mean_colour, TEXT, NAMES, named(photos))
    assert report.top1 == pytest.approx(3 / 4)
    assert report.class_mean == pytest.approx((1 / 2 + 1 + 1) / 3)
    assert report.top5 == 1.0
    assert report.per_name == {"red": (2, 0.5), "green": (1, 1.0), "blue": (1, 1.0)}
    assert (report.n_regions, report.n_photos, report.n_names, report.n_present) == (4, 2, 3, 3)
    low, high = report.to_json()["intervals"]["top1"]
    assert (low, high) == (0.5, 1.0)


def test_small_regions_and_crowds_are_not_named(photos):
    tiny = np.zeros((40, 80), bool)
    tiny[:31, :32] = True
    extra = (region("red", tiny), region("red", ~tiny, crowd=True))
    photo = RegionPhoto(photos[0].path, (40, 80), photos[0].regions + extra)
    assert [len(p.names) for p in named([photo])] == [2]


def test_regions_of_names_that_are_no_choice_are_left_out(photos):
    report = naming.naming_report(mean_colour, TEXT[:2], NAMES[:2], named(photos))
    assert report.n_regions == 3


def test_names_held_out_are_scored_among_all_names(photos):
    found = naming.embed_regions(mean_colour, named(photos))
    report = naming.report_of_vectors(found, TEXT, NAMES, only=["blue"])
    assert (report.n_regions, report.n_names, report.top1) == (1, 3, 1.0)


def test_vectors_need_not_have_unit_length(photos):
    found = naming.embed_regions(lambda i, s: 7 * mean_colour(i, s), named(photos))
    skewed = TEXT * np.array([[1], [50], [3]], np.float32)
    assert naming.report_of_vectors(found, skewed, NAMES).top1 == pytest.approx(3 / 4)


def test_a_report_without_regions_is_refused(photos):
    with pytest.raises(ValueError, match="no region"):
        naming.naming_report(mean_colour, TEXT, ("a", "b", "c"), named(photos))


def test_the_most_frequent_name_is_right_as_often_as_it_occurs():
    labels = np.array([0, 0, 0, 1, 2])
    scores = naming.most_frequent_scores(labels, 4)
    report = naming.report_of_scores(scores, labels, np.arange(5), "abcd")
    assert report.top1 == pytest.approx(3 / 5)
    assert report.class_mean == pytest.approx(1 / 3)


def test_a_comparison_is_paired_by_photo(photos):
    found = naming.embed_regions(mean_colour, named(photos))
    good = naming.report_of_vectors(found, TEXT, NAMES)
    bad = naming.report_of_vectors(found, TEXT[[1, 2, 0]], NAMES)
    gain = naming.compare(good, bad)["top1"]
    assert gain.low > 0.0
    same = naming.compare(good, good)["class_mean"]
    assert (same.low, same.high) == (0.0, 0.0)


def test_text_finds_segments_among_the_first_k():
    similarity = np.array([[0.1, 0.9, 0.5], [0.3, 0.2, 0.1]])
    relevant = np.array([[False, False, True], [False, True, False]])
    found = naming.recall_at(similarity, relevant, ks=(1, 2))
    assert found[1].tolist() == [False, False]
    assert found[2].tolist() == [True, True]


def test_regions_survive_being_written_and_read(photos, tmp_path):
    regions = named(photos)
    naming.save_regions(tmp_path / "regions.npz", regions)
    again = naming.load_regions(tmp_path / "regions.npz")
    assert [p.path for p in again] == [p.path for p in regions]
    assert [p.names for p in again] == [p.names for p in regions]
    assert [p.segments.rles for p in again] == [p.segments.rles for p in regions]
    for one, other in zip(again, regions, strict=True):
        np.testing.assert_array_equal(one.segments.boxes, other.segments.boxes)
        np.testing.assert_array_equal(one.things, other.things)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"text"])
def test_a_file_without_regions_is_named(tmp_path, content):
    path = tmp_path / "regions.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"regions\.npz"):
        naming.load_regions(path)
