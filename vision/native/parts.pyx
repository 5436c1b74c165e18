# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What `vision.parts` and `vision.attention` do to a dozen boxes before and after the detector looks."""
from libc.math cimport INFINITY, ceil
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

cimport numpy as cnp

from vision.native.boxes cimport NOTHING, area_of, in_doubles, shared_by
from vision.native.given cimport floats, least, most, new_singles, new_vector, singles, vector

cnp.import_array()


cdef struct Box:
    double[4] at


cdef struct Seen:
    # A box of `settled`: where it comes from (0: held, else 1 + the number of its part), and whether it stays.
    double[4] at
    float[4] px
    float confidence
    cnp.npy_int64 class_id
    int source
    bint stays


# --- before ---------------------------------------------------------------------------------------------------------------


def cover(wanted, known, double margin_px, double least_px, double edge_px, int height, int width):
    """As `vision.parts.cover`; `edge_px` is what a part costs beside its pixels."""
    cdef cnp.ndarray boxes = singles(known)
    cdef float* at = floats(boxes)
    cdef Py_ssize_t n, m, count = len(wanted), todo = 0, done = 0, number, known_count = cnp.PyArray_DIM(boxes, 0)
    cdef Box* room = <Box*>malloc((2 * count + 1) * sizeof(Box))
    cdef Box* rest = room + count
    cdef list parts = []
    cdef Box whole, one, both
    cdef bint merged
    if room == NULL:
        raise MemoryError
    try:
        for rectangle in wanted:
            one.at[0], one.at[1], one.at[2], one.at[3] = rectangle
            whole = one
            for n in range(known_count):
                if (
                    one.at[0] < at[4 * n + 2] and at[4 * n] < one.at[2]
                    and one.at[1] < at[4 * n + 3] and at[4 * n + 1] < one.at[3]
                ):
                    in_doubles(at + 4 * n, both.at)
                    whole = union_of(&whole, &both)
            along(&whole.at[0], &whole.at[2], margin_px, least_px, width)
            along(&whole.at[1], &whole.at[3], margin_px, least_px, height)
            rest[todo] = whole
            todo += 1
        while todo > 0:
            todo -= 1
            one = rest[todo]
            merged = False
            for n in range(done):
                both = union_of(&one, &room[n])
                if cost_of(&both, edge_px) <= cost_of(&one, edge_px) + cost_of(&room[n], edge_px):
                    done -= 1
                    for m in range(n, done):
                        room[m] = room[m + 1]
                    rest[todo] = both
                    todo += 1
                    merged = True
                    break
            if not merged:
                room[done] = one
                done += 1
        for n in range(done):
            parts.append((
                <long>room[n].at[0],
                <long>room[n].at[1],
                min(<long>width, <long>ceil(room[n].at[2])),
                min(<long>height, <long>ceil(room[n].at[3])),
            ))
    finally:
        free(room)
    return tuple(parts)


cdef inline Box union_of(const Box* a, const Box* b) noexcept nogil:
    cdef Box result
    result.at[0], result.at[1] = least(a.at[0], b.at[0]), least(a.at[1], b.at[1])
    result.at[2], result.at[3] = most(a.at[2], b.at[2]), most(a.at[3], b.at[3])
    return result


cdef inline double cost_of(const Box* box, double edge_px) noexcept nogil:
    return (box.at[2] - box.at[0] + edge_px) * (box.at[3] - box.at[1] + edge_px)


cdef inline void along(double* low, double* high, double margin, double least_px, double limit) noexcept nogil:
    """An edge pair with its margin, widened about its middle to the least side, moved inside the picture, cut there."""
    cdef double begin = low[0] - margin, end = high[0] + margin, missing = least_px - (end - begin), shift
    if missing > 0:
        begin, end = begin - missing / 2, end + missing / 2
        shift = most(0.0, -begin) - most(0.0, end - limit)
        begin, end = begin + shift, end + shift
    low[0], high[0] = most(0.0, begin), least(limit, end)


# --- after ----------------------------------------------------------------------------------------------------------------


