"""A consumer for tests of the bridge: its nodes are frames in memory."""

import threading

import numpy as np

from sisock import nearest, reduction
from sisock.consumer import Node, Request
from sisock.errors import NoAnswer, NodeUnknown, NoHub
from sisock.frames import TEXT, Column, Field, Frame, Query
from sisock.times import NS, moment, to_ns
from sisock.uris import fields_of

MONDAY = 1_769_990_400  # 2026-02-02T00:00:00Z


class Memory:
    """A consumer whose nodes are frames in memory."""

    def __init__(self, nodes):
        self.frames = nodes
        self.tags = {}
        self.stopped = set()
        self.final = {}  # node -> ns before which it says that nothing changes
        self.connected = True
        self.asked = []
        self.listings = 0
        self.callbacks = []
        self.losses = []
        self.let_go = threading.Event()

    def nodes(self):
        self.listings += 1
        if not self.connected:
            raise NoHub("there is no router")
        infos = {name: {"tags": self.tags.get(name, [])} for name in self.frames}
        return [Node(name, f"the {name}", "up", MONDAY * NS, info=infos[name]) for name in self.frames]

    def measures(self):
        return {"sessions": 3}

    def fields(self, node, start, end):
        if node in self.stopped:
            self.let_go.wait(5)
            raise NoAnswer(f"{node} did not answer within 5 s")
        return self.frames[node][0], {}

    def instant(self, t, targets, which, *, ns=None, deadline=None):
        at = moment(t, MONDAY * NS) if ns is None else ns
        wanted = fields_of(list(self.frames) if targets is None else targets)
        self.asked.append([(node, tuple(names or ())) for node, names in wanted.items()])
        return {node: self._nearest(node, names, at, which) for node, names in wanted.items()}

    def _nearest(self, node, names, at, which):
        if node in self.stopped or node not in self.frames:
            return self._answer(Request(node, (), 0, 0))
        _, frame = self.frames[node]
        found = [nearest.nearest(frame, name, *nearest.sought(at, which), which) for name in names or frame.columns]
        return nearest.answer(found, which)

    def ask(self, requests, deadline, take=None):
        self.asked.append([(request.node, request.fields) for request in requests])
        answers = [self._answer(request) for request in requests]
        for request, answer in zip(requests, answers, strict=True):
            if take:
                take(request, answer)
        return answers

    def _answer(self, request):
        if request.node in self.stopped:
            return NoAnswer(f"{request.node} did not answer within 3 s")
        if request.node not in self.frames:
            return NodeUnknown(f"there is no data node {request.node!r}")
        _, frame = self.frames[request.node]
        start, end = request.ns or (to_ns(request.start), to_ns(request.end))
        query = Query(
            request.fields, start, end, max_points=request.max_points, reduce=request.reduce, bin=request.bin,
            statistics=request.statistics,
        )  # fmt: skip
        here = frame.only(request.fields).between(query.start, query.end)
        return reduction.answer(
            [here] if here.columns and len(here) else [], query, {frame.timeline: self.final.get(request.node)}
        )

    def on_lost(self, callback, /):
        self.losses.append(callback)

    def lose(self):
        """The connection to the router, as if it had come back at once."""
        for call in self.losses:
            call()

    def tell(self, what, node):
        for call in self.callbacks:
            call(what, node)

    def on_event(self, callback, /):
        self.callbacks.append(callback)


def minutes(*offsets):
    return np.array([(MONDAY + 60 * offset) * NS for offset in offsets], np.int64)


def memory():
    weather = {
        "temperature": Field("air", units="C"),
        "sky": Field(type="string"),
        "rain": Field(type="bool"),
        "wind": Field(units="m/s"),
    }
    missing = np.array([False, True, False, False])
    columns = {
        "temperature": Column(np.array([1.5, np.nan, -np.inf, 4.25])),
        "sky": Column(np.array(["clear", "", 'a "cloud"', "ü"], TEXT), missing),
        "rain": Column(np.array([False, True, True, False]), missing),
        "wind": Column(np.array([1, 2, 3, 4], np.int64)),
    }
    t = np.arange(10_000, dtype=np.int64) * NS + MONDAY * NS
    noise = np.sin(np.arange(10_000) / 500)
    noise[5003] = 99.0
    fast = Frame("samples", t, {"cpu": Column(noise), "cpu (core 0)": Column(noise), "mem.free": Column(-noise)})
    host = {"cpu": Field(units="%"), "cpu (core 0)": Field(units="%"), "mem.free": Field(units="B")}
    source = Memory({"weather": (weather, Frame("samples", minutes(0, 1, 2, 5), columns)), "host": (host, fast)})
    source.tags = {"weather": ["roof", "slow"], "host": ["lab"]}
    return source
