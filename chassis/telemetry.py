"""The metrics that parts of a process count as they work; each stands in docs/operations/metrics.md."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
SIZES = tuple(2**power for power in range(12))

COMMIT_SECONDS = Histogram("caretrail_commit_seconds", "Time of the writer's transactions", buckets=SECONDS)
COMMIT_BATCH = Histogram("caretrail_commit_batch_commands", "Commands of a transaction", buckets=SIZES)
RELAY_SECONDS = Histogram("caretrail_relay_send_seconds", "Time until Kafka has a batch", buckets=SECONDS)
APPLY_SECONDS = Histogram("caretrail_apply_seconds", "Time until a batch is applied", buckets=SECONDS)
APPLY_BATCH = Histogram("caretrail_apply_batch_records", "Records of a batch that is applied", buckets=SIZES)
EVENTS_APPLIED = Counter("caretrail_events_applied", "Events that went through the handlers", ["topic"])
PARTITION_STOPPED = Gauge("caretrail_partition_stopped", "1 at a gap in it", ["topic", "partition"])
RECORDS_PARKED = Counter("caretrail_records_parked", "Records that a handler could not apply", ["handler"])
TIMERS_FIRED = Counter("caretrail_timers_fired", "Timers that came due and were carried out")
EFFECTS_IN_HAND = Gauge("caretrail_effects_in_hand", "Effects under way or tried again", ["effect"])
EFFECTS_FAILED = Counter("caretrail_effects_failed", "Attempts at an effect that failed", ["effect"])
