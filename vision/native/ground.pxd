# cython: language_level=3, cdivision=True
"""A point through a plane's matrix. Only for this package."""
cimport numpy as cnp
from libc.math cimport NAN

from vision.native.given cimport matrix


cdef inline cnp.ndarray homography(object given):
    """`given` as (3, 3) float64 in C order. Raises ValueError when it has another shape."""
    cdef cnp.ndarray array = matrix(given, 3)
    if cnp.PyArray_DIM(array, 0) != 3:
        raise ValueError("plane: expected (3, 3)")
    return array


cdef inline bint mapped(const double* m, double x, double y, double* out) noexcept nogil:
    """Where the homography `m` (3, 3) maps a point; NaN, and False, where it maps it to nowhere."""
    cdef double third = m[6] * x + m[7] * y + m[8]
    out[0] = out[1] = NAN
    if not third > 1e-9:
        return False
    out[0], out[1] = (m[0] * x + m[1] * y + m[2]) / third, (m[3] * x + m[4] * y + m[5]) / third
    return True
