"""What sample footage there is, from `sample_streams/catalogue.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.config.plain import read_yaml
from pipelines.errors import BadInput


@dataclass(frozen=True, slots=True)
class Source:
    """One place a file can be had from. `kind` url: `where` is the address; debian: the package; wheel: the requirement."""

    kind: str
    where: str
    member: str | None = None


@dataclass(frozen=True, slots=True)
class SampleFile:
    """A file of the catalogue; `sources` in the order in which they are tried."""

    name: str
    what: str
    sha256: str
    size_bytes: int
    licence: str
    sources: tuple[Source, ...]


def folder() -> Path:
    """`sample_streams/` of the checkout.

    Raises:
        BadInput: Gatewatch was installed without its checkout.
    """
    found = Path(__file__).resolve().parents[2] / "sample_streams"
    if not (found / "catalogue.yaml").is_file():
        raise BadInput(f"the samples come with the source checkout of Gatewatch; there is no {found}/catalogue.yaml")
    return found


def load(path: Path | None = None) -> dict[str, SampleFile]:
    """The catalogue, by file name.

    Raises:
        BadInput: the file is missing or lacks a key.
    """
    place = folder() / "catalogue.yaml" if path is None else path
    values = read_yaml(place)
    try:
        return {name: _file(name, entry) for name, entry in values["files"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{place}: not a catalogue of sample files: {error!r}") from error


def _file(name: str, entry: dict[str, Any]) -> SampleFile:
    keys = {"url": "url", "debian": "package", "wheel": "requirement"}
    return SampleFile(
        name=name,
        what=str(entry["what"]).strip(),
        sha256=str(entry["sha256"]),
        size_bytes=int(entry["size_bytes"]),
        licence=str(entry["licence"]),
        sources=tuple(
            Source(kind=source["kind"], where=str(source[keys[source["kind"]]]), member=source.get("member"))
            for source in entry["sources"]
        ),
    )
