"""What notifications says no to."""

from __future__ import annotations

from chassis.refusal import Refusal


class TaskTaken(Refusal):
    """Task {id} was acknowledged by {by} already."""


class TaskDone(Refusal):
    """Task {id} was completed already, with outcome {outcome}."""
