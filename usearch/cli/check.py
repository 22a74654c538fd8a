"""`usearch check`: verify a store."""

from __future__ import annotations

from usearch.cli.options import JsonOption, StoreOption, chosen_store
from usearch.cli.output import json_result, note, result
from usearch.render.safe_text import json_name


def check(store: StoreOption = None, json: JsonOption = False) -> None:
    """Verify a store: checksums, counts, vectors.

    Reads every file and changes nothing. One line a problem; exit code 9 when there is one.
    """
    from usearch.errors import CheckFailed
    from usearch.store import check_store

    path = chosen_store(store)
    problems = check_store(path)
    if json:
        json_result("check", {"store": json_name(path.absolute()), "problems": problems})
    else:
        for problem in problems:
            result(problem)
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise CheckFailed(
            f"{count} in the store {path}",
            "usearch rebuild makes derived files anew; usearch index repairs the rest",
        )
    note(f"{path} is sound")
