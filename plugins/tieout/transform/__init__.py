"""Transform: run dbt in this process and record what it did. All business meaning is in `dbt_project/`."""
