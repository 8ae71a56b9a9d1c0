"""What `import sisock` offers."""

import subprocess
import sys

import pytest

import sisock


def test_all_that_is_public_is_there():
    assert sorted(sisock.__all__) == sisock.__all__ == sorted(name for of in sisock._HOMES.values() for name in of)
    for name in sisock.__all__:
        assert getattr(sisock, name).__module__.startswith("sisock.")
        assert getattr(sisock, name).__doc__


def test_what_is_not_there_is_told_with_what_is():
    with pytest.raises(AttributeError, match="has no 'Thermometer'; public are ArchivedNode, "):
        _ = sisock.Thermometer


def test_importing_it_brings_nothing_heavy():
    code = "import sisock, sys; print('numpy' in sys.modules, 'autobahn' in sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert printed == "False False\n"
