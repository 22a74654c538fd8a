"""Training-free vectors of regions, crops, and the texts of the same CLIP model."""

import numpy as np
import open_clip
import pytest
import tiny_models as tiny
import torch
from PIL import Image

from indexer.embedders.clip_text import ClipTextEncoder
from indexer.embedders.crop import CropEmbedder, crop
from indexer.embedders.region_clip import RegionClipEmbedder, attention_bias
from indexer.embedders.towers import CLIP_MEAN, CLIP_STD, ClipTower, InputSize
from indexer.embedders.use import space_of
from usearch.errors import ResourceError, UsageError
from usearch.masks import segments_from_masks

SPACE = space_of("test", tiny.DIM, {"kind": "test"})


def image_vector(model, image):
    """What open_clip gives for an image of the model's own size."""
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    x = (x - torch.tensor(CLIP_MEAN)[:, None, None]) / torch.tensor(CLIP_STD)[:, None, None]
    with torch.no_grad():
        return model.encode_image(x, normalize=True).numpy()[0]


def region(model, blocks=2, size=32, **kwargs):
    return RegionClipEmbedder(
        ClipTower(model.visual, {}), SPACE, InputSize(size, 2 * size), blocks, **kwargs
    )


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_the_whole_picture_as_a_segment_gives_the_plain_clip_vector(blocks):
    model, photo = tiny.clip(), tiny.photo(32, 32)
    vectors = region(model, blocks).embed(photo, tiny.segments(32, 32))
    np.testing.assert_allclose(vectors[0], image_vector(model, photo), atol=1e-5)
    assert np.abs(vectors[1:] - vectors[0]).max(1).min() > 1e-3, "parts differ from the whole"
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_copy_is_blind_to_patches_outside_its_segment():
    """With all blocks restricted only context mixed in by the patches themselves is left."""
    model = tiny.clip(layers=1)
    left = segments_from_masks([np.arange(32)[None].repeat(32, 0) < 16], [1.0])
    photo = tiny.photo(32, 32)
    other = photo.copy()
    other[:, 16:] = 255 - other[:, 16:]
    embed = region(model, blocks=1).embed
    np.testing.assert_allclose(embed(photo, left), embed(other, left), atol=1e-6)
    right = segments_from_masks([np.arange(32)[None].repeat(32, 0) >= 16], [1.0])
    assert np.abs(embed(photo, right) - embed(other, right)).max() > 1e-3


def test_a_segment_does_not_depend_on_its_neighbours():
    model, photo, segments = tiny.clip(), tiny.photo(32, 48), tiny.segments(32, 48)
    together = region(model).embed(photo, segments)
    in_batches = region(model, batch=2).embed(photo, segments)
    np.testing.assert_allclose(together, in_batches, atol=1e-6)


def test_the_bias_is_the_logarithm_of_the_covered_share():
    mask = np.zeros((16, 16), bool)
    mask[:, :12] = True
    bias = attention_bias(segments_from_masks([mask], [1.0]), (2, 2))
    np.testing.assert_allclose(bias[0].exp().reshape(2, 2), [[1, 0.5], [1, 0.5]], atol=1e-6)
    speck = np.zeros((16, 16), bool)
    speck[0, 0] = True
    bias = attention_bias(segments_from_masks([speck], [1.0]), (2, 2))
    assert bias[0].tolist() == [0, -np.inf, -np.inf, -np.inf]


def test_as_many_blocks_as_there_are_can_be_restricted():
    with pytest.raises(UsageError, match=r"it must be 1\.\.3"):
        region(tiny.clip(), blocks=4)


def test_crops_of_the_whole_picture_give_the_plain_clip_vector():
    model, photo = tiny.clip(), tiny.photo(32, 32)
    vectors = CropEmbedder(model.visual, SPACE).embed(photo, tiny.segments(32, 32))
    np.testing.assert_allclose(vectors[0], image_vector(model, photo), atol=1e-5)
    assert vectors.shape == (5, tiny.DIM)


