"""Settings: from the environment, each with its default, errors that name them."""

import inspect
import os
import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from sisock import settings
from sisock.settings import Settings


def test_everything_has_a_default():
    read = settings.read()
    assert (read.realm, read.prefix, read.router_port, read.bridge_port) == (
        "test_realm",
        "org.simonsobservatory",
        8080,
        5000,
    )
    assert read.interface == "127.0.0.1"


@pytest.mark.parametrize("field", fields(Settings), ids=lambda field: field.name)
def test_every_setting_is_typed_defaulted_and_explained_in_one_line(field):
    source = inspect.getsource(Settings)
    (line,) = re.findall(rf"^    {field.name}: .*$", source, re.MULTILINE)
    assert re.fullmatch(rf"    {field.name}: \w+ = .+  # \w.{{10,}}", line)
    assert isinstance(field.default, field.type)


def test_the_environment_comes_before_the_default_and_arguments_before_both(monkeypatch):
    monkeypatch.setenv("SISOCK_ROUTER_PORT", "18700")
    monkeypatch.setenv("SISOCK_DEADLINE", "1.5")
    monkeypatch.setenv("SISOCK_STATE", "/somewhere/else")
    read = settings.read(deadline=2, realm=None)
    assert (read.router_port, read.deadline, read.state, read.realm) == (
        18700,
        2.0,
        Path("/somewhere/else"),
        "test_realm",
    )


def test_the_state_lies_where_the_desktop_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert settings.read().state == tmp_path / "sisock"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert settings.read().state == Path.home() / ".local" / "state" / "sisock"


def test_a_tilde_is_the_home_of_the_user(monkeypatch):
    monkeypatch.setenv("SISOCK_STATE", "~/lab")
    assert settings.read().state == Path.home() / "lab"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("router_port", "eighty", "not a valid int"), ("router_port", "80.5", "not a valid int"), ("router_port", "", "not a valid int"),
        ("router_port", "-1", "not a number from 1 to 65535"), ("bridge_port", "70000", "not a number from 1 to 65535"),
        ("deadline", "soon", "not a valid float"), ("deadline", "nan", "not a number from 0"), ("deadline", "inf", "not a number from 0"),
        ("ping_interval", "-2", "not a number from 0"), ("message_limit", "100", "not a number from 65536"),
        ("legacy_port", "65536", "not a number from 0 to 65535"), ("plaintext", "maybe", "not true or false"),
        ("router_port", "0", "not a number from 1 to 65535"),
        ("log_level", "loud", "not one of debug, info, warning, error"),
    ],
)  # fmt: skip
def test_an_error_names_the_setting_as_it_is_set(monkeypatch, name, text, said):
    monkeypatch.setenv(f"SISOCK_{name.upper()}", text)
    with pytest.raises(ValueError, match=f"^SISOCK_{name.upper()}={text!r}: {said}"):
        settings.read()


@pytest.mark.parametrize(
    "address",
    [
        "lab.example", "lab.example:8080", "http://lab.example/ws", "ws://", "ws:///ws", "ws://:8080/ws", "ws://[::1/ws",
        "ws://lab.example:99999/ws", "ws://lab.example:0/ws", "ws://lab.example:http/ws", "ws://lab.example/ws#x",
        "ws://lab example/ws", "ws://me@lab.example/ws", "ws://lab.example/\nws", "-",
    ],
)  # fmt: skip
def test_a_router_s_address_that_nobody_can_connect_to_is_refused_with_the_cure(address):
    with pytest.raises(
        ValueError, match=r"^SISOCK_ROUTER='.*': not a router's address, write ws://HOST:PORT/ws or wss:"
    ):
        settings.read(router=address)


@pytest.mark.parametrize("address", ["", "ws://127.0.0.1:8080/ws", "wss://lab.example/ws", "ws://[::1]:1/ws", "ws://a"])
def test_a_sound_address_of_a_router_is_taken(address):
    assert settings.read(router=address).router == address


@pytest.mark.parametrize("value", [[], {}, object()])
def test_an_argument_of_a_foreign_type_is_an_error_that_names_it(value):
    for name in ("router_port", "deadline", "state"):
        with pytest.raises(ValueError, match=f"^SISOCK_{name.upper()}="):
            settings.read(**{name: value})


def test_an_unknown_setting_is_refused():
    with pytest.raises(ValueError, match=r"unknown setting 'colour': see `sisock settings`"):
        settings.read(colour="red")


def test_settings_do_not_change():
    with pytest.raises(FrozenInstanceError):
        settings.read().realm = "other"


def test_a_child_process_sees_the_same_settings(monkeypatch):
    given = settings.read(router_port=18701, deadline=0.25, nodes="host", state=Path("/x"), hosts="a,b")
    for name, value in settings.environment(given).items():
        monkeypatch.setenv(name, value)
    assert settings.read() == given
    assert settings.environment(given).items() >= {"PATH": os.environ["PATH"]}.items()


def test_the_router_s_address_is_the_one_set_or_noted_or_that_of_this_machine(tmp_path):
    assert settings.read(state=tmp_path, router_port=18702).url == "ws://127.0.0.1:18702/ws"
    (tmp_path / "router.url").write_text("ws://127.0.0.1:18703/ws\n")
    assert settings.read(state=tmp_path).url == "ws://127.0.0.1:18703/ws"
    assert settings.read(state=tmp_path, router="wss://far.example/ws").url == "wss://far.example/ws"


def test_the_uris_have_the_prefix():
    assert settings.read(prefix="org.example").uris.add == "org.example.data_node.add"
