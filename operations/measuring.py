"""Measuring: what waits in a process and in its database, looked at only when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from chassis.database import LOST, Row, query
from chassis.feeds import TopicFeed
from chassis.runtime import Runtime
from chassis.service import Service
from chassis.telemetry import EFFECTS_FAILED, EFFECTS_IN_HAND, PARTITION_STOPPED, RECORDS_PARKED
from operations.looking import Look
from operations.parked import handlers
from operations.pressure import Pressure
from operations.readiness import faults

SPOT = ["topic", "partition"]

LOOK_MAX_S = 4.0
"""A database that does not answer in this time is shown as away; the rest is shown all the same."""


class Measures:
    """The metrics of a process, as text in Prometheus' format."""

    def __init__(self, runtime: Runtime, pressure: Pressure) -> None:
        self._runtime, self._pressure = runtime, pressure
        self._even_at: dict[tuple[str, int], datetime] = {}
        self._look = Look(self._database)
        _begin(runtime.ground.service)

    async def text(self) -> bytes:
        """What was counted, and what waits now."""
        row = await self._look.within(LOOK_MAX_S)
        found = _Found([*self._process(), *self._waiting(row)])
        registry = CollectorRegistry()
        registry.register(found)
        return generate_latest(REGISTRY) + generate_latest(registry)

    async def _database(self) -> Row | None:
        ground = self._runtime.ground
        await self._pressure.excess()
        try:
            return await ground.database.row(BACKLOGS, ground.topic, ground.clock.now())
        except LOST:
            return None

    def _process(self) -> list[Metric]:
        """What the process itself knows."""
        store, pool = self._runtime.ground.store, self._runtime.ground.database.waits()
        refusing = self._pressure.known() is not None
        wait_s = pool.get("requests_wait_ms", 0) / 1000
        return [
            gauge("writer_queue_commits", "Commands that wait for the database", store.depth),
            gauge(
                "unpublished_max_events",
                "Events beyond which commands are turned away",
                self._runtime.ground.settings.unpublished_max,
            ),
            gauge("commands_refusing", "1 while commands are turned away", refusing),
            gauge("faults", "Parts that keep the process from being ready", len(faults(self._runtime))),
            gauge("pool_connections", "Connections of the pool", pool.get("pool_size", 0)),
            gauge("pool_waiting", "Requests that wait for a connection", pool.get("requests_waiting", 0)),
            counter("pool_waits", "Requests that waited for a connection", pool.get("requests_queued", 0)),
            counter("pool_wait_seconds", "Time that requests waited for a connection", wait_s),
            *self._lags(),
        ]

    def _waiting(self, row: Row | None) -> list[Metric]:
        """What waits in the database; where it is away, only that."""
        now, about = self._runtime.ground.clock.now(), row or {}
        parked = about.get("parked", ())
        none = dict.fromkeys([(name,) for name in _handlers(self._runtime.ground.service)] if row else (), 0)
        return [
            gauge("database_up", "1 if the database answered", row is not None),
            gauge("log_position", "Position of the newest event", about.get("head")),
            gauge("relay_position", "Position up to which events were sent", about.get("relayed")),
            gauge(
                "relay_backlog_events", "Events not sent yet", row["head"] - row["relayed"] if row else None
            ),
            gauge(
                "relay_age_seconds",
                "Age of the oldest event not sent",
                _age(now, row["unsent_since"]) if row else None,
            ),
            gauge(
                "own_lag_events", "Own events not applied yet", row["head"] - row["applied"] if row else None
            ),
            gauge("own_lag_seconds", "Age of the oldest", _age(now, row["unapplied_since"]) if row else None),
            gauge("timers_due", "Timers due and not fired", about.get("timers_due")),
            family(
                "parked_keys",
                "Keys that wait",
                ["handler"],
                none | {(name,): keys for name, keys, _ in parked},
            ),
            family(
                "parked_records",
                "Records that wait",
                ["handler"],
                none | {(name,): n for name, _, n in parked},
            ),
            family(
                "partition_paused_seconds",
                "For how long a person keeps a reader paused",
                SPOT,
                {(topic, str(number)): age for topic, number, age in about.get("paused", ())},
            ),
        ]

    def _lags(self) -> Iterator[Metric]:
        """How far the partitions held are behind, in records and in seconds.

        Not those that are paused: of what is not fetched the broker tells nothing, and after a reset the
        place says nothing of what was applied.
        """
        now, records, seconds = self._runtime.ground.clock.now(), dict[Any, float](), dict[Any, float]()
        for feed in self._runtime.feeds:
            if isinstance(feed, TopicFeed):
                for (topic, partition), (behind, passed_ms) in feed.behind().items():
                    if (topic, partition) in feed.readings.paused:
                        continue
                    spot = topic, str(partition)
                    PARTITION_STOPPED.labels(*spot)  # there from the start
                    records[spot], lag_s = behind, self._lag_s(spot, behind, passed_ms, now)
                    seconds |= {} if lag_s is None else {spot: lag_s}
        yield family("consumer_lag_records", "Records not applied yet", SPOT, records)
        yield family("consumer_lag_seconds", "For how long, at most", SPOT, seconds)

    def _lag_s(self, spot: Any, behind: int, passed_ms: int, now: datetime) -> float | None:
        """A lag began after the last record that was applied, and after it was last seen at none.

        None where neither is known: one that was there before the process has no age until its first records
        are in hand.
        """
        if behind <= 0:
            self._even_at[spot] = now
            return 0.0
        applied_at = datetime.fromtimestamp(passed_ms / 1000, UTC) if passed_ms else None
        since = max(filter(None, (self._even_at.get(spot), applied_at)), default=None)
        return _age(now, since) if since else None


def _begin(service: Service) -> None:
    """Show the failures that are counted by name before the first, else its rise is not seen."""
    for name in _handlers(service):
        RECORDS_PARKED.labels(name)
    for effect in service.effects:
        EFFECTS_FAILED.labels(effect.name)
        EFFECTS_IN_HAND.labels(effect.name)


def _handlers(service: Service) -> list[str]:
    """The names of all that can park a record."""
    return [*handlers(service), *(effect.name for effect in service.effects)]


class _Found(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """What was found."""
        return self._metrics


def _age(now: datetime, since: datetime | None) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


def gauge(name: str, help: str, value: float | None) -> Metric:
    """A gauge without labels; None shows none."""
    return GaugeMetricFamily(f"caretrail_{name}", help, value=None if value is None else float(value))


def counter(name: str, help: str, value: float) -> Metric:
    """A counter that something else counts."""
    return CounterMetricFamily(f"caretrail_{name}", help, value=float(value))


def family(name: str, help: str, labels: list[str], values: dict[Any, float]) -> Metric:
    """A gauge for each combination of labels."""
    found = GaugeMetricFamily(f"caretrail_{name}", help, labels=labels)
    for each, value in values.items():
        found.add_metric(list(each), value)
    return found


BACKLOGS = query("backlogs", "operations")
