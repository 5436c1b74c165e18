# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What a view is judged by: light (`vision.view`), focus (`vision.sharpness`), layout (`vision.pose`)."""
cimport numpy as cnp
from libc.math cimport ceil, sqrt, sqrtf
from libc.stdlib cimport abs as distance
from libc.string cimport memcmp

from vision.native cimport processors
from vision.native.given cimport doubles, exactly, new_vector

cnp.import_array()

cdef extern from *:
    """
    #include <math.h>
    #include <stdint.h>

    /* Which way the brightness rises in the row `b` between `a` and `c`, `count` pixels long, as long as it is steep against `soft`;
       the first and the last are left out. */
    FOR_EACH_PROCESSOR
    static void slope(
        const uint8_t *restrict a, const uint8_t *restrict b, const uint8_t *restrict c, float *restrict out, long count,
        float soft
    ) {
        for (long n = 1; n < count - 1; n++) {
            /* Whole numbers by four: exact, whatever the order. */
            float x = (a[n + 1] - a[n - 1] + 2 * (b[n + 1] - b[n - 1]) + c[n + 1] - c[n - 1]) * 0.25f;
            float y = (c[n - 1] - a[n - 1] + 2 * (c[n] - a[n]) + c[n + 1] - a[n + 1]) * 0.25f;
            float size = sqrtf(x * x + y * y) + soft;
            out[2 * n] = x / size;
            out[2 * n + 1] = y / size;
        }
    }
    """
    void slope(
        const cnp.uint8_t* a, const cnp.uint8_t* b, const cnp.uint8_t* c, float* out, long count, float soft
    ) nogil


# As in vision.sharpness.
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


def light(given, before):
    """Of a plane (H, W) uint8: its mean, its standard deviation, and whether it is the same as the plane `before` (or None)."""
    cdef cnp.ndarray plane = exactly(given, cnp.NPY_UINT8, 2)
    cdef Py_ssize_t n, count = cnp.PyArray_SIZE(plane)
    cdef const cnp.uint8_t* at = <const cnp.uint8_t*>cnp.PyArray_DATA(plane)
    cdef cnp.int64_t total = 0, squares = 0
    cdef double mean, share
    cdef bint same
    if count == 0:
        raise ValueError("plane: there is nothing in it")
    same = (
        cnp.PyArray_Check(before)
        and cnp.PyArray_TYPE(<cnp.ndarray>before) == cnp.NPY_UINT8
        and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>before)
        and cnp.PyArray_SAMESHAPE(plane, <cnp.ndarray>before)
        and memcmp(at, cnp.PyArray_DATA(<cnp.ndarray>before), count) == 0
    )
    for n in range(count):
        total += at[n]
        squares += <cnp.int32_t>at[n] * at[n]
    share = 1.0 / count
    mean = total * share
    share = squares * share - mean * mean
    return mean, sqrt(share) if share > 0 else 0.0, same


def slopes(cnp.ndarray grey, float soft):
    """(H, W) complex64: which way the brightness of `grey` (H, W) uint8 rises, as long as it is steep against `soft`; 0 along the
    border.
    """
    if not (cnp.PyArray_TYPE(grey) == cnp.NPY_UINT8 and cnp.PyArray_NDIM(grey) == 2 and cnp.PyArray_ISCARRAY_RO(grey)):
        raise ValueError("grey: expected (H, W) uint8 in C order")
    cdef Py_ssize_t row, height = cnp.PyArray_DIM(grey, 0), width = cnp.PyArray_DIM(grey, 1)
    cdef cnp.npy_intp shape[2]
    shape[0], shape[1] = height, width
    cdef cnp.ndarray result = cnp.PyArray_ZEROS(2, shape, cnp.NPY_COMPLEX64, 0)
    cdef float* out = <float*>cnp.PyArray_DATA(result)
    cdef const cnp.uint8_t* a = <const cnp.uint8_t*>cnp.PyArray_DATA(grey)
    with nogil:
        for row in range(1, height - 1):
            slope(a, a + width, a + 2 * width, out + 2 * row * width, width, soft)
            a += width
    return result


cdef bint is_layout(cnp.ndarray given):
    return (
        cnp.PyArray_TYPE(given) == cnp.NPY_COMPLEX64 and cnp.PyArray_NDIM(given) == 2 and cnp.PyArray_ISCARRAY_RO(given)
    )


def strengths(cnp.ndarray layout, Py_ssize_t part):
    """(P,) float64: how much of each square of `part` cells of a layout (H, W) complex64 is edges, row by row; H and W are multiples
    of `part`.
    """
    if not is_layout(layout) or part < 1 or cnp.PyArray_DIM(layout, 0) % part or cnp.PyArray_DIM(layout, 1) % part:
        raise ValueError(f"layout: expected (H, W) complex64 in C order, both multiples of {part}")
    cdef Py_ssize_t row, column, height = cnp.PyArray_DIM(layout, 0), width = cnp.PyArray_DIM(layout, 1)
    cdef Py_ssize_t across = width // part, n
    cdef cnp.ndarray result = new_vector((height // part) * across, cnp.NPY_FLOAT64)
    cdef double* out = doubles(result)
    cdef const float* at = <const float*>cnp.PyArray_DATA(layout)
    with nogil:
        for n in range((height // part) * across):
            out[n] = 0.0
        for row in range(height):
            for column in range(width):
                out[(row // part) * across + column // part] += sqrtf(at[0] * at[0] + at[1] * at[1])
                at += 2
        for n in range((height // part) * across):
            out[n] = out[n] / (part * part)
    return result


def blended(cnp.ndarray mean, cnp.ndarray now, float share):
    """(H, W) complex64: `mean` moved by a `share` of the way to `now`, both (H, W) complex64."""
    if not (is_layout(mean) and is_layout(now) and cnp.PyArray_SAMESHAPE(mean, now)):
        raise ValueError("layouts: expected two (H, W) complex64 in C order")
    cdef cnp.ndarray result = cnp.PyArray_EMPTY(2, cnp.PyArray_DIMS(mean), cnp.NPY_COMPLEX64, 0)
    cdef const float* a = <const float*>cnp.PyArray_DATA(mean)
    cdef const float* b = <const float*>cnp.PyArray_DATA(now)
    cdef float* out = <float*>cnp.PyArray_DATA(result)
    cdef Py_ssize_t n
    with nogil:
        for n in range(2 * cnp.PyArray_SIZE(mean)):
            out[n] = a[n] + share * (b[n] - a[n])
    return result


def agreement(cnp.ndarray learned, cnp.ndarray now):
    """-1..1: how well two layouts (H, W) complex64 agree without any shift."""
    if not (is_layout(learned) and is_layout(now) and cnp.PyArray_SAMESHAPE(learned, now)):
        raise ValueError("layouts: expected two (H, W) complex64 in C order")
    cdef const float* a = <const float*>cnp.PyArray_DATA(learned)
    cdef const float* b = <const float*>cnp.PyArray_DATA(now)
    cdef double product = 0.0, first = 0.0, second = 0.0, scale
    cdef Py_ssize_t n
    with nogil:
        for n in range(2 * cnp.PyArray_SIZE(learned)):
            product += <double>a[n] * b[n]
            first += <double>a[n] * a[n]
            second += <double>b[n] * b[n]
        scale = sqrt(first) * sqrt(second)
    return product / (scale if scale > 1e-9 else 1e-9)
