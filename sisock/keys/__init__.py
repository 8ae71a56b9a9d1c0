"""Who may sign in: keys, principals and one-time tokens in the state directory."""

from sisock.keys.entry import Principal
from sisock.keys.key import Key, Ticket, ensure_key
from sisock.keys.principals import compile_policy, ensure_principal, parse_policy, write_policy
from sisock.keys.tokens import new_page_token

__all__ = [
    "Key",
    "Principal",
    "Ticket",
    "compile_policy",
    "ensure_key",
    "ensure_principal",
    "new_page_token",
    "parse_policy",
    "write_policy",
]
