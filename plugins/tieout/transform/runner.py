"""dbt in this process: parsed once, silent unless it fails, every node told to a callback."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tieout import logs, settings
from tieout.errors import BuildError
from tieout.transform import manifests

# node name, status, seconds, rows (None where the engine does not say)
Progress = Callable[[str, str, float, int | None], None]
log = logs.logger(__name__)
MOST_PARSED = 4  # some hundred megabytes
_FINE = {"success", "pass", "warn", "skipped", "no-op"}


@dataclass(frozen=True)
class NodeResult:
    """One node of dbt's graph. `failures`: rows that a test found."""

    node_id: str
    name: str
    resource_type: str
    status: str
    seconds: float
    rows: int | None
    failures: int | None
    message: str | None


class Runner:
    """dbt for one project and set of systems. The parsed project is kept, for all runners of this process and on
    disk: vars that change with every run would else make dbt parse it anew each time, for ten seconds and more.
    """

    _parsed: ClassVar[dict[tuple[object, ...], Any]] = {}
    _lock: ClassVar[threading.Lock] = threading.Lock()  # dbt's flags are global, and so is what is parsed

    def __init__(self, project: Path, folder: Path, systems: Sequence[str], threads: int) -> None:
        self._project, self._folder, self._threads = project, folder, threads
        self._systems = list(systems)

    @property
    def log(self) -> Path:
        """dbt's own log."""
        return self._folder / "logs" / "dbt.log"

    def invoke(
        self, command: str, variables: dict[str, Any], arguments: Sequence[str] = (), progress: Progress | None = None
    ) -> tuple[NodeResult, ...]:
        """Run `command` (run, seed, test, …) and return the results of all its nodes, failed ones included.

        Raises BuildError when dbt could not start: a project that does not parse, a warehouse that is away.
        """
        from dbt.cli.main import dbtRunner

        with self._lock:
            manifest = self.parsed()
            listeners = [_log_line, *([_teller(progress)] if progress else [])]
            runner = dbtRunner(manifest=manifest, callbacks=listeners)
            elsewhere = self._elsewhere() if command in ("run", "test", "build") else []
            # Nobody reads the manifest that every command would write again, a second's work.
            words = ("--threads", str(self._threads), "--no-write-json", *arguments, *elsewhere)
            done = self._call(runner, command, variables, words)
        return tuple(_node_result(found) for found in done.result.results)

    def parsed(self) -> Any:
        """The project as dbt parsed it for this database, once for as long as its files stay as they are."""
        from dbt.cli.main import dbtRunner

        # Every relation of a parsed project names the database.
        key = (self._project, settings.warehouse().database, *self._systems, *self._newest())
        if key not in self._parsed:
            while len(self._parsed) >= MOST_PARSED:
                del self._parsed[next(iter(self._parsed))]
            folder = settings.settings().dbt_parsed or self._folder / "parsed"
            place = manifests.place(folder, self._project, settings.warehouse().database, *self._systems)
            manifest = manifests.read(place)
            if manifest is None:
                manifest = self._call(dbtRunner(), "parse", {"systems": self._systems}).result
                manifests.keep(place, manifest)
            self._parsed[key] = manifest
        return self._parsed[key]

    def _newest(self) -> tuple[int, int]:
        """How many files the project has, and when one was last written."""
        written = [path.stat().st_mtime_ns for path in manifests.files(self._project)]
        return len(written), max(written, default=0)

    def _elsewhere(self) -> list[str]:
        """Staging of systems that the company does not have: there is nothing to read."""
        folders = sorted(path.name for path in (self._project / "models" / "staging").glob("*") if path.is_dir())
        absent = [f"path:models/staging/{name}" for name in folders if name not in self._systems]
        return ["--exclude", *absent] if absent else []

    def manifest(self) -> dict[str, Any]:
        """The project as dbt writes it down (target/manifest.json), parsed without a look at the warehouse."""
        from dbt.cli.main import dbtRunner

        with self._lock:
            self._call(dbtRunner(), "parse", {"systems": self._systems})
        return json.loads((self._folder / "target" / "manifest.json").read_text(encoding="utf-8"))

    def _call(self, runner: Any, command: str, variables: dict[str, Any], arguments: Sequence[str] = ()) -> Any:
        _leave_the_stack_alone()
        done = runner.invoke([
            "--no-send-anonymous-usage-stats", "--no-version-check", "--no-use-colors", "--no-print", "--quiet",
            "--log-level", "none", "--log-level-file", "info", "--log-path", str(self._folder / "logs"),
            command, "--project-dir", str(self._project), "--profiles-dir", str(self._project),
            "--target-path", str(self._folder / "target"), "--vars", json.dumps(variables), *arguments,
        ])
        if done.exception is not None:
            raise BuildError(f"dbt {command}: {done.exception}", hint=f"see {self.log}") from done.exception
        if done.result is None:
            raise BuildError(f"dbt {command} returned nothing", hint=f"see {self.log}")
        return done


def _leave_the_stack_alone() -> None:
    """Each of dbt's behaviour flags looks through the whole call stack, with sources, for the module that it belongs
    to, at every command: seconds in a process that has loaded thousands of modules. No message of ours says it.
    """
    from dbt_common.behavior_flags import BehaviorFlagRendered

    BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt")  # type: ignore[method-assign]


def failed(results: Sequence[NodeResult]) -> tuple[NodeResult, ...]:
    """Results that are neither success nor skipped."""
    return tuple(found for found in results if found.status not in _FINE)


def _node_result(found: Any) -> NodeResult:
    response = found.adapter_response or {}
    rows = response.get("rows_affected")
    return NodeResult(
        node_id=found.node.unique_id, name=found.node.name, resource_type=str(found.node.resource_type),
        status=str(found.status), seconds=round(found.execution_time, 3),
        rows=rows if isinstance(rows, int) and rows >= 0 else None,
        failures=found.failures, message=found.message)


def _log_line(event: Any) -> None:
    """dbt's warnings and errors among our own lines: with the run, without secrets. The rest is in dbt's own log."""
    level = {"warn": logging.WARNING, "error": logging.ERROR}.get(str(event.info.level))
    if level:
        log.log(level, "dbt: %s", event.info.msg, extra={"dbt_event": event.info.name})


def _teller(progress: Progress) -> Callable[[Any], None]:
    def tell(event: Any) -> None:
        if event.info.name != "NodeFinished":
            return
        result = event.data.run_result
        fields = result.adapter_response.fields  # a protobuf Struct: numbers are floats, absent fields are empty values
        rows = int(fields["rows_affected"].number_value) if "rows_affected" in fields else None
        progress(event.data.node_info.node_name, result.status, result.execution_time,
                 rows if rows is not None and rows >= 0 else None)
    return tell
