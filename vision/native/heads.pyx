# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A detector's output of a few thousand places to the dozen boxes that it means: `vision.detectors.heads` for one layout."""
from libc.float cimport FLT_MAX
from libc.math cimport fabsf
from libc.stdlib cimport free, malloc, qsort

cimport numpy as cnp

from vision.native.given cimport new_singles, new_vector, vector

cnp.import_array()


cdef struct Found:
    # A box in the picture, and as OpenCV sees it: left, top, width, height, shifted to where only boxes of its kind are.
    float[4] px
    double[4] shifted
    float confidence
    cnp.npy_int64 class_id, kind
    Py_ssize_t number


def read_anchor_free(
    output, rows, coco, float confidence, float overlap, kinds,
    float left, float top, float scale_x, float scale_y, float width, float height,
):
    """Boxes (N, 4), confidence and class by falling confidence, of `output` (4 + classes, places) float32: centre, size, scores.

    `rows` are the output's classes that count, `coco` their numbers, `kinds` the kind of each COCO number: of two of a kind that
    overlap by more than `overlap` (IoU) the surer one stays. `left` to `height` is the letterbox: where the picture begins in
    the input, its scale there, its size in pixels.

    Raises:
        ValueError: arrays of another shape, or a class that is not there.
        FloatingPointError: of "scores" or "boxes" that are not finite.
    """
    cdef cnp.ndarray table = cnp.PyArray_FROMANY(output, cnp.NPY_FLOAT32, 2, 2, cnp.NPY_ARRAY_CARRAY_RO)
    cdef cnp.ndarray of_class = vector(rows, cnp.NPY_INT64, len(rows)), numbers = vector(coco, cnp.NPY_INT64, len(rows))
    cdef cnp.ndarray kind_of = vector(kinds, cnp.NPY_INT64, len(kinds))
    cdef cnp.npy_int64* lines = <cnp.npy_int64*>cnp.PyArray_DATA(of_class)
    cdef cnp.npy_int64* names = <cnp.npy_int64*>cnp.PyArray_DATA(numbers)
    cdef cnp.npy_int64* kind = <cnp.npy_int64*>cnp.PyArray_DATA(kind_of)
    cdef Py_ssize_t places = cnp.PyArray_DIM(table, 1), classes = cnp.PyArray_DIM(of_class, 0), n, k
    cdef float* at = <float*>cnp.PyArray_DATA(table)
    for k in range(classes):
        if not (0 <= lines[k] < cnp.PyArray_DIM(table, 0) - 4 and 0 <= names[k] < cnp.PyArray_DIM(kind_of, 0)):
            raise ValueError(f"class {lines[k]}, in COCO {names[k]}: the output has {cnp.PyArray_DIM(table, 0) - 4}")
    if classes == 0 or cnp.PyArray_DIM(table, 0) < 4:
        raise ValueError(f"an output of {(<object>table).shape} with {classes} classes that count")
    cdef float* best = <float*>malloc((places + 1) * sizeof(float))
    cdef Found* found = NULL
    cdef Py_ssize_t count, stay
    try:
        if best == NULL:
            raise MemoryError
        count = highest(at + 4 * places, lines, classes, places, best, confidence)
        if count < 0:
            raise FloatingPointError("scores")
        found = <Found*>malloc((count + 1) * sizeof(Found))
        if found == NULL:
            raise MemoryError
        count = 0
        for n in range(places):
            if not best[n] >= confidence:
                continue
            if not place(at, places, n, &found[count], left, top, scale_x, scale_y, width, height):
                raise FloatingPointError("boxes")
            # No smaller than a pixel.
            if found[count].px[2] - found[count].px[0] < 1 or found[count].px[3] - found[count].px[1] < 1:
                continue
            for k in range(classes):
                if at[(4 + lines[k]) * places + n] == best[n]:
                    break
            found[count].class_id, found[count].kind = names[k], kind[names[k]]
            found[count].confidence, found[count].number = best[n], count
            count += 1
        stay = thin(found, count, overlap)
        return arrays(found, stay)
    finally:
        free(best)
        free(found)


cdef Py_ssize_t highest(
    const float* scores, const cnp.npy_int64* lines, Py_ssize_t classes, Py_ssize_t places, float* best, float confidence
) noexcept nogil:
    """Write the best score of each place; how many are as sure as `confidence`, -1 when one is not finite."""
    cdef Py_ssize_t n, k
    cdef int count = 0, wrong = 0
    cdef const float* line = scores + lines[0] * places
    for n in range(places):
        best[n] = line[n]
    for k in range(1, classes):
        line = scores + lines[k] * places
        for n in range(places):
            wrong += line[n] != line[n]
            best[n] = line[n] if line[n] > best[n] else best[n]
    for n in range(places):
        wrong += not fabsf(best[n]) <= FLT_MAX
        count += best[n] >= confidence
    return -1 if wrong else count


