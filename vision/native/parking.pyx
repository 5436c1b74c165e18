# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What the rule of illegal parking asks of each picture about each place."""
cimport numpy as cnp

from vision.native.given cimport doubles, least, matrix, most

cnp.import_array()

# As in vision.behaviours.parking_place.
cdef double MATCH_IOU = 0.45
cdef double MATCH_IOU_SAME_TRACK = 0.25
cdef double NOTHING = 1e-300


cdef inline double overlap(const double* a, const double* b) noexcept nogil:
    """Intersection over union, as `vision.geometry.iou` has it."""
    cdef double shared = most(least(a[2], b[2]) - most(a[0], b[0]), 0.0) * most(least(a[3], b[3]) - most(a[1], b[1]), 0.0)
    cdef double first = most(a[2] - a[0], 0.0) * most(a[3] - a[1], 0.0)
    return shared / most(first + most(b[2] - b[0], 0.0) * most(b[3] - b[1], 0.0) - shared, NOTHING)


def meet(list places, list tracks, boxes, track_ids):
    """Which of `boxes` (N, 4) stands at which of `places` (boxes as tuples): (place, box) pairs by number, in order. `tracks` are
    those that were last at each place, `track_ids` (N,) int64 those of the boxes, below 0 where there is none. None when a
    place or a box has more than one candidate: then their nearness has to be weighed.
    """
    cdef cnp.ndarray given = matrix(boxes, 4)
    cdef cnp.ndarray theirs = cnp.PyArray_FROMANY(track_ids, cnp.NPY_INT64, 1, 1, cnp.NPY_ARRAY_CARRAY_RO)
    cdef Py_ssize_t row, column, found, count = cnp.PyArray_DIM(given, 0)
    if cnp.PyArray_DIM(theirs, 0) != count or len(tracks) != len(places):
        raise ValueError(f"{count} boxes of {cnp.PyArray_DIM(theirs, 0)} tracks, {len(places)} places of {len(tracks)}")
    cdef const double* at = doubles(given)
    cdef const cnp.int64_t* whose = <const cnp.int64_t*>cnp.PyArray_DATA(theirs)
    cdef double place[4]
    cdef double share
    cdef cnp.int64_t track
    cdef set taken = set()
    cdef list pairs = []
    for row in range(len(places)):
        place[0], place[1], place[2], place[3] = places[row]
        track, found = tracks[row], -1
        for column in range(count):
            share = overlap(place, at + 4 * column)
            if share >= MATCH_IOU or (share >= MATCH_IOU_SAME_TRACK and whose[column] == track and track >= 0):
                if found >= 0 or column in taken:
                    return None
                found = column
        if found >= 0:
            taken.add(found)
            pairs.append((row, found))
    return pairs
