"""Progress: what a service has still to do, read from the figures that it gives at /internal/progress."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from caretrail_contracts.envelope import PARTITIONS

from chassis.positions import OWN


def waiting(own: dict[str, Any], heads: dict[str, dict[str, int]]) -> list[str]:
    """What a service has not done yet, in words; empty when it has come to rest.

    ``heads`` gives, by source and partition, positions that it should have applied.
    """
    found = []
    if own["relayed"] < own["head"]:
        found.append(f"relay {own['relayed']}/{own['head']}")
    if own_lag(own) > 0:
        found.append("own store")
    found += [name for name in ("due", "effects", "watched", "queued") if own[name]]
    return found + [
        f"<- {source}" for source, positions in heads.items() if is_behind(own, source, positions)
    ]


def is_behind(own: dict[str, Any], source: str, heads: dict[str, int]) -> bool:
    """Whether a service has still to apply something of a source, up to its head in each partition."""
    seen = own["consumed"].get(source, {})
    return any(head > seen.get(partition, 0) for partition, head in heads.items())


def lag_path(own: dict[str, Any], other: dict[str, Any]) -> str:
    """Where the other tells how many of its events a service has not applied yet, under ``events``.

    Positions count all partitions of a store, so only the store knows how many events lie between two.
    """
    seen = own["consumed"].get(other["source"], {})
    after = [("after", seen.get(str(partition), 0)) for partition in range(PARTITIONS)]
    return f"/internal/progress/above?{urlencode(after)}"


def own_lag(own: dict[str, Any]) -> int:
    """Events of its own store that a service has not applied yet: their positions leave no gaps."""
    return int(own["head"] - max(own["consumed"].get(OWN, {"0": 0}).values()))


def followed(own: dict[str, Any], progress: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The progress of those that a service follows, as far as it is known."""
    return [progress[name] for name in own["sources"] if name in progress]


def heads_for(own: dict[str, Any], progress: dict[str, dict[str, Any]]) -> dict[str, dict[str, int]]:
    """What a service should have applied of those that it follows, as far as they are known."""
    return {other["source"]: other["heads"] for other in followed(own, progress)}