def settled(held, found, parts, double height, double width, double near_px, double same):
    """As `vision.parts.settled`: (N, 4) boxes, confidence and class of what is known now, and (M,) bool: which of `held` lie in a
    part. `near_px` is how far a box must be from a part's edge, `same` the overlap from which two boxes are one thing.
    """
    cdef Py_ssize_t n, m, count = 0, total = len(held), part, stay = 0, held_count = total
    cdef Py_ssize_t part_count = len(parts)
    if len(found) != part_count:
        raise ValueError(f"{len(found)} parts were looked at of {part_count}")
    for one in found:
        total += len(one)
    cdef Seen* seen = <Seen*>malloc((total + 1) * sizeof(Seen))
    cdef Py_ssize_t* order = <Py_ssize_t*>malloc((total + 1) * sizeof(Py_ssize_t))
    cdef Box* limits = <Box*>malloc((part_count + 1) * sizeof(Box))
    cdef cnp.ndarray looked = new_vector(held_count, cnp.NPY_BOOL)
    cdef cnp.npy_bool* is_looked = <cnp.npy_bool*>cnp.PyArray_DATA(looked)
    cdef cnp.ndarray boxes, confidence, class_id
    try:
        if seen == NULL or order == NULL or limits == NULL:
            raise MemoryError
        for n in range(part_count):
            limits[n] = limits_of(parts[n], height, width)
        take(held, seen, held_count, 0)
        for n in range(held_count):
            is_looked[n] = False
            for m in range(part_count):
                is_looked[n] |= within(seen[n].at, &limits[m], -near_px)
            if not is_looked[n]:
                seen[count] = seen[n]
                count += 1
        for part in range(part_count):
            one = found[part]
            m = len(one)
            take(one, seen + count, m, <int>part + 1)
            for n in range(count, count + m):
                if beyond(seen[n].at, &limits[part], near_px):
                    seen[count] = seen[n]
                    count += 1
        thin(seen, order, count, same)
        for n in range(count):
            stay += seen[n].stays
        boxes = new_singles(stay)
        confidence, class_id = new_vector(stay, cnp.NPY_FLOAT32), new_vector(stay, cnp.NPY_INT64)
        m = 0
        for n in range(count):
            if seen[n].stays:
                memcpy(floats(boxes) + 4 * m, seen[n].px, 4 * sizeof(float))
                floats(confidence)[m] = seen[n].confidence
                (<cnp.npy_int64*>cnp.PyArray_DATA(class_id))[m] = seen[n].class_id
                m += 1
    finally:
        free(seen)
        free(order)
        free(limits)
    return boxes, confidence, class_id, looked


cdef int take(object detections, Seen* out, Py_ssize_t count, int source) except -1:
    """Write `count` detections to `out`, which has room for so many."""
    cdef cnp.ndarray boxes = singles(detections.xyxy_px)
    cdef cnp.ndarray sure = vector(detections.confidence, cnp.NPY_FLOAT32, count)
    cdef cnp.ndarray kind = vector(detections.class_id, cnp.NPY_INT64, count)
    cdef Py_ssize_t n
    if cnp.PyArray_DIM(boxes, 0) != count:
        raise ValueError(f"expected {count} boxes, got {cnp.PyArray_DIM(boxes, 0)}")
    for n in range(count):
        memcpy(out[n].px, floats(boxes) + 4 * n, 4 * sizeof(float))
        in_doubles(out[n].px, out[n].at)
        out[n].confidence = floats(sure)[n]
        out[n].class_id = (<cnp.npy_int64*>cnp.PyArray_DATA(kind))[n]
        out[n].source, out[n].stays = source, True
    return 0


cdef Box limits_of(object part, double height, double width) except *:
    """A part's edges; one that is the picture's own cuts nothing and lies beyond everything."""
    cdef Box result
    result.at[0], result.at[1], result.at[2], result.at[3] = part
    if not result.at[0] > 0:
        result.at[0] = -INFINITY
    if not result.at[1] > 0:
        result.at[1] = -INFINITY
    if not result.at[2] < width:
        result.at[2] = INFINITY
    if not result.at[3] < height:
        result.at[3] = INFINITY
    return result


cdef inline bint within(const double* box, const Box* part, double inward) noexcept nogil:
    return (
        box[0] >= part.at[0] + inward and box[1] >= part.at[1] + inward
        and box[2] <= part.at[2] - inward and box[3] <= part.at[3] - inward
    )


cdef inline bint beyond(const double* box, const Box* part, double inward) noexcept nogil:
    """Not only within, but not at the edge."""
    return (
        box[0] > part.at[0] + inward and box[1] > part.at[1] + inward
        and box[2] < part.at[2] - inward and box[3] < part.at[3] - inward
    )


cdef void thin(Seen* seen, Py_ssize_t* order, Py_ssize_t count, double same) noexcept nogil:
    """Everything once: what holds first, else what is surer. Only boxes of different sources can be the same thing."""
    cdef Py_ssize_t n, m, place, held = 0
    cdef Seen* one
    cdef Seen* other
    cdef double shared
    for n in range(count):
        if seen[n].source == 0:
            held += 1
        place = n
        while place > held and seen[order[place - 1]].confidence < seen[n].confidence:
            order[place] = order[place - 1]
            place -= 1
        order[place] = n
    for n in range(held, count):
        one = &seen[order[n]]
        for m in range(n):
            other = &seen[order[m]]
            if not other.stays or other.source == one.source or other.class_id != one.class_id:
                continue
            shared = shared_by(one.at, other.at)
            if shared > 0 and shared / most(least(area_of(one.at), area_of(other.at)), NOTHING) > same:
                one.stays = False
                break
