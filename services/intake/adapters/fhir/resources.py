"""The resources in the files given together: Bundles unpacked, contained ones found, each checked once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from . import r4
from .document import parse
from .node import Node

RESOURCES_MAX = 2_000  # a referral carries tens; more is an export, which has no place here

BUNDLE_TYPES = frozenset(
    {
        "document",
        "message",
        "transaction",
        "transaction-response",
        "batch",
        "batch-response",
        "searchset",
        "collection",
    }
)  # R4 bundle-type, without history: versions of one thing are no set of things


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """A resource and what references may call it. `scope` is its Bundle, None for a file of its own."""

    type: str
    node: Node
    scope: int | None
    full_url: str | None = None
    container: Resource | None = None
    contained: dict[str, Resource] = field(default_factory=dict)

    @property
    def id(self) -> str | None:
        """Its logical id."""
        return self.node.text("id")


def resources(files: Sequence[tuple[str, bytes]]) -> list[Resource]:
    """All resources of the files but Bundles, in order. Raises FhirError."""
    found: list[Resource] = []
    for scope, (file, content) in enumerate(files):
        for resource in _unpacked(Node(file, "", parse(file, content)), None, scope, None):
            found.append(resource)
            if len(found) > RESOURCES_MAX:
                raise resource.node.refusal(None, "too many resources", f"at most {RESOURCES_MAX} in all")
    return found


def _unpacked(node: Node, scope: int | None, file: int, full_url: str | None) -> Iterator[Resource]:
    kind = _type_of(node)
    r4.check(kind, node)
    if kind != "Bundle":
        yield _with_contained(Resource(kind, node, scope, full_url))
        return
    if node.text("type") not in BUNDLE_TYPES:
        raise node.refusal("type", "a Bundle type that is not read", " | ".join(sorted(BUNDLE_TYPES)))
    for entry in node.children("entry"):
        resource = entry.child("resource")
        if resource is not None:
            yield from _unpacked(resource, file, file, entry.text("fullUrl"))


def _type_of(node: Node) -> str:
    kind = node.text("resourceType")
    if kind is None:
        raise node.refusal("resourceType", "missing", "the name of an R4 resource type")
    if kind not in r4.RESOURCE_TYPES:
        raise node.refusal("resourceType", "a type that R4 does not know", "the name of an R4 resource type")
    return kind


def _with_contained(resource: Resource) -> Resource:
    for node in resource.node.children("contained"):
        kind = _type_of(node)
        r4.check(kind, node)
        part = Resource(kind, node, resource.scope, resource.full_url, container=resource)
        if part.id is None:
            raise node.refusal("id", "missing", "the id of a contained resource")
        if part.id in resource.contained:
            raise node.refusal("id", "a second contained resource with this id", "each id once")
        if "contained" in node.content:
            raise node.refusal("contained", "a contained resource contains another", "one level (R4 dom-2)")
        resource.contained[part.id] = part
    return resource
