# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Pieces onto canvases and boxes back from them: the loops of `vision.mosaic`."""
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc, qsort
from libc.string cimport memcpy, memmove, memset

cimport numpy as cnp

from vision.native.given cimport new_singles, new_vector, picture, singles, vector

cnp.import_array()


cdef struct Piece:
    int height, width, number


cdef struct Canvas:
    # What is filled from above: step `n` of the skyline goes from begin[n] to begin[n + 1] and is filled down to depth[n].
    int* begin
    int* depth
    int steps, used


cdef struct Drawn:
    # A picture's bytes, and where they go: bytes of a row from `left` to before `right`, rows from `top` to before `bottom`.
    const uint8_t* pixels
    Py_ssize_t canvas, left, right, top, bottom


cdef struct Place:
    # Left, top, right, bottom on a canvas, and of the part of a picture that is shown there.
    float[4] on, of


# --- there ----------------------------------------------------------------------------------------------------------------


def arrange(sizes, int height, int width, int gap):
    """Where pieces of these (height, width) lie on canvases of `height` x `width`: for each (canvas, left, top, width, height);
    and how far each canvas is filled. See `vision.mosaic.arrange`. Raises ValueError when a piece is larger than a canvas.
    """
    cdef int count = <int>len(sizes), n, number, canvases = 0, left, top, edge = count + 2
    cdef Piece* pieces = <Piece*>malloc((count + 1) * sizeof(Piece))
    cdef Canvas* every = <Canvas*>malloc((count + 1) * sizeof(Canvas))
    # A piece adds one step at most, and there is a canvas for each at most.
    cdef int* room = <int*>malloc((2 * <Py_ssize_t>count * edge + 1) * sizeof(int))
    cdef list spots = [None] * count, filled = []
    try:
        if pieces == NULL or every == NULL or room == NULL:
            raise MemoryError
        for n in range(count):
            pieces[n].height, pieces[n].width = sizes[n]
            pieces[n].number = n
            if pieces[n].height > height or pieces[n].width > width or pieces[n].height < 1 or pieces[n].width < 1:
                raise ValueError(
                    f"a piece of {pieces[n].height}x{pieces[n].width} does not fit on its canvas of {height}x{width}"
                )
        qsort(pieces, count, sizeof(Piece), highest_first)
        for n in range(count):
            number = 0
            while True:
                if number == canvases:
                    every[number] = Canvas(room + 2 * number * edge, room + (2 * number + 1) * edge, 1, 0)
                    every[number].begin[0], every[number].begin[1], every[number].depth[0] = 0, width + gap, 0
                    canvases += 1
                # The gap behind the last piece may lie beyond the edge.
                if placed(&every[number], &pieces[n], height + gap, width + gap, gap, &left, &top):
                    break
                number += 1
            spots[pieces[n].number] = (number, left, top, pieces[n].width, pieces[n].height)
        for n in range(canvases):
            filled.append(every[n].used)
    finally:
        free(pieces)
        free(every)
        free(room)
    return spots, filled


cdef int highest_first(const void* a, const void* b) noexcept nogil:
    cdef const Piece* first = <const Piece*>a
    cdef const Piece* second = <const Piece*>b
    if first.height != second.height:
        return -1 if first.height > second.height else 1
    if first.width != second.width:
        return -1 if first.width > second.width else 1
    return -1 if first.number < second.number else 1


cdef bint placed(Canvas* on, const Piece* piece, int height, int width, int gap, int* left, int* top) noexcept nogil:
    """Find where the piece ends highest up and write where that is; False when there is no room."""
    cdef int wide = piece.width + gap, high = piece.height + gap, n, m, deepest
    cdef int first = -1, last, rest, beside
    for n in range(on.steps):
        if on.begin[n] + wide > width:
            break
        deepest, m = 0, n
        while m < on.steps and on.begin[m] < on.begin[n] + wide:
            deepest = on.depth[m] if on.depth[m] > deepest else deepest
            m += 1
        if deepest + high <= height and (first < 0 or deepest < top[0]):
            first, left[0], top[0] = n, on.begin[n], deepest
    if first < 0:
        return False
    if top[0] + piece.height > on.used:
        on.used = top[0] + piece.height
    # The steps above it become one; what of the last lies beside it stays.
    rest, last = left[0] + wide, first
    while on.begin[last + 1] < rest:
        last += 1
    if on.begin[last + 1] == rest:
        shift(on, last + 1, first + 1)
    else:
        beside = on.depth[last]
        shift(on, last + 1, first + 2)
        on.begin[first + 1], on.depth[first + 1] = rest, beside
    on.depth[first] = top[0] + high
    return True


