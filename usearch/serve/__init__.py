"""A page to search in, and the HTTP API below it: what `usearch serve` runs. docs/serve.md.

One store is served, opened once and followed as it grows. Every question goes through
`usearch.opened.OpenStore`; nothing here searches by itself.

    app.py        routes and what they share          guard.py     who may ask, and how much
    requests.py   JSON to a question                  replies.py   an answer to JSON
    live.py       the store, as new as its manifest   workers.py   threads, bounded
    pictures.py   photos by id, checked, resized      uploads.py   pictures given as questions
"""
