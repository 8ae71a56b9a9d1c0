"""Whether Grafana's own types accept a dashboard: `tsc` over it as a literal, with `@grafana/schema`."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.peers import need
from tools import apart

ROOT = Path(__file__).parent
_OPTIONS = (
    "--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext", "--moduleResolution",
    "nodenext",
)  # fmt: skip


def complaints(dashboards: Mapping[str, Mapping[str, Any]], folder: Path) -> list[str]:
    """What the compiler says of the dashboards, by name; empty where it accepts all of them."""
    home = Path(need("grafana-schema"))
    shutil.copy(ROOT / "grafana_schema" / "plain.ts", folder)
    (folder / "node_modules").symlink_to(home / "node_modules")
    (folder / "dashboards.ts").write_text("\n".join(_lines(dashboards)))
    node, _ = apart.find_node()
    tsc = home / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        [node, str(tsc), *_OPTIONS, "--preserveSymlinks", "dashboards.ts"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert done.returncode in (0, 1, 2), done.stderr
    return done.stdout.splitlines()


def _lines(dashboards: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Each dashboard as a constant, and of each panel what its type says of options and fields."""
    yield 'import type { Page, Panels } from "./plain.js";'
    for name, dashboard in dashboards.items():
        yield f"export const {name}: Page = {json.dumps(dashboard)};"
        for panel in every_panel(dashboard):
            if panel["type"] != "row":
                chosen = {key: panel[key] for key in ("options", "fieldConfig") if key in panel}
                yield f'export const {name}_{panel["id"]}: Panels["{panel["type"]}"] = {json.dumps(chosen)};'


def every_panel(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The panels of a dashboard, those in rows included."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", ())
