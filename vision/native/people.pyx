# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Who counts at one moment and where they stand: as `vision.behaviours.people`, and `dense` of `vision.crowd_watch`."""
cimport numpy as cnp
from libc.math cimport sqrt

from vision.native.boxes cimport area_of, is_inside, shared_by
from vision.native.given cimport doubles, exactly, least, matrix, most, new_matrix, new_vector

cnp.import_array()

# As in vision.coco and vision.behaviours.people.
cdef enum:
    PERSON = 0
cdef double BRIDGE_S = 0.25
cdef double CLOCK_S = 1e-3
cdef double SURE = 0.4
cdef double EDGE = 0.003


cdef inline bint counts(
    object track, const double* box, double time_s, double width, double height, object confirmed, object lost
):
    """As `counted_people` says, of a person."""
    cdef bint is_seen = track.state is confirmed
    cdef bint is_sure = track.confidence >= SURE
    cdef bint leaves
    if is_seen and is_sure:
        return True
    if not is_seen:
        if not is_sure or track.state is not lost or not (time_s - <double>track.last_seen_s <= BRIDGE_S + CLOCK_S):
            return False
    leaves = box[0] <= EDGE * width or box[2] >= width - EDGE * width or box[1] <= EDGE * height
    if not is_seen:
        leaves = leaves or box[3] >= height - EDGE * height
    return not leaves


def inside(tuple tracks, double time_s, double width, double height, confirmed, lost, edges):
    """Those of `tracks` who count as people at `time_s` and stand in the polygon with these `edges` (see `vision.geometry`), of a
    picture of `width` x `height` pixels. `confirmed` and `lost` are states of tracks.
    """
    cdef cnp.ndarray x1 = exactly(edges[0], cnp.NPY_FLOAT64, 1), y1 = exactly(edges[1], cnp.NPY_FLOAT64, 1)
    cdef cnp.ndarray y2 = exactly(edges[2], cnp.NPY_FLOAT64, 1), slope = exactly(edges[3], cnp.NPY_FLOAT64, 1)
    cdef Py_ssize_t count = cnp.PyArray_DIM(x1, 0)
    cdef double box[4]
    cdef double x, y, last = 1 - 1e-9
    cdef list found = []
    if not count == cnp.PyArray_DIM(y1, 0) == cnp.PyArray_DIM(y2, 0) == cnp.PyArray_DIM(slope, 0):
        raise ValueError("edges: expected four arrays of one length")
    for track in tracks:
        if track.class_id != PERSON:
            continue
        box[0], box[1], box[2], box[3] = track.xyxy_px
        if not counts(track, box, time_s, width, height, confirmed, lost):
            continue
        # Feet below the lower edge of the picture stand at the edge as far as can be seen.
        x = least(most((box[0] / width + box[2] / width) / 2, 0.0), last)
        y = least(most(box[3] / height, 0.0), last)
        if is_inside(x, y, doubles(x1), doubles(y1), doubles(y2), doubles(slope), count):
            found.append(track)
    return tuple(found)


def boxes_of(xyxy_px, class_id, cnp.npy_int64 wanted):
    """(N, 4) float64: those of the boxes (M, 4) float32 whose class (M,) int64 is `wanted`."""
    cdef cnp.ndarray given = exactly(xyxy_px, cnp.NPY_FLOAT32, 2), kind = exactly(class_id, cnp.NPY_INT64, 1)
    cdef const cnp.npy_int64* kinds = <const cnp.npy_int64*>cnp.PyArray_DATA(kind)
    cdef Py_ssize_t n, edge, found = 0, count = cnp.PyArray_DIM(kind, 0)
    if cnp.PyArray_DIM(given, 0) != count or cnp.PyArray_DIM(given, 1) != 4:
        raise ValueError(f"expected boxes ({count}, 4), got {(<object>given).shape}")
    for n in range(count):
        found += kinds[n] == wanted
    cdef cnp.ndarray result = new_matrix(found, 4)
    cdef double* out = doubles(result)
    for n in range(count):
        if kinds[n] == wanted:
            for edge in range(4):
                out[edge] = (<const float*>cnp.PyArray_DATA(given))[4 * n + edge]
            out += 4
    return result


def covered(boxes, double share):
    """(N,) bool: of which of `boxes` (N, 4) another one covers more than `share`."""
    cdef cnp.ndarray given = matrix(boxes, 4)
    cdef Py_ssize_t n, m, rows = cnp.PyArray_DIM(given, 0)
    cdef cnp.ndarray result = new_vector(rows, cnp.NPY_BOOL)
    cdef cnp.npy_bool* out = <cnp.npy_bool*>cnp.PyArray_DATA(result)
    cdef const double* at = doubles(given)
    cdef double largest
    for n in range(rows):
        largest = 0.0
        for m in range(rows):
            if n != m:
                largest = most(largest, shared_by(at + 4 * n, at + 4 * m))
        out[n] = largest > share * most(area_of(at + 4 * n), 1e-12)
    return result


def near(points, double radius):
    """(N,) float64: how many of `points` (N, 2) are within `radius` of each, itself included; of what is no number, none are."""
    cdef cnp.ndarray given = matrix(points, 2)
    cdef Py_ssize_t n, m, rows = cnp.PyArray_DIM(given, 0)
    cdef cnp.ndarray result = new_vector(rows, cnp.NPY_FLOAT64)
    cdef double* out = doubles(result)
    cdef const double* at = doubles(given)
    cdef double x, y
    for n in range(rows):
        out[n] = 0.0
        for m in range(rows):
            x, y = at[2 * n] - at[2 * m], at[2 * n + 1] - at[2 * m + 1]
            out[n] += sqrt(x * x + y * y) <= radius
    return result
