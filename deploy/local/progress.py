"""Progress: what a service has still to do, read from the figures that it gives at /internal/progress."""

from __future__ import annotations

from typing import Any

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
    return found + [f"<- {source}" for source, positions in heads.items() if lag(own, source, positions)]


def lag(own: dict[str, Any], source: str, heads: dict[str, int]) -> int:
    """Records of a source, up to its head in each partition, that a service has not applied yet."""
    seen = own["consumed"].get(source, {})
    return sum(max(0, head - seen.get(partition, 0)) for partition, head in heads.items())


def own_lag(own: dict[str, Any]) -> int:
    """Events of its own store that a service has not applied yet: they have one order."""
    return int(own["head"] - max(own["consumed"].get(OWN, {"0": 0}).values()))


def total_lag(own: dict[str, Any], progress: dict[str, dict[str, Any]]) -> int:
    """Records of its own and of others that a service has not applied yet."""
    others = heads_for(own, progress)
    return own_lag(own) + sum(lag(own, source, heads) for source, heads in others.items())


def heads_for(own: dict[str, Any], progress: dict[str, dict[str, Any]]) -> dict[str, dict[str, int]]:
    """What a service should have applied of those that it follows, as far as they are known."""
    followed = [progress[name] for name in own["sources"] if name in progress]
    return {other["source"]: other["heads"] for other in followed}
