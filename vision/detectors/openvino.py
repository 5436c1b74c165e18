"""YOLO networks on OpenVINO: the default backend, and the quickest on a processor without a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import openvino as ov
from openvino.preprocess import ColorFormat, PrePostProcessor

from vision.detection import Detections, DetectorError, Float32Array, canvas_heights
from vision.detectors.heads import Head, Reader, head_of
from vision.detectors.labels import Labels, names_from_text
from vision.detectors.letterbox import Letterbox, check_picture
from vision.detectors.openvino_head import rearranged
from vision.detectors.settings import DetectorSettings, ModelError
from vision.frame import Pixels

#: What OpenVINO reads without a converter.
SUFFIXES: Final = (".xml", ".onnx")
#: So many pictures a request remembers, each as large as its canvas.
_KNOWN: Final = 8


class _Slot:
    """One inference request with the canvas that it reads and the memory that it writes; `place` is where its picture lies, None
    while idle.

    It reads the caller's own picture instead where that is as large as the canvas: then nothing need be copied. A caller who
    gives the same arrays again, with other pixels, gives what the request knows already.
    """

    def __init__(self, compiled: ov.CompiledModel, input_px: tuple[int, int]) -> None:
        self.request: Any = compiled.create_infer_request()
        self.canvas: Pixels = np.empty((*input_px, 3), np.uint8)
        self.output: Float32Array = np.empty(tuple(compiled.output(0).shape), np.float32)
        self.place: Letterbox | None = None
        self.index = 0
        self._known: dict[int, tuple[Pixels, ov.Tensor]] = {}
        self.reads: Pixels | None = None
        self.request.set_output_tensor(0, ov.Tensor(self.output, shared_memory=True))
        self._read(self.canvas)

    def show(self, picture: Pixels, place: Letterbox) -> None:
        """The picture must stay as it is until the request is done."""
        if picture.shape == self.canvas.shape and picture.flags.c_contiguous:
            self._read(picture)
            return
        self._read(self.canvas)
        place.draw(picture, self.canvas)

    def _read(self, picture: Pixels) -> None:
        if picture is self.reads:
            return
        known = self._known.get(id(picture))
        if known is None:
            if len(self._known) == _KNOWN:
                self._known.clear()
            known = self._known[id(picture)] = (picture, ov.Tensor(picture[None], shared_memory=True))
        self.request.set_input_tensor(known[1])
        self.reads = picture


class OpenVinoDetector:
    """A YOLO network in OpenVINO's own format (`.xml` with its `.bin`) or ONNX, on the processor or an Intel GPU.

    Conversion to float, colour order and scaling are part of the compiled graph; a picture is only fitted into the
    input. In throughput mode the pictures of one `detect` are worked on side by side, one core each.

    Raises:
        ModelError: the file is missing, broken, no YOLO detection model, or does not take the input size.
    """

    def __init__(self, settings: DetectorSettings) -> None:
        self._settings = settings
        self._core = ov.Core()
        self._device = settings.device.upper()
        # Asking which devices there are loads what drives each of them: 25 MB for a processor that is always there.
        named = self._device.split(".")[0]
        if named not in ("CPU", "AUTO") and named not in self._core.available_devices:
            known = ", ".join(name.lower() for name in self._core.available_devices)
            raise ModelError("device", f"OpenVINO has no device {settings.device!r} here; it has: {known}")
        model = _read(self._core, settings)
        labels = Labels.from_names(_names(model))
        head = head_of(_shape(model), labels)
        anew = rearranged(model, labels.rows) if head is Head.ANCHOR_FREE else None
        #: The classes that count, where the end of the network is written anew for them.
        self._rows = None if anew is None else labels.rows
        self._reader = Reader(head, labels if anew is None else labels.only(), settings.confidence, settings.overlap)
        self._slots: dict[tuple[int, int], list[_Slot]] = {
            settings.input_px: self._compile(anew or model, settings.input_px)
        }

    def _compile(self, model: ov.Model, input_px: tuple[int, int], streams: int | None = None) -> list[_Slot]:
        settings = self._settings
        most = settings.threads if settings.mode == "throughput" else 1
        streams = most if streams is None else min(most, streams)
        # In throughput mode each stream has one thread.
        threads = streams if settings.mode == "throughput" else settings.threads
        properties: dict[str, Any] = {"PERFORMANCE_HINT": settings.mode.upper()}
        if self._device == "CPU":
            # bf16 is slower than f32 where the processor emulates it, and would make results differ between machines.
            properties |= {
                "NUM_STREAMS": streams,
                "INFERENCE_NUM_THREADS": threads,
                "INFERENCE_PRECISION_HINT": "f32",
            }
        try:
            compiled = self._core.compile_model(_with_preprocessing(model), self._device, properties)
            slots = [_Slot(compiled, input_px) for _ in range(streams)]
        except RuntimeError as error:
            raise ModelError("model", f"OpenVINO cannot run {settings.model}: {_first_line(error)}") from error
        return slots

    def prepare(self, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Compile the network for each of the lower `canvas_heights` too: such pictures cost accordingly less from then on.
        It takes a second or two and 57 MB each; another thread may do it while `detect` is used. `goes_on` is asked before
        each.

        Raises:
            ModelError: it cannot be done.
        """
        if self._device != "CPU" or not _takes_any_size(self._core, self._settings):
            return
        height, width = self._settings.input_px
        for lower in canvas_heights(height)[:-1]:
            if (lower, width) in self._slots:
                continue  # asked before
            if not goes_on():
                return
            model = self._core.read_model(self._settings.model)
            model.reshape([1, 3, lower, width])
            if self._rows is not None:
                anew = rearranged(model, self._rows)
                if anew is None:
                    raise ModelError("model", f"{self._settings.model.name} ends otherwise at {lower}x{width}")
                model = anew
            # One stream is enough: of several canvases only the last is low, and each stream has its own memory.
            self._slots = {**self._slots, (lower, width): self._compile(model, (lower, width), streams=1)}

    def _slots_for(self, picture_px: tuple[int, int]) -> tuple[tuple[int, int], list[_Slot]]:
        needed = Letterbox.fit(picture_px, self._settings.input_px).height_px
        slots = self._slots
        size = min((size for size in slots if size[0] >= needed), default=self._settings.input_px)
        return size, slots[size]

    @property
    def name(self) -> str:
        """Model, input size and backend, for records."""
        return self._settings.describe("openvino")

    def detect(self, pictures: list[Pixels]) -> list[Detections]:
        """One `Detections` per picture, in order; see `vision.detection.Detector`."""
        for picture in pictures:
            check_picture(picture)
        found: list[Detections] = [Detections.empty()] * len(pictures)
        busy: list[_Slot] = []
        most = self._settings.threads if self._settings.mode == "throughput" else 1
        try:
            for index, picture in enumerate(pictures):
                picture_px = (picture.shape[0], picture.shape[1])
                size, slots = self._slots_for(picture_px)
                free = [slot for slot in slots if slot.place is None]
                while not free or len(busy) >= most:
                    self._collect(busy.pop(0), found)
                    free = [slot for slot in slots if slot.place is None]
                slot = next((slot for slot in free if slot.reads is picture), free[0])
                place = Letterbox.fit(picture_px, size)
                slot.show(picture, place)
                slot.place, slot.index = place, index
                busy.append(slot)
                slot.request.start_async()
            for slot in busy:
                self._collect(slot, found)
        except RuntimeError as error:
            self._abandon()
            raise DetectorError(f"OpenVINO failed on {self._settings.model.name}: {_first_line(error)}") from error
        except DetectorError:
            self._abandon()
            raise
        return found

    def _collect(self, slot: _Slot, found: list[Detections]) -> None:
        if slot.place is None:
            return
        place, slot.place = slot.place, None
        slot.request.wait()
        found[slot.index] = self._reader.read(slot.output[0], place)

    def _abandon(self) -> None:
        """Let every request end before its canvas is written again."""
        for slot in (slot for slots in self._slots.values() for slot in slots):
            slot.place = None
            try:
                slot.request.wait()
            except RuntimeError:
                continue


