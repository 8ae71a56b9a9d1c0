"""What there is to measure of a machine, read through psutil or anything that looks like it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

_IDLE = ("idle", "iowait", "guest", "guest_nice")  # what guests take is counted as user time already
_MOST = 64  # mounts, disks, interfaces and thermometers each; processors are as many as there are
_PSEUDO_DISKS = ("loop", "ram", "zram")
_PSEUDO_DEVICES = ("/dev/loop", "/dev/ram", "/dev/zram")
_PSEUDO_INTERFACES = ("veth",)  # the ends of containers, which come and go


class Quantity(NamedTuple):
    """One value and what it means; of a counter the growth per second is what is asked for."""

    field: str
    value: float
    units: str
    description: str
    counter: bool = False


def cpu(machine: Any) -> Iterator[Quantity]:
    """How busy the processors are: hundreds of busy seconds, whose growth per second is a percentage."""
    times = [each._asdict() for each in machine.cpu_times(percpu=True)]
    busy = [100 * sum(seconds for what, seconds in each.items() if what not in _IDLE) for each in times]
    yield Quantity("cpu", sum(busy) / len(busy), "%", "how busy all processors are", counter=True)
    for number, value in enumerate(busy):
        yield Quantity(f"cpu/{number}", value, "%", f"how busy processor {number} is", counter=True)


def load(machine: Any) -> Iterator[Quantity]:
    """The load averages, uptime and number of processes."""
    for minutes, value in zip((1, 5, 15), machine.getloadavg(), strict=True):
        yield Quantity(f"load/{minutes}", value, "processes", f"running or waiting, mean of {minutes} min")
    yield Quantity("processes", len(machine.pids()), "processes", "processes that exist")
    yield Quantity("uptime", int(time.time() - machine.boot_time()), "s", "since the machine was started")


def memory(machine: Any) -> Iterator[Quantity]:
    """Memory and swap space."""
    main, swap = machine.virtual_memory(), machine.swap_memory()
    yield Quantity("memory/total", main.total, "B", "memory of the machine")
    yield Quantity("memory/used", main.used, "B", "memory in use, without caches")
    yield Quantity("memory/available", main.available, "B", "memory that can be had without swapping")
    yield Quantity("memory/usage", main.percent, "%", "part of the memory that is not available")
    yield Quantity("swap/total", swap.total, "B", "swap space")
    yield Quantity("swap/used", swap.used, "B", "swap space in use")


def mounts(machine: Any) -> Iterator[Quantity]:
    """Space on the file systems of physical disks; those of the network may hang and are left out."""
    places = {each.device: each.mountpoint for each in reversed(machine.disk_partitions(all=False))}
    real = [place for device, place in places.items() if not device.startswith(_PSEUDO_DEVICES)]
    for path in sorted(real)[:_MOST]:
        if not Path(path).is_dir():  # in a container single files are mounted too
            continue
        usage = machine.disk_usage(path)
        yield Quantity(f"disk/used{path}", usage.used, "B", f"space in use on {path}")
        yield Quantity(f"disk/free{path}", usage.free, "B", f"space left on {path}")
        yield Quantity(f"disk/usage{path}", usage.percent, "%", f"part of the space on {path} in use")


def disks(machine: Any) -> Iterator[Quantity]:
    """Traffic of the disks."""
    counters = machine.disk_io_counters(perdisk=True, nowrap=False) or {}
    real = [(name, each) for name, each in counters.items() if not name.startswith(_PSEUDO_DISKS)]
    for name, each in real[:_MOST]:
        yield Quantity(f"io/{name}/read", each.read_bytes, "B/s", f"read from disk {name}", counter=True)
        yield Quantity(f"io/{name}/written", each.write_bytes, "B/s", f"written to disk {name}", counter=True)


def interfaces(machine: Any) -> Iterator[Quantity]:
    """Traffic of the network interfaces."""
    counters = machine.net_io_counters(pernic=True, nowrap=False) or {}
    real = [(name, each) for name, each in counters.items() if not name.startswith(_PSEUDO_INTERFACES)]
    for name, each in real[:_MOST]:
        lost = each.errin + each.errout + each.dropin + each.dropout
        yield Quantity(f"network/{name}/received", each.bytes_recv, "B/s", f"received on {name}", counter=True)
        yield Quantity(f"network/{name}/sent", each.bytes_sent, "B/s", f"sent on {name}", counter=True)
        yield Quantity(f"network/{name}/lost", lost, "packets/s", f"errors and drops on {name}", counter=True)


def temperatures(machine: Any) -> Iterator[Quantity]:
    """Thermometers, where the machine has any that work."""
    found = [
        (chip, each.label or str(number), each.current)
        for chip, several in machine.sensors_temperatures().items()
        for number, each in enumerate(several)
    ]
    for chip, label, value in found[:_MOST]:
        yield Quantity(f"temperature/{chip}/{label}", value, "°C", f"{label} of {chip}")


GROUPS: tuple[Callable[[Any], Iterator[Quantity]], ...] = (
    cpu,
    load,
    memory,
    mounts,
    disks,
    interfaces,
    temperatures,
)
