"""Training USE heads over frozen backbones, as the paper has it (CVPR 2024, sections 3.2, 4.1)."""
