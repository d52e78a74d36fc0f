"""The surroundings of every command: a setting in the environment that cannot be is named, not traced."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class Commands(TyperGroup):
    """All commands: settings are read in many places, and what is wrong with them is told in this one."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command. Raises typer.Exit."""
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except ValueError as error:
            _tell_setting(error, as_json)
            raise


def _tell_setting(error: ValueError, as_json: bool) -> None:
    """Name the settings that do not fit, never their values. Raises typer.Exit; other errors are let be."""
    import typer
    from pydantic import ValidationError

    from chassis.wording import expected_of
    from cli.problem import Place, Problem

    if not isinstance(error, ValidationError) or not error.title.endswith(("Settings", "Options")):
        return
    places = [
        Place(f"CARETRAIL_{'_'.join(map(str, each['loc']))}".upper(), expected_of(each))
        for each in error.errors(include_input=False)
    ]
    Problem("a setting cannot be used", places=places, advice="See the environment and .env.").tell(as_json)
    raise typer.Exit(1) from None
