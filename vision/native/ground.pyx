# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Points through a plane's matrix, as `vision.ground` has it, and the rounds of `vision.footprint`."""
cimport numpy as cnp

from vision.native.given cimport doubles, exactly, least, matrix, most, new_matrix, new_vector

cnp.import_array()


cdef inline double between(double value, double low, double high) noexcept nogil:
    """As NumPy's clip."""
    return least(most(value, low), high)


def apply(plane, points):
    """(N, 2) where the homography `plane` (3, 3) maps `points` (N, 2); NaN where it maps them to nowhere."""
    cdef cnp.ndarray given = matrix(points, 2), by = homography(plane)
    cdef Py_ssize_t n, count = cnp.PyArray_DIM(given, 0)
    cdef cnp.ndarray result = new_matrix(count, 2)
    for n in range(count):
        mapped(doubles(by), doubles(given)[2 * n], doubles(given)[2 * n + 1], doubles(result) + 2 * n)
    return result


def fitted(box, outlines, plane, back, int rounds, bint cut_left, bint cut_right, double smallest, double largest):
    """As the rounds of `vision.footprint.fitted`: scale (H,) and middle (H, 2) with which each of `outlines` (H, 5, 2), four
    corners and their middle in metres, is seen as wide and as low as `box`, and the scale (H,) that would fit best. `plane`
    and `back` (3, 3) map the picture to the ground, and back.
    """
    cdef cnp.ndarray shapes = exactly(outlines, cnp.NPY_FLOAT64, 3), to = homography(plane), fro = homography(back)
    cdef Py_ssize_t n, count = cnp.PyArray_DIM(shapes, 0)
    cdef cnp.ndarray scale = new_vector(count, cnp.NPY_FLOAT64), wanted = new_vector(count, cnp.NPY_FLOAT64)
    cdef cnp.ndarray centre = new_matrix(count, 2)
    cdef double at[4]
    cdef double seen[2]
    cdef double left, right, bottom, size, x, y
    cdef double* middle
    cdef const double* shape
    cdef int number, corner
    if cnp.PyArray_DIM(shapes, 1) != 5 or cnp.PyArray_DIM(shapes, 2) != 2:
        raise ValueError("outlines: expected (H, 5, 2)")
    at[0], at[1], at[2], at[3] = box
    for n in range(count):
        shape, middle = doubles(shapes) + 10 * n, doubles(centre) + 2 * n
        mapped(doubles(to), (at[0] + at[2]) / 2, at[3], middle)
        size = 1.0
        doubles(wanted)[n] = 1.0
        for number in range(rounds):
            left = right = bottom = 0.0
            for corner in range(4):
                mapped(doubles(fro), middle[0] + size * shape[2 * corner], middle[1] + size * shape[2 * corner + 1], seen)
                left = seen[0] if corner == 0 else least(left, seen[0])
                right = seen[0] if corner == 0 else most(right, seen[0])
                bottom = seen[1] if corner == 0 else most(bottom, seen[1])
            mapped(doubles(fro), middle[0] + size * shape[8], middle[1] + size * shape[9], seen)
            if not (cut_left or cut_right) and number < rounds - 2:
                size = size * between((at[2] - at[0]) / (right - left), 0.5, 2.0)
                doubles(wanted)[n] = size
            if number == rounds - 3:
                size = between(doubles(wanted)[n], smallest, largest)
            x = at[2] - right if cut_left else at[0] - left if cut_right else (at[0] + at[2] - left - right) / 2
            y = at[3] - bottom
            mapped(doubles(to), seen[0] + x, seen[1] + y, middle)
        doubles(scale)[n] = size
    return scale, centre, wanted
