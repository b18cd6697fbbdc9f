"""The command ``yw``. Sub-commands are imported when they are called, so that ``yw --help`` stays quick."""

from __future__ import annotations

import sys

from records.errors import UserError


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code (CONTRACT §1)."""
    from yunwang.cli import call, output, tree  # noqa: PLC0415 - nothing is imported before it is needed

    try:
        chosen, rest = call.split_global(sys.argv[1:] if arguments is None else arguments, terminal=sys.stdout.isatty())
        call.begin(chosen)
        return tree.run(rest)
    except UserError as error:
        output.show_error(error)
        if error.result is not None:
            output.emit(error.result)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return tree.INTERRUPTED
