"""The running stack: where its servers and services listen, as ``caretrail up`` or the settings say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from cli.problem import Problem

if TYPE_CHECKING:
    from cli.settings import CliSettings


class NoStack(Problem):
    """No stack runs under a home, or its file cannot be read."""


class Stack(BaseModel):
    """Addresses of a running stack; ``services`` gives the base URL of each."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kafka_bootstrap: str
    postgres_url: str = ""
    services: dict[str, str] = {}


def path_under(home: Path) -> Path:
    """Where the stack of a home is written down."""
    return home / "run" / "stack.json"


def of(settings: CliSettings) -> Stack:
    """Whom commands ask: the services that the settings name, else the stack of the home. Raises NoStack."""
    if settings.service_urls:
        return Stack(kafka_bootstrap=settings.kafka_bootstrap, services=settings.service_urls)
    return read(settings.home)


def kafka_of(stack: Stack) -> str:
    """Where Kafka listens. Raises Problem where nobody says."""
    if not stack.kafka_bootstrap:
        raise Problem("set CARETRAIL_KAFKA_BOOTSTRAP to the address of Kafka")
    return stack.kafka_bootstrap


def read(home: Path) -> Stack:
    """The stack that runs under a home. Raises NoStack."""
    path = path_under(home)
    try:
        return Stack.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise NoStack(
            f"no stack is running under {home}; start one with `caretrail up`",
            advice="One that is starting is there once it says Ready. CARETRAIL_HOME names another home, "
            "CARETRAIL_SERVICE_URLS services that run without a stack.",
        ) from None
    except ValidationError as error:
        at = "".join(f"/{part}" for part in error.errors()[0]["loc"])
        from caretrail_contracts.wording import expected_of

        raise NoStack(
            f"{path} cannot be read at {at or '(root)'}: expected {expected_of(error.errors()[0])}",
            advice="Stop the stack with `caretrail down` and start it again.",
        ) from None
