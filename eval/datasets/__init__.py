"""Labelled photos as plain records: COCO json, index PNG folders, named boxes."""

from eval.datasets.boxes import read_boxes
from eval.datasets.coco import read_coco, segmentation_counts
from eval.datasets.dev import MAP_SETS, REGION_SETS, box_photos, map_set, region_set
from eval.datasets.folder import open_folder
from eval.datasets.index_png import read_folders, read_labels
from eval.datasets.labels import read_map
from eval.datasets.lists import list_id, list_kinds, name_list
from eval.datasets.opening import DATASETS, open_dataset
from eval.datasets.part_imagenet import part_wholes
from eval.datasets.records import (
    NO_LABEL,
    BoxPhoto,
    Found,
    LabelMap,
    MapPhoto,
    MapSet,
    Region,
    RegionPhoto,
    RegionSet,
    label_map,
    read_image,
    segments_of,
)

__all__ = [
    "DATASETS",
    "MAP_SETS",
    "NO_LABEL",
    "REGION_SETS",
    "BoxPhoto",
    "Found",
    "LabelMap",
    "MapPhoto",
    "MapSet",
    "Region",
    "RegionPhoto",
    "RegionSet",
    "box_photos",
    "label_map",
    "list_id",
    "list_kinds",
    "map_set",
    "name_list",
    "open_dataset",
    "open_folder",
    "part_wholes",
    "read_boxes",
    "read_coco",
    "read_folders",
    "read_image",
    "read_labels",
    "read_map",
    "region_set",
    "segmentation_counts",
    "segments_of",
]
