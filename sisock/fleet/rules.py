"""What each principal may do: exact allow-lists, everything else is refused."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from sisock.keys import Principal, parse_policy
from sisock.keys.entry import CONSUMERS, TAG
from sisock.uris import NODE, Uris

SESSION_TOPICS = frozenset(f"wamp.session.on_{each}" for each in ("join", "leave"))
REGISTRATION_TOPICS = frozenset(
    f"wamp.registration.on_{each}" for each in ("create", "register", "unregister", "delete")
)
META_TOPICS = SESSION_TOPICS | REGISTRATION_TOPICS
META_PROCEDURES = frozenset(
    {"wamp.session.count", "wamp.session.list", "wamp.session.get", "wamp.subscription.lookup"}
    | {f"wamp.registration.{each}" for each in ("list", "get", "lookup", "match", "list_callees", "count_callees")}
)
ANSWERS = ("get_fields", "get_data", "get_sample")


class Policy(NamedTuple):
    """The principals, the data nodes that are shown to few, and the nodes with each tag."""

    principals: Mapping[str, Principal]
    sensitive: frozenset[str] = frozenset()
    tags: Mapping[str, frozenset[str]] = {}
    unrestricted: bool = False  # whether all who listen may see all nodes that are not sensitive


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
    tags: dict[str, frozenset[str]] = {}
    for each in principals.values():
        for tag in each.tags:
            tags[tag] = tags.get(tag, frozenset()).union(each.names)
    listening = (each for each in principals.values() if each.role in (*CONSUMERS, "recorder"))
    return Policy(principals, frozenset(sensitive), tags, all("*" in each.nodes for each in listening))


def allows(policy: Policy, uris: Uris, authid: str, action: Action) -> bool:
    """Whether the principal may do this."""
    principal = policy.principals.get(authid)
    if principal is not None and _hears(uris, principal, action):
        return True
    if principal is None or not _plain(action.options):
        return False
    renews = principal.certificate and (action.kind, action.uri) == ("call", uris.renew)
    return renews or _by_role(policy, uris, principal, action)


def _by_role(policy: Policy, uris: Uris, principal: Principal, action: Action) -> bool:
    node = _Node.of(uris, action.uri)
    match principal.role:
        case "hub":
            return _hub(uris, action, node)
        case "data_node":
            return _data_node(uris, principal, action, node)
        case "recorder":
            return _recorder(policy, uris, principal, action, node)
        case "consumer" | "viewer" | "operator" | "admin":
            return _consumer(policy, uris, principal, action, node) or _operator(policy, uris, principal, action, node)
    return principal.role == "enrolling" and (action.kind, action.uri) == ("call", uris.enroll)


def visible(policy: Policy, principal: Principal, name: str) -> bool:
    """Whether this consumer may see that data node."""
    if name in policy.sensitive and not (principal.sensitive or principal.role == "admin"):
        return False
    return meant(policy, principal.nodes, name)


def switchable(policy: Policy, principal: Principal, name: str) -> bool:
    """Whether this consumer may command that data node."""
    commands = principal.role in ("operator", "admin")
    return commands and visible(policy, principal, name) and meant(policy, principal.switch, name)


def meant(policy: Policy, patterns: Sequence[str], name: str) -> bool:
    """Whether one of these patterns, `freezer*` or `tag:cold`, means that data node."""
    if "*" in patterns:
        return True
    for pattern in patterns:
        if pattern.startswith(TAG):
            if name in policy.tags.get(pattern.removeprefix(TAG), ()):
                return True
        elif fnmatchcase(name, pattern):
            return True
    return False


def may_see(policy: Policy, authid: str | None, name: str) -> bool:
    """Whether whoever is signed in by this name may list, ask and follow that data node."""
    principal = policy.principals.get(authid or "")
    blind = ("data_node", "enrolling")
    return principal is not None and principal.role not in blind and visible(policy, principal, name)


def may_hear(policy: Policy, name: str) -> list[str] | None:
    """The principals that may hear of that data node; None where nobody has to be kept from it."""
    if policy.unrestricted and name not in policy.sensitive:
        return None
    return sorted(authid for authid in policy.principals if may_see(policy, authid, name))


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
        known = len(parts) == 3 and parts[0] in ("consumer", "archive") and NODE.fullmatch(parts[1])
        return cls(*parts) if known else None


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
            return action.uri in _offers(uris)
        case "publish":
            return action.uri in (uris.added, uris.subtracted, uris.news, uris.hub_started)
        case "subscribe":
            return action.uri in META_TOPICS or action.uri == uris.refused
        case "call":
            own = action.uri in META_PROCEDURES or action.uri == uris.set_policy
            return own or _asks(node, "consumer") or _is(node, "prove")
    return False


def _offers(uris: Uris) -> tuple[str, ...]:
    """The hub's procedures."""
    asked = (uris.add, uris.subtract, uris.get_data_node, uris.hub_nodes, uris.measures)
    return (*asked, uris.enroll, uris.renew, uris.principals, uris.revoke)


