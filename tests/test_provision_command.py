"""`sisock grafana provision` before it asks anybody: which bridge may be told a token."""

import os
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from sisock.cli import main
from sisock.exits import Exit
from sisock.testing.router import free_port

ROOT = Path(__file__).parents[1]


def provision(folder: Path, *options: str) -> Result:
    """The command where there is no router: what it does not refuse ends with that."""
    (folder / "token").write_text("x")
    away = {"SISOCK_ROUTER": f"ws://127.0.0.1:{free_port()}/ws", "SISOCK_STATE": str(folder / "state")}
    given = [option.replace("TOKEN", str(folder / "token")) for option in options]
    return CliRunner().invoke(main, ["grafana", "provision", str(folder / "made"), *given], env=dict(os.environ) | away)


@pytest.mark.parametrize("token", [("--token-file", "TOKEN"), ("--secret-path", "/a"), ("--secret-variable", "A")])
@pytest.mark.parametrize("bridge", ["http://bridge:5000", "http://10.0.0.1", "http://127.0.0.1.example:5000"])
def test_grafana_is_not_told_to_send_a_token_over_a_network_in_the_clear(tmp_path: Path, bridge: str, token):
    ended = provision(tmp_path, "--bridge", bridge, *token)
    assert ended.exit_code == Exit.USAGE
    assert "in the clear: give an address with https://" in ended.output
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("--secret-path", "/a"),
        ("--bridge", "http://[::1]:5000", "--token-file", "TOKEN"),
        ("--bridge", "https://bridge", "--token-file", "TOKEN"),
        ("--bridge", "http://bridge:5000"),  # without a token
        ("--bridge", "http://bridge:5000", "--secret-path", "/a", "--in-the-clear"),
    ],
)
def test_a_token_goes_over_tls_to_this_machine_or_where_that_is_wanted(tmp_path: Path, options: tuple[str, ...]):
    ended = provision(tmp_path, *options)
    assert (ended.exit_code, "no router at" in ended.output) == (Exit.NO_ANSWER, True), ended.output


def test_what_compose_asks_for_is_taken(tmp_path: Path):
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["provision"]
    options = [option for option in service["command"] if option != "--watch"]  # which would wait for the router
    assert len(options) == len(service["command"]) - 1
    ended = provision(tmp_path, *options)
    assert (ended.exit_code, "no router at" in ended.output) == (Exit.NO_ANSWER, True), ended.output
