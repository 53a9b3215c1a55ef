"""SQL expressions that write a field as Salesforce does: JSON stamps end in +0000, those in CSV in Z."""

from __future__ import annotations

from simulator.salesforce_api.catalog import SalesforceField


def quote(text: str) -> str:
    """An SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def json_value(found: SalesforceField, sql: str, alias: str) -> str:
    """A field's JSON, `null` for NULL. `alias` is the table's, for compound fields."""
    if found.kind in ("text", "id"):
        return f"json_quote({sql})"
    if found.kind == "boolean":
        return f"CASE {sql} WHEN 1 THEN 'true' ELSE 'false' END"
    if found.kind == "stamp":
        return f"coalesce('\"'||replace({sql},' ','T')||'.000+0000\"','null')"
    if found.kind == "date":
        return f"coalesce('\"'||{sql}||'\"','null')"
    if found.kind == "address":
        parts = ", ".join(f"'{key}', {alias}.\"{column}\"" for key, column in found.parts)
        absent = " AND ".join(f'{alias}."{column}" IS NULL' for _, column in found.parts)
        return f"CASE WHEN {absent} THEN 'null' ELSE json_object({parts}) END"
    return f"coalesce({sql},'null')"


def csv_value(found: SalesforceField, sql: str) -> str:
    """What stands between the double quotes; NULL is nothing."""
    if found.kind == "boolean":
        return f"CASE {sql} WHEN 1 THEN 'true' ELSE 'false' END"
    if found.kind == "stamp":
        return f"coalesce(replace({sql},' ','T')||'.000Z','')"
    if found.kind == "text":
        return f"""replace(coalesce({sql},''),'"','""')"""
    if found.kind == "address":
        return "''"  # refused in bulk before it is read
    return f"coalesce({sql},'')"
