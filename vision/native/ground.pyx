# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Points through a plane's matrix, as `vision.ground` has it."""
cimport numpy as cnp
from libc.math cimport NAN

from vision.native.given cimport doubles, matrix, new_matrix

cnp.import_array()


def apply(plane, points):
    """(N, 2) where the homography `plane` (3, 3) maps `points` (N, 2); NaN where it maps them to nowhere."""
    cdef cnp.ndarray given = matrix(points, 2), by = matrix(plane, 3)
    cdef Py_ssize_t n, count = cnp.PyArray_DIM(given, 0)
    if cnp.PyArray_DIM(by, 0) != 3:
        raise ValueError("plane: expected (3, 3)")
    cdef cnp.ndarray result = new_matrix(count, 2)
    cdef const double* m = doubles(by)
    cdef double* out = doubles(result)
    cdef double x, y, third
    for n in range(count):
        x, y = doubles(given)[2 * n], doubles(given)[2 * n + 1]
        third = m[6] * x + m[7] * y + m[8]
        out[2 * n] = out[2 * n + 1] = NAN
        if third > 1e-9:
            out[2 * n], out[2 * n + 1] = (m[0] * x + m[1] * y + m[2]) / third, (m[3] * x + m[4] * y + m[5]) / third
    return result
