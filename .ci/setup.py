"""Makes the environment in .venv from requirements.lock.

Needs Python alone; needs the network only when the lock changed.
"""

import compileall
import fcntl
import hashlib
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / ".caretrail-setup"
INPUTS = (ROOT / "pyproject.toml", LOCK, Path(__file__))
OLDEST_PYTHON = (3, 11)
PACKAGES = ("chassis", "cli", "contracts", "deploy", "keystore", "operations", "services", "web")


def fingerprint() -> str:
    """A digest of all that decides what the environment holds, where it stands and which Python made it."""
    digest = hashlib.sha256(f"{ROOT} {sys.version_info[:2]}".encode())
    for path in INPUTS:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_current() -> bool:
    return STAMP.exists() and PYTHON.exists() and STAMP.read_text() == fingerprint()


def uv_requirement() -> str:
    """The lock's own lines for uv, version and hashes, so that pip checks what it installs."""
    found = re.search(r"^uv==(?:.*\\\n)*.*\n", LOCK.read_text(), re.MULTILINE)
    if found is None:
        sys.exit(f"{LOCK.name} does not name uv: run 'make lock'")
    return found.group()


def make_venv() -> None:
    """A virtual environment with uv in it; one made by another Python is made anew."""
    made_by = VENV / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if UV.exists() and made_by.exists():
        return
    print("making .venv", flush=True)
    try:
        venv.create(VENV, with_pip=True, clear=VENV.exists(), symlinks=True)
    except subprocess.CalledProcessError:
        sys.exit(
            "this Python cannot make virtual environments with pip; on Debian or Ubuntu install python3-venv"
        )
    wanted = VENV / "uv.txt"
    wanted.write_text(uv_requirement())
    run(PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", wanted)
    wanted.unlink()


def install() -> None:
    """Exactly the locked packages, each checked by its hash, then this project, editable."""
    print("installing the locked packages", flush=True)
    run(UV, "pip", "sync", "--quiet", "--compile-bytecode", "--python", PYTHON, "--require-hashes", LOCK)
    editable = ("--no-deps", "--no-build-isolation", "--editable", ROOT)
    run(UV, "pip", "install", "--quiet", "--offline", "--python", PYTHON, *editable)


def compile_packages() -> None:
    """Bytecode of this project, for where Python is told not to write it: eight processes import it."""
    for name in PACKAGES:
        compileall.compile_dir(ROOT / name, quiet=2)


def run(*argv: str | Path) -> None:
    """Runs a command at the root, without the settings of a virtual environment that the caller may be in."""
    env = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run([str(word) for word in argv], cwd=ROOT, env=env)
    if done.returncode:
        sys.exit(f"setup failed: {Path(argv[0]).name} ended with {done.returncode}; see above")


def main() -> None:
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(
            f"Caretrail needs Python 3.11 or newer, this is {sys.version.split()[0]}: "
            "name another one, as in make setup PYTHON=python3.12"
        )
    with (ROOT / ".ci" / "setup.py").open() as itself:
        fcntl.flock(itself, fcntl.LOCK_EX)  # two terminals may call make at once
        if not is_current():
            make_venv()
            install()
            STAMP.write_text(fingerprint())
        compile_packages()


main()
