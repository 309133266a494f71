"""xenabs status"""

import json

import click

from xenabs.status import describe, known


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list, an object a device.")
def status(as_json: bool) -> None:
    """Show each vkbd of this guest: who has it, and how its events fare."""
    states = known()
    if as_json:
        click.echo(json.dumps(states, indent=2))
        return
    if not states:
        click.echo("This guest has no vkbd device.")
    for state in states:
        click.echo("\n".join(describe(state)))
