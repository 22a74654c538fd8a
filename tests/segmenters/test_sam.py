"""SAM: the masks of segment-anything's own generator, and what is made of them.

The model is a SAM of tiny size with random weights, built of segment-anything's modules.
"""

import hashlib
import types
from functools import partial

import numpy as np
import pytest
import torch
from scipy import ndimage
from segment_anything import SamAutomaticMaskGenerator, SamPredictor
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)

from indexer.segmenters import sam as sam_module
from indexer.segmenters.sam import SamSegmenter, SamSettings, build_sam
from usearch.errors import ModelError, ResourceError, UsageError
from usearch.masks import decode

SIDE = 64


@pytest.fixture(scope="module")
def model():
    return tiny_sam(2)


def tiny_sam(seed):
    torch.manual_seed(seed)
    grid = (SIDE // 16, SIDE // 16)
    tiny = Sam(
        image_encoder=ImageEncoderViT(
            img_size=SIDE,
            embed_dim=16,
            depth=1,
            num_heads=2,
            out_chans=32,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=4,
        ),
        prompt_encoder=PromptEncoder(32, grid, (SIDE, SIDE), mask_in_chans=4),
        mask_decoder=MaskDecoder(
            transformer_dim=32,
            transformer=TwoWayTransformer(depth=1, embedding_dim=32, num_heads=2, mlp_dim=32),
            iou_head_depth=2,
            iou_head_hidden_dim=16,
        ),
    ).eval()
    # Untrained, all masks are the same noise over the whole picture. Stronger weights and a
    # high threshold make masks that differ between points and are stable.
    with torch.no_grad():
        for name, weight in tiny.mask_decoder.transformer.named_parameters():
            if weight.ndim == 2 and "weight" in name:
                weight.mul_(2)
        for mlp in tiny.mask_decoder.output_hypernetworks_mlps:
            mlp.layers[-1].weight.mul_(2400)
            mlp.layers[-1].bias.zero_()
        for layer in tiny.mask_decoder.iou_prediction_head.layers:
            layer.weight.mul_(2)
        for point in tiny.prompt_encoder.point_embeddings:
            point.weight.mul_(3)
    tiny.mask_threshold = 24.0
    return tiny


def picture(height=48, width=60, seed=0):
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), 60, np.uint8)
    image[10:30, 15:40] = (200, 60, 20)
    image[25:45, 35:55] = (20, 90, 220)
    return (image + rng.integers(0, 20, image.shape)).astype(np.uint8)


@pytest.fixture(scope="module")
def options():
    return SamSettings(points_per_side=6, predicted_iou=0.1, stability=0.7, min_region=0)


def segmenter(model, options, **kwargs):
    return SamSegmenter(model, "tiny", "0" * 64, options, **kwargs)


def generator(model, options, points_per_batch=64):
    return SamAutomaticMaskGenerator(
        model,
        points_per_side=options.points_per_side,
        points_per_batch=points_per_batch,
        pred_iou_thresh=options.predicted_iou,
        stability_score_thresh=options.stability,
        box_nms_thresh=options.box_nms,
        crop_n_layers=options.crop_layers,
        crop_nms_thresh=options.crop_nms,
        min_mask_region_area=options.min_region,
    )


def changed(options, **kwargs):
    return SamSettings(**{**{f: getattr(options, f) for f in options.__slots__}, **kwargs})


def assert_same(ours, theirs):
    assert len(ours.masks) == len(theirs) > 1
    for i, record in enumerate(theirs):
        np.testing.assert_array_equal(ours.masks[i], record["segmentation"])
        assert ours.predicted_iou[i] == pytest.approx(record["predicted_iou"], abs=1e-5)
        assert ours.stability[i] == pytest.approx(record["stability_score"], abs=1e-5)
        x, y, w, h = record["bbox"]
        assert ours.boxes[i].tolist() == [x, y, x + w, y + h]


@pytest.mark.parametrize("shape", [(48, 60), (80, 40)], ids=["wide", "tall"])
def test_the_masks_are_those_of_the_automatic_mask_generator(model, options, shape):
    image = picture(*shape)
    theirs = generator(model, options).generate(image)
    assert_same(segmenter(model, options).propose(image), theirs)


