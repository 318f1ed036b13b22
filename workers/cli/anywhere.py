"""Options that may stand before a command and behind it: `--config` and `--json`.

Where both places name one, the last counts, as with any option that is given twice.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from workers.errors import WrongUsage

AS_JSON: Final = "as_json"
"""The parameter of those commands that print JSON."""
CONFIG_HELP: Final = "The configuration; else $SEGSYNC_CONFIG, else ./segsync.toml."


def take_config(path: Path | None) -> None:
    """Names the configuration for this process, and for its children and Celery."""
    if path is not None:
        os.environ["SEGSYNC_CONFIG"] = str(path.absolute())


class AnywhereGroup(TyperGroup):
    """A group whose commands and groups take `--config` as well, and `--json` from before their names."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - typer's types have no public names
        """The command, with the option that all have."""
        command = super().get_command(ctx, cmd_name)
        if isinstance(command, (TyperCommand, TyperGroup)) and all(each.name != "config" for each in command.params):
            command.params.append(_config_option())
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - as above
        """The command and its arguments, `--json` among them if it stood before."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is None or not _wants_json(ctx):
            return name, command, rest
        if isinstance(command, TyperGroup) and any(each in command.commands for each in rest):
            return name, command, rest  # it is for the command within
        if all(each.name != AS_JSON for each in command.params):
            path = " ".join(["segsync", *_groups(ctx), str(name)])
            raise WrongUsage(f"`{path}` has no --json; those that print JSON show it in their --help")
        return name, command, ["--json", *rest]


def _wants_json(ctx: Any) -> bool:  # noqa: ANN401 - as above
    """Whether it stood before this command's name, or a group's in which it is."""
    return ctx is not None and (bool(ctx.params.get(AS_JSON)) or _wants_json(ctx.parent))


def _groups(ctx: Any) -> list[str]:  # noqa: ANN401 - as above
    """The groups that lead here, without the first, which is the program."""
    return [] if ctx.parent is None else [*_groups(ctx.parent), ctx.info_name]


def _declared(config: Annotated[Path | None, typer.Option(metavar="PATH", help=CONFIG_HELP)] = None) -> None:
    """What typer makes an option of."""


def _config_option() -> Any:  # noqa: ANN401 - as above
    maker = typer.Typer(add_completion=False)
    maker.command()(_declared)
    option = typer.main.get_command(maker).params[0]
    # It is for the process, not for the command's function.
    option.expose_value = False
    option.callback = lambda _, __, value: take_config(None if value is None else Path(value))
    return option
