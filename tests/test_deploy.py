"""What is in deploy/, compose.yaml and the Dockerfiles holds together."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if name != "grafana"}
DOCKERFILES = sorted(ROOT.glob("Dockerfile*"))
EXPOSURE = 20  # of 100, as `systemd-analyze security` counts


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_accepts_the_unit_and_finds_it_well_confined(unit: Path, tmp_path: Path, peer):
    peer("systemd-analyze")
    for each in UNITS:  # sisock itself is not installed in /opt here
        (tmp_path / each.name).write_text(each.read_text().replace("/opt/sisock/bin/sisock", "/bin/true"))
    (tmp_path / "sisock.target").write_bytes(unit.with_name("sisock.target").read_bytes())
    for check in (["verify", "--man=no"], ["security", "--offline=true", f"--threshold={EXPOSURE}"]):
        done = subprocess.run(
            ["systemd-analyze", *check, tmp_path / unit.name], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert str(tmp_path) not in done.stderr


def test_compose_builds_every_dockerfile_and_mounts_only_declared_volumes():
    built = {
        service["build"]["dockerfile"] if isinstance(service["build"], dict) else "Dockerfile"
        for service in OURS.values()
    }
    assert built == {path.name for path in DOCKERFILES}
    used = {volume.split(":")[0] for service in COMPOSE["services"].values() for volume in service["volumes"]}
    assert {each for each in used if not each.startswith(".")} == set(COMPOSE["volumes"])


def test_compose_opens_ports_on_this_machine_only():
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_part_has_a_key_of_its_own_and_sees_no_other():
    init, parts = OURS["init"], set(OURS) - {"init", "router", "hub"}
    assert set(init["command"]) == parts
    for part in parts:
        assert [v for v in OURS[part]["volumes"] if v.endswith(":/state")] == [f"{part}:/state"]
    assert OURS["hub"]["volumes"] == ["fleet:/state"]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_an_image_runs_as_nobody_special_and_knows_how_it_is(path: Path):
    text = path.read_text()
    assert re.search(r"^USER 1000:1000$", text, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", text, re.MULTILINE)
    assert "--require-hashes" in text
