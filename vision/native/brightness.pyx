# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A picture's thumbnail in one pass over the rows of pixels that it is made from: `vision.brightness.thumbnail`."""
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc

cimport numpy as cnp

from vision.native cimport processors
from vision.native.given cimport picture
from vision.native.means cimport divides, gather, halve

cnp.import_array()

cdef extern from *:
    """
    #include <stdint.h>

    /* Brightness of `count` pixels BGR, in OpenCV's fixed point. */
    FOR_EACH_PROCESSOR
    static void grey(const uint8_t *restrict bgr, uint8_t *restrict out, long count) {
        for (long n = 0; n < count; n++)
            out[n] = (uint8_t)((bgr[3 * n] * 3735u + bgr[3 * n + 1] * 19235u + bgr[3 * n + 2] * 9798u + 16384u) >> 15);
    }
    """
    void grey(const uint8_t* bgr, uint8_t* out, long count) nogil


def thumbnail(pixels, int step):
    """(h, w) uint8 mean brightness of blocks of `pixels` (H, W, 3) uint8 BGR, twice `step` wide and high, from every `step`-th
    row. None where the blocks do not divide the picture, its pixels lie apart, or OpenCV is quicker.
    """
    cdef cnp.ndarray array = picture(pixels)
    cdef Py_ssize_t height = cnp.PyArray_DIM(array, 0), width = cnp.PyArray_DIM(array, 1), row
    if (
        not processors.IS_WIDE
        or not divides(height, width, step)
        or cnp.PyArray_STRIDE(array, 2) != 1
        or cnp.PyArray_STRIDE(array, 1) != 3
    ):
        return None
    cdef cnp.npy_intp shape[2]
    shape[0], shape[1] = height // (2 * step), width // (2 * step)
    cdef cnp.ndarray result = cnp.PyArray_EMPTY(2, shape, cnp.NPY_UINT8, 0)
    cdef const uint8_t* given = <const uint8_t*>cnp.PyArray_DATA(array)
    cdef uint8_t* out = <uint8_t*>cnp.PyArray_DATA(result)
    cdef Py_ssize_t apart = step * cnp.PyArray_STRIDE(array, 0)
    cdef uint8_t* room = <uint8_t*>malloc(3 * width)
    if room == NULL:
        raise MemoryError
    with nogil:
        for row in range(shape[0]):
            grey(given + 2 * row * apart, room, width)
            grey(given + (2 * row + 1) * apart, room + width, width)
            halve(room, room + width, room + 2 * width, width // 2)
            gather(room + 2 * width, out + row * shape[1], shape[1], step)
    free(room)
    return result
