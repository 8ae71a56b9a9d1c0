"""Readers of the state directory: principals, policy, invitations, tokens, keys, certificates, tables and settings."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from sisock import settings
from sisock.cli.invite import _is_known
from sisock.cli.plugins import _table
from sisock.export import job
from sisock.fleet.kept import KeptTable, Principals, Seen, read_seen, seen_file
from sisock.fleet.presence import Presence
from sisock.fleet.refused import Refusals, read_refused, refused_file
from sisock.frames import Field
from sisock.keys import api_tokens, ensure_key, ensure_principal, invitations
from sisock.keys.authority import Authority
from sisock.keys.certificates import is_due, read_request, request
from sisock.keys.invitations import RefusedError, invite
from sisock.keys.passwords import nobodys
from sisock.keys.principals import compile_policy, write_policy
from sisock.keys.tokens import Tokens, new_page_token
from sisock.router.certificate import certificate
from sisock.router.policy import Rights
from sisock.router.start import _kept
from sisock.settings import Settings
from tests.hostile_reading import Reader, read_all, write_all
from tests.mutants import Files, one_damaged, rejson, remade, reworded

KEY = "ab" * 32


def _texts(rng: Random, corpus: list[Files]) -> Files:
    """The files with one of them reworded, as JSON where it is that."""
    files = rng.choice(corpus)
    name = rng.choice(list(files))
    return {**files, name: (rejson if name.endswith("json") else reworded)(rng, [files[name]])}


# who may sign in --------------------------------------------------------------------------------


def _principals(state: Path) -> list[Files]:
    ensure_principal(state, "hub", "hub", KEY)
    ensure_principal(state, "n", "data_node", KEY, sensitive=True, names=["n", "m"])
    ensure_principal(state, "old", "consumer", None, wampcra={"secret_file": "x"}, nodes=["a*"])
    rights = {"nodes": ["a*", "tag:b"], "switch": ["a"], "certificate": False}
    ensure_principal(state, "ann", "operator", None, password=nobodys(), **rights)
    ensure_principal(state, "script", "viewer", None, token={"sha256": KEY, "until": 9})
    made = invite(state, "new", {"role": "consumer"}, "lab:1", "", 600.0)
    ensure_principal(state, "enroll-0000000000000000", "enrolling", KEY, invites={"name": "x", "until": 9, "entry": {}})
    write_policy(state)
    ensure_key(state, "new")
    (state / "invitation").write_text(str(made))
    new_page_token(state)
    return [read_all(state)]


def _policy(files: Files, state: Path) -> None:
    write_all(state, files)
    for each in (
        lambda: compile_policy(state),
        lambda: Rights(Settings(state=state)).load(),
        lambda: _kept(state),
        lambda: invitations.sweep(state),
        lambda: ensure_principal(state, "n", "data_node", "cd" * 32),
        lambda: ensure_key(state, "new"),
    ):
        with _told(ValueError):
            each()
    Principals(state, {}).read()
    _is_known(state, "n")
    for principal in ("enroll-0000000000000000", *(Path(name).stem for name in files)):
        with _told(RefusedError, ValueError):
            invitations.accept(state, principal, "attic", KEY, "00" * 64)
    invitations.withdraw(state, "new")


@contextlib.contextmanager
def _told(*errors: type[Exception]) -> Iterator[None]:
    """That no more than these is raised, each a sentence of ours."""
    try:
        yield
    except errors as error:
        if type(error).__module__.partition(".")[0] not in ("builtins", "sisock") or isinstance(error, UnicodeError):
            raise AssertionError(f"this is no sentence of ours: {error!r}") from error


def _text(data: bytes, _: Path) -> None:
    invitations.read(data.decode("utf-8", "replace"))


def _invitation(state: Path) -> list[bytes]:
    (files,) = _principals(state)
    return [files["invitation"], b"sisock1:a@[::1]:9::" + KEY.encode()]


def _api_tokens(_: Path) -> list[bytes]:
    return [str(api_tokens.make("n", 9.0)[0]).encode()]


def _tokens(state: Path) -> list[Files]:
    return [{f"t{number}": b"%d" % (9**number)} for number in (1, 20)]


def _token(files: Files, state: Path) -> None:
    made = Tokens(state)
    for data in files.values():
        write_all(state, {made._path("x").name: data})
        made.expires("x")
        made.new(1.0)
        made.consume("x")


# certificates -----------------------------------------------------------------------------------


def _authority(state: Path) -> list[Files]:
    certificate(Settings(state=state), ["lab"])
    return [read_all(state)]


def _certificate(files: Files, state: Path) -> None:
    write_all(state, files)
    configured = Settings(state=state)
    with _told(ValueError):
        certificate(configured, ["lab", "lab2"])
    with _told(ValueError):
        _ = Authority(state / "ca").fingerprint
    for name in ("root.pem", "root.key"):
        (state / "ca" / name).unlink(missing_ok=True)
    with _told(ValueError):
        Authority(state / "ca").ensure("x")


def _requests(state: Path) -> list[bytes]:
    return [request(state, "n").encode()]


def _request(data: bytes, _: Path) -> None:
    read_request(data.decode("utf-8", "replace"), "n")


def _chains(state: Path) -> list[bytes]:
    made = Authority(state / "ca")
    made.ensure("x")
    return [made.issue_client("n", ec.generate_private_key(ec.SECP256R1()).public_key()).encode()]


def _chain(data: bytes, state: Path) -> None:
    write_all(state, {"n.pem": data})
    is_due(state / "n.pem")


# tables, settings -------------------------------------------------------------------------------


def _tables(state: Path) -> list[Files]:
    presence = Presence(lambda: 5)
    presence.add("n", "a node", 1, "n", {"v": 1})
    KeptTable(state / "nodes.json").write(presence)
    seen = Seen(seen_file(state))
    seen.note("n", 5)
    seen.write({"n"})
    refusals = Refusals(refused_file(state))
    refusals.note("n", "its key is another", 5)
    refusals.write()
    return [read_all(state)]


def _table_of_before(files: Files, state: Path) -> None:
    write_all(state, files)
    KeptTable(state / "nodes.json").recall(Presence(lambda: 5))
    read_seen(seen_file(state))
    read_refused(refused_file(state))


def _tomls(_: Path) -> list[bytes]:
    return [each.read_bytes() for each in sorted(Path("data_nodes").glob("*/sample.toml"))]


def _toml(data: bytes, folder: Path) -> None:
    write_all(folder, {"sisock.toml": data})
    _table(folder / "sisock.toml", "weather")


def _setting(given: Any, state: Path) -> None:
    given = {"router": given} if not isinstance(given, dict) else dict(given)
    write_all(state, {"router.url": url if isinstance(url := given.pop("url", b""), bytes) else b""})
    made = settings.read(**{**{str(key): value for key, value in given.items()}, "state": state})
    _ = made.url, made.trusted, made.uris


def _export(data: bytes, folder: Path) -> None:
    write_all(folder, {"x.csv.part.json": data})
    job.unfinished(folder / "x.csv", {"a": 1})


def _exports(folder: Path) -> list[bytes]:
    table = job.Table("n", "t", {"a": Field("x", "t")}, folder / "x.csv", 1, 9, kinds={"a": ["<f8"]})
    made = job.Job(folder / "x.csv", "csv", "iso", {"a": 1}, [table])
    made.save()
    return [made.state.read_bytes()]


def _settings_of(_: Path) -> list[dict[str, Any]]:
    good = {"router": "ws://a:1/ws", "router_port": "80", "plaintext": "true", "deadline": "1.5", "log_level": "info"}
    return [good, {"url": b"wss://lab:8443/ws\n", "hosts": "a,b", "tls_port": 1}]


READERS = {
    "principals and policy": Reader(_policy, _principals, (), _texts),
    "invitation": Reader(_text, _invitation, (ValueError,), reworded),
    "tokens": Reader(_token, _tokens, (), one_damaged),
    "API token": Reader(
        lambda data, _: api_tokens.read(data.decode("utf-8", "replace")), _api_tokens, (ValueError,), reworded
    ),
    "request for a certificate": Reader(_request, _requests, (ValueError,), reworded),
    "certificate of this machine": Reader(_chain, _chains, (ValueError,), reworded),
    "certificates": Reader(_certificate, _authority, (), _texts, share=4),
    "tables of the hub": Reader(_table_of_before, _tables, (), _texts),
    "settings as TOML": Reader(_toml, _tomls, (ValueError,), reworded),
    "settings": Reader(_setting, _settings_of, (ValueError,), remade),
    "export that was interrupted": Reader(_export, _exports, (ValueError,), rejson),
}
