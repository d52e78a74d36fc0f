"""The tree is the architecture: who may import what, as pyproject.toml says it."""

import subprocess
import sys
from pathlib import Path

from tests.architecture.source import ROOT


def test_every_import_rule_is_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    argv = (str(linter), "--no-logo", "--no-cache")
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
