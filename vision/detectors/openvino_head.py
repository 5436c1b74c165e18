"""The last layers of a YOLO network, written anew so that a processor need not turn them about.

Ultralytics' export reads each number of the box for all places of the picture in a row (64 x places), and knows 80 classes of
which six count. On a processor the convolutions before it write the numbers of one place side by side: turning them about cost
a seventh of the whole network. Here the same arithmetic is done on them as they lie, and of the last convolution for classes
only the rows that count are kept. What comes out has the same layout as before, with fewer classes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from vision.detection import Int64Array

#: The last convolutions of YOLOv8's and YOLO11's `Detect` by their names in Ultralytics' ONNX: `cv2` for boxes, `cv3` for
#: classes.
_NAME: Final = re.compile(r"/model\.(\d+)/cv([23])\.(\d+)/cv\2\.\3\.2/Conv")
#: A distance from a place to a side of its box is one of so many steps, each with its likelihood (distribution focal loss,
#: Li et al. 2020, https://arxiv.org/abs/2006.04388).
_STEPS: Final = 16


@dataclass(frozen=True, slots=True)
class _Level:
    """The places of one grid: box numbers and class numbers of the grid, both (1, channels, rows, columns)."""

    boxes: ov.Node
    classes: ov.Node

    @property
    def grid(self) -> tuple[int, int]:
        shape = list(self.boxes.get_output_shape(0))
        return shape[2], shape[3]


def rearranged(model: ov.Model, rows: Int64Array) -> ov.Model | None:
    """The same network with an output of (1, 4 + K, places), for the K classes `rows` of it; None when its end is another.

    `model` has a fixed input (1, 3, height, width); it is left as it is but shares its layers with the one returned.
    """
    shape, output = list(model.input(0).get_shape()), list(model.output(0).get_shape())
    levels = list(_levels(model, int(output[1]) - 4))
    if not levels or sum(level.grid[0] * level.grid[1] for level in levels) != output[2]:
        return None
    strides = [shape[2] / level.grid[0] for level in levels]
    if any(shape[3] / level.grid[1] != stride for level, stride in zip(levels, strides, strict=True)):
        return None
    classes = [_only(level.classes, rows) for level in levels]
    if any(one is None for one in classes):
        return None
    side = ops.concat([_by_place(level.boxes, level.grid, [4, _STEPS]) for level in levels], 0)
    score = ops.concat([_by_place(one, level.grid, [len(rows)]) for one, level in zip(classes, levels, strict=True)], 0)
    # The mean step of each side, from the place outwards: left, top, right, bottom.
    steps = _constant(np.arange(_STEPS, dtype=np.float32).reshape(_STEPS, 1))
    away = ops.reshape(ops.matmul(ops.softmax(side, 2), steps, False, False), _constant(np.array([-1, 4])), False)
    before, after = _columns(away, 0, 2), _columns(away, 2, 4)
    place, stride = _places(levels, strides)
    half = _constant(np.float32(0.5))
    centre = ops.multiply(ops.add(place, ops.multiply(ops.subtract(after, before), half)), stride)
    size = ops.multiply(ops.add(before, after), stride)
    table = ops.concat([centre, size, ops.sigmoid(score)], 1)
    turned = ops.unsqueeze(ops.transpose(table, _constant(np.array([1, 0]))), _constant(np.array([0])))
    made = ov.Model([ops.result(turned)], model.get_parameters(), model.get_friendly_name())
    made.output(0).get_tensor().set_names(set(model.output(0).get_names()))
    return made


def _levels(model: ov.Model, classes: int) -> Iterator[_Level]:
    """From the finest to the coarsest grid; none when the layers are not what they are in `Detect`."""
    found: dict[tuple[int, int], ov.Node] = {}
    for node in model.get_ops():
        if (match := _NAME.fullmatch(node.get_friendly_name())) and node.get_output_size() == 1:
            found[int(match[3]), int(match[2])] = node
    count = len(found) // 2
    if sorted(found) != [(level, branch) for level in range(count) for branch in (2, 3)]:
        return
    for level in range(count):
        boxes, scores = found[level, 2], found[level, 3]
        one, other = list(boxes.get_output_shape(0)), list(scores.get_output_shape(0))
        if one[:2] != [1, 4 * _STEPS] or other[:2] != [1, classes] or one[2:] != other[2:]:
            return
        yield _Level(boxes, scores)


def _only(node: ov.Node, rows: Int64Array) -> ov.Node | None:
    """The rows that count of a convolution of single places with its bias; None when it is something else."""
    if node.get_type_name() != "Add" or node.input_value(0).get_node().get_type_name() != "Convolution":
        return None
    convolution, bias = node.input_value(0).get_node(), node.input_value(1)
    weights = convolution.input_value(1)
    if list(weights.get_shape())[2:] != [1, 1] or list(bias.get_shape())[2:] != [1, 1]:
        return None
    kept, first, second = _constant(rows), _constant(np.int64(0)), _constant(np.int64(1))
    single = [1, 1]
    # Both are constants: OpenVINO takes the rows once, when it compiles.
    fewer = ops.convolution(
        convolution.input_value(0), ops.gather(weights, kept, first), single, [0, 0], [0, 0], single
    )
    return ops.add(fewer, ops.gather(bias, kept, second))


def _by_place(node: ov.Node, grid: tuple[int, int], numbers: list[int]) -> ov.Node:
    """(1, channels, rows, columns) -> (rows x columns, ...): as it lies in memory."""
    lying = ops.transpose(node, _constant(np.array([0, 2, 3, 1])))
    return ops.reshape(lying, _constant(np.array([grid[0] * grid[1], *numbers])), False)


def _columns(node: ov.Node, begin: int, end: int) -> ov.Node:
    one = np.array([1])
    return ops.slice(node, _constant(np.array([begin])), _constant(np.array([end])), _constant(one), _constant(one))


def _places(levels: list[_Level], strides: list[float]) -> tuple[ov.Node, ov.Node]:
    """The middle of each place in steps of its grid (places, 2), and the length of a step in pixels (places, 1)."""
    middles, lengths = [], []
    for level, stride in zip(levels, strides, strict=True):
        y, x = np.mgrid[0 : level.grid[0], 0 : level.grid[1]]
        middles.append(np.stack([x.ravel(), y.ravel()], axis=1) + 0.5)
        lengths.append(np.full((x.size, 1), stride))
    return (
        _constant(np.concatenate(middles).astype(np.float32)),
        _constant(np.concatenate(lengths).astype(np.float32)),
    )


def _constant(value: object) -> ov.Node:
    made: ov.Node = ops.constant(value)
    return made
