#!/usr/bin/env bash
# Prepare an empty or an existing Postgres for Tieout and for Airflow's metadata. Safe to repeat.
set -euo pipefail
cd /opt/tieout
# `tieout setup` writes the generated passwords of Airflow's users there; `tieout webhook` reads one.
install -d -m 0700 "$TIEOUT_HOME/airflow"
python -m tieout.warehouse bootstrap
# Schemas, raw tables, Airflow's metadata, and one pool per connection.
python -m tieout.cli setup
