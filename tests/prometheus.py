"""A real Prometheus over samples of ours, and what is in its answers."""

import contextlib
import json
import math
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sisock.testing.router import free_port

PATIENCE = 30.0
Samples = Sequence[tuple[Mapping[str, str], Sequence[int], Sequence[float]]]  # labels, ms, values


@contextlib.contextmanager
def prometheus(program: str, promtool: str, folder: Path, samples: Samples) -> Iterator[int]:
    """A Prometheus on loopback that has these samples and scrapes nothing; its port."""
    storage, port = folder / "data", free_port()
    backfill(promtool, folder, storage, samples)
    (folder / "prometheus.yml").write_text("")
    command = [
        *(program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={storage}"),
        *("--storage.tsdb.retention.time=100y", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"),
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait(port, process, folder / "log")
            yield port
        finally:
            process.terminate()
            process.wait(PATIENCE)


def backfill(promtool: str, folder: Path, storage: Path, samples: Samples) -> None:
    """Make blocks of the samples."""
    lines = []
    for labels, ms, values in samples:
        name = labels["__name__"]
        told = ",".join(f'{key}="{value}"' for key, value in labels.items() if key != "__name__")
        lines += [f"{name}{{{told}}} {v!r} {t / 1000:.3f}" for t, v in zip(ms, values, strict=True)]
    (folder / "samples").write_text("\n".join([*lines, "# EOF", ""]))
    made = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(folder / "samples"), str(storage)]
    subprocess.run(made, check=True, capture_output=True, timeout=120)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5):
            return
        time.sleep(0.05)
    raise RuntimeError(log.read_text()[-2000:])


def ask(port: int, path: str, **given: Any) -> dict[str, Any]:
    """The answer of either side, errors too, to a form that is posted."""
    data = urllib.parse.urlencode(given, doseq=True).encode()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", data, timeout=PATIENCE) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        return dict(json.load(error))


def values_of(answer: Mapping[str, Any]) -> dict[tuple[tuple[str, str], ...], list[tuple[float, float]]]:
    """The values of each series by time."""
    assert answer["status"] == "success", answer
    result = answer["data"]["result"]
    if answer["data"]["resultType"] in ("scalar", "string"):
        return {(): [(float(result[0]), float(result[1]))]}
    return {
        tuple(sorted(each["metric"].items())): [
            (float(t), float(v)) for t, v in (each["values"] if "values" in each else [each["value"]])
        ]
        for each in result
    }


def difference(ours: Any, theirs: Any, tolerance: float = 1e-9) -> str | None:
    """Where two answers are not the same; None if they are."""
    if set(ours) != set(theirs):
        return f"only ours: {sorted(set(ours) - set(theirs))[:3]}, only theirs: {sorted(set(theirs) - set(ours))[:3]}"
    for labels, expected in theirs.items():
        if [t for t, _ in ours[labels]] != [t for t, _ in expected]:
            few = sorted({t for t, _ in ours[labels]} ^ {t for t, _ in expected})[:3]
            return f"{labels}: {len(ours[labels])} values, theirs are {len(expected)}; not on both sides at {few}"
        for (t, a), (_, b) in zip(ours[labels], expected, strict=True):
            same = (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)
            if not same:
                return f"{labels} at {t}: {a!r}, theirs is {b!r}"
    return None
