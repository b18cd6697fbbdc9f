"""``python -m lab.simulator``: see ``--help``."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from inventory.loading import load
from lab.simulator.run import Simulation, run
from records.errors import UserError
from records.instants import now, parse_instant


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m lab.simulator", description="Simulate a province of an inventory.")
    parser.add_argument("--inventory", type=Path, required=True, help="inventory as a YAML or JSON file")
    parser.add_argument("--epoch", help="when the story begins, RFC 3339; now if left out")
    parser.add_argument("--snmp-port", type=int, action="append", help="instead of the ports in the inventory")
    parser.add_argument("--community", default="public", help="SNMP community of all devices")
    parser.add_argument("--syslog-tcp", help="HOST:PORT that log lines are sent to")
    parser.add_argument("--syslog-udp", help="the same over UDP")
    parser.add_argument("--lines-per-second", type=float, default=5.0, help="everyday log lines")
    parser.add_argument("--run-folder", type=Path, help="where simulator.json is written and snmp.paused looked for")
    return parser


def main() -> int:
    """Simulate until SIGTERM; exit 3 for an inventory that is wrong, 4 for a port that is taken."""
    given = arguments().parse_args()
    try:
        simulation = Simulation(
            inventory=load(given.inventory),
            epoch=parse_instant(given.epoch) if given.epoch else now(),
            community=given.community,
            snmp_ports=given.snmp_port,
            syslog_tcp=_address(given.syslog_tcp),
            syslog_udp=_address(given.syslog_udp),
            lines_per_second=given.lines_per_second,
            run_folder=given.run_folder,
        )
        asyncio.run(run(simulation))
    except UserError as error:
        sys.stderr.writelines(f"error: {problem.text()}\nwhere: {problem.where}\n" for problem in error.problems)
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"error: {error}\nnext: stop what listens on the SNMP port, or give another --snmp-port\n")
        return 4
    return 0


def _address(text: str | None) -> tuple[str, int] | None:
    if not text:
        return None
    host, _, port = text.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    sys.exit(main())
