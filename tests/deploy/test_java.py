"""Kafka's Java: taught once a machine, and then it starts with what it was taught."""

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.local import jars, java, kafka

MAKES = "-XX:AOTCacheOutput="


class Trials:
    """Stands for broker starts: writes what Java would, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.folders, self._error = list[Path](), error

    def __call__(self, folder: Path, option: str) -> None:
        assert list(folder.iterdir()) == []
        self.folders.append(folder)
        if self._error:
            raise self._error
        Path(option.removeprefix(MAKES)).write_bytes(b"what starting taught")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache in which nobody looks for jars."""
    folder = tmp_path / "caretrail" / "jars"
    folder.mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(java, "classpath", lambda: [Path("a.jar")])
    return folder


def used(command: tuple[str, ...]) -> list[str]:
    return [word.removeprefix("-XX:AOTCache=") for word in command if word.startswith("-XX:AOTCache=")]


def test_it_is_taught_once_and_nothing_else_is_left(cache: Path) -> None:
    trials = Trials()
    first, second = java.taught(trials), java.taught(trials)
    assert first == second
    (kept,) = map(Path, used(first))
    assert kept.read_bytes() == b"what starting taught"
    assert len(trials.folders) == 1
    assert not trials.folders[0].exists()
    assert {path.suffix for path in cache.iterdir()} == {".aot", ".lock"}


@pytest.mark.parametrize("error", [RuntimeError(), OSError(), subprocess.TimeoutExpired("java", 1.0)])
def test_where_it_cannot_be_taught_it_starts_without_and_is_not_tried_again(
    cache: Path, error: Exception
) -> None:
    trials = Trials(error)
    assert used(java.taught(trials)) == used(java.taught(trials)) == []
    assert len(trials.folders) == 1


def test_while_another_process_teaches_it_starts_without(cache: Path) -> None:
    trials = Trials()
    (kept,) = map(Path, used(java.taught(trials)))
    kept.unlink()
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert used(java.taught(trials)) == []
    assert len(trials.folders) == 1


def test_where_nothing_can_be_kept_it_starts_without(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(java, "cache_folder", lambda: tmp_path / "a file" / "jars")
    (tmp_path / "a file").touch()
    trials = Trials()
    assert used(java.taught(trials)) == []
    assert trials.folders == []


def run(command: tuple[str, ...], *options: str) -> str:
    """What one of Kafka's smallest programs prints."""
    argv = (command[0], *options, *command[1:], "kafka.tools.StorageTool", "random-uuid")
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.mark.servers
def test_java_takes_what_a_broker_taught_it() -> None:
    command = java.taught(kafka._trial)
    assert used(command), f"nothing in {jars.cache_folder()}"
    assert len(run(command, "-XX:AOTMode=on")) == 22


@pytest.mark.servers
@pytest.mark.parametrize("at", [0.0, 0.1, 0.5, 0.9])
def test_java_starts_without_what_is_damaged(tmp_path: Path, at: float) -> None:
    """Where its checksum is not seen to, it crashes on zeros behind the head."""
    command = java.taught(kafka._trial)
    (kept,) = used(command)
    damaged = tmp_path / "damaged.aot"
    shutil.copy(kept, damaged)
    with damaged.open("r+b") as file:
        file.seek(int(damaged.stat().st_size * at))
        file.write(bytes(1 << 21))
    assert len(run(tuple(word.replace(kept, str(damaged)) for word in command))) == 22
