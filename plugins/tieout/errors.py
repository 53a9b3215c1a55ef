"""Every error a user can meet. Each says what happened, where, and what to do next."""

from __future__ import annotations


class TieoutError(Exception):
    """Base of all expected failures. `exit_code` is what the command line returns."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message, self.hint = message, hint
        super().__init__(f"{message}\n  → {hint}" if hint else message)


class ConfigError(TieoutError):
    """A wrong setting, `tieout.yml` or `source.yml`. Names file and line."""

    exit_code = 2


class SecretError(ConfigError):
    """A secret is absent or malformed. Names the connection and the field, never the value."""


class SourceError(TieoutError):
    """A vendor answered in a way that cannot heal by trying again."""

    exit_code = 3


class AuthError(SourceError):
    """The vendor refused the credentials."""


class SchemaError(SourceError):
    """A declared field or object is not served: dropped, renamed or hidden by permissions."""


class RateLimitError(SourceError):
    """The vendor's budget is used up and will not refill within the allowed wait."""


class UnsafeLinkError(SourceError):
    """A vendor's answer points to a host other than the configured one."""


class LandingError(TieoutError):
    """A batch could not be committed. Nothing of it is visible."""

    exit_code = 4


class ArchiveDamaged(LandingError):
    """A file of the archive is missing, cut short, or not what was recorded when it was written."""


class ReloadGuardError(LandingError):
    """A full reload is much smaller than the last good one and was refused."""


class BuildError(TieoutError):
    """dbt failed. Names the models."""

    exit_code = 5


class GateError(TieoutError):
    """A critical gate failed. Readers stay on the last publication."""

    exit_code = 6


class PublishError(TieoutError):
    """The pointer could not be moved."""

    exit_code = 7


class WarehouseError(TieoutError):
    """Postgres is away, or refuses the role."""

    exit_code = 8


class MatchError(TieoutError):
    """A reconciliation broke one of its own invariants: the result would be wrong, so there is none."""

    exit_code = 11


class RegisterError(TieoutError):
    """The register of breaks refused an event, or knows no such break."""

    exit_code = 12


class ErasureError(TieoutError):
    """The erasure of a person was refused, or something of theirs is still there."""

    exit_code = 13
