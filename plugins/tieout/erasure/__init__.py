"""Erasure of a person: what is known of them goes, from everywhere; amounts stay. See docs/security.md."""
