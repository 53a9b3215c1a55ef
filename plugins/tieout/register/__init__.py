"""The register of breaks: who does what about each difference, in an append-only log that outlives every rebuild."""
