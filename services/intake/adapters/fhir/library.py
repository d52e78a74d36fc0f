"""Finds what a reference means among the resources given, by R4's rules (references; Bundle, 2.36.4)."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

from .node import Node
from .r4 import RESOURCE_TYPES
from .resources import Resource


class Library:
    """The resources of one reading. Raises FhirError where two different ones go by one name."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources: list[Resource] = []
        self._by_url: dict[str, list[Resource]] = {}
        self._by_name: dict[str, list[Resource]] = {}  # by "Type/id", and by id alone
        self._by_identifier: dict[tuple[str | None, str | None], list[Resource]] = {}
        known: dict[tuple[object, ...], Resource] = {}
        for resource in resources:
            twins = [twin for twin in map(known.get, _names(resource)) if twin is not None]
            for twin in twins:
                _refuse_if_different(resource, twin)
            known.update(dict.fromkeys(_names(resource), resource))
            if not twins:
                self._add(resource)

    def _add(self, resource: Resource) -> None:
        self.resources.append(resource)
        if resource.full_url:
            self._by_url.setdefault(resource.full_url, []).append(resource)
        if resource.id:
            for name in (f"{resource.type}/{resource.id}", resource.id):
                self._by_name.setdefault(name, []).append(resource)
        for identifier in identifiers(resource.node):
            self._by_identifier.setdefault(identifier, []).append(resource)

    def of_type(self, kind: str) -> list[Resource]:
        """The resources of a type that stand on their own, in the files' order."""
        return [resource for resource in self.resources if resource.type == kind]

    def find(
        self, origin: Resource, reference: Node, types: frozenset[str] = RESOURCE_TYPES
    ) -> Resource | None:
        """The resource that `reference`, an element of `origin`, leads to; None if it is not given."""
        text = reference.text("reference")
        found = self._called(origin, reference, text) if text else []
        identifier = reference.child("identifier")
        if not found and identifier is not None:
            found = self._identified(origin, identifier.text("system"), identifier.text("value"), types)
        if any(resource.node.content != found[0].node.content for resource in found[1:]):
            raise reference.refusal(None, "leads to more than one resource", "one resource of this name")
        kind = found[0].type if found else _type_named(text)
        if kind is not None and kind not in types:
            raise reference.refusal(None, "leads to a resource of another type", " | ".join(sorted(types)))
        return found[0] if found else None

    def _called(self, origin: Resource, reference: Node, text: str) -> list[Resource]:
        if text.startswith("#"):
            return [_contained(origin, reference, text[1:])]
        if "?" in text and ":" not in text.split("?")[0]:
            kind, _, query = text.partition("?identifier=")
            system, bar, value = unquote(query).partition("|")
            return self._identified(
                origin, (system or None) if bar else None, value if bar else system, {kind}
            )
        name = text.split("/_history/")[0]
        if ":" in name:
            return _nearest(origin, self._by_url.get(name, [])) or _nearest(origin, self._without_url(name))
        return self._relative(origin, name)

    def _without_url(self, url: str) -> list[Resource]:
        """Resources that came without a fullUrl, by the end of an absolute one."""
        tail = url.rsplit(":", 1)[-1] if url.startswith("urn:") else "/".join(url.split("/")[-2:])
        return [resource for resource in self._by_name.get(tail, []) if resource.full_url is None]

    def _relative(self, origin: Resource, name: str) -> list[Resource]:
        base = _base(origin)
        if base:
            exact = [r for r in self._by_url.get(f"{base}/{name}", []) if r.scope == origin.scope]
            if exact:
                return exact
        named = self._by_name.get(name, []) if "/" in name else []
        return _nearest(origin, [r for r in named if not base or not _base(r) or _base(r) == base])

    def _identified(
        self, origin: Resource, system: str | None, value: str | None, types: Iterable[str]
    ) -> list[Resource]:
        if value is None:
            return []
        held = self._by_identifier.get((system, value), [])
        return _nearest(origin, [resource for resource in held if resource.type in types])


def identifiers(node: Node) -> list[tuple[str | None, str | None]]:
    """System and value of each of a resource's business identifiers."""
    held = node.content.get("identifier")
    nodes = [node.child("identifier")] if isinstance(held, dict) else node.children("identifier")
    return [(each.text("system"), each.text("value")) for each in nodes if each is not None]


def same(one: Resource | None, other: Resource | None) -> bool:
    """Whether two findings are one resource."""
    return one is not None and other is not None and one.node.content == other.node.content


def _contained(origin: Resource, reference: Node, name: str) -> Resource:
    root = origin.container or origin
    if not name:
        return root
    if name not in root.contained:
        raise reference.refusal("reference", "no contained resource has this id", "an id in `contained`")
    return root.contained[name]


def _nearest(origin: Resource, found: list[Resource]) -> list[Resource]:
    """Those of the origin's own Bundle, else all: a Bundle's entries speak of one another first."""
    own = [resource for resource in found if resource.scope is not None and resource.scope == origin.scope]
    return own or found


def _base(resource: Resource) -> str | None:
    """The server that a fullUrl names, None for a urn or none."""
    url = resource.full_url or ""
    parts = url.split("/_history/")[0].rsplit("/", 2)
    return parts[0] if url.startswith("http") and len(parts) == 3 and parts[1] in RESOURCE_TYPES else None


def _type_named(text: str | None) -> str | None:
    parts = (text or "").split("/_history/")[0].split("?")[0].split("/")
    return parts[-2] if len(parts) >= 2 and parts[-2] in RESOURCE_TYPES else None


def _names(resource: Resource) -> list[tuple[object, ...]]:
    """What no other resource may be called: fullUrl in its Bundle (R4 bdl-7), type and id on its server."""
    names: list[tuple[object, ...]] = []
    if resource.full_url:
        names.append((resource.scope, resource.full_url))
    if resource.id:
        names.append((resource.scope, _base(resource), resource.type, resource.id))
    return names


def _refuse_if_different(resource: Resource, twin: Resource) -> None:
    if resource.node.content != twin.node.content:
        first = f"the first stands in {twin.node.file} at {twin.node.pointer or '/'}"
        raise resource.node.refusal(
            None, f"a second, different {resource.type} of the same name ({first})", "one of each"
        )
