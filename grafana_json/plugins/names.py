"""What a variable of a dashboard can be: `nodes`, `fields of NODE`, `nodes with TAG`, `tags`, or targets by a text."""

from collections.abc import Iterable

from grafana_json.lookup import Work, choosing
from grafana_json.targets import Known, Tags, search
from sisock.frames import Field

_MOST_NAMES = 1000  # alternatives in a question


def names(text: str, known: Known, tags: Tags, most: int) -> list[str]:
    """What a question of a variable has for an answer, sorted, at most so many.

    NODE and TAG may be alternatives, `(a|b)`, or `.*`. Any other text is looked for in targets `node::field`.
    Raises RequestError where that is too much work.
    """
    match text.split(None, 2):
        case ["nodes"]:
            found = set(known)
        case ["tags"]:
            found = {tag for of_node in tags.values() for tag in of_node}
        case ["fields", "of", nodes]:
            found = set(fields_of(nodes.strip(), known))
        case ["nodes", "with", wanted]:
            found = nodes_with(wanted.strip(), known, tags)
        case _:
            return search(text, known, most)
    return sorted(found)[:most]


def nodes_with(pattern: str, known: Known, tags: Tags) -> set[str]:
    """The nodes that have one of the tags that the pattern stands for."""
    chosen = set(_chosen(pattern, {tag for of_node in tags.values() for tag in of_node}))
    return {node for node in known if chosen.intersection(tags.get(node, ()))}


def fields_of(pattern: str, known: Known) -> dict[str, Field]:
    """The fields of the nodes that the pattern stands for, sorted, each once."""
    found = {field: about for node in _chosen(pattern, known) for field, about in known[node].items()}
    return dict(sorted(found.items()))


def _chosen(pattern: str, names: Iterable[str]) -> list[str]:
    listed = list(names)
    chosen = choosing(pattern, len(listed), _MOST_NAMES, Work())
    return [name for name in listed if chosen(name)]
