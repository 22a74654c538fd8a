"""The paper's recipe, views of photos, and the order in which photos come; nothing of torch."""

import io
import json
from dataclasses import fields, replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trainer.pairs import PairImage, PairSegment, write_pairs
from trainer.use.photos import PhotoReader, collect, epoch_order
from trainer.use.recipe import Recipe, learning_rate_at, recipe_of
from trainer.use.views import PADDING, make_view
from usearch import masks
from usearch.errors import InputError, ModelError, UsageError


def jpeg(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=95, subsampling=0)
    return out.getvalue()


def segment(mask, *texts):
    counts = masks.mask_to_counts(mask)
    box = tuple(float(v) for v in masks.box_of(counts, mask.shape[0]))
    rle = masks.counts_to_rle(counts)
    return PairSegment("object", "human", box, rle, texts, (1.0,) * len(texts))


def a_photo(name="made/1", height=120, width=160, split="train", texts=("red",), **changes):
    """Grey, with one red rectangle, which is a segment, and a segment of all of it."""
    pixels = np.full((height, width, 3), 128, np.uint8)
    mask = np.zeros((height, width), bool)
    mask[height // 3 : height * 2 // 3, width // 3 : width * 2 // 3] = True
    pixels[mask] = (250, 0, 0)
    made = (segment(mask, *texts), segment(np.ones_like(mask), "everything"))
    values = {
        "id": name,
        "source": "made",
        "licence": "CC0",
        "jpeg": jpeg(pixels),
        "width": width,
        "height": height,
        "segments": made,
        "split": split,
    }
    return PairImage(**(values | changes))


# The recipe


def test_the_default_recipe_is_that_of_the_paper():
    recipe = recipe_of("large")
    assert (recipe.crop, recipe.scale) == (560, (0.5, 2.0))
    assert (recipe.batch, recipe.epochs, recipe.templates) == (32, 5.0, "use4")
    assert (recipe.learning_rate, recipe.weight_decay, recipe.power) == (1e-3, 0.01, 0.9)
    assert recipe.logit_scale == 30.0
    beyond = (recipe.mask_equal, recipe.learn_scale, recipe.hard_negatives, recipe.rarity)
    assert beyond == (False, False, 0, 0.0)
    assert recipe_of("large-336").crop == 336


def test_the_rate_falls_from_its_start_to_nothing_by_a_power():
    recipe = Recipe()
    assert learning_rate_at(0, 100, recipe) == 1e-3
    assert learning_rate_at(50, 100, recipe) == pytest.approx(1e-3 * 0.5**0.9)
    assert learning_rate_at(100, 100, recipe) == 0.0


def test_a_recipe_is_read_back_as_written():
    recipe = Recipe(crop=336, scale=(0.8, 1.2), rarity=0.5, steps=7)
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_a_recipe_of_a_later_version_is_refused():
    with pytest.raises(ModelError, match="'sharpness'"):
        Recipe.from_json({"crop": 560, "sharpness": 3})


@pytest.mark.parametrize(
    "wrong",
    [
        {"crop": 0},
        {"scale": (2.0, 0.5)},
        {"batch": 0},
        {"epochs": 0.0},
        {"logit_scale": 1000.0},
        {"learning_rate": float("nan")},
        {"min_kept": 1.5},
        {"rarity": -1.0},
        {"preset": "huge"},
    ],
)
def test_impossible_recipes_are_refused(wrong):
    with pytest.raises(UsageError):
        recipe_of(wrong["preset"]) if "preset" in wrong else Recipe(**wrong)


# Views


def test_a_whole_photo_is_scaled_to_fit_and_the_rest_is_grey():
    view = make_view(a_photo(), Recipe(crop=80), None)
    assert view.image.shape == (80, 80, 3)
    assert (view.image[62:] == PADDING).all()
    assert view.segments.size == (80, 80)
    shown = masks.decode(view.segments.rles[1], (80, 80))
    assert shown[:60].all() and not shown[60:].any()


@given(number=st.integers(0, 400), height=st.integers(20, 200), width=st.integers(20, 200))
def test_masks_stay_on_what_they_mark(number, height, width):
    photo = a_photo(height=height, width=width)
    view = make_view(photo, Recipe(crop=64, min_pixels=1, min_kept=0.0), number)
    if 0 not in view.rows:
        return
    mask = masks.decode(view.segments.rles[view.rows.index(0)], (64, 64))
    red = view.image[..., 0].astype(int) - view.image[..., 1] > 120
    edge = np.zeros_like(mask)  # pixels at an outline mix both sides, more so when enlarged
    for axis in (0, 1):
        for shift in (-3, -2, -1, 1, 2, 3):
            edge |= np.roll(mask, shift, axis) != mask
    assert (red == mask)[~edge].all()


@given(number=st.integers(0, 200))
def test_segments_of_which_too_little_is_left_are_left_out(number):
    recipe = Recipe(crop=64, min_pixels=40, min_kept=0.5)
    photo = a_photo()
    free = make_view(photo, replace(recipe, min_pixels=1, min_kept=0.0), number)
    strict = make_view(photo, recipe, number)
    assert (strict.image == free.image).all()
    assert set(strict.rows) <= set(free.rows)
    assert all(area >= 40 for area in strict.segments.areas)


def test_at_most_so_many_segments_of_a_photo_in_one_view():
    rng = np.random.default_rng(0)
    cells = [np.zeros((64, 64), bool) for _ in range(30)]
    for mask in cells:
        y, x = rng.integers(0, 44, 2)
        mask[y : y + 20, x : x + 20] = True
    made = tuple(segment(mask, f"thing {i}") for i, mask in enumerate(cells))
    photo = a_photo(height=64, width=64, segments=made)
    view = make_view(photo, Recipe(crop=64, max_segments=10), None)
    assert len(view.segments) == 10
    assert view.rows == tuple(sorted(view.rows))
    assert view.texts == tuple((f"thing {row}",) for row in view.rows)


def test_a_view_is_a_function_of_photo_seed_and_number():
    photo = a_photo()
    image = make_view(photo, Recipe(crop=64), 3).image
    assert (make_view(photo, Recipe(crop=64), 3).image == image).all()
    others = [
        make_view(photo, Recipe(crop=64), 4),
        make_view(photo, Recipe(crop=64, seed=1), 3),
        make_view(replace(photo, id="made/2"), Recipe(crop=64), 3),
    ]
    assert not any((other.image == image).all() for other in others)


def test_factors_are_within_their_range_and_not_mirrored():
    # The left half is dark: never may a view be lighter on its left.
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[:, 50:] = 255
    photo = a_photo(height=100, width=100, jpeg=jpeg(pixels))
    for number in range(40):
        shown = make_view(photo, Recipe(crop=40, scale=(0.4, 2.0)), number).image[..., 0]
        assert shown[:, 0].mean() <= shown[:, -1].mean() + 2


def test_a_photo_of_another_size_than_its_masks_is_refused_by_name():
    photo = a_photo(jpeg=jpeg(np.zeros((50, 60, 3), np.uint8)))
    with pytest.raises(InputError, match=r"made/1.*60 x 50.*160 x 120"):
        make_view(photo, Recipe(crop=64), 0)


# Photos


@pytest.fixture
def collection(tmp_path):
    photos = [a_photo(f"made/{i}", 30, 40, "held" if i % 10 == 9 else "train") for i in range(50)]
    write_pairs(photos[:30], tmp_path / "a.parquet", row_group_size=4)
    write_pairs(photos[20:], tmp_path / "b.parquet", row_group_size=7)
    return collect([tmp_path / "a.parquet", tmp_path / "b.parquet"])


def test_photos_are_counted_once_and_held_ones_apart(collection):
    assert len(collection.train) == 45
    assert collection.held_ids == tuple(f"made/{i}" for i in (9, 19, 29, 39, 49))
    assert collection.texts == {"red": 45, "everything": 45}
    (source,) = collection.sources
    assert (source.photos, source.segments, source.licence) == (45, 90, "CC0")


def test_every_photo_is_read_from_where_it_rests(collection):
    reader = PhotoReader(collection)
    order = epoch_order(collection.train, seed=0, epoch=0)
    ids = [reader.read(collection.train[row]).id for row in order]
    assert ids == [collection.train_ids[row] for row in order]
    assert sorted(ids) == sorted(collection.train_ids)


def test_the_order_depends_on_seed_and_epoch_alone(collection):
    order = epoch_order(collection.train, 0, 0)
    assert (epoch_order(collection.train, 0, 0) == order).all()
    assert (epoch_order(collection.train, 0, 1) != order).any()
    assert (epoch_order(collection.train, 1, 0) != order).any()


def test_the_fingerprint_changes_with_the_texts(collection, tmp_path):
    write_pairs([a_photo(texts=("crimson",))], tmp_path / "c.parquet")
    one = collect([tmp_path / "c.parquet"])
    write_pairs([a_photo(texts=("scarlet",))], tmp_path / "c.parquet")
    assert collect([tmp_path / "c.parquet"]).fingerprint != one.fingerprint


def test_pairs_without_a_text_to_train_on_are_refused(tmp_path):
    bare = PairSegment("unlabelled", "tree", (0.0, 0.0, 40.0, 30.0))
    write_pairs([a_photo(height=30, width=40, segments=(bare,))], tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a\.parquet has a segment with a text"):
        collect([tmp_path / "a.parquet"])
    write_pairs([a_photo(split="held")], tmp_path / "b.parquet")
    with pytest.raises(InputError) as refused:
        collect([tmp_path / "b.parquet"])
    assert refused.value.hint == "all its photos are held out"


def test_places_without_pairs_are_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"no file or folder .*nowhere"):
        collect([tmp_path / "nowhere"])
    with pytest.raises(InputError, match=r"no \.parquet files"):
        collect([tmp_path])


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("texts", ["  "], r"a\.parquet, row 1, segments\[0\]\.texts: a blank text"),
        ("rle", masks.encode(np.ones((7, 7), bool)), r"row 1, segments\[0\]\.rle: .*40 x 30"),
        ("box", [0.0, 0.0, 99.0, 10.0], r"row 1, segments\[0\]\.box"),
    ],
)
def test_a_bad_record_is_refused_before_a_run_begins(tmp_path, field, value, said):
    file = tmp_path / "a.parquet"
    write_pairs([a_photo("made/1", 30, 40), a_photo("made/2", 30, 40)], file)
    table = pq.read_table(file)
    rows = table.to_pylist()
    rows[1]["segments"][0][field] = value
    pq.write_table(type(table).from_pylist(rows, table.schema), file)
    with pytest.raises(InputError, match=said):
        collect([file])


def test_every_field_of_a_recipe_is_explained():
    assert all(f"        {field.name}: " in Recipe.__doc__ for field in fields(Recipe))
