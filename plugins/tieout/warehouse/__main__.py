"""`python -m tieout.warehouse bootstrap|migrate`: prepare any Postgres (bootstrap needs a superuser's DSN)."""

from __future__ import annotations

import argparse
import sys

from tieout import settings
from tieout.errors import ConfigError, TieoutError
from tieout.warehouse import bootstrap, ensure_database, migrate


def main(arguments: list[str] | None = None) -> int:
    """The command line. Both verbs may be repeated at will."""
    parser = argparse.ArgumentParser(prog="python -m tieout.warehouse", description="Prepare the warehouse.")
    parser.add_argument("verb", choices=("bootstrap", "migrate"))
    verb = parser.parse_args(arguments).verb
    try:
        if verb == "bootstrap":
            dsn = settings.warehouse().superuser_dsn
            if dsn is None:
                raise ConfigError("TIEOUT_WAREHOUSE_SUPERUSER_DSN is not set", hint="see .env.example")
            bootstrap(dsn.get_secret_value())
            if (password := settings.warehouse().airflow_password) is not None:
                ensure_database(dsn.get_secret_value(), "airflow", role="airflow", password=password.get_secret_value())
            print(f"roles and database {settings.warehouse().database} are ready")
        else:
            print("\n".join(migrate()))
    except TieoutError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
