"""Prompt templates: sentences with a hole for a name, as sets known from the literature.

A set is used by encoding every sentence, normalising each vector, averaging, and normalising
again (CLIP, MaskCLIP). The strings are kept letter by letter, "a origami {}" included: same
strings, same numbers. `single`, `use4`: CLIP and USE (CVPR 2024, §4.1); `vild14`: ViLD;
`imagenet80`: CLIP; `maskclip85`: MaskCLIP, `imagenet80` and five sentences about scenes.
"""

from __future__ import annotations

from collections.abc import Sequence

from usearch.errors import UsageError

_IMAGENET = """
a bad photo of a {}.|a photo of many {}.|a sculpture of a {}.|a photo of the hard to see {}.
a low resolution photo of the {}.|a rendering of a {}.|graffiti of a {}.|a bad photo of the {}.
a cropped photo of the {}.|a tattoo of a {}.|the embroidered {}.|a photo of a hard to see {}.
a bright photo of a {}.|a photo of a clean {}.|a photo of a dirty {}.|a dark photo of the {}.
a drawing of a {}.|a photo of my {}.|the plastic {}.|a photo of the cool {}.
a close-up photo of a {}.|a black and white photo of the {}.|a painting of the {}.
a painting of a {}.|a pixelated photo of the {}.|a sculpture of the {}.
a bright photo of the {}.|a cropped photo of a {}.|a plastic {}.|a photo of the dirty {}.
a jpeg corrupted photo of a {}.|a blurry photo of the {}.|a photo of the {}.
a good photo of the {}.|a rendering of the {}.|a {} in a video game.|a photo of one {}.
a doodle of a {}.|a close-up photo of the {}.|a photo of a {}.|the origami {}.
the {} in a video game.|a sketch of a {}.|a doodle of the {}.|a origami {}.
a low resolution photo of a {}.|the toy {}.|a rendition of the {}.|a photo of the clean {}.
a photo of a large {}.|a rendition of a {}.|a photo of a nice {}.|a photo of a weird {}.
a blurry photo of a {}.|a cartoon {}.|art of a {}.|a sketch of the {}.|a embroidered {}.
a pixelated photo of a {}.|itap of the {}.|a jpeg corrupted photo of the {}.
a good photo of a {}.|a plushie {}.|a photo of the nice {}.|a photo of the small {}.
a photo of the weird {}.|the cartoon {}.|art of the {}.|a drawing of the {}.
a photo of the large {}.|a black and white photo of a {}.|the plushie {}.
a dark photo of a {}.|itap of a {}.|graffiti of the {}.|a toy {}.|itap of my {}.
a photo of a cool {}.|a photo of a small {}.|a tattoo of the {}.
"""
_SCENE = """
there is a {} in the scene.|there is the {} in the scene.|this is a {} in the scene.
this is the {} in the scene.|this is one {} in the scene.
"""
_VILD = """
a photo of a {}.|This is a photo of a {}|There is a {} in the scene
There is the {} in the scene|a photo of a {} in the scene|a photo of a small {}.
a photo of a medium {}.|a photo of a large {}.|This is a photo of a small {}.
This is a photo of a medium {}.|This is a photo of a large {}.
There is a small {} in the scene.|There is a medium {} in the scene.
There is a large {} in the scene.
"""
_USE = """
a photo of {}|This is a photo of {}|There is {} in the scene|a photo of {} in the scene
"""


def _sentences(block: str) -> tuple[str, ...]:
    return tuple(part for line in block.strip().splitlines() for part in line.split("|"))


TEMPLATES: dict[str, tuple[str, ...]] = {
    "name": ("{}",),
    "single": ("a photo of a {}.",),
    "use4": _sentences(_USE),
    "vild14": _sentences(_VILD),
    "imagenet80": _sentences(_IMAGENET),
    "maskclip85": _sentences(_IMAGENET) + _sentences(_SCENE),
}
"""Set name -> sentences, each with exactly one `{}`. `name` is the name itself."""


def get_templates(name: str) -> tuple[str, ...]:
    """The sentences of a set.

    Raises:
        UsageError: No set has this name.
    """
    try:
        return TEMPLATES[name]
    except KeyError:
        known = ", ".join(TEMPLATES)
        raise UsageError(
            f"there is no template set called {name!r}", f"known sets: {known}"
        ) from None


def fill(templates: Sequence[str], name: str) -> list[str]:
    """Puts a name into each sentence; a name with braces of its own is taken as it is."""
    return [template.replace("{}", name) for template in templates]