def test_a_crop_is_the_box_with_the_mean_pixel_outside_the_mask():
    photo = tiny.photo(40, 60)
    mask = np.zeros((40, 60), bool)
    mask[10:30, 20:50] = True
    mask[10:20, 20:30] = False
    segments = segments_from_masks([mask], [1.0])
    got = crop(photo, segments, 0, (20, 30), CLIP_MEAN)
    mean = np.round(np.array(CLIP_MEAN) * 255)
    np.testing.assert_array_equal(got[:10, :10], np.broadcast_to(mean, (10, 10, 3)))
    np.testing.assert_array_equal(got[10:], photo[20:30, 20:50])
    stretched = crop(photo, segments, 0, (32, 32), CLIP_MEAN)
    want = Image.fromarray(got).resize((32, 32), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(stretched, np.asarray(want))


def test_a_crop_covers_the_same_picture_when_the_mask_grid_is_coarser():
    photo = tiny.photo(80, 120)
    mask = np.zeros((20, 30), bool)
    mask[5:10, 10:20] = True
    got = crop(photo, segments_from_masks([mask], [1.0]), 0, (20, 40), CLIP_MEAN)
    np.testing.assert_array_equal(got, photo[20:40, 40:80])
    speck = np.zeros((300, 300), bool)
    speck[299, 299] = True
    got = crop(photo, segments_from_masks([speck], [1.0]), 0, (1, 1), CLIP_MEAN)
    np.testing.assert_array_equal(got, photo[79:, 119:])


def test_batches_halve_when_memory_runs_out_and_stay_small(monkeypatch):
    model, photo, segments = tiny.clip(), tiny.photo(32, 32), tiny.segments(32, 32)
    whole = CropEmbedder(model.visual, SPACE).embed(photo, segments)
    embedder = CropEmbedder(model.visual, SPACE, batch=4)
    tried = []
    visual = embedder.visual

    def small_only(x):
        tried.append(len(x))
        if len(x) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return visual(x)

    small_only.parameters = visual.parameters
    embedder.visual = small_only
    np.testing.assert_allclose(embedder.embed(photo, segments), whole, atol=1e-6)
    assert tried == [4, 2, 1, 1, 1, 1, 1]
    embedder.embed(photo, segments)
    assert tried[7:] == [1] * 5


def test_a_crop_that_never_fits_is_one_clear_error():
    embedder = CropEmbedder(tiny.clip().visual, SPACE)
    visual = embedder.visual

    def never(_):
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")

    never.parameters = visual.parameters
    embedder.visual = never
    with pytest.raises(ResourceError, match="not enough memory for crops, one at a time"):
        embedder.embed(tiny.photo(32, 32), tiny.segments(32, 32))


def test_texts_are_encoded_as_open_clip_encodes_them():
    model = tiny.clip()
    encoder = ClipTextEncoder(model, open_clip.SimpleTokenizer(), SPACE, batch=2)
    texts = ["a red car", "zwei Hunde", "a cat, asleep"]
    with torch.no_grad():
        tokens = open_clip.tokenize(texts, context_length=20)
        want = model.encode_text(tokens, normalize=True).numpy()
    np.testing.assert_allclose(encoder.encode(texts), want, atol=1e-6)
    np.testing.assert_array_equal(encoder.encode(["A RED Car"]), encoder.encode(["a red car"]))
    assert encoder.encode([]).shape == (0, tiny.DIM)
    assert encoder.space is SPACE


def test_a_text_beyond_the_context_is_cut_and_said():
    told = []
    encoder = ClipTextEncoder(
        tiny.clip(),
        open_clip.SimpleTokenizer(),
        SPACE,
        on_truncated=lambda text, length, limit: told.append((text, length, limit)),
    )
    exact, longer = " ".join(["car"] * 18), " ".join(["car"] * 19)
    vectors = encoder.encode(["car", exact, longer])
    assert told == [(longer, 21, 20)]
    np.testing.assert_array_equal(vectors[1], vectors[2])
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-4
