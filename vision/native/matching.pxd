# cython: language_level=3, cdivision=True
"""Which track takes which detection: as `vision.tracking.matching`, step by step the same. Only for this package."""
cimport numpy as cnp

from vision.native.assignment cimport pair
from vision.native.given cimport least, most
from vision.native.rows cimport Row, to_box

cdef struct Limits:
    # Of `TrackerSettings`, in their order.
    double sure
    double new
    double unsure
    double overlap
    double overlap_unsure
    double confirm_hits
    double confirm_sure
    double confirm_slow_s
    double keep_lost_s
    double keep_tentative_s
    double buffer_per_s
    double buffer_most
    double stops_s
    double stopped

cdef struct Seen:
    # One detection: corners, and the row of the track that took it, -1 for none.
    double[4] box
    double confidence
    cnp.npy_int64 class_id
    cnp.npy_int64 group
    Py_ssize_t owner


cdef inline double overlap(const double* a, const double* b) noexcept nogil:
    cdef double shared = most(least(a[2], b[2]) - most(a[0], b[0]), 0.0) * most(least(a[3], b[3]) - most(a[1], b[1]), 0.0)
    if not shared > 0:
        return 0.0
    cdef double area_a = (a[2] - a[0]) * (a[3] - a[1]), area_b = (b[2] - b[0]) * (b[3] - b[1])
    return shared / most(area_a + area_b - shared, 1e-9)


cdef inline void widen(const double* box, double buffer, double* out) noexcept nogil:
    cdef double x = (box[2] - box[0]) * buffer, y = (box[3] - box[1]) * buffer
    out[0], out[1], out[2], out[3] = box[0] - x, box[1] - y, box[2] + x, box[3] + y


cdef inline double buffered_overlap(const double* a, const double* b, double buffer) noexcept nogil:
    """IoU of two boxes, or with `buffer` (in their sizes) around both where it is more."""
    cdef double[4] wide_a
    cdef double[4] wide_b
    widen(a, buffer, wide_a)
    widen(b, buffer, wide_b)
    return most(overlap(a, b), overlap(wide_a, wide_b))


cdef inline void fill_scores(
    const Row* row,
    Py_ssize_t rows,
    const Seen* seen,
    Py_ssize_t count,
    double now_s,
    double missed_s,
    const double* decay,
    const Limits* limits,
    double* score,
) noexcept nogil:
    """As `_scores` of `vision.tracking.matching`, 0 where the groups differ: `score` (rows, count). `decay` (rows,) of speed."""
    cdef double[4] goes_on
    cdef double[4] stopped
    cdef double since_s, unseen_s, buffer
    cdef Py_ssize_t n, m
    for n in range(rows):
        unseen_s = now_s - row[n].last_seen_s
        since_s = most(unseen_s - missed_s, 0.0)
        buffer = least(limits.buffer_per_s * unseen_s, limits.buffer_most)
        to_box(&row[n], 0.0, goes_on)
        to_box(&row[n], since_s - limits.stops_s * (1 - decay[n]), stopped)
        for m in range(count):
            if row[n].group != seen[m].group:
                score[n * count + m] = 0.0
            else:
                score[n * count + m] = most(
                    buffered_overlap(goes_on, seen[m].box, buffer),
                    limits.stopped * buffered_overlap(stopped, seen[m].box, buffer),
                )


cdef inline int stage(
    Py_ssize_t number,
    const Row* row,
    Py_ssize_t rows,
    Seen* seen,
    Py_ssize_t count,
    double now_s,
    const Limits* limits,
    const double* score,
    double* part,
    Py_ssize_t* scratch,
) noexcept nogil:
    """One of the three: sure detections, unsure ones, tracks that are not confirmed. `part` (rows, count) and what is behind
    the first `rows` of `scratch` is overwritten; those say which tracks are free. The outcome is for `settle`.
    """
    cdef Py_ssize_t* is_free = scratch
    cdef Py_ssize_t* track_rows = scratch + rows
    cdef Py_ssize_t* column_of = scratch + 2 * rows
    cdef Py_ssize_t* columns = scratch + 3 * rows
    cdef Py_ssize_t n, m, tracks = 0, found = 0
    cdef double confidence, threshold = limits.overlap_unsure if number == 1 else limits.overlap, value
    cdef bint wanted
    cdef int outcome
    for n in range(rows):
        if not is_free[n] or row[n].confirmed == (number == 2):
            continue
        if number == 1 and not now_s - row[n].last_seen_s <= 0.5 + limits.keep_lost_s / 4:
            continue
        track_rows[tracks] = n
        tracks += 1
    for m in range(count):
        confidence = seen[m].confidence
        if number == 0:
            wanted = confidence >= limits.sure
        elif number == 1:
            wanted = not confidence >= limits.sure and confidence >= limits.unsure
        else:
            wanted = confidence >= (limits.new if limits.new < limits.sure else limits.sure)
        if wanted and seen[m].owner < 0:
            columns[found] = m
            found += 1
    if tracks == 0 or found == 0:
        return 0
    for n in range(tracks):
        for m in range(found):
            value = score[track_rows[n] * count + columns[m]]
            part[n * found + m] = value * (0.7 + 0.3 * seen[columns[m]].confidence) if value >= threshold else 0.0
    outcome = pair(part, tracks, found, column_of)
    if outcome < 0:
        return outcome
    for n in range(tracks):
        if column_of[n] >= 0:
            seen[columns[column_of[n]]].owner = track_rows[n]
            is_free[track_rows[n]] = False
    return 0
