"""A data node by hand: a plain client adds itself, and answers as it likes when the hub calls it back."""

from collections.abc import Callable
from typing import Any

from sisock.keys import ensure_key
from sisock.keys.proof import of_node, sign
from sisock.testing import Client, Refused
from tests.fleet import Fleet

Answer = Callable[[list[Any]], Any]  # of the arguments by which it is called back


def proof(fleet: Fleet, client: Client, name: str, *, key: str | None = None) -> Answer:
    """The true answer of a node in this client's session, signed with the key of its principal, or of another one."""
    signing = ensure_key(fleet.settings.state, key or name)
    return lambda asked: sign(signing, of_node(name, client.session, asked[1]))


def add(fleet: Fleet, client: Client, name: str, answer: Answer | None, description: str = "", **more: Any) -> Any:
    """Add the node and answer when called back (None: never); what the hub says, or Refused."""
    uris = fleet.settings.uris
    client.register(uris.node(name, "prove"))
    client.register(uris.node(name, "get_data"))
    client.send([48, 1000, {}, uris.add, [name, description, 1], more])
    while True:
        message = client.receive()
        if message[0] == 68 and answer is not None:
            client.send([70, message[1], {}, [answer(message[4])]])
        elif message[0] == 8:
            raise Refused(message[4], message[5])
        elif message[0] == 50:
            return message[3][0]