def test_the_same_masks_with_crops(model, options):
    image = picture(240, 300)
    options = changed(
        options, points_per_side=4, stability=0.5, crop_layers=1, box_nms=0.95, crop_nms=0.9
    )
    theirs = generator(model, options).generate(image)
    assert len({tuple(r["crop_box"]) for r in theirs}) > 1
    assert_same(segmenter(model, options).propose(image), theirs)


def test_the_same_masks_after_small_regions_are_removed(model, options, monkeypatch):
    def connected(image, connectivity):
        labels, n = ndimage.label(image, np.ones((3, 3)))
        stats = np.bincount(labels.ravel(), minlength=n + 1)[:, None]
        return n + 1, labels, stats, None

    stand_in = types.SimpleNamespace(connectedComponentsWithStats=connected)
    monkeypatch.setitem(__import__("sys").modules, "cv2", stand_in)
    image = picture()
    plain = segmenter(model, options).propose(image)
    options = changed(options, min_region=3)
    theirs = generator(model, options).generate(image)
    ours = segmenter(model, options).propose(image)
    assert_same(ours, theirs)
    assert sum(m.sum() for m in ours.masks) != sum(m.sum() for m in plain.masks)


def test_segments_are_scored_ordered_nested_and_on_the_image_s_grid(model, options):
    image = picture()
    found = segmenter(model, options)
    segments, proposals = found.segment(image), found.propose(image)
    assert segments.size == (48, 60)
    assert 1 < len(segments) <= len(proposals.masks)
    assert (np.diff(segments.scores) <= 0).all()
    best = int(np.argmax(proposals.predicted_iou * proposals.stability))
    np.testing.assert_array_equal(decode(segments.rles[0], segments.size), proposals.masks[best])
    product = np.clip(proposals.predicted_iou * proposals.stability, 0, 1)
    assert segments.scores[0] == pytest.approx(product[best])
    for row, parent in enumerate(segments.parents):
        if parent >= 0:
            inner = decode(segments.rles[row], segments.size)
            outer = decode(segments.rles[parent], segments.size)
            assert (inner & outer).sum() >= 0.9 * inner.sum()
            assert segments.areas[parent] >= segments.areas[row]


def test_near_equal_masks_are_kept_once(model, options):
    image = picture()
    loose = changed(options, box_nms=1.0, mask_nms=1.0)
    everything = segmenter(model, loose).segment(image)
    once = segmenter(model, changed(loose, mask_nms=0.7)).segment(image)
    assert 0 < len(once) < len(everything)


def test_nothing_passes_the_filters(model, options):
    none = segmenter(model, changed(options, predicted_iou=1e6)).segment(picture())
    assert len(none) == 0
    assert none.size == (48, 60)
    assert none.boxes.shape == (0, 4)


def test_points_at_a_time_halve_when_memory_runs_out_and_the_masks_stay(
    model, options, monkeypatch
):
    image = picture()
    whole = segmenter(model, options).propose(image)
    small = segmenter(model, options, points_per_batch=20)
    decode_points = SamSegmenter._decode
    tried = []

    def out_of_memory_above_six(self, points=None, boxes=None):
        tried.append(len(points))
        if len(points) > 6:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decode_points(self, points, boxes)

    monkeypatch.setattr(SamSegmenter, "_decode", out_of_memory_above_six)
    found = small.propose(image)
    assert tried[:3] == [20, 10, 5]
    assert max(tried[2:]) == 5
    assert len(found.masks) == len(whole.masks)
    for a, b in zip(found.masks, whole.masks, strict=True):
        assert (a != b).mean() < 1e-3


