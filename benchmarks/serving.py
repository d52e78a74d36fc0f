"""One of the measured services as a process: ``python -m benchmarks.serving teller``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks import stamping
from benchmarks.workload import SERVICES
from chassis.config import Settings
from chassis.runtime import Role
from deploy.serving import serve

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("service", choices=SERVICES)
    parser.add_argument("--role", default=Role.ALL, type=Role)
    given = parser.parse_args()
    if path := os.environ.get("CARETRAIL_STAMPS"):
        stamping.begin(Path(path))
    serve(SERVICES[given.service], Settings(), given.role)
