"""Label files that people have, as photos with segment-text pairs.

    for photo in open_pairs("annotations/instances_train2017.json", images="train2017"):
        photo.segments                    # masks or boxes with texts
        photo.pixels()                    # uint8 [height, width, 3]

What a source is, is told by its content: our Parquet; COCO instances, captions or panoptic json;
Visual Genome region descriptions or objects; a table of masks and texts in any columns; a folder
of photos, index PNGs and a class list. `Report` says what was understood and what was left out.
"""

from __future__ import annotations

from trainer.readers.opening import open_pairs
from trainer.readers.options import Options
from trainer.readers.report import Report

__all__ = ["Options", "Report", "open_pairs"]
