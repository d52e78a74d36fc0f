"""The contracts install alone: a wheel, a clean environment, pydantic and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

PYDANTIC = ("pydantic", "pydantic-core", "annotated-types", "typing-extensions", "typing-inspection")
PROJECT = Path(__file__).parents[2] / "contracts"

USE = """
import json, sys
import caretrail_contracts.catalogue as catalogue
from caretrail_contracts import asyncapi, cloudevents, examples, frozen
event = catalogue.all_events()[0]
record = cloudevents.from_headers(
    cloudevents.to_headers(examples.envelope_of(event), None), examples.example(event).to_bytes()
)
print(json.dumps({
    "decoded": record.decode() == examples.example(event),
    "differences": [str(each) for each in frozen.differences(frozen.home())],
    "channels": len(asyncapi.document()["channels"]),
    "where": catalogue.__file__,
    "foreign": sorted(
        {"chassis", "keystore", "services", "cli", "typer"} & {name.split(".")[0] for name in sys.modules}
    ),
}))
"""


def run(*argv: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in argv], cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_works_in_an_environment_that_has_pydantic_alone(tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=PROJECT)
    (wheel,) = tmp_path.glob("*.whl")
    run(
        sys.executable, "-m", "uv", "venv", "-q", "--python", sys.executable, tmp_path / "clean", cwd=tmp_path
    )
    python = tmp_path / "clean" / "bin" / "python"
    run(
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "-q",
        "-p",
        python,
        wheel,
        *pydantic_here(),
        cwd=tmp_path,
    )
    installed = json.loads(
        run(sys.executable, "-m", "uv", "pip", "list", "-p", python, "--format=json", cwd=tmp_path)
    )
    said = json.loads(run(python, "-I", "-c", USE, cwd=tmp_path))
    assert {part["name"] for part in installed} == {"caretrail-contracts", *PYDANTIC}
    assert said.pop("where").startswith(str(tmp_path / "clean"))
    assert said == {"decoded": True, "differences": [], "channels": 6, "foreign": []}


def pydantic_here() -> list[str]:
    """The versions of this environment, so that the cache serves them without a network."""
    return [f"{name}=={version(name)}" for name in PYDANTIC]
