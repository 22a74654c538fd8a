"""Segments by Segment Anything (SAM): its automatic point grid, and box prompts.

The automatic mode gives the masks of segment-anything's `SamAutomaticMaskGenerator`, with
three differences in how: candidates below the predicted-IoU threshold are dropped before
they are scaled up to the picture, the number of points at a time halves when memory runs
out, and small holes and islands are removed without OpenCV. Afterwards near-equal masks
leave (the generator compares boxes only), and the rest are nested by containment.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.memory import (
    BatchSize,
    is_out_of_memory,
    out_of_memory,
    pick_device,
    run_in_batches,
)
from indexer.segmenters.overlap import (
    distinct,
    intersections,
    parents_by_containment,
    without_specks,
)
from usearch.errors import UsageError
from usearch.masks import Mask, mask_to_counts, segments_from_counts
from usearch.models.files import file_sha256, find_weights, require_packages
from usearch.records import FloatArray, Image, Segments
from usearch.settings import setting

VARIANTS = ("vit-b", "vit-l", "vit-h")

_CROP_OVERLAP = 512 / 1500


@dataclass(frozen=True, slots=True)
class SamSettings:
    """What shapes the masks; the defaults are segment-anything's, but for the last two.

    Attributes:
        points_per_side: The grid has this many points squared.
        predicted_iou: Candidates must have a predicted IoU above this.
        stability: Candidates must be at least this stable.
        stability_offset: Shift of the threshold by which stability is measured, in logits.
        box_nms: Of candidates whose boxes overlap by more than this, the better one stays.
        crop_layers: Layer i adds (2^i)^2 crops of the picture, each prompted by a grid.
        crop_nms: As `box_nms`, between crops.
        min_region: Holes and islands of fewer pixels are removed; 0 for none (SA-1B: 100).
        mask_nms: Of masks that overlap by more than this, the better one stays; 1 for all.
    """

    points_per_side: int = 32
    predicted_iou: float = 0.88
    stability: float = 0.95
    stability_offset: float = 1.0
    box_nms: float = 0.7
    crop_layers: int = 0
    crop_nms: float = 0.7
    min_region: int = 100
    mask_nms: float = 0.9


@dataclass(frozen=True, slots=True)
class Proposals:
    """Masks of one picture before they are nested.

    Attributes:
        masks: n masks, bool [H, W].
        boxes: float32 [n, 4], x0 y0 x1 y1, the last pixel included (as SAM has them).
        predicted_iou: float32 [n], the model's own guess of each mask's quality.
        stability: float32 [n], IoU of the mask at a higher and at a lower threshold.
    """

    masks: list[Mask]
    boxes: FloatArray
    predicted_iou: FloatArray
    stability: FloatArray


@dataclass(frozen=True, slots=True)
class BoxMasks:
    """Three masks of each box prompt.

    Attributes:
        masks: bool [n, 3, H, W].
        predicted_iou: float32 [n, 3].
        stability: float32 [n, 3]; USE takes the mask where it is highest.
    """

    masks: npt.NDArray[np.bool_]
    predicted_iou: FloatArray
    stability: FloatArray


@dataclass(slots=True)
class _Candidates:
    """Masks of one batch of points, bits packed by rows of pixels."""

    bits: list[npt.NDArray[np.uint8]]
    boxes: Any
    predicted_iou: Any
    stability: Any


@dataclass(slots=True)
class SamSegmenter:
    """Cuts images into segments with a SAM model.

    Attributes:
        model: `segment_anything.modeling.Sam`, in evaluation mode, on its device.
        variant: Which one, for the manifest.
        weights: Checksum of its weights, for the manifest.
        options: What shapes the masks.
        points_per_batch: Largest number of prompts at a time; halved when memory runs out.
    """

    model: Any
    variant: str
    weights: str
    options: SamSettings = SamSettings()
    points_per_batch: int = 64
    name: str = "sam"
    _batch: BatchSize = field(init=False)
    _predictor: Any = field(init=False)

    def __post_init__(self) -> None:
        from segment_anything import SamPredictor

        self._batch = BatchSize(self.points_per_batch)
        self._predictor = SamPredictor(self.model)

    @property
    def settings(self) -> dict[str, object]:
        """See `indexer.segmenters.Segmenter`."""
        return {"variant": self.variant, "weights": self.weights, **asdict(self.options)}

    def segment(self, image: Image) -> Segments:
        """Segments of an image, best first; see `indexer.segmenters.Segmenter.segment`.

        The score is predicted IoU x stability.

        Raises:
            ResourceError: The image, or a single prompt, does not fit into memory.
        """
        found = self.propose(image)
        score = np.clip(found.predicted_iou * found.stability, 0, 1).astype(np.float32)
        rows = [i for i, mask in enumerate(found.masks) if mask.any()]
        shared = intersections([found.masks[i] for i in rows])
        kept = distinct(shared, score[rows], self.options.mask_nms)
        return segments_from_counts(
            [mask_to_counts(found.masks[rows[k]]) for k in kept],
            (image.shape[0], image.shape[1]),
            score[rows][kept],
            parents_by_containment(shared[np.ix_(kept, kept)]),
        )

    def propose(self, image: Image) -> Proposals:
        """The masks of `SamAutomaticMaskGenerator` with these settings, in its order.

        Raises:
            ResourceError: As `segment`.
        """
        import torch
        from segment_anything.utils.amg import build_all_layer_point_grids, generate_crop_boxes
        from torchvision.ops import box_area, nms

        options = self.options
        size = image.shape[:2]
        grids = build_all_layer_point_grids(options.points_per_side, options.crop_layers, 1)
        crops, layers = generate_crop_boxes(size, options.crop_layers, _CROP_OVERLAP)
        parts = [
            self._of_crop(image, crop, grids[layer])
            for crop, layer in zip(crops, layers, strict=True)
        ]
        self._predictor.reset_image()
        found = _joined(parts)
        if len(crops) > 1:
            area = box_area(torch.tensor(crops, dtype=torch.float32))
            smaller_first = torch.cat(
                [(1 / a).expand(len(p.bits)) for a, p in zip(area, parts, strict=True)]
            )
            found = _chosen(found, nms(found.boxes, smaller_first, options.crop_nms))
        return self._cleaned(found, size)

    def predict_boxes(self, image: Image, boxes: FloatArray) -> BoxMasks:
        """Masks of box prompts.

        Args:
            image: uint8 [H, W, 3].
            boxes: float32 [n, 4], x0 y0 x1 y1 in pixels of the image, half-open.

        Raises:
            ResourceError: As `segment`.
        """
        import torch

        height, width = image.shape[:2]
        if len(boxes) == 0:
            empty = np.zeros((0, 3), np.float32)
            return BoxMasks(np.zeros((0, 3, height, width), bool), empty, empty)
        self._set_image(image)
        prompts = torch.from_numpy(
            self._predictor.transform.apply_boxes(np.asarray(boxes, np.float64), (height, width))
        ).float()

        def run(start: int, stop: int) -> tuple[Any, Any, Any]:
            low, iou = self._decode(boxes=prompts[start:stop])
            logits = self._upscaled(low)
            masks = (logits > self.model.mask_threshold).cpu().numpy()
            return masks, iou.cpu().numpy(), self._stability(logits).cpu().numpy()

        parts = run_in_batches(run, len(prompts), self._batch, "SAM prompts")
        self._predictor.reset_image()
        masks, iou, stability = (np.concatenate(p) for p in zip(*parts, strict=True))
        return BoxMasks(masks, iou, stability)

    def _set_image(self, image: Image) -> None:
        try:
            self._predictor.set_image(np.ascontiguousarray(image))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise out_of_memory("SAM images") from error

    def _decode(self, points: Any = None, boxes: Any = None) -> tuple[Any, Any]:
        """Low-resolution logits [n, 3, 256, 256] and predicted IoU [n, 3] of n prompts."""
        import torch

        device = self._predictor.device
        with torch.no_grad():
            if points is not None:
                labels = torch.ones(len(points), 1, dtype=torch.int, device=device)
                # As the generator does, in double precision; Apple's GPUs have none.
                kind = torch.float32 if device.type == "mps" else torch.float64
                points = (torch.as_tensor(points, dtype=kind, device=device)[:, None], labels)
            if boxes is not None:
                boxes = boxes.to(device)
            encoder = self.model.prompt_encoder
            sparse, dense = encoder(points=points, boxes=boxes, masks=None)
            low, iou = self.model.mask_decoder(
                image_embeddings=self._predictor.features,
                image_pe=encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=True,
            )
        return low, iou

    def _upscaled(self, low: Any) -> Any:
        predictor = self._predictor
        return self.model.postprocess_masks(low, predictor.input_size, predictor.original_size)

    def _stability(self, logits: Any) -> Any:
        from segment_anything.utils.amg import calculate_stability_score

        score = calculate_stability_score(
            logits, self.model.mask_threshold, self.options.stability_offset
        )
        return score.nan_to_num(0)  # An empty mask has 0 / 0.

    def _candidates(
        self, points: npt.NDArray[np.float64], crop: list[int], size: tuple[int, ...]
    ) -> _Candidates:
        """Masks of point prompts that pass the filters, in the pixels of the crop."""
        from segment_anything.utils.amg import batched_mask_to_box, is_box_near_crop_edge

        predictor, options = self._predictor, self.options
        low, iou = self._decode(
            points=predictor.transform.apply_coords(points, predictor.original_size)
        )
        low, iou = low.flatten(0, 1), iou.flatten()
        if options.predicted_iou > 0:
            good = iou > options.predicted_iou
            low, iou = low[good], iou[good]
        logits = self._upscaled(low[:, None])[:, 0]
        stability = self._stability(logits)
        if options.stability > 0:
            good = stability >= options.stability
            logits, iou, stability = logits[good], iou[good], stability[good]
        masks = logits > self.model.mask_threshold
        boxes = batched_mask_to_box(masks)
        inner = ~is_box_near_crop_edge(boxes, crop, [0, 0, size[1], size[0]])
        whole = np.zeros(size, bool)
        bits = []
        for mask in masks[inner].cpu().numpy():
            whole[crop[1] : crop[3], crop[0] : crop[2]] = mask
            bits.append(np.packbits(whole))
        return _Candidates(
            bits, boxes[inner].float().cpu(), iou[inner].cpu(), stability[inner].cpu()
        )

    def _of_crop(self, image: Image, crop: list[int], grid: npt.NDArray[np.float64]) -> _Candidates:
        """Masks of one crop, x0 y0 x1 y1, prompted by a grid of points in 0..1."""
        import torch
        from torchvision.ops import nms

        x0, y0, x1, y1 = crop
        self._set_image(image[y0:y1, x0:x1])
        points = grid * np.array([x1 - x0, y1 - y0])

        def run(start: int, stop: int) -> _Candidates:
            return self._candidates(points[start:stop], crop, image.shape[:2])

        found = _joined(run_in_batches(run, len(points), self._batch, "SAM prompts"))
        # Boxes are compared in the crop's own pixels, as the generator does.
        found = _chosen(found, nms(found.boxes, found.predicted_iou, self.options.box_nms))
        found.boxes = found.boxes + torch.tensor([x0, y0, x0, y0])
        return found

    def _cleaned(self, found: _Candidates, size: tuple[int, ...]) -> Proposals:
        """Small holes and islands removed; of boxes that thereby became alike one stays."""
        import torch
        from segment_anything.utils.amg import batched_mask_to_box
        from torchvision.ops import nms

        pixels = size[0] * size[1]
        masks: list[Mask] = [
            np.unpackbits(b, count=pixels).view(bool).reshape(size) for b in found.bits
        ]
        if self.options.min_region > 0 and masks:
            pairs = [without_specks(mask, self.options.min_region) for mask in masks]
            masks = [mask for mask, _ in pairs]
            boxes = torch.stack([batched_mask_to_box(torch.from_numpy(m)) for m in masks]).float()
            unchanged = torch.tensor([float(not changed) for _, changed in pairs])
            threshold = max(self.options.box_nms, self.options.crop_nms)
            rows = nms(boxes, unchanged, threshold)
            found.boxes = torch.where(unchanged[:, None] > 0, found.boxes, boxes)
            found = _chosen(found, rows)
            masks = [masks[i] for i in rows.tolist()]
        return Proposals(
            masks,
            found.boxes.numpy().astype(np.float32),
            found.predicted_iou.float().numpy(),
            found.stability.float().numpy(),
        )


def _chosen(found: _Candidates, rows: Any) -> _Candidates:
    return _Candidates(
        [found.bits[i] for i in rows.tolist()],
        found.boxes[rows],
        found.predicted_iou[rows],
        found.stability[rows],
    )


def _joined(parts: list[_Candidates]) -> _Candidates:
    import torch

    return _Candidates(
        [bits for part in parts for bits in part.bits],
        torch.cat([p.boxes for p in parts]),
        torch.cat([p.predicted_iou for p in parts]),
        torch.cat([p.stability for p in parts]),
    )


def build_sam(
    variant: str | None = None,
    device: str = "auto",
    weights: Path | None = None,
    options: SamSettings | None = None,
) -> SamSegmenter:
    """A SAM segmenter with published weights from a local file.

    Args:
        variant: "vit-b", "vit-l" or "vit-h"; None takes the setting `sam`.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        weights: A folder to search first, or the `.pth` file itself.
        options: What shapes the masks.

    Raises:
        ModelError: Packages or weights are missing, damaged or of another variant.
        UsageError: An unknown variant.
    """
    variant = setting("sam", variant)
    if variant not in VARIANTS:
        raise UsageError(f"unknown SAM {variant!r}", f"one of {', '.join(VARIANTS)}")
    require_packages("torch", "torchvision", "segment_anything")
    path = find_weights(f"sam-{variant}", weights)
    from segment_anything import sam_model_registry

    from indexer.embedders.weights import load_into, read_weights

    model = sam_model_registry[variant.replace("-", "_")]()
    load_into(model, read_weights(path), path)
    model = model.to(pick_device(device)).eval()
    return SamSegmenter(model, variant, file_sha256(path), options or SamSettings())
