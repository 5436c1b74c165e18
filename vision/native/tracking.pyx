# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What one picture does to the rows of `vision.tracking.rows`: as `Tracker._follow`, step by step the same."""
cimport numpy as cnp
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.string cimport memcpy, memset

from vision.native.assignment cimport settle
from vision.native.given cimport doubles, matrix, most, new_matrix, new_vector, vector
from vision.native.matching cimport Limits, Seen, fill_scores, stage
from vision.native.rows cimport Noise, Row, correct, predict, start, to_box, to_measurement, vote

import numpy as np

cnp.import_array()

cdef extern from "numpy/arrayobject.h":
    cnp.ndarray PyArray_Empty(int dimensions, cnp.npy_intp* shape, cnp.dtype kind, int fortran)

cdef extern from "Python.h":
    object PyType_GenericAlloc(type kind, Py_ssize_t items)
    int PyObject_GenericSetAttr(object thing, object name, object value) except -1

#: From so many pairs of a track and a box on, scoring takes longer than handing the interpreter to another thread.
cdef Py_ssize_t MANY_PAIRS = 2000


def follow(
    cnp.ndarray rows,
    xyxy_px,
    confidence,
    class_id,
    time_s,
    before_s,
    cnp.npy_int64 next_id,
    cnp.ndarray limits,
    double missed_s,
    cnp.ndarray group_of,
    cnp.npy_int64 other_groups,
    cnp.ndarray noise,
):
    """The rows after the picture of `time_s` with its detections (N, 4), (N,), (N,), and (N,) int64 the id of the track that
    took each, -1 for none. `before_s`: time of the last picture, None in the first. `limits` (14,): the `TrackerSettings`, in
    their order. `group_of` and `other_groups`: which classes are a group; `noise` (3, 4): see `vision.native.rows`.

    Raises:
        ValueError: `rows`, `limits` or `noise` are laid out otherwise, or the detections are not as many everywhere.
    """
    cdef Row* given = checked(rows)
    cdef const Noise* spread = <const Noise*>numbers(noise, sizeof(Noise))
    cdef const Limits* limit = <const Limits*>numbers(limits, sizeof(Limits))
    cdef double now_s = time_s
    cdef cnp.ndarray boxes = matrix(xyxy_px, 4)
    cdef Py_ssize_t n, count = cnp.PyArray_DIM(boxes, 0), length = cnp.PyArray_DIM(rows, 0), kept = 0, total
    cdef cnp.ndarray found = new_vector(count * sizeof(Seen), cnp.NPY_UINT8)
    cdef Seen* seen = <Seen*>cnp.PyArray_DATA(found)
    take(seen, boxes, vector(confidence, cnp.NPY_FLOAT64, count), vector(class_id, cnp.NPY_INT64, count))
    group(seen, count, vector(group_of, cnp.NPY_INT64, cnp.PyArray_SIZE(group_of)), other_groups)
    # Room for every detection to begin a track.
    cdef cnp.ndarray room = like(rows, length + count)
    cdef Row* row = <Row*>cnp.PyArray_DATA(room)
    cdef double[5] powers
    if before_s is None:
        memcpy(row, given, length * sizeof(Row))
        kept = length
    else:
        dt_s = time_s - before_s
        # As Python raises to a power, not as the C compiler shortens it.
        powers[0], powers[1], powers[2], powers[3], powers[4] = 1.0, dt_s, dt_s**2, dt_s**3, dt_s**4
        for n in range(length):
            if now_s - given[n].last_seen_s <= most(
                limit.keep_lost_s if given[n].confirmed else limit.keep_tentative_s, 0.0
            ):
                row[kept] = given[n]
                predict(&row[kept], powers, spread)
                kept += 1
    if kept > 0 and count > 0:
        match(row, kept, seen, count, now_s, missed_s, limit)
    total = end(row, kept, seen, count, now_s, before_s is None, next_id, limit, spread)
    cdef cnp.ndarray ids = new_vector(count, cnp.NPY_INT64)
    cdef cnp.npy_int64* id_of = <cnp.npy_int64*>cnp.PyArray_DATA(ids)
    for n in range(count):
        id_of[n] = row[seen[n].owner].track_id if seen[n].owner >= 0 else -1
    if total == length + count:
        return room, ids
    cdef cnp.ndarray result = like(rows, total)
    memcpy(cnp.PyArray_DATA(result), row, total * sizeof(Row))
    return result, ids


cdef Row* checked(cnp.ndarray rows) except NULL:
    if cnp.PyArray_NDIM(rows) != 1 or cnp.PyArray_ITEMSIZE(rows) != sizeof(Row) or not cnp.PyArray_ISCARRAY_RO(rows):
        raise ValueError("rows: expected (N,) of vision.tracking.rows.ROW")
    return <Row*>cnp.PyArray_DATA(rows)


cdef cnp.ndarray like(cnp.ndarray rows, cnp.npy_intp length):
    """(length,) of the type of `rows`, not filled."""
    cdef cnp.dtype kind = rows.dtype
    Py_INCREF(kind)  # which the next call takes over
    return PyArray_Empty(1, &length, kind, 0)


cdef const void* numbers(cnp.ndarray given, Py_ssize_t size) except NULL:
    """`given` as a structure of doubles with this size in bytes."""
    if cnp.PyArray_TYPE(given) != cnp.NPY_FLOAT64 or cnp.PyArray_NBYTES(given) != size or not cnp.PyArray_ISCARRAY_RO(given):
        raise ValueError(f"expected {size // sizeof(double)} float64 in C order")
    return cnp.PyArray_DATA(given)


