"""`python -m simulator generate | advance | serve`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from simulator import company, scenarios
from simulator.units import FIRST, UNITS


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it went well."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="A simulated company and its vendors' APIs.",
        epilog=scenarios.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("generate", help="write 24 months of a company, replacing what the folder holds")
    make.add_argument("--seed", type=int, default=42)
    make.add_argument("--size", choices=list(company.SIZES), default="1k", help="orders")
    make.add_argument("--unit", choices=list(UNITS), default=FIRST, help="which business unit")
    make.add_argument("--level", type=int, choices=(1, 2, 3), default=1, help="how differently the systems spell names")
    pass_time = commands.add_parser("advance", help="let days pass: new documents, payments, corrections, deletions")
    pass_time.add_argument("--days", type=int, default=1)
    serve = commands.add_parser("serve", help="serve companies through their vendors' APIs until interrupted")
    serve.add_argument("--port", action="append", default=[], metavar="CONNECTION=PORT", help="free ones unless given")
    serve.add_argument("--folder", type=Path, required=True, nargs="+", help="where the companies are kept")
    for command in (make, pass_time):
        command.add_argument("--folder", type=Path, required=True, help="where the company is kept")
    given = parser.parse_args(arguments)
    if given.command == "serve":
        from simulator.serve import main as serve_until_stopped

        ports = (port.partition("=") for port in given.port)
        serve_until_stopped(given.folder, {name: int(number) for name, _, number in ports})
        return 0
    if given.command == "generate":
        state = company.generate(given.folder, seed=given.seed, size=given.size, level=given.level, of=given.unit)
    else:
        try:
            state = company.advance(given.folder, given.days)
        except FileNotFoundError as error:
            print(error, file=sys.stderr)
            return 2
    said = f"{state.unit}, seed {state.seed}, size {state.size}, level {state.level}, now {state.now} UTC"
    print(f"{given.folder}: {said}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
