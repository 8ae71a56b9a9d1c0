"""Builds every image without an engine, starts them together, and sees each join the hub: `make images` (as root)."""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tools.buildah import Buildah, BuildError
from tools.fleet import prove

ROOT = Path(__file__).parent.parent
NODES = ("weather", "sensors", "lsof", "host", "recorder", "ocs_feeds", "kafka_replay", "coap")
DOCKERFILES = {
    "sisock": "Dockerfile",
    **{f"sisock-{name}": f"Dockerfile_{name}" for name in ("hub", "grafana_json", *NODES)},
}


def main() -> int:
    """Build, start, look, stop; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep the images in .make/images for the next time")
    keep = parser.parse_args().keep
    missing = [each for each in ("buildah", "mmdebstrap") if not shutil.which(each)]
    if os.geteuid() or missing:
        print(
            f"images are built here as root by buildah and mmdebstrap: apt-get install -y {' '.join(missing)}, as root"
        )
        return 1
    place = ROOT / ".make" / "images"
    try:
        buildah = Buildah(place)
        buildah.make_base()
        for image, dockerfile in DOCKERFILES.items():
            buildah.build(image, ROOT / dockerfile)
        with tempfile.TemporaryDirectory(prefix="sisock-images-") as folder:
            Path(folder).chmod(0o755)
            prove(buildah, Path(folder), NODES)
    except BuildError as error:
        print(error)
        return 1
    finally:
        if not keep:
            shutil.rmtree(place, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
