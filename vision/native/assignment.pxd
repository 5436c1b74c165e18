# cython: language_level=3
"""For other modules of this package."""

cdef int pair(const double* score, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t* column_of) noexcept nogil
cdef int settle(int outcome) except -1
