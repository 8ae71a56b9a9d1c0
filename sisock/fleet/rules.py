"""What each principal may do: exact allow-lists, everything else is refused."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from sisock.keys import Principal, parse_policy
from sisock.uris import Uris

SESSION_TOPICS = frozenset(f"wamp.session.on_{each}" for each in ("join", "leave"))
REGISTRATION_TOPICS = frozenset(
    f"wamp.registration.on_{each}" for each in ("create", "register", "unregister", "delete")
)
META_TOPICS = SESSION_TOPICS | REGISTRATION_TOPICS
META_PROCEDURES = frozenset(
    {"wamp.session.count", "wamp.session.list", "wamp.session.get"}
    | {f"wamp.registration.{each}" for each in ("list", "get", "lookup", "match", "list_callees", "count_callees")}
)
ANSWERS = ("get_fields", "get_data", "get_sample")


class Policy(NamedTuple):
    """The principals, and the data nodes that are shown to few."""

    principals: Mapping[str, Principal]
    sensitive: frozenset[str]


class Action(NamedTuple):
    """What a session wants to do."""

    kind: str  # "call", "register", "publish" or "subscribe"
    uri: str
    options: Mapping[str, Any] = {}


def read_policy(snapshot: object) -> Policy:
    """Read a policy snapshot; raise ValueError with the cure where it is not one."""
    principals = parse_policy(snapshot)
    sensitive = {
        name for each in principals.values() if each.role == "data_node" and each.sensitive for name in each.names
    }
    return Policy(principals, frozenset(sensitive))


def allows(policy: Policy, uris: Uris, authid: str, action: Action) -> bool:
    """Whether the principal may do this."""
    principal = policy.principals.get(authid)
    if principal is None or not _plain(action.options):
        return False
    node = _Node.of(uris, action.uri)
    match principal.role:
        case "hub":
            return _hub(uris, action, node)
        case "data_node":
            return _data_node(uris, principal, action, node)
        case "recorder":
            return _recorder(policy, uris, principal, action, node)
        case "consumer":
            return _consumer(policy, uris, principal, action, node)
    return False


def visible(policy: Policy, principal: Principal, name: str) -> bool:
    """Whether this consumer may see that data node."""
    if name in policy.sensitive and not principal.sensitive:
        return False
    return any(fnmatchcase(name, pattern) for pattern in principal.nodes)


def may_see(policy: Policy, authid: str | None, name: str) -> bool:
    """Whether whoever is signed in by this name may list, ask and follow that data node."""
    principal = policy.principals.get(authid or "")
    return principal is not None and principal.role != "data_node" and visible(policy, principal, name)


def may_offer(policy: Policy, authid: str | None, name: str) -> bool:
    """Whether whoever is signed in by this name may be that data node."""
    principal = policy.principals.get(authid or "")
    return principal is not None and principal.role in ("data_node", "recorder") and name in principal.names


class _Node(NamedTuple):
    """The part of a data node that a URI means, if it means one."""

    kind: str  # "consumer" or "archive"
    name: str
    what: str

    @classmethod
    def of(cls, uris: Uris, uri: str) -> "_Node | None":
        if not uri.startswith(f"{uris.prefix}."):
            return None
        parts = uri[len(uris.prefix) + 1 :].split(".")
        return cls(*parts) if len(parts) == 3 and parts[0] in ("consumer", "archive") else None


def _plain(options: Mapping[str, Any]) -> bool:
    """Whether the options neither match patterns, nor take a name over or share it, nor claim another's identity."""
    return (
        options.get("match", "exact") == "exact"
        and options.get("invoke", "single") == "single"
        and not options.get("force_reregister")
        and not options.get("forward_for")  # the router would disclose whomever it names as the caller
    )


def _hub(uris: Uris, action: Action, node: _Node | None) -> bool:
    match action.kind:
        case "register":
            return action.uri in (uris.add, uris.subtract, uris.get_data_node, uris.hub_nodes)
        case "publish":
            return action.uri in (uris.added, uris.subtracted, uris.hub_started)
        case "subscribe":
            return action.uri in META_TOPICS
        case "call":
            return action.uri in META_PROCEDURES or action.uri == uris.set_policy or _asks(node, "consumer")
    return False


def _data_node(uris: Uris, principal: Principal, action: Action, node: _Node | None) -> bool:
    own = node is not None and node.name in principal.names
    match action.kind:
        case "register":
            return own and (_asks(node, "consumer") or _reads(node))
        case "publish":
            return own and node is not None and (node.kind, node.what) == ("consumer", "live")
        case "subscribe":
            return action.uri in (uris.hub_started, uris.subtracted)
        case "call":
            return action.uri in (uris.add, uris.subtract) or (own and _asks(node, "archive"))
    return False


def _recorder(policy: Policy, uris: Uris, principal: Principal, action: Action, node: _Node | None) -> bool:
    archive = _asks(node, "archive") and node is not None and visible(policy, principal, node.name)
    return (
        (action.kind == "register" and archive)
        or _consumer(policy, uris, principal, action, node)
        or _data_node(uris, principal, action, node)  # it tells of itself as others do
    )


def _consumer(policy: Policy, uris: Uris, principal: Principal, action: Action, node: _Node | None) -> bool:
    seen = node is not None and visible(policy, principal, node.name)
    match action.kind:
        case "call":
            answers = seen and (_asks(node, "consumer") or _asks(node, "archive") or _reads(node))
            return answers or action.uri in (uris.get_data_node, uris.hub_nodes)
        case "subscribe":
            live = seen and node is not None and (node.kind, node.what) == ("consumer", "live")
            return live or action.uri in (uris.added, uris.subtracted, uris.hub_started)
    return False


def _asks(node: _Node | None, kind: str) -> bool:
    return node is not None and node.kind == kind and node.what in ANSWERS


def _reads(node: _Node | None) -> bool:
    """Whether it is the procedure by which a node's journal is read."""
    return node is not None and (node.kind, node.what) == ("consumer", "read_from")
