"""Where files are: a folder, SFTP, S3, or any fsspec URL. Lists them, and fetches one to this machine with its hash.

SFTP: the server's key is pinned (`host_key`); a server that shows another is refused.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from tieout.errors import AuthError, ConfigError, SourceError
from tieout.extract import Facts

if TYPE_CHECKING:
    from tieout.spec import Connection

BLOCK = 1 << 20
_IN_WORK = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp")
_NETWORK = ("paramiko", "botocore", "aiobotocore", "aiohttp", "s3fs", "gcsfs", "adlfs")
_REFUSED = ("AuthenticationException", "BadHostKeyException", "NoCredentialsError", "PasswordRequiredException")


@dataclass(frozen=True)
class Found:
    """A file as listed. `name` is its path below the connection's url; `version` tells one content from another."""

    name: str
    path: str
    bytes: int
    modified_at: datetime | None
    version: str


class Place:
    """A connection's files."""

    def __init__(self, connection: Connection, secrets: dict[str, str], facts: Facts) -> None:
        self.where = connection.name
        self.url = str(connection.options["url"])
        self.facts = facts
        self._connection, self._secrets = connection, secrets
        self._system: Any = None
        self._root = ""

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_exc: object) -> None:
        client = getattr(self._system, "client", None)
        if client is not None and hasattr(client, "close"):
            client.close()
        self._system = None

    def find(self, pattern: str) -> list[Found]:
        """Files that match, by name; not those that are being written (.part, .tmp, hidden)."""
        with self._told(pattern):
            self.facts.requests += 1
            self._open()
            # fsspec's own lists are kept otherwise, and a new file would not be seen.
            self._system.invalidate_cache()
            listed = self._listed(f"{self._root}/{pattern}")
        found = [self._found(path, info) for path, info in listed.items() if info.get("type", "file") != "directory"]
        return sorted((one for one in found if not _in_work(one.name)), key=lambda one: one.name)

    def _listed(self, path: str) -> dict[str, dict[str, Any]]:
        """{path: info}. fsspec takes a folder that cannot be listed for an empty one, and a file that cannot be looked
        at for none: a line that breaks would read as "nothing came".
        """
        from fsspec.asyn import AsyncFileSystem

        try:
            if not any(mark in path for mark in "*?["):
                info = self._system.info(path)
                return {str(info.get("name") or path): info}
            strict = {} if isinstance(self._system, AsyncFileSystem) else {"on_error": "raise"}  # these omit nothing
            return self._system.glob(path, detail=True, **strict)
        except FileNotFoundError:
            return {}

    def read(self, found: Found, limit: int = 16 << 20) -> bytes:
        """A small file (a manifest) at once."""
        with self._told(found.name):
            self.facts.requests += 1
            self._open()
            with self._system.open(found.path, "rb") as source:
                data = source.read(limit + 1)
        if len(data) > limit:
            raise SourceError(f"{self.where}: {found.name} is no manifest: more than {limit:,} bytes")
        return data

    def fetch(self, found: Found, target: Path) -> str:
        """Copy the file here; its sha256. SourceError where it became another meanwhile."""
        digest, size = hashlib.sha256(), 0
        with self._told(found.name), target.open("wb") as sink:
            self.facts.requests += 1
            self._open()
            with self._system.open(found.path, "rb", block_size=4 * BLOCK) as source:
                while block := source.read(BLOCK):
                    digest.update(block)
                    sink.write(block)
                    size += len(block)
        self.facts.bytes += size
        if size != found.bytes:
            raise SourceError(
                f"{self.where}: {found.name} had {found.bytes:,} bytes when it was listed, {size:,} when it was read",
                hint="it is still being written: let it appear under its name when it is complete, or raise `quiet`")
        return digest.hexdigest()

    def check(self) -> str:
        """A line that says what is there."""
        with self._told(""):
            self._open()
            count = len(self._system.ls(self._root or "/", detail=False))
        return f"{_shown(self.url)} answers, {count} entries at the top"

    def _found(self, path: str, info: dict[str, Any]) -> Found:
        name = path.removeprefix(self._root).lstrip("/")
        modified = info.get("LastModified") or info.get("mtime") or info.get("last_modified")
        if isinstance(modified, int | float):
            modified = datetime.fromtimestamp(modified, UTC)
        tag = info.get("VersionId") or info.get("ETag") or ""
        size = int(info.get("size") or 0)
        return Found(name, path, size, modified, f"{size}/{modified.isoformat() if modified else ''}/{tag}")

    def _open(self) -> None:
        if self._system is None:
            self._system, root = _filesystem(self.url, self._connection, self._secrets)
            self._root = root.rstrip("/")

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Whatever goes wrong at the other end, as ours: with connection and file, and never with a secret."""
        what = f"{self.where}: {name or _shown(self.url)}"
        try:
            yield
        except FileNotFoundError as error:
            raise SourceError(f"{what}: there is no such file or folder at {_shown(self.url)}",
                              hint="check `url` and the pattern") from error
        except PermissionError as error:
            raise AuthError(f"{what}: access denied", hint="give the user the right to list and to read") from error
        except ImportError as error:
            raise ConfigError(f"{what}: {error}", hint="install the fsspec package for this kind of url") from error
        except (OSError, EOFError, ValueError) as error:
            raise SourceError(f"{what}: {str(error) or type(error).__name__}", hint="run again") from error
        except Exception as error:
            if type(error).__module__.partition(".")[0] not in _NETWORK:
                raise
            kind = AuthError if type(error).__name__ in _REFUSED else SourceError
            raise kind(f"{what}: {type(error).__name__}: {error}",
                       hint="check host, host key and credentials; then run again") from error


def _in_work(name: str) -> bool:
    last = name.rsplit("/", 1)[-1]
    return last.startswith(".") or last.lower().endswith(_IN_WORK)


def _shown(url: str) -> str:
    """The url without a user's secret in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rsplit("@", 1)[-1]).geturl()


