"""What docs/rows.md shows is what happens: its commands and programs run against a bridge."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from grafana_json.app import create_app
from grafana_json.exchange import LARGEST_REQUEST
from grafana_json.rows.asking import OF_DATA, REDUCTIONS, SHAPES, TIMES
from grafana_json.rows.forms import FORMS
from grafana_json.rows.headers import NAMES
from sisock.frames import Column, Field, Frame
from sisock.settings import Settings
from sisock.times import NS
from tests.bridge import serving
from tests.memory import Memory, memory

PAGE = (Path(__file__).parents[1] / "docs" / "rows.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
YEAR = 1_325_376_000  # 2012-01-01
DAY = 86_400


def blocks(language):
    return [code for found, code in BLOCK.findall(PAGE) if found == language]


@pytest.fixture(scope="module")
def port():
    t = (YEAR + DAY * np.arange(366, dtype=np.int64)) * NS
    values = {"seattle/temp_max": Column(np.sin(np.arange(366.0))), "seattle/wind": Column(np.arange(366.0))}
    fields = {name: Field(timeline="days", units="C") for name in values}
    source = Memory({**memory().frames, "weather": (fields, Frame("days", t, values))})
    with serving(create_app(source, Settings(bridge_deadline=2.0)), 4, LARGEST_REQUEST) as port:
        yield port


def here(code, port):
    assert ":5000/" in code
    return code.replace(":5000/", f":{port}/")


@pytest.mark.parametrize("line", [line for block in blocks("sh") for line in block.splitlines()])
def test_every_curl_gets_rows(port, peer, line):
    assert line.startswith("curl -s ")
    command = here(line, port).replace("curl -s", f"{peer('curl')} -s --fail --max-time 20", 1)
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout) > 100 or ("from=-6h" in line and done.stdout == "time,node,field,value,unit\n")


def run(language, name, port):
    (code,) = [code for code in blocks(language) if name in code]
    names = {}
    exec(here(code, port), names)
    return names


def test_pandas_reads_csv_and_json(port):
    names = run("python", "import pandas", port)
    csv, rows = names["csv"], names["rows"]
    assert list(csv["weather::seattle/temp_max"]) == pytest.approx(list(rows["value"]))
    assert (len(csv), str(csv.index[0]), str(rows["time"][0])) == (31, *["2012-07-01 00:00:00+00:00"] * 2)
    assert set(rows["unit"]) == {"C"}


def test_pyarrow_reads_the_stream(port):
    names = run("python", "import pyarrow", port)
    assert names["table"].num_rows == 10_000
    assert str(names["frame"].index[1]) == "2026-02-02 00:00:01+00:00"
    assert names["frame"]["host::cpu"].max() == 99.0
    assert names["units"] == {"time": "", "host::cpu": "%"}


def test_polars_reads_both(port):
    names = run("python", "import polars", port)
    assert names["arrow"]["value"].to_list()[31:] == names["wide"]["weather::seattle/wind"].to_list()
    assert str(names["wide"]["time"].dtype).startswith("Datetime")
    assert names["arrow"]["time"][0] == names["wide"]["time"][0].replace(tzinfo=names["arrow"]["time"][0].tzinfo)


def test_all_that_can_be_asked_is_told():
    for word in (*OF_DATA, "t", "which", *REDUCTIONS, *SHAPES, *TIMES, *FORMS):
        assert f"`{word}`" in PAGE or f"`{word}=" in PAGE, word
    assert all(name in PAGE for name in NAMES)
