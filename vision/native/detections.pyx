# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What is done to all detections of one picture: boxes (N, 4) float32, confidence (N,) float32, class (N,) int64.

All raise ValueError when the detections are not as many everywhere.
"""
cimport numpy as cnp
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.math cimport rint
from libc.stdlib cimport qsort
from libc.string cimport memcpy

from vision.native.boxes cimport iou_of, is_inside
from vision.native.given cimport doubles, least, matrix, most, new_matrix, new_singles, new_vector, vector

cnp.import_array()

cdef struct Steps:
    # A detection in whole steps, in the order of what it is sorted by.
    cnp.npy_int64 class_id
    cnp.npy_int64[4] edges
    cnp.npy_int64 confidence


cdef packed struct Narrow:
    # As it is kept: `NARROW` of pipelines.tracks.packed.
    cnp.npy_int32 track
    cnp.npy_uint8 class_id
    cnp.npy_uint8 confidence
    cnp.npy_int16[4] edges


cdef int by_class_and_place(const void* a, const void* b) noexcept nogil:
    cdef const cnp.npy_int64* first = <const cnp.npy_int64*>a
    cdef const cnp.npy_int64* second = <const cnp.npy_int64*>b
    cdef int n
    for n in range(6):
        if first[n] != second[n]:
            return -1 if first[n] < second[n] else 1
    return 0


def rounded(xyxy_px, confidence, class_id, double steps_per_px, double steps_of_confidence):
    """The three arrays in whole steps of a pixel and of confidence, in order of class, then place, then confidence."""
    cdef cnp.ndarray boxes = matrix(xyxy_px, 4)
    cdef Py_ssize_t n, edge, count = cnp.PyArray_DIM(boxes, 0)
    cdef cnp.ndarray sure = vector(confidence, cnp.NPY_FLOAT64, count), kind = vector(class_id, cnp.NPY_INT64, count)
    cdef cnp.ndarray scratch = new_vector(count * sizeof(Steps), cnp.NPY_UINT8)
    cdef Steps* steps = <Steps*>cnp.PyArray_DATA(scratch)
    cdef cnp.ndarray boxes_out = new_singles(count)
    cdef cnp.ndarray sure_out = new_vector(count, cnp.NPY_FLOAT32), kind_out = new_vector(count, cnp.NPY_INT64)
    cdef float* box_at = <float*>cnp.PyArray_DATA(boxes_out)
    cdef float* sure_at = <float*>cnp.PyArray_DATA(sure_out)
    cdef cnp.npy_int64* kind_at = <cnp.npy_int64*>cnp.PyArray_DATA(kind_out)
    for n in range(count):
        steps[n].class_id = (<cnp.npy_int64*>cnp.PyArray_DATA(kind))[n]
        for edge in range(4):
            steps[n].edges[edge] = <cnp.npy_int64>rint(doubles(boxes)[4 * n + edge] * steps_per_px)
        steps[n].confidence = <cnp.npy_int64>least(
            most(rint(doubles(sure)[n] * steps_of_confidence), 1.0), steps_of_confidence
        )
    qsort(steps, count, sizeof(Steps), by_class_and_place)
    for n in range(count):
        for edge in range(4):
            box_at[4 * n + edge] = <float>(<double>steps[n].edges[edge] / steps_per_px)
        sure_at[n] = <float>(<double>steps[n].confidence / steps_of_confidence)
        kind_at[n] = steps[n].class_id
    return boxes_out, sure_out, kind_out


def where(cnp.ndarray xyxy_px, cnp.ndarray confidence, cnp.ndarray class_id, cnp.ndarray keep):
    """The three arrays where `keep` (N,) bool holds. None: it holds everywhere."""
    cdef Py_ssize_t n, count = cnp.PyArray_SIZE(keep), kept = 0
    if (
        not is_plain(xyxy_px, cnp.NPY_FLOAT32, 4 * count)
        or not is_plain(confidence, cnp.NPY_FLOAT32, count)
        or not is_plain(class_id, cnp.NPY_INT64, count)
        or not is_plain(keep, cnp.NPY_BOOL, count)
    ):
        return None if keep.all() else (xyxy_px[keep], confidence[keep], class_id[keep])
    cdef const cnp.npy_bool* wanted = <const cnp.npy_bool*>cnp.PyArray_DATA(keep)
    for n in range(count):
        kept += wanted[n] != 0
    if kept == count:
        return None
    cdef const float* box = <const float*>cnp.PyArray_DATA(xyxy_px)
    cdef const float* sure = <const float*>cnp.PyArray_DATA(confidence)
    cdef const cnp.npy_int64* kind = <const cnp.npy_int64*>cnp.PyArray_DATA(class_id)
    cdef cnp.ndarray boxes_out = new_singles(kept), sure_out = new_vector(kept, cnp.NPY_FLOAT32)
    cdef cnp.ndarray kind_out = new_vector(kept, cnp.NPY_INT64)
    cdef float* box_at = <float*>cnp.PyArray_DATA(boxes_out)
    cdef float* sure_at = <float*>cnp.PyArray_DATA(sure_out)
    cdef cnp.npy_int64* kind_at = <cnp.npy_int64*>cnp.PyArray_DATA(kind_out)
    kept = 0
    for n in range(count):
        if wanted[n]:
            memcpy(box_at + 4 * kept, box + 4 * n, 4 * sizeof(float))
            sure_at[kept], kind_at[kept] = sure[n], kind[n]
            kept += 1
    return boxes_out, sure_out, kind_out


cdef inline bint is_plain(cnp.ndarray given, int kind, Py_ssize_t size):
    return cnp.PyArray_TYPE(given) == kind and cnp.PyArray_SIZE(given) == size and cnp.PyArray_ISCARRAY_RO(given)


def once(xyxy_px, confidence, class_id, names, double twice_iou):
    """(N,) bool: all but the less sure of two that are of classes `names` and overlap (IoU) by more than `twice_iou`. None:
    there are none.
    """
    cdef cnp.ndarray boxes = matrix(xyxy_px, 4)
    cdef Py_ssize_t n, m, row, found = 0, count = cnp.PyArray_DIM(boxes, 0)
    cdef cnp.ndarray sure = vector(confidence, cnp.NPY_FLOAT64, count), kind = vector(class_id, cnp.NPY_INT64, count)
    cdef cnp.npy_int64* kind_at = <cnp.npy_int64*>cnp.PyArray_DATA(kind)
    cdef cnp.ndarray scratch = new_vector(count, cnp.NPY_INTP)
    cdef Py_ssize_t* order = <Py_ssize_t*>cnp.PyArray_DATA(scratch)
    cdef cnp.npy_int64 one
    cdef bint twice = False
    for name in names:
        one = name
        for n in range(count):
            if kind_at[n] == one:
                order[found] = n
                found += 1
    if found < 2:
        return None
    # Surest first; of those that are as sure, in the order in which they came.
    for n in range(1, found):
        row, m = order[n], n
        while m > 0 and (
            doubles(sure)[order[m - 1]] < doubles(sure)[row]
            or doubles(sure)[order[m - 1]] == doubles(sure)[row] and order[m - 1] > row
        ):
            order[m] = order[m - 1]
            m -= 1
        order[m] = row
    cdef cnp.ndarray keep = new_vector(count, cnp.NPY_BOOL)
    cdef cnp.npy_bool* kept = <cnp.npy_bool*>cnp.PyArray_DATA(keep)
    for n in range(count):
        kept[n] = True
    for n in range(1, found):
        for m in range(n):
            if kept[order[m]] and iou_of(doubles(boxes) + 4 * order[n], doubles(boxes) + 4 * order[m]) > twice_iou:
                kept[order[n]] = False
                twice = True
                break
    return keep if twice else None


def not_masked(xyxy_px, masks, double width_px, double height_px):
    """(N,) bool: those whose bottom centre, in parts of the picture, lies in none of `masks` (edges of polygons, 0..1)."""
    cdef cnp.ndarray boxes = matrix(xyxy_px, 4)
    cdef Py_ssize_t n, edges, count = cnp.PyArray_DIM(boxes, 0)
    cdef cnp.ndarray keep = new_vector(count, cnp.NPY_BOOL)
    cdef cnp.npy_bool* kept = <cnp.npy_bool*>cnp.PyArray_DATA(keep)
    cdef cnp.ndarray x1, y1, y2, slope
    cdef double* box = doubles(boxes)
    cdef double x, y
    for n in range(count):
        kept[n] = True
    for mask in masks:
        edges = len(mask[0])
        x1, y1 = vector(mask[0], cnp.NPY_FLOAT64, edges), vector(mask[1], cnp.NPY_FLOAT64, edges)
        y2, slope = vector(mask[2], cnp.NPY_FLOAT64, edges), vector(mask[3], cnp.NPY_FLOAT64, edges)
        for n in range(count):
            # A box that ends at the lower edge of the picture stands at the edge as far as can be seen.
            x = least(most((box[4 * n] + box[4 * n + 2]) / 2 / width_px, 0.0), 1 - 1e-9)
            y = least(most(box[4 * n + 3] / height_px, 0.0), 1 - 1e-9)
            if is_inside(x, y, doubles(x1), doubles(y1), doubles(y2), doubles(slope), edges):
                kept[n] = False
    return keep


def norm(xyxy_px, double width_px, double height_px):
    """(N, 4) float64 boxes in parts of the picture, not to be written to."""
    cdef cnp.ndarray boxes = matrix(xyxy_px, 4)
    cdef Py_ssize_t n, count = cnp.PyArray_DIM(boxes, 0)
    cdef cnp.ndarray result = new_matrix(count, 4)
    for n in range(4 * count):
        doubles(result)[n] = doubles(boxes)[n] / (height_px if n % 2 else width_px)
    cnp.PyArray_CLEARFLAGS(result, cnp.NPY_ARRAY_WRITEABLE)
    return result


def met(places, boxes, class_id, kinds, double least_iou):
    """For each of `places` (M, 4) whether one of `boxes` (N, 4) whose class is one of `kinds` overlaps it by `least_iou`."""
    cdef cnp.ndarray given = matrix(boxes, 4), kind = vector(class_id, cnp.NPY_INT64, cnp.PyArray_DIM(given, 0))
    cdef cnp.npy_int64* kind_at = <cnp.npy_int64*>cnp.PyArray_DATA(kind)
    cdef double[4] place
    cdef Py_ssize_t n, count = cnp.PyArray_DIM(given, 0)
    cdef cnp.npy_int64 one
    cdef list result = []
    cdef bint is_met
    for corners in places:
        place[0], place[1], place[2], place[3] = corners
        is_met = False
        for wanted in kinds:
            one = wanted
            for n in range(count):
                if kind_at[n] == one and iou_of(place, doubles(given) + 4 * n) >= least_iou:
                    is_met = True
        result.append(is_met)
    return result


def packed(
    cnp.ndarray xyxy_px,
    cnp.ndarray confidence,
    cnp.ndarray class_id,
    cnp.ndarray seen_px,
    cnp.ndarray track_id,
    double steps_per_px,
    double steps_of_confidence,
):
    """(N,) boxes as bytes, 14 each: int32 which track took it, uint8 class, uint8 confidence and int16 x1 y1 x2 y2 in steps. A
    box's track is the `track_id` (M,) of the last of `seen_px` (M, 4) that is the very same; -1 where there is none. None: one
    does not fit in so few bits, or what is given is no `Detections`.
    """
    cdef Py_ssize_t n, m, edge, count = cnp.PyArray_SIZE(class_id), others = cnp.PyArray_SIZE(track_id)
    if (
        not is_plain(xyxy_px, cnp.NPY_FLOAT32, 4 * count)
        or not is_plain(confidence, cnp.NPY_FLOAT32, count)
        or not is_plain(class_id, cnp.NPY_INT64, count)
        or not is_plain(seen_px, cnp.NPY_FLOAT32, 4 * others)
        or not is_plain(track_id, cnp.NPY_INT64, others)
        or not 1 <= steps_of_confidence <= 255
    ):
        return None
    cdef const float* box = <const float*>cnp.PyArray_DATA(xyxy_px)
    cdef const float* sure = <const float*>cnp.PyArray_DATA(confidence)
    cdef const float* seen = <const float*>cnp.PyArray_DATA(seen_px)
    cdef const cnp.npy_int64* kind = <const cnp.npy_int64*>cnp.PyArray_DATA(class_id)
    cdef const cnp.npy_int64* ids = <const cnp.npy_int64*>cnp.PyArray_DATA(track_id)
    cdef bytes result = PyBytes_FromStringAndSize(NULL, count * sizeof(Narrow))
    cdef Narrow* row = <Narrow*>PyBytes_AS_STRING(result)
    cdef cnp.npy_int64 track
    cdef double steps
    for n in range(count):
        track = -1
        for m in range(others - 1, -1, -1):
            if same_box(box + 4 * n, seen + 4 * m):
                track = ids[m]
                break
        if not -(1 << 31) <= track < (1 << 31) or not 0 <= kind[n] < 256:
            return None
        row[n].track, row[n].class_id = <cnp.npy_int32>track, <cnp.npy_uint8>kind[n]
        steps = least(most(rint(<double>sure[n] * steps_of_confidence), 1.0), steps_of_confidence)
        if steps != steps:
            return None
        row[n].confidence = <cnp.npy_uint8>steps
        for edge in range(4):
            steps = rint(<double>box[4 * n + edge] * steps_per_px)
            if not -32768 <= steps <= 32767:  # nor is it when it is no number
                return None
            row[n].edges[edge] = <cnp.npy_int16>steps
    return result


cdef inline bint same_box(const float* a, const float* b) noexcept nogil:
    return a[0] == b[0] and a[1] == b[1] and a[2] == b[2] and a[3] == b[3]
