# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The functions of `vision.geometry` for boxes (N, 4) and points (N, 2), same names, same results."""
cimport numpy as cnp

from vision.native.given cimport doubles, least, matrix, most, new_matrix, new_vector

cnp.import_array()


def areas(boxes):
    cdef cnp.ndarray given = matrix(boxes, 4)
    cdef Py_ssize_t n, rows = cnp.PyArray_DIM(given, 0)
    cdef cnp.ndarray result = new_vector(rows, cnp.NPY_FLOAT64)
    cdef double* at = doubles(given)
    cdef double* out = doubles(result)
    for n in range(rows):
        out[n] = area_of(at + 4 * n)
    return result


cdef enum Measure:
    SHARED
    OF_BOTH
    OF_SMALLER


def intersections(a, b):
    return of_pairs(a, b, SHARED)


def iou(a, b):
    return of_pairs(a, b, OF_BOTH)


def overlap_of_smaller(a, b):
    return of_pairs(a, b, OF_SMALLER)


cdef cnp.ndarray of_pairs(object a, object b, Measure wanted):
    """(N, M): what each of `a` (N, 4) shares with each of `b` (M, 4), as an area or as a part of one."""
    cdef cnp.ndarray first = matrix(a, 4), second = matrix(b, 4)
    cdef Py_ssize_t n, m, rows = cnp.PyArray_DIM(first, 0), columns = cnp.PyArray_DIM(second, 0)
    cdef cnp.ndarray result = new_matrix(rows, columns)
    cdef double* p = doubles(first)
    cdef double* q = doubles(second)
    cdef double* out = doubles(result)
    cdef double area, other, whole, shared
    for n in range(rows):
        area = area_of(p + 4 * n)
        for m in range(columns):
            shared = shared_by(p + 4 * n, q + 4 * m)
            if wanted == SHARED:
                out[n * columns + m] = shared
                continue
            other = area_of(q + 4 * m)
            whole = area + other - shared if wanted == OF_BOTH else least(area, other)
            out[n * columns + m] = shared / most(whole, NOTHING)
    return result


def bottom_centres(boxes):
    cdef cnp.ndarray given = matrix(boxes, 4)
    cdef Py_ssize_t n, rows = cnp.PyArray_DIM(given, 0)
    cdef cnp.ndarray result = new_matrix(rows, 2)
    cdef double* at = doubles(given)
    cdef double* out = doubles(result)
    for n in range(rows):
        out[2 * n] = (at[4 * n] + at[4 * n + 2]) / 2
        out[2 * n + 1] = at[4 * n + 3]
    return result


def inside_edges(points, cnp.ndarray x1, cnp.ndarray y1, cnp.ndarray y2, cnp.ndarray slope):
    """(N,) bool: which of `points` (N, 2) lie inside the polygon of these edges (float64, C order), by the even-odd rule."""
    cdef cnp.ndarray given = matrix(points, 2)
    cdef Py_ssize_t n, rows = cnp.PyArray_DIM(given, 0), edges = cnp.PyArray_DIM(x1, 0)
    cdef cnp.ndarray result = new_vector(rows, cnp.NPY_BOOL)
    cdef double* at = doubles(given)
    cdef double* begin_x = doubles(x1)
    cdef double* begin_y = doubles(y1)
    cdef double* end_y = doubles(y2)
    cdef double* lean = doubles(slope)
    cdef cnp.npy_bool* out = <cnp.npy_bool*>cnp.PyArray_DATA(result)
    for n in range(rows):
        out[n] = is_inside(at[2 * n], at[2 * n + 1], begin_x, begin_y, end_y, lean, edges)
    return result