cdef bint place(
    const float* at, Py_ssize_t places, Py_ssize_t n, Found* out,
    float left, float top, float scale_x, float scale_y, float width, float height,
) noexcept nogil:
    """The box of place `n` in the picture's pixels, cut at its edges; False when it is not finite."""
    cdef float x = at[n], y = at[places + n], half_width = at[2 * places + n] / 2, half_height = at[3 * places + n] / 2
    out.px[0], out.px[1], out.px[2], out.px[3] = x - half_width, y - half_height, x + half_width, y + half_height
    cdef int edge
    for edge in range(4):
        if not fabsf(out.px[edge]) <= FLT_MAX:
            return False
    for edge in range(0, 4, 2):
        out.px[edge] = inside((out.px[edge] - left) / scale_x, width)
        out.px[edge + 1] = inside((out.px[edge + 1] - top) / scale_y, height)
    return True


cdef inline float inside(float value, float limit) noexcept nogil:
    value = value if value > 0 else 0
    return value if value < limit else limit


cdef int by_confidence(const void* a, const void* b) noexcept nogil:
    cdef const Found* first = <const Found*>a
    cdef const Found* second = <const Found*>b
    if first.confidence != second.confidence:
        return -1 if first.confidence > second.confidence else 1
    return -1 if first.number < second.number else 1


cdef Py_ssize_t thin(Found* found, Py_ssize_t count, float overlap) noexcept nogil:
    """Greedy non-maximum suppression as OpenCV's `NMSBoxes` does it; what stays lies in front, by falling confidence."""
    cdef Py_ssize_t n, m, stay = 0
    cdef float furthest = 0
    cdef double apart
    cdef int edge
    for n in range(count):
        for edge in range(4):
            furthest = found[n].px[edge] if found[n].px[edge] > furthest else furthest
    for n in range(count):
        apart = <double>found[n].kind * (<double>furthest + 1.0)
        found[n].shifted[0], found[n].shifted[1] = <double>found[n].px[0] + apart, <double>found[n].px[1] + apart
        found[n].shifted[2] = <double>found[n].px[2] - <double>found[n].px[0]
        found[n].shifted[3] = <double>found[n].px[3] - <double>found[n].px[1]
    qsort(found, count, sizeof(Found), by_confidence)
    for n in range(count):
        for m in range(stay):
            # Of another kind: far away.
            if found[m].kind == found[n].kind and overlap_of(found[n].shifted, found[m].shifted) > overlap:
                break
        else:
            found[stay] = found[n]
            stay += 1
    return stay


cdef float overlap_of(const double* a, const double* b) noexcept nogil:
    """IoU of left, top, width, height, in the steps in which OpenCV computes it."""
    cdef const double* first_x = a if a[0] < b[0] else b
    cdef const double* last_x = b if a[0] < b[0] else a
    cdef const double* first_y = a if a[1] < b[1] else b
    cdef const double* last_y = b if a[1] < b[1] else a
    cdef double width = first_x[2] - (last_x[0] - first_x[0]), height = first_y[3] - (last_y[1] - first_y[1])
    cdef double shared = 0, one = a[2] * a[3], other = b[2] * b[3]
    width = width if width < last_x[2] else last_x[2]
    height = height if height < last_y[3] else last_y[3]
    if width > 0 and height > 0:
        shared = width * height
    cdef float distance = <float>(1.0 - shared / (one + other - shared)), whole = 1
    return whole - distance


cdef tuple arrays(const Found* found, Py_ssize_t count):
    cdef cnp.ndarray boxes = new_singles(count)
    cdef cnp.ndarray sure = new_vector(count, cnp.NPY_FLOAT32), kind = new_vector(count, cnp.NPY_INT64)
    cdef float* box = <float*>cnp.PyArray_DATA(boxes)
    cdef Py_ssize_t n
    cdef int edge
    for n in range(count):
        for edge in range(4):
            box[4 * n + edge] = found[n].px[edge]
        (<float*>cnp.PyArray_DATA(sure))[n] = found[n].confidence
        (<cnp.npy_int64*>cnp.PyArray_DATA(kind))[n] = found[n].class_id
    return boxes, sure, kind