cdef inline void shift(Canvas* on, int first, int to) noexcept nogil:
    """Step `first`, all after it, and where the last ends, become step `to` and the following."""
    cdef int n, count = on.steps - first
    memmove(on.begin + to, on.begin + first, (count + 1) * sizeof(int))
    memmove(on.depth + to, on.depth + first, count * sizeof(int))
    on.steps = to + count


def draw(canvases, scaled, spots, int grey):
    """Write all of `canvases` (height, width, 3) uint8: each picture of `scaled` (h, w, 3) uint8 where its spot is, (canvas,
    left, top, width, height), and grey elsewhere. No two spots overlap. Raises ValueError when a picture does not fit into its spot.
    """
    cdef Py_ssize_t n, count = len(scaled), canvas_count = len(canvases), number, held
    cdef Drawn* drawn = <Drawn*>malloc((count + 1) * sizeof(Drawn))
    cdef Py_ssize_t width
    cdef uint8_t* at
    cdef cnp.ndarray canvas
    try:
        if drawn == NULL:
            raise MemoryError
        if len(spots) != count:
            raise ValueError(f"{count} pieces, {len(spots)} spots")
        for n in range(count):
            drawn[n] = drawn_at(canvases, scaled[n], spots[n])
        qsort(drawn, count, sizeof(Drawn), from_the_left)
        n = 0
        for number in range(canvas_count):
            canvas, held = pixels(canvases[number]), 0
            while n + held < count and drawn[n + held].canvas == number:
                held += 1
            at, width = <uint8_t*>cnp.PyArray_DATA(canvas), 3 * cnp.PyArray_DIM(canvas, 1)
            fill(at, cnp.PyArray_DIM(canvas, 0), width, drawn + n, held, grey)
            n += held
    finally:
        free(drawn)


cdef Drawn drawn_at(object canvases, object scaled, object spot) except *:
    cdef Py_ssize_t left, top, width, height, number
    number, left, top, width, height = spot
    if not 0 <= number < len(canvases):
        raise ValueError(f"{spot} is on none of {len(canvases)} canvases")
    cdef cnp.ndarray canvas = pixels(canvases[number]), drawn = pixels(scaled)
    if (
        cnp.PyArray_DIM(drawn, 0) != height
        or cnp.PyArray_DIM(drawn, 1) != width
        or left < 0
        or top < 0
        or left + width > cnp.PyArray_DIM(canvas, 1)
        or top + height > cnp.PyArray_DIM(canvas, 0)
    ):
        raise ValueError(f"a piece of {scaled.shape} does not fit into {spot} on {canvases[number].shape}")
    return Drawn(<const uint8_t*>cnp.PyArray_DATA(drawn), number, 3 * left, 3 * (left + width), top, top + height)


cdef int from_the_left(const void* a, const void* b) noexcept nogil:
    cdef const Drawn* first = <const Drawn*>a
    cdef const Drawn* second = <const Drawn*>b
    if first.canvas != second.canvas:
        return -1 if first.canvas < second.canvas else 1
    return -1 if first.left < second.left else 1 if first.left > second.left else 0


cdef void fill(
    uint8_t* canvas, Py_ssize_t height, Py_ssize_t width, const Drawn* drawn, Py_ssize_t count, int grey
) noexcept nogil:
    """Each byte once and in order: the canvas lies in no cache, or in somebody else's."""
    cdef Py_ssize_t row, n, at, size
    cdef uint8_t* line
    for row in range(height):
        line, at = canvas + row * width, 0
        for n in range(count):
            # Pieces that overlap after all must not lead beyond the edge.
            if drawn[n].top <= row < drawn[n].bottom and drawn[n].left >= at:
                size = drawn[n].right - drawn[n].left
                memset(line + at, grey, drawn[n].left - at)
                memcpy(line + drawn[n].left, drawn[n].pixels + (row - drawn[n].top) * size, size)
                at = drawn[n].right
        memset(line + at, grey, width - at)


