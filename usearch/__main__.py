"""`python -m usearch` is the `usearch` command."""

import sys

from usearch.cli import main

if __name__ == "__main__":
    sys.exit(main())
