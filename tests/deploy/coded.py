"""Runs code that is given as its first argument, as `python -c` does; as a module it can be forked."""

import sys

exec(sys.argv.pop(1))
