"""The metrics that every service shows."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

RELAY_POSITION = Gauge("caretrail_relay_position", "Position up to which events were sent", ["topic"])
CONSUMED_POSITION = Gauge("caretrail_consumed_position", "Position applied last", ["topic", "partition"])
EVENTS_APPLIED = Counter("caretrail_events_applied", "Events that went through the handlers", ["topic"])
PARTITION_STOPPED = Gauge("caretrail_partition_stopped", "1 at a gap in it", ["topic", "partition"])
RECORDS_PARKED = Counter("caretrail_records_parked", "Records that a handler could not apply", ["handler"])
TIMERS_FIRED = Counter("caretrail_timers_fired", "Timers that came due and were carried out")
COMMANDS = Counter("caretrail_commands", "Commands carried out over HTTP", ["outcome"])
