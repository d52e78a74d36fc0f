"""The programs of a local stack, as data: the services, the payer and the mailbox."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.local.supervisor import Program

SERVICES = ("intake", "clinical", "scheduling", "billing", "notifications", "audit")
"""The services, in the order in which they are started and shown."""

ROOT = Path(__file__).resolve().parent.parent.parent


def migrations() -> dict[str, list[Path]]:
    """Each service's own folders of migrations."""
    return {name: [ROOT / "services" / name / "migrations"] for name in SERVICES}


def services(home: Path, shared: Mapping[str, str], ports: Mapping[str, int]) -> list[Program]:
    """Each service as one process with all roles."""
    urls = json.dumps({name: f"http://127.0.0.1:{ports[name]}" for name in SERVICES})
    found = []
    for name in SERVICES:
        env = {
            **shared,
            "CARETRAIL_PORT": str(ports[name]),
            "CARETRAIL_SERVICE_URLS": urls,
            "CARETRAIL_EXCHANGE_DIR": str(home / "payer"),
        }
        env.setdefault("CARETRAIL_SMTP_URL", f"smtp://127.0.0.1:{ports['mailbox']}")
        argv = (sys.executable, "-m", "cli.main", "run", name)
        ready = f"http://127.0.0.1:{ports[name]}/health/ready"
        found.append(Program(name, argv, env, ready, ports[name]))
    return found


def outsiders(home: Path, shared: Mapping[str, str], ports: Mapping[str, int], seed: int) -> list[Program]:
    """Those outside: the payer, with its folder, and the mailbox."""
    clock = ("--clock", shared["CARETRAIL_CLOCK_FILE"]) if "CARETRAIL_CLOCK_FILE" in shared else ()
    payer = (sys.executable, "-m", "deploy.local.payer", "--folder", str(home / "payer"), "--seed", str(seed))
    mailbox = (sys.executable, "-m", "deploy.local.mailbox", "--folder", str(home / "mailbox"))
    port = ports["mailbox"]
    return [
        Program("payer", (*payer, *clock), shared),
        Program("mailbox", (*mailbox, "--port", str(port)), shared, f"tcp://127.0.0.1:{port}", port),
    ]
