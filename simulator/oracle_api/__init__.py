"""A stand-in for Oracle Fusion's REST service, strict as the vendor is, with its awkward habits switched on.

Written from the framework's documentation. What a client gets wrong (an unknown attribute, `fields` with `expand`, a
finder without its variables) is answered with the vendor's own error.
"""

from simulator.oracle_api.app import OracleApi

__all__ = ["OracleApi"]
