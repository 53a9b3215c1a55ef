"""A real MariaDB of a test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from tests.conftest import open_folder
from tieout import stack


@contextmanager
def mariadb() -> Iterator[sa.URL]:
    """Its root's url. Where none is installed: skipped, or an error where the build says that it must be there."""
    server = shutil.which("mariadbd") or shutil.which("mysqld")
    if server is None:
        assert os.environ.get("REQUIRE_MARIADB") != "1", "mariadbd is needed here and is not installed"
        pytest.skip("no mariadbd on this machine")
    with open_folder() as home:
        port = next(port for port in range(33061, 33161) if stack.is_free(port))
        owner = ["--user=root"] if os.geteuid() == 0 else []
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={home}/data",
                        "--auth-root-authentication-method=normal", *owner], check=True, capture_output=True)
        process = subprocess.Popen([server, "--no-defaults", f"--datadir={home}/data", f"--socket={home}/s",
                                    f"--port={port}", "--bind-address=127.0.0.1", "--skip-log-bin",
                                    "--innodb-buffer-pool-size=32M", f"--pid-file={home}/pid", *owner],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        root = sa.URL.create("mysql+pymysql", "root", host="127.0.0.1", port=port)
        try:
            _wait(root)
            yield root
        finally:
            process.terminate()
            process.wait(30)


def _wait(url: sa.URL) -> None:
    for _ in range(120):
        try:
            with sa.create_engine(url).connect():
                return
        except sa.exc.OperationalError:
            time.sleep(0.25)
    raise AssertionError("MariaDB did not start")
