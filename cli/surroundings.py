"""The surroundings of every command: settings, .env and home that cannot be used are named, not traced."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from typer import BadParameter
from typer.core import TyperGroup

UNUSABLE, SEE = "a setting cannot be used", "See the environment and .env."


class Commands(TyperGroup):
    """All commands: settings are read in many places, and what is wrong with them is told in this one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse an empty text, which a command would take for nothing said. Raises BadParameter."""
        for before, each in zip(["", *args], args, strict=False):
            option, equals, value = each.partition("=")
            if not each or (each.startswith("--") and equals and not value):
                hint = option or (before if before.startswith("--") else None)
                raise BadParameter("expected a value, not an empty text", ctx=ctx, param_hint=hint)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; letters that the terminal has not are told by number. Raises typer.Exit."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except UnicodeDecodeError:
            _tell_env_file(as_json)
            raise
        except ValueError as error:
            _tell_setting(error, as_json)
            raise
        except OSError as error:
            _tell_home(error, as_json)
            raise


def _tell_env_file(as_json: bool) -> None:
    """Name the byte of .env that is no text. Raises typer.Exit where there is one."""
    try:
        Path(".env").read_bytes().decode()
    except UnicodeDecodeError as error:
        place = f"byte {error.start + 1}"
        _end(as_json, ".env cannot be read as text", "Save it as UTF-8.", place, "UTF-8")
    except OSError:  # no such file: the text that could not be read was another one
        return


def _tell_home(error: OSError, as_json: bool) -> None:
    """Say that the home cannot be used and why. Raises typer.Exit where the error is about the home."""
    from chassis.config import Settings

    home = Settings().home.absolute()
    about = Path(str(error.filename or "")).absolute()
    if not error.filename or not (about.is_relative_to(home) or home.is_relative_to(about)):
        return
    if isinstance(error, FileNotFoundError) and home.exists():
        return  # the home is there: what is missing in it is no matter of the home
    advice = "Name a folder that is yours, or can be made, in CARETRAIL_HOME."
    _end(as_json, f"the home {home} cannot be used", advice, str(about), f"a folder ({error.strerror})")


def _end(as_json: bool, title: str, advice: str, place: str, expected: str) -> None:
    import typer

    from cli.problem import Place, Problem

    Problem(title, places=[Place(place, expected)], advice=advice).tell(as_json)
    raise typer.Exit(1) from None


def _tell_setting(error: ValueError, as_json: bool) -> None:
    """Name the settings that do not fit, never their values. Raises typer.Exit; other errors are let be."""
    import typer
    from caretrail_contracts.wording import expected_of
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from cli.problem import Place, Problem

    if isinstance(error, SettingsError):  # its message names the field in quotes, and no value
        name = str(error).partition('"')[2].partition('"')[0]
        _end(as_json, UNUSABLE, SEE, f"CARETRAIL_{name}".upper(), "JSON")
    if not isinstance(error, ValidationError) or not error.title.endswith(("Settings", "Options")):
        return
    places = [
        Place(f"CARETRAIL_{'_'.join(map(str, each['loc']))}".upper(), expected_of(each))
        for each in error.errors(include_input=False)
    ]
    Problem(UNUSABLE, places=places, advice=SEE).tell(as_json)
    raise typer.Exit(1) from None
