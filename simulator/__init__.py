"""The simulated company: books with planted, labelled differences, and stand-in vendors that serve them.

Never imported by `plugins/tieout`. `company` generates and advances it, `scenarios` says what is planted, `key` writes
the answers, `serve` starts the vendors, `score` compares a warehouse with the answers.
"""
