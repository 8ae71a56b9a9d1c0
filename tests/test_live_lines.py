"""Samples as line protocol, which InfluxDB reads as it was meant."""

import json
import signal
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np

from sisock.frames import Frame, column
from sisock.outlets.lines import lines, measurement
from sisock.testing.router import free_port
from tests.live import wait_for
from tests.peers import need

T = 1_700_000_000_123_456_789


ODD = {
    "plain": [1.5, 2.5], "with space": [1, -(2**63)], "a,b=c": [True, False], "µ°": ["x", "y"],
    'say "hi"': ['q"uo\\te', "a, b=c"], "path\\": [1e300, 5e-324], "back\\,slash": [0.1, 1e16], "line": ["a\nb", "\t"],
}  # fmt: skip


def frame(columns, t=(T, T + 1)) -> Frame:
    return Frame("samples", np.array(t, np.int64), {name: column(values) for name, values in columns.items()})


def test_a_row_is_a_line_with_types_and_nanoseconds():
    given = frame({"f": [1.5, 2.0], "i": [1, 2], "b": [True, False], "s": ["x", "y"]})
    assert list(lines("host/samples", {"site": "lab 1"}, given)) == [
        f'host/samples,site=lab\\ 1 f=1.5,i=1i,b=true,s="x" {T}',
        f'host/samples,site=lab\\ 1 f=2.0,i=2i,b=false,s="y" {T + 1}',
    ]


def test_what_the_protocol_has_no_value_for_is_left_out_and_so_is_a_row_of_nothing():
    given = frame({"a": [np.nan, np.inf, 3.0], "b": [1, None, None]}, (1, 2, 3))
    assert list(lines("m", {}, given)) == ["m b=1i 1", "m a=3.0 3"]


def test_a_measurement_can_be_a_channel_of_grafana_live():
    assert measurement("host", "samples") == "host/samples"
    assert measurement("host", "a b/ü,=x.1-2") == "host/a_b____x.1-2"


def test_influxdb_reads_every_line_as_it_was_meant(tmp_path: Path):
    written = frame(ODD)
    with influxdb(tmp_path) as ask:
        body = "\n".join(lines("odd/samples", {"site": "lab, 1=x", "k\\": "v\\"}, written)).encode()
        assert ask("/write?db=test&precision=ns", body) is None
        (series,) = ask("/query?db=test&epoch=ns&q=" + urllib.parse.quote('select * from "odd/samples"'))["results"][0][
            "series"
        ]
        (tags,) = ask("/query?db=test&q=" + urllib.parse.quote("show series"))["results"][0]["series"]
    back = {name: [row[at] for row in series["values"]] for at, name in enumerate(series["columns"])}
    assert back.pop("time") == [T, T + 1]
    assert (back.pop("site"), back.pop("k_")) == (["lab, 1=x"] * 2, ["v_"] * 2)
    expected = {name.replace("path\\", "path_").replace("back\\", "back_"): values for name, values in ODD.items()}
    assert back == expected
    assert tags["values"] == [["odd/samples,k_=v_,site=lab\\,\\ 1\\=x"]]


class influxdb:  # noqa: N801  # used as a function
    """InfluxDB with a database `test`; what comes back asks it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()

    def __enter__(self):
        http, rpc = self.port, free_port()
        config = self.folder / "influx.conf"
        config.write_text(
            f'reporting-enabled = false\nbind-address = "127.0.0.1:{rpc}"\n[meta]\n dir = "{self.folder}/meta"\n'
            f'[data]\n dir = "{self.folder}/data"\n wal-dir = "{self.folder}/wal"\n[http]\n bind-address = "127.0.0.1:{http}"\n'
        )
        log = (self.folder / "influx.log").open("wb")
        self.process = subprocess.Popen([need("influxd"), "-config", str(config)], stdout=log, stderr=log)
        log.close()
        wait_for(self._there)
        return self.ask

    def _there(self) -> bool:
        try:
            self.ask("/query?q=" + urllib.parse.quote("create database test"), b"")
        except OSError:
            assert self.process.poll() is None, (self.folder / "influx.log").read_text()
            return False
        return True

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)

    def ask(self, path: str, body: bytes | None = None):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", body, timeout=10) as answer:
            told = answer.read()
        return json.loads(told) if told else None
