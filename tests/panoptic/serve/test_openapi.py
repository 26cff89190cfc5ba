"""The description: of all that is answered, and of nothing else."""

from panoptic.serve.fetching import Fetcher
from panoptic.serve.limits import Limits
from panoptic.serve.openapi import openapi
from panoptic.serve.server import build
from panoptic.serve.service import Service
from panoptic.serve.task_pictures import TaskPictures
from tests.panoptic.serve.servers import WORDS, png


def test_all_paths_are_described_and_no_others(models):
    app = build(Service(models), None, TaskPictures(Fetcher()))
    answered = {(r.path, m) for r in app.routes for m in r.methods if m != "HEAD"}
    document = openapi(Limits())
    described = {
        (path, method.upper())
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert described == answered


def references(content):
    if isinstance(content, dict):
        yield from [content["$ref"]] if "$ref" in content else []
        for each in content.values():
            yield from references(each)
    elif isinstance(content, list):
        for each in content:
            yield from references(each)


def test_what_it_refers_to_is_there_and_limits_are_told(client):
    document = client.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]
    assert "64 MiB" in str(document["paths"]["/images"])
    assert "3,000 frames" in str(document["paths"]["/videos"])


def fits(content, schema, schemas):
    """The part of JSON Schema that the document uses."""
    if "$ref" in schema:
        return fits(content, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "enum" in schema:
        return content in schema["enum"]
    kinds = {"string": str, "integer": int, "number": (int, float), "object": dict, "array": list}
    if not isinstance(content, kinds[schema["type"]]):
        return False
    if schema["type"] == "array":
        return all(fits(each, schema["items"], schemas) for each in content)
    properties = schema.get("properties", {})
    return (
        set(schema.get("required", ())) <= set(content)
        and all(
            fits(content[name], each, schemas)
            for name, each in properties.items()
            if name in content
        )
        if schema["type"] == "object"
        else True
    )


def test_answers_are_as_described(client, picture):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for response, name in (
        (client.get("/health"), "Health"),
        (client.image(png(picture), **WORDS), "Labelled"),
        (client.image(b"", **WORDS), "Refusal"),
    ):
        assert fits(response.json(), schemas[name], schemas), name
