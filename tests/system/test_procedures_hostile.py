"""Whatever is sent to a procedure of a real node, archive or hub, an answer or a sentence comes back, and all go on.

`HOSTILE_CALLS` of the environment says how many calls each gets, `HOSTILE_SEED` which ones.
"""

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import cbor2
import psutil
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sisock.blocking import BlockingConsumer
from sisock.errors import ConsumerError
from sisock.keys import ensure_key
from sisock.keys.authority import Authority
from sisock.keys.invitations import invite
from sisock.keys.key import shown
from sisock.testing import Client, Refused
from sisock.testing.router import free_port
from tests.fleet import ARCHIVE, COUNTER, Fleet, running_fleet
from tests.mutants import anything

CALLS_EACH = int(os.environ.get("HOSTILE_CALLS", "2000"))
SEED = os.environ.get("HOSTILE_SEED", "0")
AT_ONCE = 25  # calls under way
WARM = 200  # calls until all have what they need
SOON = 5.0  # seconds of a single answer: a second on a machine that does nothing else
GROWTH = 50 * 2**20  # bytes
SETTLED = 60.0  # seconds after which nobody has more than that
CALL, RESULT, ERROR = 48, 50, 8  # messages of WAMP

pytestmark = pytest.mark.timeout(120 + CALLS_EACH // 5)


class Call(NamedTuple):
    """What a procedure is called with."""

    args: list[Any]
    kwargs: dict[str, Any]


def either(rng: Random, *good: Any) -> Any:
    """Mostly one of these, sometimes anything."""
    return rng.choice(good) if rng.random() < 0.7 else anything(rng)


def moment(rng: Random) -> Any:
    return either(rng, 0, -1, -60, 1.5e9, 1.5e9 + 0.5, 1e12, -1e300, rng.uniform(-100, 100), rng.uniform(0, 1.6e9))


def names(rng: Random) -> Any:
    words = ("count", "parity", "sine", "label", "nothing")
    return either(rng, [], *([either(rng, *words) for _ in range(3)][:length] for length in (1, 1, 2, 3)))


def options(rng: Random) -> dict[str, Any]:
    every: dict[str, Any] = {
        "columns": either(rng, "typed", "list"),
        "max_points": either(rng, -1, 0, 1, 7, 500, 10**4, 10**7),
        "bin": either(rng, -1, 1, 10**9, 10**12, rng.randrange(10**12)),
        "reduce": either(rng, "minmax", "m4", "band", "mean", "std", "lttb", "stride", "bins", "count"),
        "statistics": either(rng, [], ["min"], ["m2", "t_max"], ["count", "min"]),
        "since": either(rng, {}, {"t": ["e", 5]}, {"t": 5}),
        "own": anything(rng),
        "ns": either(rng, [0, 1], [1_500_000_000 * 10**9, 1_500_000_009 * 10**9], [5]),
        "else": anything(rng),
    }
    return {key: every[key] for key in rng.sample(list(every), rng.choice((0, 0, 1, 1, 2, 4)))}


def any_args(rng: Random) -> list[Any]:
    return [anything(rng) for _ in range(rng.randrange(6))]


def whatever(rng: Random) -> Call:
    return Call(any_args(rng), {str(anything(rng)): anything(rng) for _ in range(rng.randrange(3))})


def of_fields(rng: Random) -> Call:
    return Call([moment(rng), moment(rng)], {})


def of_data(rng: Random) -> Call:
    return Call([names(rng), moment(rng), moment(rng), moment(rng)][: rng.choice((3, 3, 4))], options(rng))


def of_sample(rng: Random) -> Call:
    exact = {"ns": anything(rng)} if rng.random() < 0.3 else {}
    return Call([names(rng), moment(rng), either(rng, "at", "before", "after")], exact)


def of_journal(rng: Random) -> Call:
    return Call([anything(rng), either(rng, 0, -1, rng.randrange(2**40)), either(rng, 1, 2**40, -1)], {})


def calls(make: Callable[[Random], Call]) -> Iterator[Call]:
    """As many as each procedure gets; a few are of no form at all."""
    for number in range(CALLS_EACH):
        rng = Random(f"{SEED} {number}")
        while True:  # until one can be sent
            call = make(rng) if rng.random() < 0.9 else whatever(rng)
            with contextlib.suppress(UnicodeEncodeError):
                cbor2.dumps(call)
                yield call
                break


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    principals = {"recorder": "recorder", "root": "admin", "certified": {"role": "consumer", "certificate": True}}
    tls = {"tls_port": free_port(), "tls_interface": "127.0.0.1"}
    with running_fleet(tmp_path_factory.mktemp("hostile"), principals, **tls) as fleet:
        fleet.node("counter", COUNTER)
        fleet.node("archive", ARCHIVE.replace("1_000_000", "20_000"))
        fleet.run("recorder", "-m", "sisock", "node", "recorder")
        with BlockingConsumer(fleet.settings, "cli") as consumer:
            until = time.monotonic() + 60
            kept: set[str] = set()
            while "counter" not in kept:
                assert time.monotonic() < until, "the recorder does not keep the counter"
                with contextlib.suppress(ConsumerError):
                    kept = {each.name for each in consumer.nodes() if each.state == "up" and each.kept_by}
                time.sleep(0.1)
        yield fleet
        for name in fleet.processes:
            assert "Traceback" not in fleet.log(name).read_text(), name
            assert "program error" not in fleet.log(name).read_text(), name


class Caller:
    """Calls a procedure, many times at once; an answer that does not come in time twice is a failure."""

    def __init__(self, signed_in: Callable[[], Client], uri: str, *errors: str) -> None:
        """Sign in so; these errors may come back."""
        self._signed_in, self._uri, self._errors = signed_in, uri, errors

    def call(self, made: Iterator[Call]) -> None:
        """Call it with all of these."""
        client = self._signed_in()
        try:
            while some := [call for call, _ in zip(made, range(AT_ONCE), strict=False)]:
                try:
                    self._at_once(client, some)
                except TimeoutError:
                    client.close()
                    client = self._signed_in()
                    for call in some:
                        self._at_once(client, [call])
        finally:
            client.close()

    def _at_once(self, client: Client, some: list[Call]) -> None:
        under_way = dict(enumerate(some, 1))
        for number, call in under_way.items():
            client.send([CALL, number, {}, self._uri, call.args, call.kwargs])
        while under_way:
            try:
                answer = client.receive()
            except TimeoutError as error:
                raise TimeoutError(f"no answer to one of {list(under_way.values())!r:.2000}") from error
            if answer[0] == ERROR:
                call, sentence = under_way.pop(answer[2]), str(answer[5:6])
                assert answer[4].rpartition(".")[2] in self._errors, (call, answer)
                assert "program error" not in sentence, (call, answer)
            elif answer[0] == RESULT:
                under_way.pop(answer[1])


def sizes(fleet: Fleet) -> dict[str, int]:
    """Bytes that each process has."""
    return {name: psutil.Process(process.pid).memory_info().rss for name, process in fleet.processes.items()}


def pelt(fleet: Fleet, caller: Caller, make: Callable[[Random], Call]) -> None:
    """Call it with everything; once all have what they need for it no process grows."""
    every = calls(make)
    caller.call(itertools.islice(every, WARM))
    before = sizes(fleet)
    caller.call(every)
    until = time.monotonic() + SETTLED
    while grown := {name: size - before[name] for name, size in sizes(fleet).items() if size - before[name] > GROWTH}:
        assert time.monotonic() < until, grown  # what a recorder needs to pack an hour it gives back
        time.sleep(1)


SENSE = {
    "get_fields": (0, 0),
    "get_data": (["count", "sine"], -1, 0),
    "get_sample": (["count", "sine"], 0),
    "read_from": (),
}
MADE = {"get_fields": of_fields, "get_data": of_data, "get_sample": of_sample, "read_from": of_journal}
PLACES = [("node", "counter"), ("node", "archive"), ("archive", "counter")]
ASKED = [
    (kind, node, what)
    for kind, node in PLACES
    for what in SENSE
    if what != "read_from" or (kind == "node" and node == "counter")
]


@pytest.mark.parametrize(("kind", "node", "what"), ASKED)
def test_of_a_node_or_its_past(fleet: Fleet, kind: str, node: str, what: str) -> None:
    uri = getattr(fleet.settings.uris, kind)(node, what)

    def signed_in() -> Client:
        return fleet.router.client("cli", timeout=SOON)

    def makes_sense() -> None:
        with signed_in() as client:
            client.call(uri, *SENSE[what])

    makes_sense()
    pelt(fleet, Caller(signed_in, uri, "bad_request", "failed"), MADE[what])
    makes_sense()


def enrolling(fleet: Fleet) -> Callable[[], Client]:
    """How somebody with an invitation signs in."""
    made = invite(fleet.settings.state, "new", {"role": "consumer"}, "lab:1", "", 3600.0)
    fleet.router.send_policy()

    def signed_in() -> Client:
        client = Client(fleet.settings.url, timeout=SOON)
        client.join(fleet.settings.realm, made.principal, made.key)
        return client

    return signed_in


def certified(fleet: Fleet) -> Callable[[], Client]:
    """How somebody with a certificate signs in."""
    state = fleet.settings.state
    key = ec.generate_private_key(ec.SECP256R1())
    files = shown(state, "certified")
    private = serialization.PrivateFormat.PKCS8
    files.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
    files.chain.write_text(Authority(state / "ca").issue_client("certified", key.public_key()))
    url, root = f"wss://127.0.0.1:{fleet.settings.tls_port}/ws", state / "ca" / "root.pem"

    def signed_in() -> Client:
        client = Client(url, ca=root, show=files, timeout=SOON)
        client.join(fleet.settings.realm, "certified", ensure_key(state, "certified"))
        return client

    return signed_in


OFFERED = {
    "add": "counter", "subtract": "counter", "get_data_node": "cli", "hub_nodes": "cli", "measures": "cli", "enroll": "an invitation",
    "renew": "a certificate", "principals": "root", "revoke": "root", "set_policy": "hub", "sign_out": "cli",
}  # fmt: skip


def test_what_the_hub_calls_of_a_node(fleet: Fleet) -> None:
    def signed_in() -> Client:
        return fleet.router.client("hub", timeout=SOON)

    uri = fleet.settings.uris.node("counter", "prove")
    pelt(fleet, Caller(signed_in, uri, "bad_request"), whatever)
    with signed_in() as hub:
        assert len(hub.call(uri, "counter", "0")) == 128


@pytest.mark.parametrize("what", OFFERED)
def test_of_the_hub_and_the_router(fleet: Fleet, what: str) -> None:
    who = OFFERED[what]
    holders = {"an invitation": enrolling, "a certificate": certified}
    signed_in = holders[who](fleet) if who in holders else lambda: fleet.router.client(who, timeout=SOON)
    refusals = ("bad_request",) if what == "renew" else ("bad_request", "not_authorized")  # else it is not reached
    pelt(fleet, Caller(signed_in, getattr(fleet.settings.uris, what), *refusals), whatever)
    with fleet.router.client("cli", timeout=SOON) as cli:
        cli.call(fleet.settings.uris.hub_nodes)
        with pytest.raises(Refused):
            cli.call(fleet.settings.uris.set_policy, {"v": 1, "principals": {}})
