"""Nothing in the tests, nor in what they start, reaches the network."""

import socket
import subprocess
import sys

import pytest


def test_a_connection_from_a_test_is_refused():
    with pytest.raises(RuntimeError, match="offline is the default"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)


def test_a_connection_from_a_program_that_a_test_starts_is_refused():
    program = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "offline is the default" in done.stderr
