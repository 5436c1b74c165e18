# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What the rule of illegal parking asks of each picture: which vehicles there are, which stands where, what hides a place.

Boxes are 0..1 of the picture. The NumPy way is in `vision.behaviours`: `parking_cases` (`vehicles`), `parking_place`
(`nearness`, `wheels_in_view`) and `parking_sight` (the others).
"""
cimport numpy as cnp
from libc.math cimport INFINITY, fabs, sqrt

from vision.native.boxes cimport area_of, iou_of
from vision.native.given cimport doubles, exactly, least, matrix, most, new_matrix, new_vector, vector
from vision.native.ground cimport homography, mapped

cnp.import_array()

# As in vision.behaviours.parking_place and parking_sight, and vision.looks.
cdef enum:
    CORE = 16
cdef double MATCH_IOU = 0.45
cdef double MATCH_IOU_SAME_TRACK = 0.25
cdef double ALIKE = 0.4
cdef double ALIKE_SAME_TRACK = 0.25
cdef double BEHIND = 0.1
cdef double HIDES = 0.2
cdef double SAME_PLACE = 0.7
cdef double SURE = 0.25
cdef double BRIDGE_S = 1.0


def vehicles(xyxy_px, confidence, class_id, track_id, watched, double width, double height):
    """Of the detections (boxes (N, 4) and confidence (N,) float32, class and track (N,) int64) of `watched` classes in a picture of
    `width` x `height` pixels: boxes as tuples, tracks, classes, confidence. Lists: each is looked at by itself.
    """
    cdef cnp.ndarray given = exactly(xyxy_px, cnp.NPY_FLOAT32, 2), sure = exactly(confidence, cnp.NPY_FLOAT32, 1)
    cdef cnp.ndarray kind = exactly(class_id, cnp.NPY_INT64, 1), whose = exactly(track_id, cnp.NPY_INT64, 1)
    cdef Py_ssize_t n, count = cnp.PyArray_DIM(given, 0)
    cdef const float* at = <const float*>cnp.PyArray_DATA(given)
    cdef list boxes = [], tracks = [], classes = [], confidences = []
    if not count == cnp.PyArray_DIM(sure, 0) == cnp.PyArray_DIM(kind, 0) == cnp.PyArray_DIM(whose, 0):
        raise ValueError("expected as many boxes as confidences, classes and tracks")
    if cnp.PyArray_DIM(given, 1) != 4:
        raise ValueError("boxes: expected (N, 4)")
    for n in range(count):
        name = (<cnp.npy_int64*>cnp.PyArray_DATA(kind))[n]
        if name in watched:
            boxes.append((at[4 * n] / width, at[4 * n + 1] / height, at[4 * n + 2] / width, at[4 * n + 3] / height))
            tracks.append((<cnp.npy_int64*>cnp.PyArray_DATA(whose))[n])
            classes.append(name)
            confidences.append(<double>(<float*>cnp.PyArray_DATA(sure))[n])
    return boxes, tracks, classes, confidences


def meet(list places, list tracks, list boxes, list track_ids):
    """Without ground: which of `boxes` stands at which of `places` (all as tuples): (place, box) pairs by number, in order.
    `tracks` are those that were last at each place, `track_ids` those of the boxes, below 0 where there is none. None when a
    place or a box has more than one candidate: then their nearness has to be weighed.
    """
    cdef Py_ssize_t row, column, found
    cdef double place[4]
    cdef double box[4]
    cdef double share
    cdef cnp.npy_int64 track
    cdef set taken = set()
    cdef list pairs = []
    if len(tracks) != len(places) or len(boxes) != len(track_ids):
        raise ValueError(f"{len(places)} places of {len(tracks)} tracks, {len(boxes)} boxes of {len(track_ids)}")
    for row in range(len(places)):
        place[0], place[1], place[2], place[3] = places[row]
        track, found = tracks[row], -1
        for column in range(len(boxes)):
            box[0], box[1], box[2], box[3] = boxes[column]
            share = iou_of(place, box)
            if share >= MATCH_IOU or (share >= MATCH_IOU_SAME_TRACK and track >= 0 and track_ids[column] == track):
                if found >= 0 or column in taken:
                    return None
                found = column
        if found >= 0:
            taken.add(found)
            pairs.append((row, found))
    return pairs


cdef inline double shift(double first, double second) noexcept nogil:
    """As `vision.geometry.shifts`, along one axis."""
    if not first * second > 0:
        return 0.0
    return first if fabs(first) <= fabs(second) else second


def apart_m(place, boxes, wheels, ground):
    """(N,) how far from `place` (a box) each of `boxes` (N, 4) stands on the `ground` (3, 3), in metres; infinite for what is on no
    ground. `wheels` (N,) bool: where they touch the ground is in view.
    """
    cdef cnp.ndarray given = matrix(boxes, 4), plane = homography(ground)
    cdef Py_ssize_t n, count = cnp.PyArray_DIM(given, 0)
    cdef cnp.ndarray seen = vector(wheels, cnp.NPY_BOOL, count), result = new_vector(count, cnp.NPY_FLOAT64)
    cdef const double* box
    cdef double at[4]
    cdef double here[2]
    cdef double there[2]
    cdef double x, y, moved_x, moved_y
    cdef bint on_ground
    at[0], at[1], at[2], at[3] = place
    x, y = (at[0] + at[2]) / 2, at[3]
    on_ground = mapped(doubles(plane), x, y, here)
    for n in range(count):
        box = doubles(given) + 4 * n
        moved_x, moved_y = shift(box[0] - at[0], box[2] - at[2]), shift(box[1] - at[1], box[3] - at[3])
        if (<cnp.npy_bool*>cnp.PyArray_DATA(seen))[n]:
            moved_y = box[3] - at[3]
        if on_ground and mapped(doubles(plane), x + moved_x, y + moved_y, there):
            there[0], there[1] = there[0] - here[0], there[1] - here[1]
            doubles(result)[n] = sqrt(there[0] * there[0] + there[1] * there[1])
        else:
            doubles(result)[n] = INFINITY
    return result


def nearness(place, boxes, same, apart, double most_m, double on_m):
    """(N,) as `Yard.nearness`: how well each of `boxes` (N, 4) fits `place` (a box). `same` (N,) bool: theirs is the track that was
    there last. `apart` (N,): how far away they stand on the ground, in metres, or None where that is not known; nearer than
    `most_m` they are there, and nearer than `on_m` when they are the same.
    """
    cdef cnp.ndarray given = matrix(boxes, 4)
    cdef Py_ssize_t n, count = cnp.PyArray_DIM(given, 0)
    cdef cnp.ndarray is_same = vector(same, cnp.NPY_BOOL, count), result = new_vector(count, cnp.NPY_FLOAT64)
    cdef cnp.ndarray away = result if apart is None else vector(apart, cnp.NPY_FLOAT64, count)
    cdef double at[4]
    cdef double share, alike, size, other, far, hint
    cdef bint there, mine, placed = apart is not None
    at[0], at[1], at[2], at[3] = place
    size = area_of(at)
    for n in range(count):
        share, mine = iou_of(at, doubles(given) + 4 * n), (<cnp.npy_bool*>cnp.PyArray_DATA(is_same))[n]
        hint = 0.2 * mine
        if not placed:
            there = share >= MATCH_IOU or (mine and share >= MATCH_IOU_SAME_TRACK)
            doubles(result)[n] = share + hint if there else 0.0
            continue
        other, far = area_of(doubles(given) + 4 * n), doubles(away)[n]
        alike = least(other, size) / most(most(other, size), 1e-12)
        there = (far <= most_m and alike >= ALIKE) or (mine and far <= on_m and alike >= ALIKE_SAME_TRACK)
        doubles(result)[n] = 1e-3 + share + most(0.0, 1 - far / most_m) + hint if there else 0.0
    return result


def wheels_in_view(boxes, others):
    """(N,) bool: of which of `boxes` (N, 4) no nearer one of `others` (M, 4) covers the lower edge."""
    cdef cnp.ndarray given = matrix(boxes, 4), hiding = matrix(others, 4)
    cdef Py_ssize_t n, m, count = cnp.PyArray_DIM(given, 0), among = cnp.PyArray_DIM(hiding, 0)
    cdef cnp.ndarray result = new_vector(count, cnp.NPY_BOOL)
    cdef const double* a
    cdef const double* b
    cdef double wide
    cdef bint hidden
    for n in range(count):
        a, hidden = doubles(given) + 4 * n, False
        wide = most(a[2] - a[0], 1e-12)
        for m in range(among):
            b = doubles(hiding) + 4 * m
            if b[3] > a[3] and b[1] < a[3] and least(a[2], b[2]) - most(a[0], b[0]) > HIDES * wide:
                hidden = True
        (<cnp.npy_bool*>cnp.PyArray_DATA(result))[n] = not hidden
    return result


def things(xyxy_px, confidence, class_id, tuple tracks, double time_s, lost, of_vehicles, double width, double height):
    """What may stand between the camera and something, in a picture of `width` x `height` pixels: boxes (N, 4) of its surer
    detections and of those of `tracks` that were missed for a moment, which of them were detected, and which are
    `of_vehicles`, (N,) bool. `lost` is a state of tracks.
    """
    cdef cnp.ndarray given = matrix(xyxy_px, 4)
    cdef Py_ssize_t n, edge, found = 0, count = cnp.PyArray_DIM(given, 0)
    cdef cnp.ndarray kind = vector(class_id, cnp.NPY_INT64, count), sure = vector(confidence, cnp.NPY_FLOAT64, count)
    cdef list bridged = []
    cdef double last_s
    for track in tracks:
        if track.state is lost:
            last_s = track.last_seen_s
            if time_s - last_s <= BRIDGE_S and last_s < time_s:
                bridged.append(track)
    for n in range(count):
        found += doubles(sure)[n] >= SURE
    cdef cnp.ndarray boxes = new_matrix(found + len(bridged), 4)
    cdef cnp.ndarray is_seen = new_vector(found + len(bridged), cnp.NPY_BOOL)
    cdef cnp.ndarray is_vehicle = new_vector(found + len(bridged), cnp.NPY_BOOL)
    cdef double* out = doubles(boxes)
    cdef cnp.npy_bool* seen_out = <cnp.npy_bool*>cnp.PyArray_DATA(is_seen)
    cdef cnp.npy_bool* vehicle_out = <cnp.npy_bool*>cnp.PyArray_DATA(is_vehicle)
    found = 0
    for n in range(count):
        if doubles(sure)[n] >= SURE:
            for edge in range(4):
                out[4 * found + edge] = doubles(given)[4 * n + edge] / (height if edge & 1 else width)
            seen_out[found] = True
            vehicle_out[found] = (<cnp.npy_int64*>cnp.PyArray_DATA(kind))[n] in of_vehicles
            found += 1
    for track in bridged:
        out[4 * found], out[4 * found + 1], out[4 * found + 2], out[4 * found + 3] = track.xyxy_px
        for edge in range(4):
            out[4 * found + edge] /= height if edge & 1 else width
        seen_out[found] = False
        vehicle_out[found] = track.class_id in of_vehicles
        found += 1
    return boxes, is_seen, is_vehicle


def cells_in_view(place, boxes, is_it):
    """(16, 16) bool: the cells of `place` (a box) whose middle none of `boxes` (N, 4) covers; those that stand behind it, and those
    that are it (`is_it` (N,) bool), hide nothing.
    """
    cdef cnp.ndarray given = matrix(boxes, 4)
    cdef Py_ssize_t n, row, column, count = cnp.PyArray_DIM(given, 0)
    cdef cnp.ndarray itself = vector(is_it, cnp.NPY_BOOL, count)
    cdef cnp.npy_intp shape[2]
    shape[0] = shape[1] = CORE
    cdef cnp.ndarray result = cnp.PyArray_EMPTY(2, shape, cnp.NPY_BOOL, 0)
    cdef cnp.npy_bool* out = <cnp.npy_bool*>cnp.PyArray_DATA(result)
    cdef const double* box
    cdef double at[4]
    cdef double x[CORE]
    cdef double y[CORE]
    at[0], at[1], at[2], at[3] = place
    for n in range(CORE):
        x[n] = at[0] + (at[2] - at[0]) * ((n + 0.5) / CORE)
        y[n] = at[1] + (at[3] - at[1]) * ((n + 0.5) / CORE)
    for n in range(CORE * CORE):
        out[n] = True
    for n in range(count):
        box = doubles(given) + 4 * n
        if (<cnp.npy_bool*>cnp.PyArray_DATA(itself))[n] or not box[3] > at[3] - BEHIND * (at[3] - at[1]):
            continue
        for row in range(CORE):
            if box[1] <= y[row] <= box[3]:
                for column in range(CORE):
                    if box[0] <= x[column] <= box[2]:
                        out[CORE * row + column] = False
    return result


def is_occupied(place, boxes, is_seen, is_vehicle):
    """Whether one of `boxes` (N, 4) that were detected and are vehicles, (N,) bool, stands at `place` (a box), whichever it is."""
    cdef cnp.ndarray given = matrix(boxes, 4)
    cdef Py_ssize_t n, count = cnp.PyArray_DIM(given, 0)
    cdef cnp.ndarray seen = vector(is_seen, cnp.NPY_BOOL, count), vehicle = vector(is_vehicle, cnp.NPY_BOOL, count)
    cdef double at[4]
    cdef const double* box
    at[0], at[1], at[2], at[3] = place
    for n in range(count):
        box = doubles(given) + 4 * n
        if not ((<cnp.npy_bool*>cnp.PyArray_DATA(seen))[n] and (<cnp.npy_bool*>cnp.PyArray_DATA(vehicle))[n]):
            continue
        if fabs(box[3] - at[3]) <= BEHIND * (at[3] - at[1]) and iou_of(at, box) >= SAME_PLACE:
            return True
    return False
