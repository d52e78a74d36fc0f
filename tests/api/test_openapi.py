"""Every service keeps to what its OpenAPI document says, whatever it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from jsonschema import Draft202012Validator
from pydantic import SecretStr
from schemathesis import Case as CaseOf
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chassis.config import Settings
from chassis.service import Service
from operations.composed import composed
from tests.api.doors import SERVICES, named
from tests.conftest import Run
from tests.running import STAFF
from web.problems import MEDIA_TYPE, RESPONSES

EACH_SERVICE = pytest.mark.parametrize("service", SERVICES, ids=lambda service: str(service.name))
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
FIELDS = {"type", "title", "status", "detail"}

DRAWN = settings(
    max_examples=3,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
"""The same few requests at every run."""


schemathesis.serializer("application/edi-x12")(lambda context, value: str(value).encode())

Case = CaseOf[Any]
Asked = tuple[Case, str]
"""A request, and what is special about it: ``example``, ``positive`` (it fits the document), ``negative``."""


def asked(document: dict[str, Any], service: str) -> Iterator[Asked]:
    """Requests for every operation: the documented examples, some that fit the document, some that do not."""
    for operation in (each for methods in document["paths"].values() for each in methods.values()):
        # Who asks, and why, is not drawn: see request_of.
        operation["parameters"] = [each for each in operation.get("parameters", ()) if each["in"] != "header"]
    schema = schemathesis.openapi.from_dict(document).include(tag=service)
    operations: list[Any] = list(schema.get_all_operations())
    for operation in (found.ok() for found in operations):
        for strategy in operation.get_strategies_from_examples():
            yield from ((case, "example") for case in drawn(strategy)[:1])
        for mode in GenerationMode:
            yield from ((case, mode.value) for case in drawn(operation.as_strategy(mode)))


def drawn(strategy: SearchStrategy[Case]) -> list[Case]:
    """A few of a strategy's requests; none where nothing could be wrong."""
    found: list[Case] = []

    @DRAWN
    @given(strategy)
    def draw(case: Case) -> None:
        found.append(case)

    with suppress(Unsatisfiable):
        draw()
    return found


def request_of(case: Case, key: str) -> httpx.Request:
    """The request, sent by one of the staff."""
    parts = case.as_transport_kwargs(base_url="http://service")
    sent: dict[str, Any] = {name: parts.get(name) for name in ("method", "url", "params", "json")}
    headers = {**parts["headers"], **STAFF, "Idempotency-Key": key}
    return httpx.Request(**sent, content=parts.get("data"), headers=headers)


def fault(case: Case, kind: str, answer: httpx.Response) -> str | None:
    """How an answer departs from the document or from RFC 9457; None where it does not."""
    try:
        case.validate_response(answer, checks=list(CHECKS))
    except FailureGroup as failures:
        return "; ".join(f"{failure.title}: {failure.message}" for failure in failures.exceptions)
    if answer.is_success:
        return None
    problem = answer.json()
    if answer.headers["content-type"] != MEDIA_TYPE or not problem.keys() >= FIELDS:
        return f"no problem document: {answer.text}"
    if problem["status"] != answer.status_code:
        return f"a problem of {problem['status']} with status {answer.status_code}"
    if kind == "example" and answer.status_code in (400, 422):
        return f"an example that does not fit: {answer.text}"
    return None


@cache
def whole(name: str) -> FastAPI:
    """A service's application with its operations; made once, with its document."""
    return composed(named(name), Settings())


@EACH_SERVICE
def test_bodies_have_examples_and_errors_are_problem_documents(service: Service) -> None:
    document = whole(service.name).openapi()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                name = content["schema"].get("$ref", "").rpartition("/")[2]
                model = document["components"]["schemas"].get(name, {})
                assert "example" in content or model.get("examples"), f"{method} {path}: no example"
            for status in map(str, RESPONSES):
                ready = path == "/health/ready" and status == "503"  # an answer of its own
                kinds = ["application/json"] if ready else [MEDIA_TYPE]
                assert list(operation["responses"][status]["content"]) == kinds
    assert "HTTPValidationError" not in document["components"]["schemas"]


@EACH_SERVICE
def test_every_operation_tells_its_headers_and_the_credential(service: Service) -> None:
    for method, path, operation in operations_of(whole(service.name)):
        told = {each["name"]: each for each in operation.get("parameters", ()) if each["in"] == "header"}
        if path.startswith("/health/"):
            assert (told, operation.get("security")) == ({}, None)
            continue
        assert operation["security"] == [{"token": []}, {}]
        if "/internal/" not in path and path != "/metrics":
            assert told.keys() >= {"Caretrail-Actor", "Caretrail-Purpose", "Caretrail-After"}
            command = method != "get" and path not in ("/open", "/commands")
            assert ("Idempotency-Key" in told) == command, path
        for name, each in told.items():
            assert each["required"] == (name != "Caretrail-After")
            assert each["description"]
            Draft202012Validator(each["schema"]).validate(each["example"])


@EACH_SERVICE
def test_where_a_credential_is_in_force_the_document_asks_for_it(service: Service) -> None:
    document = composed(service, Settings(api_token=SecretStr("x" * 40))).openapi()
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert document["paths"]["/metrics"]["get"]["security"] == [{"token": []}]
    assert "security" not in document["paths"]["/health/live"]["get"]


@EACH_SERVICE
def test_answers_have_examples_that_fit_their_schemas(service: Service) -> None:
    app = whole(service.name)
    components = app.openapi()["components"]
    for method, path, operation in operations_of(app):
        for status, answer in operation["responses"].items():
            for kind, content in answer.get("content", {}).items():
                schema = {**content.get("schema", {}), "components": components}
                if status.startswith("2") and kind == "application/json" and "/internal/" not in path:
                    assert "example" in content, f"{method} {path}"
                if "example" in content:
                    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(
                        content["example"]
                    )


def operations_of(app: FastAPI) -> Iterator[tuple[str, str, Any]]:
    """Every operation of a document: method, path, what is said of it."""
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


@pytest.mark.servers
@EACH_SERVICE
async def test_answers_are_those_of_the_document(running: Run, service: Service) -> None:
    faults = []
    async with running(service) as run:
        client = run.clients[service.name]
        document = (await client.get("/openapi.json")).json()
        for number, (case, kind) in enumerate(asked(document, service.name)):
            answer = await client.send(request_of(case, f"key-{number}"))
            if said := fault(case, kind, answer):
                faults.append(f"{kind} {case.method} {answer.request.url} {case.body!r}: {said}")
    own = [path for path in document["paths"] if not path.startswith(("/internal", "/health", "/metrics"))]
    assert number > len(own)
    assert faults == []
