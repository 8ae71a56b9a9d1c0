"""`sisock init`: keys, principals and policy of everything that shall sign in."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sisock.cli.failures import Failure
from sisock.cli.options import with_settings
from sisock.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLES = {
    "hub": ("hub", {}),
    "bridge": ("consumer", {"sensitive": False}),
    "cli": ("consumer", {"sensitive": True}),
    "page": ("consumer", {"sensitive": True}),
    "provision": ("consumer", {"sensitive": False}),  # `sisock grafana provision`, where it is a service of its own
}
KEYLESS = "page"  # signs in by the token of its address


@click.command()
@click.option(
    "--principals", default="hub,bridge,cli,page,weather,sensors,lsof,host,recorder", show_default=True, metavar="NAMES"
)
@with_settings("state", "config")
def init(settings: Settings, principals: str) -> None:
    """Make keys, principals and the policy in the state directory.

    `sisock up` does this by itself. Do it by hand for containers and machines of their own: each part
    gets its key file keys/NAME.key, and only the router and the hub see the rest. Nothing that exists
    is changed, and a node that cannot be loaded keeps none of the others. NAMES may hold hub, bridge, cli, page, provision, names of data nodes and files with data nodes.

      sisock init --state state --principals hub,bridge,cli,page,weather
    """
    from sisock.keys import ensure_key, ensure_principal, write_policy
    from sisock.keys.principals import AnothersError, check_ours
    from sisock.supervisor.parts import words

    wrong: list[str] = []
    for name, role, more in [each for word in words(principals) for each in _principals(word, settings.config, wrong)]:
        if name not in ROLES:
            try:
                check_ours(settings.state, name)
            except AnothersError as error:
                wrong.append(str(error))
                continue
        public = None if name == KEYLESS else ensure_key(settings.state, name).public
        ensure_principal(settings.state, name, role, public, **more)
        click.echo(f"{name:<12} {role:<10} {public or 'by token'}")
    write_policy(settings.state)
    if wrong:
        raise Failure("; ".join(wrong))


def _principals(word: str, config: Path, wrong: list[str]) -> "Iterator[tuple[str, str, dict[str, bool]]]":
    """Name, role and entries of each principal that the word stands for; what cannot be loaded is told in `wrong`."""
    if word in ROLES:
        role, more = ROLES[word]
        yield word, role, more
        return
    from sisock.cli.plugins import UnknownNode, find
    from sisock.uris import check_node

    try:
        for kind in find(word, config):
            more = {"sensitive": bool(kind.sensitive)} if kind.role == "data_node" else {}
            yield check_node(kind.name or kind.__name__.lower()), kind.role, more
    except UnknownNode:
        raise
    except ValueError as error:
        wrong.append(str(error))