cdef cnp.ndarray pixels(object given):
    """A picture (height, width, 3) uint8 in C order, as it is."""
    cdef cnp.ndarray array = picture(given)
    if not cnp.PyArray_ISCARRAY(array):
        raise ValueError(f"expected a picture in C order, got strides of {given.strides} for {given.shape}")
    return array


# --- and back -------------------------------------------------------------------------------------------------------------


def back(xyxy_px, confidence, class_id, parts, spots):
    """Of a canvas's boxes (N, 4) float32, confidence and class: for each of its `parts`, which lie on `spots`, those whose middle
    is in it, in pixels of the part's picture and cut at its edges, as three arrays; None when there are none.
    """
    cdef cnp.ndarray boxes = singles(xyxy_px)
    cdef Py_ssize_t n, m, total = cnp.PyArray_DIM(boxes, 0), count = len(parts), held
    cdef cnp.ndarray sure = vector(confidence, cnp.NPY_FLOAT32, total), kind = vector(class_id, cnp.NPY_INT64, total)
    cdef Place* places = <Place*>malloc((count + 1) * sizeof(Place))
    cdef Py_ssize_t* of = <Py_ssize_t*>malloc((total + 1) * sizeof(Py_ssize_t))
    cdef const float* at = <const float*>cnp.PyArray_DATA(boxes)
    cdef list result = []
    try:
        if places == NULL or of == NULL:
            raise MemoryError
        if len(spots) != count:
            raise ValueError(f"{count} parts, {len(spots)} spots")
        for n in range(count):
            _, left, top, width, height = spots[n]
            places[n].on = [left, top, left + width, top + height]
            places[n].of = parts[n]
        for n in range(total):
            of[n] = spot_of(at + 4 * n, places, count)
        for m in range(count):
            held = 0
            for n in range(total):
                held += of[n] == m
            result.append(moved(at, sure, kind, of, total, m, held, &places[m]) if held else None)
    finally:
        free(places)
        free(of)
    return result


cdef Py_ssize_t spot_of(const float* box, const Place* places, Py_ssize_t count) noexcept nogil:
    """The first spot in which the box's middle lies; -1: between them."""
    cdef float x = (box[0] + box[2]) / 2, y = (box[1] + box[3]) / 2
    cdef Py_ssize_t n
    for n in range(count):
        if x >= places[n].on[0] and y >= places[n].on[1] and x < places[n].on[2] and y < places[n].on[3]:
            return n
    return -1


cdef tuple moved(
    const float* at, cnp.ndarray sure, cnp.ndarray kind, const Py_ssize_t* of, Py_ssize_t total, Py_ssize_t spot,
    Py_ssize_t count, const Place* place,
):
    cdef cnp.ndarray boxes = new_singles(count)
    cdef cnp.ndarray confidence = new_vector(count, cnp.NPY_FLOAT32), class_id = new_vector(count, cnp.NPY_INT64)
    cdef float* out = <float*>cnp.PyArray_DATA(boxes)
    cdef float[2] scale
    cdef float value, low, high
    cdef Py_ssize_t n, m = 0
    cdef int edge, axis
    for axis in range(2):
        scale[axis] = (place.of[axis + 2] - place.of[axis]) / (place.on[axis + 2] - place.on[axis])
    for n in range(total):
        if of[n] != spot:
            continue
        for edge in range(4):
            axis = edge & 1
            low, high = place.of[axis], place.of[axis + 2]
            value = (at[4 * n + edge] - place.on[axis]) * scale[axis] + low
            value = value if value > low else low
            out[4 * m + edge] = value if value < high else high
        (<float*>cnp.PyArray_DATA(confidence))[m] = (<float*>cnp.PyArray_DATA(sure))[n]
        (<cnp.npy_int64*>cnp.PyArray_DATA(class_id))[m] = (<cnp.npy_int64*>cnp.PyArray_DATA(kind))[n]
        m += 1
    return boxes, confidence, class_id
