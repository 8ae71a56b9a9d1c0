"""Images and containers without an engine: buildah in chroot isolation, on a base of Debian's packages."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

BASE = "python:3.11-slim-bookworm"  # what the Dockerfiles begin with; here stood in for by the same Debian and Python
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"  # this machine's, which may know one that the image does not


class BuildError(Exception):
    """What failed, with the last lines that were said about it."""


class Buildah:
    """Images below one folder, and the containers made from them."""

    def __init__(self, place: Path) -> None:
        """Begin an empty storage, or go on with the one that is there."""
        place.mkdir(parents=True, exist_ok=True)
        self._place = place
        self._policy = place / "policy.json"
        self._policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        self._npmrc = place / "npmrc"
        self._npmrc.write_text(f"cafile={AUTHORITIES}\n")
        self._command = _command(place / "overlay", "overlay")
        if not self._works():
            self._command = _command(place / "vfs", "vfs")  # copies every layer: slow, but works anywhere

    def _works(self) -> bool:
        """Whether containers can be made with this storage driver."""
        try:
            container = self._run("from", "scratch")
            self._run("mount", container)
            self._run("rm", container)
        except BuildError:
            return False
        return True

    def make_base(self) -> None:
        """Make the base image from Debian's packages, unless it is there."""
        if BASE in self._run("images", "--format", "{{.Name}}:{{.Tag}}"):
            return
        started = time.monotonic()
        archive = self._place / "base.tar"
        _call(["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(archive)])
        container = self._run("from", "scratch")
        self._run("add", "-q", container, str(archive), "/")
        self._run("config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", container)
        self._run("commit", "-q", "--signature-policy", str(self._policy), container, f"localhost/{BASE}")
        self._run("rm", container)
        archive.unlink()
        print(f"{BASE:<24} base of Debian packages, {time.monotonic() - started:.0f} s", flush=True)

    def build(self, image: str, dockerfile: Path) -> None:
        """Build the image from its Dockerfile."""
        started = time.monotonic()
        mounts = [f"--volume={AUTHORITIES}:{AUTHORITIES}:ro", f"--volume={self._npmrc}:/root/.npmrc:ro"]
        how = [
            "--isolation",
            "chroot",
            "--layers",
            "--format",
            "docker",
            "--pull-never",
            "--signature-policy",
            str(self._policy),
        ]
        self._run("bud", *how, *mounts, "-f", str(dockerfile), "-t", f"localhost/{image}", str(dockerfile.parent))
        size = self._run("images", "--format", "{{.Size}}", f"localhost/{image}")
        print(f"{image:<24} built in {time.monotonic() - started:.0f} s, {size} with the base", flush=True)

    def start(
        self,
        image: str,
        env: dict[str, str],
        volumes: dict[Path, str],
        log: Path,
        user: str = "",
        entrypoint: Sequence[str] = (),
    ) -> "Container":
        """Start a container of the image on this machine's network, with its own entry point and user by default."""
        config = self._config(image)
        name = self._run("from", "--pull-never", "--signature-policy", str(self._policy), f"localhost/{image}")
        given = [f"--env={key}={value}" for key, value in env.items()]
        mounts = [f"--volume={outside}:{inside}" for outside, inside in volumes.items()]
        how = ["--isolation", "chroot", "--user", user or config["User"], *given, *mounts]
        run = [*self._command, "run", *how, name, "--"]
        return Container(name, run, entrypoint or config["Entrypoint"], config["Healthcheck"]["Test"][1:], log)

    def remove(self, container: "Container") -> None:
        """Remove a stopped container."""
        self._run("rm", container.name)

    def _config(self, image: str) -> Any:
        return json.loads(self._run("inspect", "--type", "image", f"localhost/{image}"))["Docker"]["config"]

    def _run(self, *arguments: str) -> str:
        return _call([*self._command, *arguments]).strip()


class Container:
    """A container at work, its output in a file."""

    def __init__(
        self, name: str, run: Sequence[str], entrypoint: Sequence[str], check: Sequence[str], log: Path
    ) -> None:
        """Start the entry point; `run` is the command line that runs something in this container."""
        self.name, self.log = name, log
        self._run, self._check = run, check
        with log.open("wb") as output:
            command = [*run, *entrypoint]
            self._process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)

    def execute(self, *command: str) -> tuple[int, str]:
        """Run a command in this container, as `docker exec` does; its exit code and what it said."""
        done = subprocess.run([*self._run, *command], stdout=-1, stderr=-3, text=True, timeout=60, check=False)
        return done.returncode, done.stdout

    def healthy(self) -> bool:
        """Whether the image's own health check says so."""
        return self.execute(*self._check)[0] == 0

    def wait(self, seconds: float) -> int:
        """The exit code, when it has ended by itself."""
        return self._process.wait(timeout=seconds)

    def running(self) -> bool:
        """Whether its process lives."""
        return self._process.poll() is None

    def stop(self) -> int:
        """End it as `docker stop` does; the exit code."""
        with contextlib.suppress(psutil.NoSuchProcess):
            inside = [each for each in psutil.Process(self._process.pid).children(recursive=True) if _is_inside(each)]
            for each in inside[:1]:  # process 1 of the container, as it were
                each.terminate()
        try:
            return self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            return self._process.wait(timeout=10)


def _is_inside(process: psutil.Process) -> bool:
    """Whether it is the container's own, and not one of buildah's between us and it."""
    return "buildah" not in process.name()


def _command(place: Path, driver: str) -> list[str]:
    return ["buildah", "--root", str(place / "root"), "--runroot", str(place / "run"), "--storage-driver", driver]


def _call(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        raise BuildError(f"{' '.join(command)[:300]}\n{said}\nfailed with exit code {done.returncode}")
    return done.stdout
