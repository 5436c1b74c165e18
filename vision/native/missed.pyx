# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What was there and is not found again: one step of `vision.attention.Attention`."""
from libc.math cimport fabsf
from libc.stdlib cimport free, malloc

cimport numpy as cnp

from vision.native.boxes cimport in_doubles, iou_of
from vision.native.given cimport singles

cnp.import_array()


def missed(before, confidence, looked, now, places, float sure, double same_iou, float step, double anew_iou):
    """Of the boxes `before` (N, 4) that were `looked` at (N,) bool (None: all) and are as `sure`, those that none of `now` (M, 4)
    continues, as tuples; and for each of `places` whether it need not be looked for any longer, as bool.
    """
    cdef cnp.ndarray old = singles(before), new = singles(now)
    cdef cnp.ndarray certain = cnp.PyArray_FROMANY(confidence, cnp.NPY_FLOAT32, 1, 1, cnp.NPY_ARRAY_CARRAY_RO)
    cdef cnp.ndarray seen
    cdef Py_ssize_t n, m, best, rows = cnp.PyArray_DIM(old, 0), columns = cnp.PyArray_DIM(new, 0), kept = 0, lost = 0
    cdef cnp.npy_bool* is_looked = NULL
    cdef float* a = <float*>cnp.PyArray_DATA(old)
    cdef float* b = <float*>cnp.PyArray_DATA(new)
    cdef double[4] one, other
    cdef double highest
    cdef bint over
    cdef list gone = [], ended = []
    if cnp.PyArray_DIM(certain, 0) != rows:
        raise ValueError(f"{rows} boxes, but {cnp.PyArray_DIM(certain, 0)} confidences")
    if looked is not None:
        seen = cnp.PyArray_FROMANY(looked, cnp.NPY_BOOL, 1, 1, cnp.NPY_ARRAY_CARRAY_RO)
        if cnp.PyArray_DIM(seen, 0) != rows:
            raise ValueError(f"{rows} boxes, but {cnp.PyArray_DIM(seen, 0)} were looked at or not")
        is_looked = <cnp.npy_bool*>cnp.PyArray_DATA(seen)
    # Rows without a successor in their place; then which of `now` is none's successor, 1 while it is free.
    cdef Py_ssize_t* row = <Py_ssize_t*>malloc((rows + 1) * sizeof(Py_ssize_t))
    cdef unsigned char* free_now = <unsigned char*>malloc(columns + 1)
    try:
        if row == NULL or free_now == NULL:
            raise MemoryError
        for m in range(columns):
            free_now[m] = 1
        for n in range(rows):
            if (is_looked != NULL and not is_looked[n]) or not (<float*>cnp.PyArray_DATA(certain))[n] >= sure:
                continue
            over = False
            in_doubles(a + 4 * n, one)
            for m in range(columns):
                in_doubles(b + 4 * m, other)
                if iou_of(one, other) >= same_iou:
                    over, free_now[m] = True, 0
            if not over:
                row[lost] = n
                lost += 1
        for n in range(lost):
            best = nearest(a + 4 * row[n], b, free_now, columns, step)
            if best >= 0:
                free_now[best] = 0
            else:
                gone.append((a[4 * row[n]], a[4 * row[n] + 1], a[4 * row[n] + 2], a[4 * row[n] + 3]))
                row[kept] = row[n]
                kept += 1
        for place in places:
            one[0], one[1], one[2], one[3] = place
            over = False
            for m in range(columns):
                in_doubles(b + 4 * m, other)
                over |= iou_of(one, other) >= same_iou
            for n in range(kept):
                in_doubles(a + 4 * row[n], other)
                over |= iou_of(one, other) > anew_iou  # it is missed anew
            ended.append(over)
    finally:
        free(row)
        free(free_now)
    return gone, ended


cdef Py_ssize_t nearest(
    const float* box, const float* now, const unsigned char* free_now, Py_ssize_t columns, float step
) noexcept nogil:
    """Which free one of `now` is `box` a step further, the least step in its widths and heights; -1: none."""
    cdef float width = box[2] - box[0], height = box[3] - box[1], x, y, far, least_far = 0
    cdef float two = 2
    cdef Py_ssize_t m, best = -1
    for m in range(columns):
        if not free_now[m]:
            continue
        x = fabsf(now[4 * m] + now[4 * m + 2] - box[0] - box[2]) / two
        y = fabsf(now[4 * m + 1] + now[4 * m + 3] - box[1] - box[3]) / two
        if x < step * width and y < step * height:
            far = x / width + y / height
            if best < 0 or far < least_far:
                best, least_far = m, far
    return best
