"""Kafka of one's own: a broker, or several of one cluster, in KRaft mode on the Java runtime of a wheel."""

from __future__ import annotations

import base64
import os
import socket
import struct
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from deploy.local import java
from deploy.local.dying import die_with_parent
from deploy.local.ports import free_port
from deploy.local.supervisor import Program

TRIAL_MAX_S = 60.0
"""How long the broker of a trial may take to start, and to stop."""


@dataclass(frozen=True, slots=True)
class Node:
    """A broker of a cluster: the ports for clients and for its fellows."""

    number: int
    port: int
    controller_port: int


def program(home: Path, port: int, controller_port: int) -> Program:
    """The broker as a program; formats its folder the first time."""
    return _program(
        "kafka", home / "kafka", Node(1, port, controller_port), (Node(1, port, controller_port),)
    )


def cluster(home: Path, nodes: Sequence[Node]) -> list[Program]:
    """Brokers of one cluster as programs; formats the folder of each that is new, or lost what it held.

    What has three replicas or more takes writes as long as most of them are there.
    """
    return [
        _program(f"kafka-{node.number}", folder_of(home, node.number), node, tuple(nodes)) for node in nodes
    ]


def folder_of(home: Path, number: int) -> Path:
    """Where a broker of a cluster keeps everything."""
    return home / "kafka" / str(number)


def _program(name: str, folder: Path, node: Node, nodes: tuple[Node, ...]) -> Program:
    command = java.taught(_trial)
    settings = _prepared(folder, node, nodes, command)
    argv = (
        command[0],
        f"-XX:ErrorFile={folder}/java-error-%p.log",
        *command[1:],
        "kafka.Kafka",
        str(settings),
    )
    return Program(name, argv, env=java.LOCALE, ready=f"tcp://127.0.0.1:{node.port}", port=node.port)


def _prepared(folder: Path, node: Node, nodes: tuple[Node, ...], command: tuple[str, ...]) -> Path:
    """The settings of a broker, in its folder, formatted the first time."""
    folder.mkdir(0o700, parents=True, exist_ok=True)
    settings = folder / "server.properties"
    settings.write_text(_settings(folder / "data", node, nodes))
    if not (folder / "data" / "meta.properties").exists():
        _format(command, settings, _cluster_id(folder if len(nodes) == 1 else folder.parent))
    return settings


def _trial(folder: Path, option: str) -> None:
    """Start a broker in an empty folder, with an option of Java, and stop it. Raises TimeoutExpired."""
    node = Node(1, free_port(), free_port())
    settings = _prepared(folder, node, (node,), java.command())
    process = subprocess.Popen(
        (*java.command(option), "kafka.Kafka", str(settings)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **java.LOCALE},
        start_new_session=True,
        preexec_fn=die_with_parent,
    )
    try:
        until = time.monotonic() + TRIAL_MAX_S
        while process.poll() is None and not _listens(node.port) and time.monotonic() < until:
            time.sleep(0.05)
        process.terminate()
        process.wait(TRIAL_MAX_S)
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as found:
        return found.connect_ex(("127.0.0.1", port)) == 0


def _property(path: Path) -> str:
    """A path as Java reads it from a file of properties: anything but ASCII escaped, and backslashes too."""
    units = str(path).replace("\\", "\\\\").encode("utf-16-be")
    codes = struct.unpack(f">{len(units) // 2}H", units)
    return "".join(chr(code) if code < 128 else f"\\u{code:04x}" for code in codes)


def _cluster_id(folder: Path) -> str:
    """The cluster's id, drawn the first time."""
    path = folder / "cluster"
    if not path.exists():
        # Standard base64url may begin with "-", which the tool reads as an option.
        path.write_text(base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=").replace("-", "_"))
    return path.read_text()


def _format(command: tuple[str, ...], settings: Path, cluster: str) -> None:
    done = subprocess.run(
        (*command, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings)),
        capture_output=True,
        text=True,
        env={**os.environ, **java.LOCALE},
        start_new_session=True,  # Ctrl-C leaves no folder half formatted
    )
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip()  # Java itself writes there
        raise RuntimeError(f"Kafka could not format its folder: {said[-400:]}")


def _settings(data: Path, node: Node, nodes: tuple[Node, ...]) -> str:
    voters = ",".join(f"{each.number}@127.0.0.1:{each.controller_port}" for each in nodes)
    replicas, in_sync = min(len(nodes), 3), min(len(nodes), 3) // 2 + 1
    return f"""\
process.roles=broker,controller
node.id={node.number}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{node.port},CONTROLLER://127.0.0.1:{node.controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{node.port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={_property(data)}
auto.create.topics.enable=false
log.retention.ms=-1
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
log.segment.bytes=67108864
log.index.size.max.bytes=262144
num.network.threads=2
num.io.threads=2
num.replica.fetchers=1
background.threads=2
"""
