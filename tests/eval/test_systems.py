"""Systems side by side: how they are named, what they share, crops, labelled masks."""

import json
from functools import partial

import numpy as np
import pytest
import toy_preset
from toys import SPACE, ColourEmbedder, GridSegmenter, load_toys

from eval.collection import collect, stored
from eval.crops import MEAN_PIXEL, CropsOf, crop_of, crop_space
from eval.datasets import MapPhoto, MapSet, read_labels
from eval.given_masks import class_masks, write_given_masks
from eval.published import published_figures
from eval.system_stores import Base, collect_system
from eval.systems import SegmentsOfStore, System, TextSide, load_system, parse_systems
from indexer.photos import PhotoError
from indexer.segmenters.given import GivenSegmenter
from usearch import masks
from usearch.errors import SpaceMismatch, UsageError
from usearch.masks import segments_from_masks


def test_systems_are_named_by_segmenter_and_model():
    found = parse_systems("tree+mini, given+mini,tree+crop,sam+clip-crop", "mini", None)
    assert found == (
        System("tree", "mini"),
        System("given", "mini"),
        System("tree", "mini", crops=True),
        System("sam", "clip", crops=True),
    )
    assert [one.title for one in found] == [
        "tree+mini", "given+mini", "tree+mini-crop", "sam+clip-crop",
    ]  # fmt: skip


def test_without_a_list_it_is_the_model_with_its_own_segmenter():
    assert parse_systems("", "mini", None) == (System("tree", "mini"),)
    assert parse_systems("", "large", None) == (System("sam", "large"),)
    assert parse_systems("", "mini", "given") == (System("given", "mini"),)


@pytest.mark.parametrize("text", ["tree", "tree+", "+mini", "tree+mini,", "tree+none", "axe+mini"])
def test_what_is_no_system_is_refused(text):
    with pytest.raises(UsageError):
        parse_systems(text, "mini", None)


def picture():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (30, 40, 3), np.uint8)


def disc(size=(30, 40), centre=(12, 20), radius=7):
    ys, xs = np.ogrid[: size[0], : size[1]]
    return (ys - centre[0]) ** 2 + (xs - centre[1]) ** 2 <= radius**2


def test_a_crop_is_the_box_with_the_mean_pixel_outside_the_mask():
    image, mask = picture(), disc()
    got = crop_of(image, segments_from_masks([mask], np.ones(1)), 0)
    window = np.s_[5:20, 13:28]
    assert got.shape == (15, 15, 3)
    np.testing.assert_array_equal(got[mask[window]], image[window][mask[window]])
    assert (got[~mask[window]] == MEAN_PIXEL).all()


def test_a_mask_on_a_finer_grid_crops_the_same_place():
    image, mask = picture(), disc()
    finer = segments_from_masks([mask.repeat(3, 0).repeat(3, 1)], np.ones(1))
    same = segments_from_masks([mask], np.ones(1))
    np.testing.assert_array_equal(crop_of(image, finer, 0), crop_of(image, same, 0))


def test_crops_are_embedded_as_photos_of_their_own_in_a_space_of_their_own():
    image = picture()
    whole, part = np.ones((30, 40), bool), disc()
    segments = segments_from_masks([whole, part], np.ones(2))
    crops = CropsOf(ColourEmbedder())
    got = crops.embed(image, segments)
    np.testing.assert_allclose(got[0], ColourEmbedder().embed(image, segments)[0])
    assert got.shape == (2, 4)
    assert crops.space == crop_space(SPACE)
    assert crops.space.id != SPACE.id


@pytest.fixture
def labelled(tmp_path):
    """Two photos of four colours with label maps; the second one is labelled in part."""
    from PIL import Image

    photos = []
    for stem in "ab":
        photo = toy_preset.quarters(tmp_path / "in" / f"{stem}.png", "red", "red", "blue", "white")
        labels = np.array([[0, 0], [1, 2]], np.uint8).repeat(20, 0).repeat(20, 1)
        if stem == "b":
            labels[:, 20:] = 255
        (tmp_path / "labels").mkdir(exist_ok=True)
        Image.fromarray(labels).save(tmp_path / "labels" / f"{stem}.png")
        photos.append(MapPhoto(photo, tmp_path / "labels" / f"{stem}.png"))
    return MapSet("toys", tuple(photos), (("red",), ("blue",), ("white",)), (0, 1, 2))