def _data_node(uris: Uris, principal: Principal, action: Action, node: _Node | None) -> bool:
    own = node is not None and node.name in principal.names
    match action.kind:
        case "register":
            return own and (_asks(node, "consumer") or any(_is(node, what) for what in ("read_from", "prove", "act")))
        case "publish":
            return (own and _is(node, "live")) or _tells(uris, principal, action.uri)
        case "subscribe":
            return action.uri in (uris.hub_started, uris.subtracted)
        case "call":
            return action.uri in (uris.add, uris.subtract) or (own and _asks(node, "archive"))
    return False


def _hears(uris: Uris, principal: Principal, action: Action) -> bool:
    """Whether it wants all feeds of an observatory control system that it may hear: the one pattern there is for anybody."""
    feeds = [f"{root}..feeds." for root in principal.hears if root != _root(uris)]
    wanted = action.kind == "subscribe" and action.options.get("match") == "wildcard" and action.uri in feeds
    return wanted and _plain({**action.options, "match": "exact"})


def _tells(uris: Uris, principal: Principal, uri: str) -> bool:
    """Whether it is a feed of one of its own names, `observatory.<name>.feeds.<feed>`."""
    parts = uri.split(".")
    sound = len(parts) == 4 and parts[2] == "feeds" and bool(parts[3]) and parts[0] != _root(uris)
    return sound and parts[0] in principal.tells and parts[1] in principal.names


def _root(uris: Uris) -> str:
    """The first word of our own URIs: what lies below it is never a feed."""
    return uris.prefix.split(".")[0]


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
            answers = seen and (_asks(node, "consumer") or _asks(node, "archive") or _is(node, "read_from"))
            told = (
                action.uri == uris.measures and "*" in principal.nodes
            )  # how the whole is doing, to who sees all of it
            return answers or told or action.uri in (uris.get_data_node, uris.hub_nodes, uris.sign_out)
        case "subscribe":
            hub = (uris.added, uris.subtracted, uris.news, uris.hub_started)
            return (seen and _is(node, "live")) or action.uri in hub
    return False


def _operator(policy: Policy, uris: Uris, principal: Principal, action: Action, node: _Node | None) -> bool:
    """What operators and admins may beyond others."""
    if action.kind != "call":
        return False
    if node is not None and _is(node, "act"):
        return switchable(policy, principal, node.name)
    return principal.role == "admin" and action.uri in (uris.principals, uris.revoke)


def _asks(node: _Node | None, kind: str) -> bool:
    return node is not None and node.kind == kind and node.what in ANSWERS


def _is(node: _Node | None, what: str) -> bool:
    """Whether it is this procedure or topic of a data node: `read_from` reads its journal, `prove` is for the hub alone."""
    return node is not None and (node.kind, node.what) == ("consumer", what)