def _filesystem(url: str, connection: Connection, secrets: dict[str, str]) -> tuple[Any, str]:
    import fsspec

    parts = urlsplit(url)
    if parts.password:
        raise ConfigError(f"{connection.name}: the url holds a password", hint="take it out; secrets come from the "
                          f"environment: TIEOUT_SECRET_{connection.name.upper()}__PASSWORD")
    options = dict(connection.options.get("storage") or {})
    if parts.scheme in ("sftp", "ssh"):
        return _sftp(parts, connection, secrets), parts.path
    if parts.scheme in ("s3", "s3a"):
        return _s3(connection, secrets, options), f"{parts.netloc}{parts.path}"
    if parts.scheme in ("", "file"):
        url = Path(url).absolute().as_uri() if not parts.scheme else url
        options["auto_mkdir"] = False
    return fsspec.core.url_to_fs(url, **options, **{w: v for w, v in secrets.items() if w not in options})


def _s3(connection: Connection, secrets: dict[str, str], options: dict[str, Any]) -> Any:
    import s3fs

    told = connection.options
    client = {word: told[word] for word in ("region_name",) if word in told}
    return s3fs.S3FileSystem(
        key=secrets.get("access_key_id"), secret=secrets.get("secret_access_key"),
        endpoint_url=told.get("endpoint_url"), client_kwargs=client, skip_instance_cache=True, use_listings_cache=False,
        config_kwargs={"s3": {"addressing_style": "path"}} if told.get("endpoint_url") else {}, **options)


def _sftp(parts: Any, connection: Connection, secrets: dict[str, str]) -> Any:
    """An fsspec file system over a client that trusts the pinned key alone."""
    import paramiko
    from fsspec.implementations.sftp import SFTPFileSystem

    told = connection.options
    for word in ("host_key", "username"):
        if not told.get(word):
            raise ConfigError(f"{connection.name}: options.{word} is needed for sftp", hint="host_key: the line that "
                              "`ssh-keyscan` shows for the server, without the host: `ssh-ed25519 AAAA…`")
    kind, _, key = str(told["host_key"]).strip().partition(" ")
    try:
        pinned = paramiko.PKey.from_type_string(kind, _bytes(key))
    except (ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
        raise ConfigError(f"{connection.name}: options.host_key is no public key: {error}") from None
    host, port = parts.hostname or "", parts.port or 22

    class Pinned(SFTPFileSystem):
        cachable = False

        def _connect(self) -> None:
            self.client = paramiko.SSHClient()
            self.client.set_missing_host_key_policy(paramiko.RejectPolicy())
            named = host if port == 22 else f"[{host}]:{port}"
            self.client.get_host_keys().add(named, pinned.get_name(), pinned)
            # Only the pinned kind is offered: a server with several keys would else show another one.
            transport = {"disabled_algorithms": {"keys": [k for k in paramiko.Transport._preferred_keys
                                                          if not _same_kind(k, pinned.get_name())]}}
            self.client.connect(
                host, port, username=str(told["username"]), password=secrets.get("password"),
                pkey=_private(connection, secrets), look_for_keys=False, allow_agent=False, timeout=60,
                banner_timeout=60, auth_timeout=60, **transport)
            self.ftp = self.client.open_sftp()

    return Pinned(host)


def _same_kind(offered: str, pinned: str) -> bool:
    return offered == pinned or (pinned == "ssh-rsa" and offered.startswith("rsa-sha2"))


def _private(connection: Connection, secrets: dict[str, str]) -> Any:
    import paramiko

    if not (text := secrets.get("ssh_key")):
        return None
    text = text.replace("\\n", "\n")
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text if text.endswith("\n") else f"{text}\n"),
                                         secrets.get("passphrase"))
        except (paramiko.SSHException, ValueError):
            continue
    raise ConfigError(f"{connection.name}: ssh_key is no private key that can be read",
                      hint="OpenSSH or PEM, ed25519, ecdsa or rsa; keep its line breaks, or write them as \\n")


def _bytes(key: str) -> bytes:
    import base64

    return base64.b64decode(key.split()[0] if key.split() else "", validate=True)


def copy(source: BinaryIO, target: Path) -> None:
    """All of `source` into a file."""
    with target.open("wb") as sink:
        shutil.copyfileobj(source, sink, BLOCK)