def test_labelled_masks_are_what_the_segmenter_given_cuts(labelled, tmp_path):
    file = write_given_masks(labelled, tmp_path / "masks")
    cutter = GivenSegmenter(file)
    for photo in labelled.photos:
        image = np.zeros((40, 40, 3), np.uint8)
        cut = cutter.segment_photo(image, str(photo.path))
        truth = class_masks(read_labels(photo, labelled.values))
        assert sorted(cut.rles) == sorted(truth.values())


def test_other_labels_are_another_file_and_the_same_are_the_same(labelled, tmp_path):
    from PIL import Image

    first = write_given_masks(labelled, tmp_path)
    assert write_given_masks(labelled, tmp_path) == first
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(labelled.photos[1].mask)
    assert write_given_masks(labelled, tmp_path) != first


def test_a_photo_without_labels_has_no_masks(labelled, tmp_path):
    from PIL import Image

    Image.fromarray(np.full((40, 40), 255, np.uint8)).save(labelled.photos[1].mask)
    data = json.loads(write_given_masks(labelled, tmp_path).read_text())
    assert len(data["images"]) == 1


def test_stored_segments_are_cut_again_as_they_are(labelled, tmp_path):
    paths = [photo.path for photo in labelled.photos]
    first = collect(paths, tmp_path / "first", load_toys, "mini", workers=0)
    ids = {str(path): number for path, number in first.ids.items()}
    cutter = SegmentsOfStore(tmp_path / "first", ids)
    image = np.zeros((40, 40, 3), np.uint8)
    for one in stored(first, paths):
        again = cutter.segment_photo(image, one.image)
        assert again.rles == one.segments.rles
        np.testing.assert_array_equal(again.parents, one.segments.parents)
    with pytest.raises(PhotoError):
        cutter.segment_photo(image, str(tmp_path / "other.png"))
    with pytest.raises(PhotoError):
        cutter.segment_photo(np.zeros((80, 30, 3), np.uint8), str(paths[0]))


@pytest.fixture
def toy_models(monkeypatch):
    def load(preset="mini", segmenter=None, device="auto", *, masks=None, threads=1):
        return GridSegmenter(3), ColourEmbedder()

    toy_preset.install(monkeypatch)
    monkeypatch.setattr("indexer.presets.load_indexer", load)


def side(space_id):
    return TextSide(toy_preset.ColourWords(), "single", toy_preset.CALIBRATION, space_id)


def test_systems_that_share_a_segmenter_share_its_segments(labelled, tmp_path, toy_models):
    plain, crops = System("tree", "mini"), System("tree", "mini", crops=True)
    place, first = collect_system(labelled, plain, side(SPACE.id), tmp_path / "s", workers=0)
    other, second = collect_system(
        labelled,
        crops,
        side(crop_space(SPACE).id),
        tmp_path / "s",
        base=Base(place, SPACE.id, first),
        workers=0,
    )
    assert place != other
    paths = [photo.path for photo in labelled.photos]
    for one, two in zip(stored(first, paths), stored(second, paths), strict=True):
        assert one.segments.rles == two.segments.rles
        np.testing.assert_allclose(one.vectors, two.vectors, atol=2e-3)


def test_a_store_of_other_vectors_is_refused(labelled, tmp_path, toy_models):
    with pytest.raises(SpaceMismatch, match="holds vectors of toy colours"):
        collect_system(labelled, System("tree", "mini"), side("other"), tmp_path, workers=0)


def test_models_are_loaded_by_name_in_a_worker(toy_models):
    import pickle

    load = pickle.loads(pickle.dumps(partial(load_system, System("tree", "mini", True), "cpu")))
    _, embedder = load(threads=1)
    assert isinstance(embedder, CropsOf)


def test_figures_of_the_paper_compare_with_whole_sets_only():
    assert [one.value for one in published_figures("ade150", complete=True)][:2] == [0.37, 0.371]
    assert all(one.comparable for one in published_figures("pc459", complete=True))
    part = published_figures("ade150", complete=False)
    assert not any(one.comparable for one in part)
    assert all(one.note.startswith("measured on a part") for one in part)
    assert published_figures("voc21", complete=True) == ()


def test_decoded_masks_agree_with_the_labels(labelled):
    truth = read_labels(labelled.photos[0], labelled.values)
    for row, rle in class_masks(truth).items():
        np.testing.assert_array_equal(masks.decode(rle, truth.shape), truth == row)
