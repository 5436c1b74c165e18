# cython: language_level=3, cdivision=True
"""Two boxes, and a point in a polygon. Only for this package."""
from vision.native.given cimport least, most

#: What is divided by where an area is none.
cdef extern from *:
    """
    #define NOTHING 1e-300
    """
    double NOTHING


cdef inline void in_doubles(const float* box, double* out) noexcept nogil:
    cdef int edge
    for edge in range(4):
        out[edge] = box[edge]


cdef inline double shared_by(const double* a, const double* b) noexcept nogil:
    return most(least(a[2], b[2]) - most(a[0], b[0]), 0.0) * most(least(a[3], b[3]) - most(a[1], b[1]), 0.0)


cdef inline double area_of(const double* a) noexcept nogil:
    return most(a[2] - a[0], 0.0) * most(a[3] - a[1], 0.0)


cdef inline double iou_of(const double* a, const double* b) noexcept nogil:
    """0 where both are empty."""
    cdef double shared = shared_by(a, b)
    return shared / most(area_of(a) + area_of(b) - shared, NOTHING)


cdef inline bint is_inside(
    double x, double y, const double* x1, const double* y1, const double* y2, const double* slope, Py_ssize_t edges
) noexcept nogil:
    """Whether a point lies inside the polygon of these edges (see `vision.geometry`), by the even-odd rule."""
    cdef Py_ssize_t edge
    cdef bint odd = False
    for edge in range(edges):
        if (y1[edge] > y) != (y2[edge] > y) and x < slope[edge] * (y - y1[edge]) + x1[edge]:
            odd = not odd
    return odd
