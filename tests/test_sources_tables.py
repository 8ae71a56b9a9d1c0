"""What may stand in the table of a source, and what is said of every mistake in it."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from data_nodes.sources import loading
from data_nodes.sources.options import COMMON, FIELD, KINDS, PARSING
from data_nodes.sources.spec import read
from sisock.cli import main
from sisock.cli.plugins import configured, find
from sisock.extras import command
from sisock.nodes.base import description_of, name_of, tags_of
from sisock.parsers import patterns

HOME = Path(loading.__file__).parent
ROOT = HOME.parents[1]
MISTAKES = [
    ("", "is empty: write a table for each source, as [uptime] and below it command = "),
    ("x = 1", "'x' stands in no table: write [NAME], the node's name, above it"),
    ("[a b]\ncommand = ['x']", "is not TOML: "),
    ("['a b']\ncommand = ['x']", "'a b' cannot name a data node: use a letter"),
    ("[a]\ncomand = ['x']", "[a] says no source: did you mean 'command'?"),
    ("[a]\nx = 1", '[a] says no source: give one of command = ["sensors", "-j"], file = "/var/log/freezer.log", url = '),
    ("[a]\ncommand = ['x']\nfile = 'y'", "[a] has command and file: make a table of each, for each is a node"),
    ("[a]\ncommand = 'uptime'", """command = 'uptime' cannot be: give a list of texts, as command = ["sensors", "-j"]"""),
    ("[a]\ncommand = []", "command = [] cannot be: give a list of texts"),
    ("[a]\ncommand = ['x']\nintervall = 5", "'intervall' is no setting of a command source: did you mean 'interval'?"),
    ("[a]\ncommand = ['x']\nzzz = 5", "'zzz' is no setting of a command source: there are description, tags, "),
    ("[a]\nfile = 'x'\ninterval = 5", "'interval' is no setting of a file source: there are"),
    ("[a]\ncommand = ['x']\ninterval = '5'", "interval = '5' cannot be: give a number above 0, as interval = 5"),
    ("[a]\ncommand = ['x']\ninterval = 0", "interval = 0 cannot be: give a number above 0"),
    ("[a]\ncommand = ['x']\ninterval = true", "interval = true cannot be: give a number above 0"),
    ("[a]\ncommand = ['x']\nparser = 'yaml'", "parser = 'yaml' cannot be: give one of auto, json, csv, regex, keys, numbers"),
    ("[a]\ncommand = ['x']\nregex = '('", "'(' is no regular expression: "),
    ("[a]\ncommand = ['x']\nregex = '(?P<b>.)(?=x)'", "'(?P<b>.)(?=x)' is no regular expression: write it without (?=…), "),
    ("[a]\ncommand = ['x']\nregex = '(?P<b>.)(?<!x)'", "is no regular expression: write it without (?=…), "),
    ("[a]\ncommand = ['x']\nregex = '(?P<b>.)(?P=b)'", "is no regular expression: write it without (?=…), "),
    ("[a]\nfile = 'x'\nignore = '(.)\\1'", "is no regular expression: write it without (?=…), "),
    ("[a]\ncommand = ['x']\nregex = '(?P<b>.)|(?P<b>x)'", "it names 'b' twice: give each group a name of its own"),
    ("[a]\ncommand = ['x']\nregex = '(?P<b>x{,3})'", "{,3} is no count: write {3} or {0,3}, of 1000 at most"),
    ("[a]\ncommand = ['x']\nregex = '[0-9]+'", "'[0-9]+' names no value: write (?P<name>…) around each"),
    ("[a]\ncommand = ['x']\nparser = 'regex'", "parser = \"regex\" needs regex = '(?P<name>…)'"),
    ("[a]\ncommand = ['x']\nparser = 'json'\ncolumns = ['b']", "columns is for parser = 'csv', and this is 'json': leave out"),
    ("[a]\ncommand = ['x']\nregex = '(?P<b>x)'\ncolumns = ['b']", "columns is for parser = 'csv', and this is 'regex'"),
    ("[a]\ncommand = ['x']\ncolumns = ['b::c']", "'b::c' cannot name a field: use 1 to 200 printable characters"),
    ("[a]\ncommand = ['x']\ntimeline = 'health'", "'health' is taken by the health that every node has"),
    ("[a]\ncommand = ['x']\nfields = { temp = 5 }", "the field 'temp' is 5: give its units, as temp = "),
    ("[a]\ncommand = ['x']\nfields = { temp = { unit = 'K' } }", "'unit' is no setting of a field: did you mean 'units'?"),
    ("[a]\ncommand = ['x']\nfields = { temp = { type = 'float' } }", "type = 'float' cannot be: give one of number, string"),
    ("[a]\ncommand = ['x']\nzone = 'Mars/Olympus'\ntime = 't'", "'Mars/Olympus' is no time zone that this machine knows"),
    ("[a]\ncommand = ['x']\nzone = 'UTC'", 'zone is about a time, and there is none: give time = "…"'),
    ("[a]\ncommand = ['x']\ntags = ['a b']", "cannot be tags: give a list of words"),
    ("[a]\nfile = 'x'\nencoding = 'klingon'", "encoding = 'klingon' cannot be: give the name of an encoding"),
    ("[a]\nfile = 'x'\nignore = '['", "'[' is no regular expression"),
    ("[a]\nfile = 'x'\nbegin = 'middle'", "begin = 'middle' cannot be: give \"end\" or \"beginning\""),
    ("[a]\nurl = 'ftp://x'", "url = 'ftp://x' is no address that can be asked: write http://… or https://…"),
    ("[a]\nurl = 'https://me:secret@x/'", "url has a name or password in it: put a token into a file"),
    ("[a]\nserial = '/dev/ttyUSB0'\nbaud = 9600.5", "baud = 9600.5 cannot be: give a whole number above 0"),
    ("[a]\ndatabase = 'sqlite:///x'", '[a] says no query: give query = "SELECT …"'),
    ("[a]\ndatabase = 'sqlite:///x'\nquery = 'SELECT 1'\nlast = 'id'\nfirst = 0", "rows come once where both are said"),
    ("[a]\ndatabase = 'sqlite:///x'\nquery = 'SELECT :last'", "rows come once where both are said"),
    ("[a]\ndatabase = 'x'\nquery = 'SELECT :last'\nlast = 'id'", "last and first go together: give first = 0"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "sentence"), MISTAKES, ids=range(len(MISTAKES)))
def test_every_mistake_is_told_with_the_cure(tmp_path, table, sentence):
    path = tmp_path / "lab.toml"
    path.write_text(table)
    said = CliRunner().invoke(main, ["node", str(path), "--check"])
    assert said.exit_code == 2
    assert said.output.startswith(f"sisock: {path}") or "cannot be tags" in sentence
    assert sentence in said.output
    assert "secret" not in said.output


def test_where_the_engine_of_regular_expressions_is_missing_the_cure_is_told(tmp_path, monkeypatch):
    (tmp_path / "lab.toml").write_text("[a]\ncommand = ['x']\nregex = '(?P<b>x)'\n")
    monkeypatch.setitem(sys.modules, "re2", None)
    said = CliRunner().invoke(main, ["node", str(tmp_path / "lab.toml"), "--check"])
    assert said.exit_code == 2
    assert f"[a]: regular expressions need google-re2: {command('sources')}" in said.output


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = sorted({*COMMON, *FIELD, *(name for options in KINDS.values() for name in options)})


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(), VALUES, max_size=6))
def test_any_table_is_a_source_or_a_sentence(table):
    try:
        spec = read("x.toml: [x]", table, Path())
    except ValueError as error:
        assert str(error).startswith("x.toml: [x]")
    else:
        assert spec.kind in KINDS


def test_a_file_that_is_not_there_is_told(tmp_path):
    said = CliRunner().invoke(main, ["node", str(tmp_path / "no.toml")])
    assert said.exit_code == 2
    assert f"there is no file {tmp_path / 'no.toml'}: give the path of the file that describes the node" in said.output


def test_three_lines_are_a_source(tmp_path):
    (tmp_path / "lab.toml").write_text('[uptime]\ncommand = ["cat", "/proc/uptime"]\ncolumns = ["up", "idle"]\n')
    said = CliRunner().invoke(main, ["node", str(tmp_path / "lab.toml"), "--check"])
    assert said.exit_code == 0, said.output
    assert re.search(
        r"^uptime: ok .*\n  FIELD +VALUE +UNITS +TYPE +TIME \(UTC\)\n  up +[\d.e+]+ .*\n  idle", said.output
    )


def test_a_file_without_tables_is_one_source_called_as_the_file(tmp_path):
    (tmp_path / "uptime.toml").write_text('command = ["cat", "/proc/uptime"]\n')
    (kind,) = loading.nodes(tmp_path / "uptime.toml")
    node = kind()
    assert name_of(node) == "uptime"
    assert description_of(node) == "What a command prints: cat"


def test_a_table_of_the_configuration_is_a_source_by_its_name(tmp_path):
    config = tmp_path / "sisock.toml"
    config.write_text(
        '[uptime]\ncommand = ["cat", "/proc/uptime"]\ninterval = 60\ntags = ["lab"]\ndescription = "Up."\n'
    )
    (kind,) = find("uptime", config)
    node = configured(kind, config)
    assert (node.spec.options["interval"], tags_of(node), description_of(node)) == (60, ["lab"], "Up.")
    with pytest.raises(ValueError, match="no data node is called 'downtime'"):
        find("downtime", config)


def test_what_the_configuration_says_of_a_source_stands_in_place_of_what_its_file_says(tmp_path):
    (tmp_path / "lab.toml").write_text("[up]\ncommand = ['a']\ninterval = 5\n")
    config = tmp_path / "sisock.toml"
    config.write_text("[up]\ninterval = 7\ntimeout = 3\n")
    (kind,) = find(str(tmp_path / "lab.toml"), config)
    node = configured(kind, config)
    assert (node.spec.options["interval"], node.spec.options["timeout"]) == (7, 3)
    config.write_text("[up]\nintervall = 7\n")
    with pytest.raises(ValueError, match="did you mean 'interval'"):
        configured(kind, config)


@pytest.mark.parametrize("said", ["true", '{ bootstrap = "kafka.example:9092" }'])
def test_a_source_says_itself_that_its_samples_go_to_kafka(tmp_path, said):
    (tmp_path / "lab.toml").write_text(f"[up]\ncommand = ['a']\nkafka = {said}\n")
    (kind,) = loading.nodes(tmp_path / "lab.toml")
    node = configured(kind, tmp_path / "sisock.toml")
    assert node.kafka == tomllib.loads(f"kafka = {said}")["kafka"]


def test_secrets_of_an_address_are_in_no_description(tmp_path):
    (tmp_path / "lab.toml").write_text(
        "[a]\ndatabase = 'postgresql://me:secret@host/lab'\nquery = 'SELECT 1'\n[b]\nurl = 'http://host/x?token=secret'\n"
    )
    said = [description_of(kind()) for kind in loading.nodes(tmp_path / "lab.toml")]
    assert said == ["What a query gives: host/lab", "What an address answers: http://host/x"]


def test_the_readme_tells_every_setting_of_every_kind():
    text = (HOME / "README.md").read_text()
    for options in (COMMON, FIELD, *KINDS.values()):
        for name, option in options.items():
            assert f"| `{name} = {option.example}` | {option.what} |" in text, name


def test_the_sample_names_every_kind_and_is_sound():
    kinds = loading.nodes(HOME / "sample.toml")
    assert sorted(kind().spec.kind for kind in kinds) == sorted(KINDS)


@pytest.mark.parametrize("page", ["data_nodes/sources/README.md", "docs/write-a-node.md"])
def test_every_source_that_the_documents_show_is_sound(tmp_path, page):
    shown = re.findall(r"^```toml\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    sources = [text for text in shown if any(f"\n{kind} = " in text for kind in KINDS)]
    assert sources
    for text in sources:
        (tmp_path / "lab.toml").write_text(text)
        assert all(kind().spec for kind in loading.nodes(tmp_path / "lab.toml"))


def shown_expressions() -> set[str]:
    """The regular expressions for a temperature that settings, samples, cases and documents show."""
    pages = [
        *HOME.rglob("*.toml"),
        *HOME.rglob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").rglob("*.toml"),
    ]
    texts = [f"regex = {PARSING['regex'].example}", *(page.read_text() for page in pages)]
    return {found for text in texts for found in re.findall(r"\bregex = '(.+?)'", text) if "(?P<temp>" in found}


LINES = "2026-01-01 00:00:00 INFO temperature -1187138.25 at top\ntemp=-1187138.25\n"


@pytest.mark.parametrize("pattern", sorted(shown_expressions()))
def test_every_regular_expression_that_is_shown_reads_whole_numbers(pattern):
    read = [row.values["temp"] for row in patterns.parser(pattern)(LINES).rows]
    assert read == [-1187138.25]


def test_a_greedy_expression_would_read_a_part_of_a_number():
    (row,) = patterns.parser(r"temperature.*(?P<temp>[0-9.]+) at")(LINES).rows
    assert row.values == {"temp": 5}
