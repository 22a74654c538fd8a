"""The API's description: valid, complete, and what the API really does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from usearch.serve import limits as bounds
from usearch.serve.app import OPENAPI
from usearch.serve.endpoints import ROUTES

DOCUMENT = json.loads(Path(OPENAPI).read_text(encoding="utf-8"))
API = "/api/v1"


def test_the_document_is_valid_openapi():
    validator = pytest.importorskip("openapi_spec_validator")
    validator.validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1")


def test_every_route_is_described_and_nothing_else():
    routes = {(route.path, method) for route in ROUTES for method in route.methods - {"HEAD"}}
    described = {
        (path, method.upper()) for path, item in DOCUMENT["paths"].items() for method in item
    }
    assert described == routes


def test_the_document_is_served_as_it_is(client):
    assert client.get("/openapi.json").json() == DOCUMENT


def test_limits_are_the_ones_described():
    limits = bounds.Limits()
    request = DOCUMENT["components"]["schemas"]["SearchRequest"]["properties"]
    assert request["terms"]["maxItems"] == limits.terms
    assert request["where"]["maxLength"] == limits.where
    assert request["k"]["maximum"] == limits.hits
    assert request["offset"]["maximum"] == request["per_image"]["maximum"] == limits.reach
    words = DOCUMENT["components"]["schemas"]["Term"]["oneOf"][0]["properties"]["text"]
    assert words["maxLength"] == limits.text
    text = DOCUMENT["info"]["description"]
    times = int(limits.seconds), int(limits.picture_seconds)
    for number in (limits.json_bytes, limits.upload_bytes, limits.waiting, *times):
        assert f"{number:,}" in text
    sides = {
        path.rsplit("/", 1)[1]: tuple(parameter["schema"]["enum"])
        for path, item in DOCUMENT["paths"].items()
        for parameter in item.get("get", {}).get("parameters", [])
        if parameter["name"] == "side"
    }
    assert sides == {"thumbnail": bounds.THUMBNAIL_SIDES, "image": bounds.IMAGE_SIDES}


def closed(schema):
    """The schema with no key allowed that it does not describe."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if found.get("type") == "object" and "properties" in found:
        found.setdefault("additionalProperties", False)
    return found


def check(client, method, path, status, url, **options):
    """Ask, and hold the answer against what is described for it."""
    reply = client.request(method, url, **options)
    assert reply.status_code == status, reply.text
    response = DOCUMENT["paths"][path][method.lower()]["responses"][str(status)]
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    [(kind, content)] = response["content"].items()
    assert reply.headers["content-type"].split(";")[0] == kind
    if kind == "application/json":
        schema = {**closed(content["schema"]), "components": closed(DOCUMENT["components"])}
        Draft202012Validator(schema).validate(reply.json())
    return reply


def test_answers_are_as_described(client, tmp_path):
    import toy_preset

    picture = toy_preset.quarters(tmp_path / "p.png", *["red"] * 4).read_bytes()
    kind = {"Content-Type": "image/png"}
    uploads = f"{API}/uploads"
    given = check(client, "POST", uploads, 201, uploads, content=picture, headers=kind).json()
    upload = given["upload"]
    one = f"{API}/photos/{{photo}}"
    for path, url in (
        (f"{API}/health", f"{API}/health"),
        (f"{API}/info", f"{API}/info"),
        (f"{API}/search", f"{API}/search?q=red&minus=blue&any=true&masks=true"),
        (f"{API}/search", f"{API}/search?segment=0&all=true"),
        (f"{API}/uploads/{{upload}}", f"{API}/uploads/{upload}"),
        (one, f"{API}/photos/1"),
        (f"{one}/segments", f"{API}/photos/1/segments"),
        (f"{one}/thumbnail", f"{API}/photos/1/thumbnail"),
        (f"{one}/image", f"{API}/photos/1/image"),
        (f"{one}/classmap", f"{API}/photos/1/classmap?class=red&class=blue"),
        (f"{one}/classmap.png", f"{API}/photos/1/classmap.png?class=red&class=blue"),
    ):
        check(client, "GET", path, 200, url)
    check(client, "POST", f"{API}/reload", 200, f"{API}/reload")
    search = f"{API}/search"
    terms = [{"text": "red", "weight": 2}, {"upload": upload, "box": [0, 0, 9, 9]}, {"photo": 0}]
    for body in (
        {"terms": terms, "minus": [{"segment": 1}], "group": True, "masks": True},
        {"terms": [{"text": "red"}], "min_score": 1.0, "where": "depth = 0"},
    ):
        check(client, "POST", search, 200, search, json=body)


def test_refusals_are_as_described(client):
    search, one = f"{API}/search", f"{API}/photos/{{photo}}"
    check(client, "GET", search, 400, search)
    check(client, "POST", search, 400, search, json={"terms": [{"text": "a"}], "where": "("})
    check(client, "POST", search, 404, search, json={"terms": [{"photo": 99}]})
    check(client, "POST", search, 413, search, content=b" " * 70_000)
    check(client, "POST", search, 415, search, content=b"{}")
    check(client, "POST", search, 403, search, headers={"Host": "evil.example"})
    check(client, "GET", f"{one}/thumbnail", 400, f"{API}/photos/0/thumbnail?side=7")
    check(client, "GET", one, 404, f"{API}/photos/99")


@pytest.mark.slow
def test_whatever_is_asked_the_answer_is_one_that_is_described(kept_folder):
    """Schemathesis makes requests from the description, allowed ones and others."""
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, given, settings
    from schemathesis.specs.openapi.checks import positive_data_acceptance
    from served_store import app_of

    schema = schemathesis.openapi.from_asgi(
        "/openapi.json", app_of(kept_folder), headers={"Host": "localhost"}
    )
    seen = set()
    for result in schema.get_all_operations():
        operation = result.ok()

        @given(case=operation.as_strategy())
        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        def ask(case):
            reply = case.call(headers={"Host": "localhost"})
            assert reply.status_code < 500, reply.text
            # A filter of any letters and a box beside its photo are texts and numbers as
            # described, and still no question: that they are refused is no failure.
            case.validate_response(reply, excluded_checks=[positive_data_acceptance])
            seen.add((case.path, case.method))

        ask()
    assert len(seen) == sum(len(route.methods - {"HEAD"}) for route in ROUTES)
