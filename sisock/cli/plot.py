"""`sisock plot`: a field in the terminal."""

import math
import shutil
import sys
from typing import TYPE_CHECKING

import click

from sisock.cli import completing
from sisock.cli.asking import ask, by_node
from sisock.cli.canvas import BRAILLE, STARS, Canvas, Kind
from sisock.cli.failures import Failure
from sisock.cli.moments import span
from sisock.cli.options import CLIENT, with_settings
from sisock.cli.scale import scale
from sisock.settings import Settings

if TYPE_CHECKING:
    from sisock.cli.series import Series
    from sisock.frames import Times


_FINER = (10**9, 10**6, 10**3, 1)  # ns to which times are told


@click.command(epilog="Exit codes: 3 no such node or field, 4 no hub or no answer.")
@click.argument("target", metavar="NODE::FIELD", shell_complete=completing.fields)
@click.option("--last", metavar="TIME", help="So long until now: 90s, 15m, 1h, 2d, all. Default: 1h.")
@click.option("--start", metavar="WHEN", help="From this time: 2017-07-14T00:00Z, 2017, now-2d, UNIX seconds.")
@click.option("--end", metavar="WHEN", help="Until before this time. Default: now.")
@click.option("--height", type=click.IntRange(3, 200), default=15, show_default=True, metavar="ROWS")
@click.option("--width", type=click.IntRange(20, 1000), metavar="COLUMNS", help="Default: that of the terminal.")
@with_settings(*CLIENT)
def plot(
    settings: Settings,
    *,
    target: str,
    last: str | None,
    start: str | None,
    end: str | None,
    height: int,
    width: int | None,
) -> None:
    """Draw a field in the terminal; every spike is in the picture.

    sisock plot host::cpu
    sisock plot host::load/1 --last 15m
    sisock plot weather::seattle/temp_max --last all --height 30
    """
    from sisock.cli.series import Wanted, look

    columns = width or shutil.get_terminal_size().columns
    wanted = Wanted(by_node((target,)), *span(last, start, end), 4 * columns, "minmax")
    (series,), _, hints = ask(settings, lambda consumer: look(consumer, wanted, settings.deadline))
    if series.field.type == "string":
        raise Failure(f"{target} is text, which cannot be drawn: see it with `sisock get {target}`")
    click.echo("\n".join([*drawn(series, columns, height, _kind()), *hints]))


def _kind() -> Kind:
    try:
        "⣿".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return STARS
    return BRAILLE


def drawn(series: "Series", columns: int, rows: int, kind: Kind) -> list[str]:
    """The picture as lines: title, curve with its scale, times, label."""
    from sisock.cli.series import label

    there = series.column.present()
    t, v = series.t[there], series.column.values[there].astype(float)
    finite = abs(v) < math.inf
    beyond = f"{len(v) - finite.sum()} infinite; " if not finite.all() else ""
    t, v = t[finite], v[finite]
    units = f" ({series.field.units})" if series.field.units else ""
    title = f"{series.target}{units}"
    if not len(t):
        return [
            title,
            "no samples to draw in this range" if beyond else "no samples in this range",
            beyond + label([series]),
        ]
    low, high = float(v.min()), float(v.max())
    bottom, top, marks = scale(low, high, rows)
    margin = max(map(len, marks))
    canvas = Canvas(max(8, columns - margin - 2), len(marks), kind)
    _curve(canvas, series, t, _heights(v.tolist(), bottom, top))
    body = [f"{mark:>{margin}} ┤{row}" if kind is BRAILLE else f"{mark:>{margin}} |{row}"
            for mark, row in zip(marks, canvas.rows(), strict=True)]  # fmt: skip
    width = margin + 2 + canvas.width // kind.across
    return [title, *body, _times(t, margin + 2, width), f"min {low:.6g}, max {high:.6g}; {beyond}{label([series])}"]


def _heights(values: list[float], low: float, high: float) -> list[float]:
    """Where each lies between lowest and highest, from 0 to 1; by halves, whose difference is always a number."""
    return [(each / 2 - low / 2) / (high / 2 - low / 2 or 1) if high > low else 0.5 for each in values]


def _curve(canvas: Canvas, series: "Series", t: "Times", heights: list[float]) -> None:
    """Draw from sample to sample, but not across a gap."""
    first, span_ns = int(t[0]), max(1, int(t[-1]) - int(t[0]))
    gaps = [gap for part in series.answer.parts for gap in part.gaps]
    before: tuple[int, int, int] | None = None
    for when, height in zip(t.tolist(), heights, strict=True):
        x = (when - first) * (canvas.width - 1) // span_ns
        y = round(height * (canvas.height - 1))
        if before is None or any(start >= before[0] and end <= when for start, end in gaps):
            canvas.dot(x, y)
        else:
            canvas.line(before[1], before[2], x, y)
        before = (when, x, y)


def _times(t: "Times", left: int, width: int) -> str:
    """First and last time below the ends of the curve, as fine as tells them apart; one where they are the same."""
    from sisock.cli.formats import stamps

    ends = t[[0, -1]]
    size = next((size for size in _FINER if len(set((ends // size).tolist())) > 1), _FINER[0])
    first, last = stamps(ends // size * size)
    if first == last:
        return f"{'':{left}}{first}"
    return f"{'':{left}}{first}{last:>{max(1, width - left - len(first))}}"
