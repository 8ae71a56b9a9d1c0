"""Asks the advisory database of PyPI about all that sisock runs with: `make audit`."""

import json
import subprocess
import sys
from typing import Any

from tools import apart

LOCKS = ("run", "node", "bridge", "recorder")
_NOTHING = "the advisory database cannot be reached from here: nothing was looked at"


def main() -> int:
    """Print what is known against each package; 1 where there is something."""
    if not apart.install("pip-audit"):
        return 1
    found, looked = {}, set()
    for lock in LOCKS:
        for package in _audited(lock):
            if "skip_reason" in package:
                continue
            looked.add(package["name"])
            for each in package["vulns"]:
                fixed = ", ".join(each["fix_versions"]) or "no version"
                found[package["name"], each["id"]] = (
                    f"{package['name']} {package['version']}: {each['id']}, mended in {fixed}"
                )
    if not looked:
        print(_NOTHING)
        return 0
    print("\n".join([*found.values(), f"{len(looked)} packages looked at, {len(found)} advisories"]))
    return 1 if found else 0


def _audited(lock: str) -> list[dict[str, Any]]:
    """What is known of the packages of a lock; none where nobody can be asked."""
    options = ("--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json")
    command = [str(apart.program("pip-audit")), *options, "-r", str(apart.ROOT / "requirements" / f"{lock}.txt")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return []
    return packages


if __name__ == "__main__":
    sys.exit(main())
