"""The table of commands. A new command is one line here and one module beside this one."""

from __future__ import annotations

SECTIONS: dict[str, dict[str, str]] = {
    "The job": {
        "index": "Cut photos into segments and store their vectors.",
        "query": "Find the segments that match words, pictures, or parts of pictures.",
        "segment": "Give every pixel of photos a class from a list.",
        "classify": "Say what a collection is made of: shares of classes.",
        "export": "Write segments in the format of another tool.",
        "serve": "Search in a web page, on this machine.",
        "demo": "Show all of it on sample photos.",
        "train": "Train a USE head on segments with texts, over frozen backbones.",
        "eval": "Measure how good it is, on labelled photos.",
    },
    "The store": {
        "info": "What a store holds.",
        "sql": "Ask a store in SQL.",
        "check": "Verify a store: checksums, counts, vectors.",
        "rebuild": "Make the derived files of a store anew.",
        "compact": "Merge parts and drop what was removed.",
    },
    "Around it": {
        "doctor": "Say what is right and wrong with this installation.",
        "models": "List, fetch and verify the models.",
        "config": "Print every setting, its value, and who set it.",
        "completion": "Print the script that completes commands and options in a shell.",
    },
}
"""Name and summary of every command. Command `x` is `x` of the module `usearch.cli.x`: a
function, or a `typer.Typer` that holds commands of its own."""
