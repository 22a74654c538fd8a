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
    from usearch.opened import OpenStore as OpenStore
    from usearch.opened import open_store as open_store
    from usearch.search import Hit as Hit

__version__ = "0.1.0"

_PUBLIC = {"OpenStore": "usearch.opened", "open_store": "usearch.opened", "Hit": "usearch.search"}

__all__ = ["Hit", "OpenStore", "__version__", "open_store"]


def __getattr__(name: str) -> Any:
    """Import the public names when they are first asked for."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_PUBLIC[name]), name)
