"""Patterns of data nodes as whoever gives rights writes them: which of them mean nothing now is told."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click


def tell_idle(state: Path, name: str, entry: Mapping[str, Any]) -> None:
    """Tell which patterns of a principal's entry mean no data node that is admitted: it may come later, or is mistyped."""
    for sentence in _idle(state, name, entry):
        click.echo(f"note: {sentence}", err=True)


def _idle(state: Path, name: str, entry: Mapping[str, Any]) -> Iterator[str]:
    from sisock.fleet.rules import meant, read_policy, visible
    from sisock.keys import compile_policy
    from sisock.keys.entry import parse

    policy, principal = read_policy(compile_policy(state, lambda *_: None)), parse(name, entry)
    offering = (each for each in policy.principals.values() if each.role in ("data_node", "recorder"))
    nodes = {node for each in offering for node in each.names}
    seen = {node for node in nodes if visible(policy, principal, node)}
    for what, of, sort in (("nodes", nodes, "is admitted now"), ("switch", seen, f"{name} may see")):
        for pattern in entry.get(what, ()):
            if not any(meant(policy, (pattern,), node) for node in of):
                yield f"{pattern!r} of --{what} means no data node that {sort}"
