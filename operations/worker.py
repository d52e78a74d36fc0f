"""A worker: one OS process that does one job, told on its standard input; it ends with who started it."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading

import psycopg
import uvloop
from caretrail_contracts.catalogue import all_events
from caretrail_contracts.wording import describe

from chassis.kafka import assert_fast
from chassis.positions import Fenced
from operations.away import away_of
from operations.explaining import explain
from operations.folding import Folder, Unfoldable
from operations.history import Incomplete
from operations.job import Job, referred

GARBAGE = 1_000_000
"""Objects after which the collector runs."""

ORPHANED = 3
"""The exit code of a worker whose starter is gone."""


def main() -> None:
    """Do the job; the outcome is a line of JSON on the standard output."""
    job = Job.of(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_starter, daemon=True).start()
    all_events()
    assert_fast()
    projection = referred(job.projection)
    # A fold makes no cycles: the collector would only walk each chunk again and again.
    gc.freeze()
    gc.set_threshold(GARBAGE)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            told = runner.run(explain(job, projection) if job.against else Folder(job, projection).run())
    except Unfoldable as error:
        _tell({"why": str(error), "event": error.event})
    except Incomplete as error:
        _tell({"why": str(error)})
    except Fenced as error:
        _tell({"fenced": str(error)})
    except Exception as error:
        if away := away_of(error):
            _tell({"away": away.what, "error": away.error})
        elif isinstance(error, psycopg.Error):
            _tell({"why": f"the database refuses it: {describe(error)}"})
        else:
            raise
    else:
        _tell({"done": told})


def _tell(outcome: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(outcome) + "\n")


def _end_with_starter() -> None:
    """The standard input ends when the process that started this one does."""
    # Not through the buffer, whose lock would be held when the interpreter ends.
    os.read(sys.stdin.fileno(), 1)
    os._exit(ORPHANED)


if __name__ == "__main__":
    main()
