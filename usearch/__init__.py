"""usearch: open-vocabulary search inside photos.

```python
from usearch import open_store

for hit in open_store("photos/.usearch").query("red car", k=10):
    print(f"{hit.score:.2f}", hit.image, hit.box)
```

Importing this package is cheap; what a call needs is imported by the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usearch.answers import Answer as Answer
    from usearch.hits import Hit as Hit
    from usearch.hits import Hits as Hits
    from usearch.opened import OpenStore as OpenStore
    from usearch.opened import open_store as open_store
    from usearch.questions import Point as Point
    from usearch.questions import Region as Region
    from usearch.questions import SegmentId as SegmentId
    from usearch.questions import any_of as any_of

__version__ = "0.1.0"

_PUBLIC = {
    "Answer": "usearch.answers",
    "Hit": "usearch.hits",
    "Hits": "usearch.hits",
    "OpenStore": "usearch.opened",
    "Point": "usearch.questions",
    "Region": "usearch.questions",
    "SegmentId": "usearch.questions",
    "any_of": "usearch.questions",
    "open_store": "usearch.opened",
}

__all__ = [
    "Answer",
    "Hit",
    "Hits",
    "OpenStore",
    "Point",
    "Region",
    "SegmentId",
    "__version__",
    "any_of",
    "open_store",
]


def __getattr__(name: str) -> Any:
    """Import the public names when they are first asked for."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_PUBLIC[name]), name)
