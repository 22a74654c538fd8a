"""What builds a store: photos, segmenters, embedders, the pipeline."""
