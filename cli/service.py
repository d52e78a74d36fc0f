"""Asks a service over HTTP, and turns what it refuses into a problem that can be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cli.problem import Problem
from cli.stack_file import Stack

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 30.0


def address(stack: Stack, service: str) -> str:
    """The base URL of a service. Raises Problem."""
    try:
        return stack.services[service].rstrip("/")
    except KeyError:
        known = ", ".join(sorted(stack.services)) or "none"
        raise Problem(f"the stack has no service {service}", f"It has: {known}.") from None


@contextmanager
def client(stack: Stack, service: str, headers: Mapping[str, str], look: str = "") -> Iterator[httpx.Client]:
    """A client of a service, with the credential in force and the headers that every request carries.

    ``look`` is the command that shows whether what was asked for, and not answered, was done.
    """
    import httpx

    from cli.settings import CliSettings, credential

    base, carried = address(stack, service), {**credential(CliSettings()), **headers}
    try:
        with httpx.Client(base_url=base, headers=carried, timeout=TIMEOUT_S) as found:
            yield found
    except httpx.TransportError as error:
        raise silent(service, base, f"{type(error).__name__}.{_unknown(error, look)}") from None


def _unknown(error: httpx.TransportError, look: str) -> str:
    """That what was asked for may be done all the same, where it may have been heard."""
    import httpx

    if error.request.method == "GET" or isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        return ""
    return unknown(look)


def unknown(look: str) -> str:
    """That nobody knows whether what was asked for is done, and what shows it."""
    shows = f"`{look}` shows whether it was." if look else "look before you ask again."
    return f" What was asked for may still be carried out: {shows}"


def silent(service: str, base: str, why: str) -> Problem:
    """The problem that a service does not answer."""
    return Problem(
        f"{service} does not answer at {base}",
        why,
        advice="`caretrail status` shows which processes run; `caretrail up` starts the stack.",
    )


def answer(response: httpx.Response) -> Any:
    """The JSON of an answer. Raises Problem for a problem document or any other failure."""
    try:
        document = response.json()
    except ValueError:
        document = None
    if response.is_success and document is not None:
        return document
    if isinstance(document, dict):
        raise Problem.of_document(document, response.status_code)
    path = response.request.url.path
    raise Problem(
        f"{path} answered {response.status_code} without a JSON document", status=response.status_code
    )