cdef void take(Seen* seen, cnp.ndarray boxes, cnp.ndarray confidence, cnp.ndarray class_id):
    cdef Py_ssize_t n
    cdef double* corners = doubles(boxes)
    cdef double* sure = doubles(confidence)
    cdef cnp.npy_int64* kind = <cnp.npy_int64*>cnp.PyArray_DATA(class_id)
    for n in range(cnp.PyArray_DIM(boxes, 0)):
        memcpy(seen[n].box, corners + 4 * n, 4 * sizeof(double))
        seen[n].confidence, seen[n].class_id, seen[n].owner = sure[n], kind[n], -1


cdef void group(Seen* seen, Py_ssize_t count, cnp.ndarray group_of, cnp.npy_int64 other_groups):
    """As `group_of` of `vision.tracking.rows`; a class below 0 is a group of its own too."""
    cdef cnp.npy_int64* known = <cnp.npy_int64*>cnp.PyArray_DATA(group_of)
    cdef Py_ssize_t n
    cdef cnp.npy_int64 kind
    for n in range(count):
        kind = seen[n].class_id
        if 0 <= kind < cnp.PyArray_DIM(group_of, 0) and known[kind] >= 0:
            seen[n].group = known[kind]
        else:
            seen[n].group = kind + other_groups


cdef match(
    Row* row, Py_ssize_t rows, Seen* seen, Py_ssize_t count, double now_s, double missed_s, const Limits* limits
):
    """As `owners` of `vision.tracking.matching`: fill the `owner` of each detection."""
    cdef cnp.ndarray exponent = new_vector(rows, cnp.NPY_FLOAT64)
    cdef cnp.ndarray score = new_matrix(rows, count), part = new_matrix(rows, count)
    cdef cnp.ndarray scratch = new_vector(3 * rows + count, cnp.NPY_INTP)
    cdef Py_ssize_t* free_rows = <Py_ssize_t*>cnp.PyArray_DATA(scratch)
    cdef double* at = doubles(exponent)
    cdef double* scored = doubles(score)
    cdef Py_ssize_t n
    for n in range(rows):
        at[n] = -most(now_s - row[n].last_seen_s - missed_s, 0.0) / limits.stops_s
        free_rows[n] = True
    # NumPy's own, which is not the C library's.
    cdef cnp.ndarray decays = np.exp(exponent)
    cdef double* decay = doubles(decays)
    if rows * count >= MANY_PAIRS:
        with nogil:
            fill_scores(row, rows, seen, count, now_s, missed_s, decay, limits, scored)
    else:
        fill_scores(row, rows, seen, count, now_s, missed_s, decay, limits, scored)
    for n in range(3):
        settle(stage(n, row, rows, seen, count, now_s, limits, scored, doubles(part), free_rows))


cdef Py_ssize_t end(
    Row* row,
    Py_ssize_t rows,
    Seen* seen,
    Py_ssize_t count,
    double now_s,
    bint is_first,
    cnp.npy_int64 next_id,
    const Limits* limits,
    const Noise* noise,
) noexcept nogil:
    """Correct what was seen, begin what is new (`row` has room for it); how many rows there are then."""
    cdef double[4] measured
    cdef Row* one
    cdef Py_ssize_t n
    for n in range(count):
        if seen[n].owner < 0 and not seen[n].confidence >= limits.new:
            continue
        to_measurement(seen[n].box, measured)
        if seen[n].owner >= 0:
            one = &row[seen[n].owner]
            correct(one, measured, seen[n].confidence, noise)
            one.hits += 1
            one.peak = most(one.peak, seen[n].confidence)
        else:
            one = &row[rows]
            memset(one, 0, sizeof(Row))
            start(one, measured, noise)
            one.track_id, one.group, one.first_seen_s = next_id, seen[n].group, now_s
            one.hits, one.peak, one.confirmed = 1, seen[n].confidence, is_first
            one.voted[0], one.voted[1], one.voted[2] = -1, -1, -1
            seen[n].owner = rows
            rows += 1
            next_id += 1
        one.last_seen_s, one.confidence = now_s, seen[n].confidence
        if one.hits >= limits.confirm_hits and (
            one.peak >= limits.confirm_sure or one.last_seen_s - one.first_seen_s >= limits.confirm_slow_s
        ):
            one.confirmed = True
        vote(one, seen[n].class_id, seen[n].confidence)
    return rows


def tracks(cnp.ndarray rows, double time_s, type track, tentative, confirmed, lost):
    """One `track` for each of `rows`, as `_tracks` of `vision.tracking.tracker`; the last three are its states."""
    cdef Row* row = checked(rows)
    cdef Py_ssize_t n, length = cnp.PyArray_DIM(rows, 0)
    cdef tuple result = PyTuple_New(length)
    cdef double[4] box
    for n in range(length):
        to_box(&row[n], 0.0, box)
        one = PyType_GenericAlloc(track, 0)
        # A dataclass that is frozen, with slots: they are set as its own `__init__` sets them.
        PyObject_GenericSetAttr(one, "track_id", row[n].track_id)
        state = tentative if not row[n].confirmed else confirmed if row[n].last_seen_s == time_s else lost
        PyObject_GenericSetAttr(one, "state", state)
        PyObject_GenericSetAttr(one, "class_id", row[n].class_id)
        PyObject_GenericSetAttr(one, "xyxy_px", (box[0], box[1], box[2], box[3]))
        PyObject_GenericSetAttr(one, "velocity_px_per_s", (row[n].mean[0][1], row[n].mean[1][1]))
        PyObject_GenericSetAttr(one, "first_seen_s", row[n].first_seen_s)
        PyObject_GenericSetAttr(one, "last_seen_s", row[n].last_seen_s)
        PyObject_GenericSetAttr(one, "confidence", row[n].confidence)
        Py_INCREF(one)  # which the tuple takes over
        PyTuple_SET_ITEM(result, n, one)
    return result
