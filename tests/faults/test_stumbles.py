"""What a service's log tells of errors is found, whoever tells it; what is done to a service is not."""

import json
from pathlib import Path

import pytest

from tests.faults.stumbles import logged

TRACEBACK = (
    'Traceback (most recent call last):\n  File "chassis/feeds.py", line 7, in turn\n    x()\nValueError: 7'
)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ({"event": "part_died", "exception": TRACEBACK}, ["part_died", "ValueError: 7", "chassis/feeds.py"]),
        ({"event": "Task exception was never retrieved", "logger": "asyncio"}, ["never retrieved"]),
        ({"event": "struck_off", "logger": "operations.desk"}, []),
        ({"event": "Cancel 2 running task(s), timeout", "logger": "uvicorn.error"}, []),
        ({"event": "Unable to connect", "logger": "aiokafka.cluster"}, []),
        ({"event": "interrupted", "level": "warning"}, []),
    ],
)
def test_errors_of_services_are_found(line: dict[str, str], found: list[str], tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    told = json.dumps({"level": "error", **line})
    (logs / "billing-2.log").write_text(f"Traceback\n{told}\n{told}\n{told[:-20]}")
    (logs / "kafka.log").write_text(told)
    [said] = logged(tmp_path) or [""]
    assert said.startswith("billing-2: ") == bool(found)
    assert all(each in said for each in found)
