"""`evertoken generate`: a typed package of an API that is newer than this one."""

from __future__ import annotations

import click


@click.command("generate", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def generate(context: click.Context, /, arguments: tuple[str, ...]) -> None:
    """Write a typed package from an OpenAPI document; see evertoken generate --help."""
    from evertoken.generate.__main__ import main  # noqa: PLC0415 - no other command needs it

    context.exit(main(list(arguments), program="evertoken generate"))
