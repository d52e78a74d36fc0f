"""A service's process that can be hurt from outside: ``python -m tests.faults.wrapped run SERVICE``.

Points of failure, the turning clock and seeded bugs are patched in by name before the command line runs,
so that the services' own code knows nothing of them.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.faults import bugs, points, sent, turning


def main() -> None:
    """Patch, then be the command line."""
    folder, name = Path(os.environ["CARETRAIL_FAULTS_DIR"]), os.environ["CARETRAIL_FAULTS_NAME"]
    turning.install(folder, name)
    sent.install(folder, name)
    points.install(points.Points(folder, name))
    bugs.install(os.environ.get("CARETRAIL_FAULTS_BUG", ""))
    if os.environ.get("CARETRAIL_FAULTS_RELAY") == "unasked":
        points.relay_unasked()

    from cli.main import app

    app()


if __name__ == "__main__":
    main()
