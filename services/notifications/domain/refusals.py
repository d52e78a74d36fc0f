"""What notifications says no to."""

from __future__ import annotations

from chassis.refusal import Refusal


class TaskTaken(Refusal):
    """Somebody acknowledged task {id} already."""


class TaskDone(Refusal):
    """Task {id} was completed already."""