def _read(core: ov.Core, settings: DetectorSettings) -> ov.Model:
    path = settings.model
    if path.suffix.lower() not in SUFFIXES:
        raise ModelError("model", f"{path} is not a file that OpenVINO reads ({' or '.join(SUFFIXES)})")
    if not path.is_file():
        raise ModelError("model", f"{path} does not exist")
    if path.suffix.lower() == ".xml" and not path.with_suffix(".bin").is_file():
        raise ModelError("model", f"{path.with_suffix('.bin')}, which belongs to {path.name}, does not exist")
    try:
        model = core.read_model(path)
    except RuntimeError as error:
        raise ModelError("model", f"{path} cannot be read, it is broken or no model: {_first_line(error)}") from error
    shape = model.inputs[0].get_partial_shape()
    if len(model.inputs) != 1 or len(shape) != 4 or (shape[1].is_static and shape[1].get_length() != 3):
        raise ModelError("model", f"{path} takes {shape}, not one colour picture (1, 3, height, width)")
    sides = [shape[2], shape[3]]
    height, width = settings.input_px
    # OpenVINO would reshape a model of a fixed size as well, but the places of its boxes are constants for that size.
    fixed = [side.get_length() for side in sides if side.is_static]
    try:
        if fixed and fixed != [height, width]:
            raise RuntimeError("fixed size")
        model.reshape([1, 3, height, width])
        _shape(model)
    except RuntimeError as error:
        raise ModelError(
            "input",
            f"{path.name} does not take {height}x{width}, it was exported for {sides[0]}x{sides[1]}: "
            f"use that size, or export it again with dynamic=True",
        ) from error
    return model


def _takes_any_size(core: ov.Core, settings: DetectorSettings) -> bool:
    shape = core.read_model(settings.model).inputs[0].get_partial_shape()
    return not (shape[2].is_static or shape[3].is_static)


def _shape(model: ov.Model) -> tuple[int, ...]:
    return tuple(model.outputs[0].get_shape())


def _names(model: ov.Model) -> dict[int, str] | None:
    """What Ultralytics wrote into the ONNX file, which OpenVINO keeps under `framework`."""
    path = ["framework", "names"]
    return names_from_text(str(model.get_rt_info(path).value)) if model.has_rt_info(path) else None


def _with_preprocessing(model: ov.Model) -> ov.Model:
    steps = PrePostProcessor(model)
    picture = steps.input()
    picture.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_color_format(ColorFormat.BGR)
    picture.preprocess().convert_element_type(ov.Type.f32).convert_color(ColorFormat.RGB).scale(255.0)
    picture.model().set_layout(ov.Layout("NCHW"))
    steps.output(0).tensor().set_element_type(ov.Type.f32)
    return steps.build()


def _first_line(error: BaseException) -> str:
    """OpenVINO's messages are stack traces; their last line says what was wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
