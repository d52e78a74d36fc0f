"""The programs of a local stack, as data: the services, the payer and the mailbox."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.local.ports import free_port
from deploy.local.supervisor import Program

SERVICES = ("intake", "clinical", "scheduling", "billing", "notifications", "audit")
"""The services, in the order in which they are started and shown."""

ROLES = ("api", "relay", "consumers", "timers")
"""What a service's processes do where it runs as one process for each."""

ROOT = Path(__file__).resolve().parent.parent.parent


class Mailing(BaseSettings):
    """The mail server that the environment or a ``.env`` names, in place of the stack's own mailbox."""

    model_config = SettingsConfigDict(
        env_prefix="CARETRAIL_", env_file=".env", extra="ignore", env_ignore_empty=True
    )

    smtp_url: SecretStr | None = None


def options() -> list[type[BaseSettings]]:
    """What services can be told, those that can be told anything."""
    told = [name for name in SERVICES if (ROOT / "services" / name / "options.py").exists()]
    return [import_module(f"services.{name}.options").Options for name in told]


def see_options() -> None:
    """See that each service could use the settings that it would get. Raises pydantic's ValidationError."""
    for kind in options():
        kind()


def migrations() -> dict[str, list[Path]]:
    """Each service's own folders of migrations."""
    return {name: [ROOT / "services" / name / "migrations"] for name in SERVICES}


def services(
    home: Path, shared: Mapping[str, str], ports: Mapping[str, int], apart: Collection[str] = ()
) -> list[Program]:
    """Each service as one process with all roles; those named in ``apart`` as a process for each role."""
    urls = json.dumps({name: f"http://127.0.0.1:{ports[name]}" for name in SERVICES})
    found = []
    for name in SERVICES:
        env = {
            **shared,
            "CARETRAIL_SERVICE_URLS": urls,
            "CARETRAIL_EXCHANGE_DIR": str(home / "payer"),
        }
        if Mailing().smtp_url is None:
            env["CARETRAIL_SMTP_URL"] = f"smtp://127.0.0.1:{ports['mailbox']}"
        if name not in apart:
            found.append(_process(name, env, ports[name], name))
            continue
        for role in ROLES:
            port = ports[name] if role == "api" else free_port()
            found.append(_process(f"{name}-{role}", env, port, name, "--role", role))
    return found


def _process(title: str, env: Mapping[str, str], port: int, *run: str) -> Program:
    argv = (sys.executable, "-m", "cli.main", "run", *run)
    ready = f"http://127.0.0.1:{port}/health/ready"
    return Program(title, argv, {**env, "CARETRAIL_PORT": str(port)}, ready, port, forked=True)


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
