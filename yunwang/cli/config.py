"""``yw config``: show and check the configuration (CONTRACT §1)."""

from __future__ import annotations

import typer

from yunwang.cli.call import current
from yunwang.cli.output import emit
from yunwang.place import Place, data_folder
from yunwang.settings import load, origins

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)


def _file() -> tuple[bool, Place]:
    call = current()
    return call.config is not None, Place(data_folder(call.data), demo=False)


@app.command("show")
def show(origin: bool = typer.Option(False, "--origin", help="tell where each value comes from")) -> None:
    """Print every key with its value."""
    named, place = _file()
    file = current().config or place.config
    settings = load(file, required=named)
    if origin:
        emit(origins(file, settings), columns=("key", "value", "origin"))
        return
    emit(
        settings.model_dump(mode="json"),
        rows=lambda found: [
            {"key": f"{section}.{key}", "value": value}
            for section, keys in found.items()
            for key, value in keys.items()
        ],
    )


@app.command("check")
def check() -> None:
    """Read the configuration and tell everything that is wrong with it."""
    named, place = _file()
    file = current().config or place.config
    load(file, required=named)
    emit({"valid": True, "file": file if file.exists() else None})
