"""What is right and wrong with an installation, one finding a fact. Nothing heavy is imported.

Each module looks at one thing and returns findings; `usearch doctor` prints them.
"""

from usearch.health.finding import Finding, State

__all__ = ["Finding", "State"]
