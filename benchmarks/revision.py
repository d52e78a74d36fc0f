"""The revision of the code that something was measured on."""

from __future__ import annotations

import subprocess

from deploy.local.programs import ROOT

CODE = (".", ":!docs")
"""What counts as changed: pages and the record of rounds, which grows while they are played, do not."""


def revision() -> str | None:
    """The commit, ``-dirty`` where the code was changed since; none where there is no git."""
    found = _git("describe", "--always")
    if found is None or not found.stdout:
        return None
    changed = _git("diff-index", "--quiet", "HEAD", "--", *CODE)
    return found.stdout.strip() + ("-dirty" if changed is None or changed.returncode else "")


def _git(*words: str) -> subprocess.CompletedProcess[str] | None:
    # Not one above the tree: an unpacked release says nothing of the folder that it was unpacked in.
    if not (ROOT / ".git").exists():
        return None
    try:
        return subprocess.run(("git", "-C", str(ROOT), *words), capture_output=True, text=True, check=False)
    except OSError:
        return None
