"""One ServiceRequest being read: the resources that speak for it, and what was found on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .form import Finding
from .library import Library
from .node import Node
from .resources import Resource

NOT_GIVEN = "the resource referred to is not among the files"

# A Task in one of these has ended its work: it says nothing of the request any more (R4 task-status).
_TASK_OVER = frozenset({"cancelled", "entered-in-error", "failed", "rejected"})


@dataclass(slots=True)
class Reading:
    """`speakers`: the request, the Tasks that focus on it, the preauthorization Claims that name it."""

    library: Library
    speakers: list[Resource]
    findings: list[Finding] = field(default_factory=list)

    @property
    def request(self) -> Resource:
        """The ServiceRequest."""
        return self.speakers[0]

    def note(self, node: Node, what: str) -> None:
        """Keep something for a person to see, once."""
        finding = Finding(node.file, node.pointer, what)
        if finding not in self.findings:
            self.findings.append(finding)

    def references(self, element_of: Mapping[str, str]) -> Iterator[tuple[Resource, Node]]:
        """What each speaker says in the element that its type has for a thing, without silent references."""
        for speaker in self.speakers:
            if speaker.type in element_of:
                reference = speaker.node.child(element_of[speaker.type])
                if reference is not None and says(reference):
                    yield speaker, reference


def speakers(library: Library) -> dict[Resource, list[Resource]]:
    """What stands beside each request to say more of it: Tasks first, then Claims."""
    found: dict[Resource, list[Resource]] = {}
    for task in library.of_type("Task"):
        focus = _focus_of(library, task)
        if focus is not None:
            found.setdefault(focus, []).append(task)
    for claim in library.of_type("Claim"):
        for request in _authorized(library, claim):
            found.setdefault(request, []).append(claim)
    return found


def says(reference: Node) -> bool:
    """Whether a reference says anything: it may hold no more than the reason why it is absent."""
    return bool(reference.text("reference") or reference.text("display") or reference.child("identifier"))


def label(reference: Node) -> str | None:
    """The words of a reference that leads nowhere: its display, its identifier, else the reference itself."""
    identifier = reference.child("identifier")
    value = identifier.text("value") if identifier is not None else None
    return reference.text("display") or value or reference.text("reference")


def _focus_of(library: Library, task: Resource) -> Resource | None:
    """The ServiceRequest that a Task is about, if it is about one that was given."""
    focus = task.node.child("focus")
    if focus is None or task.node.text("status") in _TASK_OVER:
        return None
    # any type may be in focus: only a ServiceRequest makes the Task a speaker
    return _request_at(library, task, focus)


def _authorized(library: Library, claim: Resource) -> list[Resource]:
    """The requests that a Claim asks the payer for (Da Vinci PAS: its items' requestedService)."""
    if claim.node.text("use") != "preauthorization":
        return []
    named = [claim.node.child("referral")]
    for item in claim.node.children("item"):
        named += [extension.child("valueReference") for extension in item.children("extension")]
    found = [_request_at(library, claim, each) for each in named if each is not None]
    return list(dict.fromkeys(each for each in found if each is not None))


def _request_at(library: Library, origin: Resource, reference: Node) -> Resource | None:
    found = library.find(origin, reference)
    return found if found is not None and found.type == "ServiceRequest" else None
