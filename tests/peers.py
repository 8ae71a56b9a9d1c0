"""The real programs that tests speak to: which there are, how they are installed, and what a test does without."""

import ctypes
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from typing import NoReturn

import pytest

from tools import apart

PEERS = {  # program: its Debian package
    "chromium": "chromium",
    "coap-client-notls": "libcoap3-bin",
    "coap-client-openssl": "libcoap3-bin",
    "coap-client-gnutls": "libcoap3-bin",
    "curl": "curl",
    "influxd": "influxdb",
    "java": "default-jre-headless",
    "ip": "iproute2",
    "lsof": "lsof",
    "pg_ctlcluster": "postgresql",
    "mosquitto": "mosquitto",
    "mosquitto_pub": "mosquitto-clients",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "sensors": "lm-sensors",
    "systemd-analyze": "systemd",
}
SERVICES = ("mosquitto", "postgresql", "prometheus")  # packages that would run on from then on: a test starts its own
OWN = (
    "schemathesis",
    "ocs-agent-cli",
    "grafana-data",
    "grafana-schema",
    "kafka",
)  # programs in environments of their own
LIBATOMIC = ("libatomic.so.1", "libatomic1")  # of the node that playwright brings to steer Chromium
CI = bool(os.environ.get("CI"))  # .ci/run sets it: there a missing peer is a failure


def need(program: str) -> str:
    """Path of the program; without it the test is skipped (fails under CI) with the line that installs it."""
    if program in OWN:
        return _need_own(program)
    found = shutil.which(program)
    missing = _missing([program])
    if not found or missing:
        _do_without(f"{program} is not all here: {_line(missing)}")
    return found


def _need_own(program: str) -> str:
    if not apart.is_installed(program):
        _do_without(f"{program} is not here as its lock wants it: make peers")
    return str(apart.program(program))


def _do_without(sentence: str) -> NoReturn:
    if CI:
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def main() -> int:
    """Install what is missing; programs of the system as root or with sudo, or print the line that would."""
    without = [program for program in OWN if not apart.install(program)]
    return max(int(bool(without) and CI), _install_of_system())


def _install_of_system() -> int:
    packages = _missing(PEERS)
    if not packages:
        return 0
    if not shutil.which("apt-get") or not _may_install():
        print(f"some tests {'need what is not here' if CI else 'will be skipped'}; to run them: {_line(packages)}")
        return int(CI)
    print(f"installing {', '.join(packages)} by apt", flush=True)
    command = ["sh", "-ec", _line(packages)]
    done = subprocess.run(command, stdin=-3, stdout=-1, stderr=-2, text=True, timeout=900, check=False)
    if done.returncode:
        print(f"{done.stdout[-2000:]}\napt could not install them: the tests that need them will be skipped")
    return done.returncode if CI else 0


def _missing(programs: Iterable[str]) -> list[str]:
    """Packages of the programs, and of what they need to be steered, that are not here."""
    packages = [PEERS[program] for program in programs if not shutil.which(program)]
    if "chromium" in programs and not _loads(LIBATOMIC[0]):
        packages.append(LIBATOMIC[1])
    return sorted(set(packages))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _may_install() -> bool:
    """True as root, and where sudo asks for no password."""
    if os.geteuid() == 0:
        return True
    asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False) if shutil.which("sudo") else None
    return asked is not None and asked.returncode == 0


def _line(packages: list[str]) -> str:
    sudo = "" if os.geteuid() == 0 else "sudo "
    apt = f"{sudo}apt-get -o DPkg::Lock::Timeout=300"
    options = "install -y --no-install-recommends"
    stop = "".join(f"; {sudo}systemctl disable --now {each} || true" for each in SERVICES if each in packages)
    return f"{apt} update && {apt} {options} {shlex.join(packages)}{stop}"


if __name__ == "__main__":
    sys.exit(main())
