"""Quality: what must be true before anybody reads. Suites from `expectations/`, a verdict with evidence."""
