# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The loop of `vision.sharpness`: how steep the strongest edges along some lines of a plane are."""
cimport numpy as cnp
from libc.math cimport ceil
from libc.stdlib cimport abs as distance

from vision.native.given cimport doubles, new_vector

cnp.import_array()

cdef enum:
    REACH = 8
    LEVELS = 256
cdef double STRONGEST = 0.98
cdef double LEAST_CONTRAST = 12.0


cdef double quantile(const Py_ssize_t* counts, Py_ssize_t total) noexcept nogil:
    """As `np.quantile` has it, of `total` values of which `counts` says how many there are of each."""
    cdef double place = STRONGEST * (total - 1)
    cdef Py_ssize_t first = <Py_ssize_t>place, second, upto = 0
    cdef int level, low = -1, high = -1
    second = <Py_ssize_t>(place + 1 if place + 1 < total - 1 else total - 1)
    for level in range(LEVELS):
        upto += counts[level]
        if low < 0 and upto > first:
            low = level
        if upto > second:
            high = level
            break
    return low + (high - low) * (place - first)


def edges(cnp.ndarray plane, cnp.ndarray lines, bint down):
    """(K,) float64: of the strongest edges along `lines` of `plane` (H, W) uint8, line by line, the share of their contrast over 8
    pixels that one pixel holds. `lines` (L,) int64 are rows, or columns where `down`. What there is none of, or shorter than
    17 pixels, has no edges. Raises ValueError for other arrays.
    """
    if not (cnp.PyArray_TYPE(plane) == cnp.NPY_UINT8 and cnp.PyArray_NDIM(plane) == 2 and cnp.PyArray_ISCARRAY_RO(plane)):
        raise ValueError("plane: expected (H, W) uint8 in C order")
    if not (cnp.PyArray_TYPE(lines) == cnp.NPY_INT64 and cnp.PyArray_NDIM(lines) == 1 and cnp.PyArray_ISCARRAY_RO(lines)):
        raise ValueError("lines: expected (L,) int64 in C order")
    cdef Py_ssize_t height = cnp.PyArray_DIM(plane, 0), width = cnp.PyArray_DIM(plane, 1), count = cnp.PyArray_DIM(lines, 0)
    cdef Py_ssize_t length = height if down else width, across = width if down else height
    cdef Py_ssize_t along = width if down else 1, beside = 1 if down else width
    cdef const cnp.int64_t* which = <const cnp.int64_t*>cnp.PyArray_DATA(lines)
    cdef const cnp.uint8_t* pixels = <const cnp.uint8_t*>cnp.PyArray_DATA(plane)
    cdef const cnp.uint8_t* line
    cdef Py_ssize_t counts[4][LEVELS]
    cdef Py_ssize_t n, at, found = 0, reach = length - REACH
    cdef int step, slope, steepest, limit
    cdef double least
    cdef double* out
    for n in range(count):
        if not 0 <= which[n] < across:
            raise ValueError(f"lines: {which[n]} is not one of {across}")
    if count == 0 or length <= 2 * REACH:
        return new_vector(0, cnp.NPY_FLOAT64)
    # Each line in one piece, and by how much it rises from each of its pixels on.
    cdef cnp.ndarray copied = new_vector(count * length, cnp.NPY_UINT8)
    cdef cnp.ndarray risen = new_vector(count * reach, cnp.NPY_UINT8)
    cdef cnp.uint8_t* lit = <cnp.uint8_t*>cnp.PyArray_DATA(copied)
    cdef cnp.uint8_t* rise = <cnp.uint8_t*>cnp.PyArray_DATA(risen)
    with nogil:
        for n in range(count):
            line = pixels + which[n] * beside
            for at in range(length):
                lit[n * length + at] = line[at * along]
            line = lit + n * length
            for at in range(reach):
                rise[n * reach + at] = distance(<int>line[at + REACH] - <int>line[at])
        for step in range(4):
            for at in range(LEVELS):
                counts[step][at] = 0
        # Four counters: one would wait for itself where neighbours rise alike.
        for at in range(count * reach):
            counts[at & 3][rise[at]] += 1
        for at in range(LEVELS):
            counts[0][at] += counts[1][at] + counts[2][at] + counts[3][at]
        least = quantile(counts[0], count * reach)
        if least < LEAST_CONTRAST:
            least = LEAST_CONTRAST
        limit = <int>ceil(least)
        for step in range(limit, LEVELS):
            found += counts[0][step]
    cdef cnp.ndarray result = new_vector(found, cnp.NPY_FLOAT64)
    out = doubles(result)
    with nogil:
        found = 0
        for n in range(count):
            line = lit + n * length
            for at in range(reach):
                if rise[n * reach + at] >= limit:
                    steepest = 0
                    for step in range(REACH):
                        slope = distance(<int>line[at + step + 1] - <int>line[at + step])
                        if slope > steepest:
                            steepest = slope
                    out[found] = steepest / <double>rise[n * reach + at]
                    found += 1
    return result