def test_a_prompt_that_never_fits_is_one_clear_error(model, options, monkeypatch):
    def never(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(SamSegmenter, "_decode", never)
    with pytest.raises(ResourceError, match="not enough memory for SAM prompts"):
        segmenter(model, options).segment(picture())


def test_other_errors_are_not_taken_for_a_lack_of_memory(model, options, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(SamSegmenter, "_decode", broken)
    with pytest.raises(RuntimeError, match="shapes cannot"):
        segmenter(model, options).segment(picture())


def test_box_prompts_give_what_the_predictor_gives_box_by_box(model, options):
    image = picture()
    boxes = np.array([[15, 10, 40, 30], [35, 25, 55, 45], [0, 0, 60, 48]], np.float32)
    ours = segmenter(model, options, points_per_batch=2).predict_boxes(image, boxes)
    predictor = SamPredictor(model)
    predictor.set_image(image)
    assert ours.masks.shape == (3, 3, 48, 60)
    for i, box in enumerate(boxes):
        logits, iou, _ = predictor.predict(box=box, return_logits=True)
        np.testing.assert_array_equal(ours.masks[i], logits > 24)
        np.testing.assert_allclose(ours.predicted_iou[i], iou, atol=1e-5)
        stability = (logits > 25).sum((1, 2)) / np.maximum((logits > 23).sum((1, 2)), 1)
        np.testing.assert_allclose(ours.stability[i], stability, atol=1e-6)


def test_no_boxes_give_no_masks(model, options):
    none = segmenter(model, options).predict_boxes(picture(), np.zeros((0, 4), np.float32))
    assert none.masks.shape == (0, 3, 48, 60)


def test_settings_are_plain_values_for_the_manifest(model, options):
    settings = segmenter(model, options).settings
    assert settings["variant"] == "tiny"
    assert settings["points_per_side"] == 6
    assert all(isinstance(v, str | int | float) for v in settings.values())


def test_missing_weights_are_one_line_that_says_which_file_how_large_and_where(tmp_path):
    with pytest.raises(ModelError) as caught:
        build_sam("vit-b", "cpu", tmp_path)
    line = caught.value.message
    assert "sam_vit_b_01ec64.pth" in line
    assert "375 MB" in line
    assert "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912" in line
    assert str(tmp_path) in line
    assert "\n" not in line
    assert "put it into" in caught.value.hint
    assert caught.value.exit_code == 6


def test_the_variant_may_be_named_by_the_environment(tmp_path, monkeypatch):
    for named, file in ((None, "sam_vit_h_4b8939.pth"), ("vit-l", "sam_vit_l_0b3195.pth")):
        if named:
            monkeypatch.setenv("USEARCH_SAM", named)
        with pytest.raises(ModelError, match=file):
            build_sam(None, "cpu", tmp_path)


def test_an_unknown_variant_names_the_known_ones():
    with pytest.raises(UsageError) as caught:
        build_sam("vit-xl")
    assert "vit-b, vit-l, vit-h" in caught.value.hint


def test_weights_are_loaded_from_a_pth_by_the_weights_only_loader(
    model, options, tmp_path, monkeypatch
):
    path = tmp_path / "mine.pth"
    torch.save(model.state_dict(), path)
    registry = {"vit_b": lambda: __import__("copy").deepcopy(model).apply(_scramble)}
    monkeypatch.setattr("segment_anything.sam_model_registry", registry)
    loaded = build_sam("vit-b", "cpu", path, options)
    assert loaded.settings["weights"] == hashlib.sha256(path.read_bytes()).hexdigest()
    np.testing.assert_array_equal(
        loaded.segment(picture()).boxes, segmenter(model, options).segment(picture()).boxes
    )


def _scramble(module):
    for p in module.parameters(recurse=False):
        torch.nn.init.normal_(p)


def test_weights_of_another_variant_are_named_as_such(model, tmp_path, monkeypatch):
    state = model.state_dict()
    state["image_encoder.pos_embed"] = torch.zeros(1, 8, 8, 16)
    path = tmp_path / "other.pth"
    torch.save(state, path)
    monkeypatch.setattr("segment_anything.sam_model_registry", {"vit_b": lambda: model})
    with pytest.raises(ModelError, match=r"has misshapen image_encoder\.pos_embed"):
        build_sam("vit-b", "cpu", path)


def test_a_file_that_would_run_code_is_refused(model, tmp_path, monkeypatch):
    path = tmp_path / "evil.pth"
    marker = tmp_path / "ran"
    torch.save({"state": _Evil(str(marker))}, path)
    monkeypatch.setattr("segment_anything.sam_model_registry", {"vit_b": lambda: model})
    with pytest.raises(ModelError, match="is refused"):
        build_sam("vit-b", "cpu", path)
    assert not marker.exists()


class _Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_the_model_registry_has_every_variant():
    from segment_anything import sam_model_registry

    assert {v.replace("-", "_") for v in sam_module.VARIANTS} <= set(sam_model_registry)
