"""Where a command works: on what the environment says, on a company's own set-up, or on the demo.

1. TIEOUT_WAREHOUSE_* passwords in the environment (a container, an Airflow task): nothing is added.
2. A `.env` beside the repository's files is read; variables that are set already win.
3. A `tieout.yml` (or TIEOUT_CONFIG): the company's own set-up. Without passwords its warehouse is the embedded Postgres
   under TIEOUT_HOME.
4. Otherwise the demo under `.tieout/demo`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from tieout import settings
from tieout.settings import ROOT

DEMO = ROOT / ".tieout" / "demo"
_PASSWORDS = tuple(f"TIEOUT_WAREHOUSE_{role.upper()}_PASSWORD" for role in settings.ROLES)


@dataclass(frozen=True)
class Place:
    """`home` holds state. `embedded`: its Postgres is ours to start and stop."""

    kind: Literal["environment", "own", "demo"]
    home: Path
    embedded: bool


def find() -> Place:
    """Decide, and read `.env`; starts nothing."""
    if _has_passwords():
        return Place("environment", settings.settings().home, embedded=False)
    if (path := ROOT / ".env").is_file():
        settings.apply(settings.read_env_file(path), override=False)
    if settings.settings().config.is_file():
        return Place("own", settings.settings().home, embedded=not _has_passwords())
    return Place("demo", DEMO, embedded=True)


def demo(home: Path = DEMO) -> Place:
    """The demo, whatever else is configured."""
    return Place("demo", home, embedded=True)


def enter(place: Place, *, start: bool = True) -> None:
    """Make this process work at `place`: set its variables and, where it is ours, start its Postgres (0.1 s)."""
    if place.kind == "demo":
        settings.apply({"TIEOUT_HOME": str(place.home), "TIEOUT_CONFIG": str(place.home / "tieout.yml")})
    if place.embedded:
        from tieout import localpg

        if start:
            place.home.mkdir(parents=True, exist_ok=True)
            settings.apply(localpg.start(place.home))
        elif (place.home / "pg" / "env").is_file():
            settings.apply(localpg.environment(place.home))


def exists(place: Place) -> bool:
    """Whether there is anything at the place: false for the demo before `make demo`."""
    return place.kind != "demo" or (place.home / "tieout.yml").is_file()


def companies(home: Path) -> dict[str, Path]:
    """{business unit: folder of its simulated company} of a demo, as far as they exist."""
    return {state.parent.name: state.parent for state in sorted((home / "company").glob("*/state.json"))}


def simulated_now(home: Path) -> datetime | None:
    """The clock of a demo's companies, aware, UTC: it stands still until they advance. None where there are none."""
    told = (json.loads((folder / "state.json").read_text(encoding="utf-8")) for folder in companies(home).values())
    return max((datetime.fromisoformat(state["now"]).replace(tzinfo=UTC) for state in told), default=None)


def _has_passwords() -> bool:
    return any(settings.is_set(name) for name in _PASSWORDS)
