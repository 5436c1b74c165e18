# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A part of a picture, scaled: what OpenCV's `resize` makes of it with INTER_LINEAR, to the bit, on processors with AVX2.

As there: along a row each pixel is the sum of two neighbours in shares of 1/2048, of which 4 bits are dropped; then two such
rows are added in the same way, and the last bits are rounded off. In half the time because the part need not be copied first,
and because sixteen bytes of a row hold all that two pixels of the result are made of: one step puts them where they belong, four
words a pixel (the fourth is nothing).
"""
from libc.math cimport floorf, rint, rintf
from libc.stdint cimport int16_t, int32_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

cimport numpy as cnp

from vision.native.given cimport picture

cnp.import_array()

cdef extern from *:
    """
    #include <stdint.h>

    #if defined(__x86_64__) && defined(__GNUC__)
    #include <immintrin.h>
    #define HAS_PAIRS __builtin_cpu_supports("avx2")

    /* `pairs` pairs of pixels, an even number, to four words each: of each pair the sixteen bytes that begin `from` bytes behind
       `row`, which of them are neighbours (`which`), and the neighbours' shares. */
    __attribute__((target("avx2")))
    static void along(
        const uint8_t *row, const int32_t *from, const uint8_t *which, const int16_t *shares, int16_t *out, long pairs
    ) {
        for (long n = 0; n < pairs; n += 2) {
            __m256i sums[2];
            for (int m = 0; m < 2; m++) {
                __m256i bytes = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(row + from[n + m])));
                bytes = _mm256_shuffle_epi8(bytes, _mm256_loadu_si256((const __m256i *)(which + 32 * (n + m))));
                bytes = _mm256_madd_epi16(bytes, _mm256_loadu_si256((const __m256i *)(shares + 16 * (n + m))));
                sums[m] = _mm256_srai_epi32(bytes, 4);
            }
            __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(sums[0], sums[1]), 0xd8);
            _mm256_storeu_si256((__m256i *)(out + 8 * n), words);
        }
    }

    /* Two rows of four words a pixel, `pixels` of them, a multiple of eight, to three bytes each; writes four bytes more. */
    __attribute__((target("avx2")))
    static void down(const int16_t *a, const int16_t *b, int share_a, int share_b, uint8_t *out, long pixels) {
        const __m256i of_a = _mm256_set1_epi16((short)share_a), of_b = _mm256_set1_epi16((short)share_b);
        const __m256i half = _mm256_set1_epi16(2);
        const __m128i three = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
        for (long n = 0; n < pixels; n += 8) {
            __m256i sums[2];
            for (int m = 0; m < 2; m++) {
                __m256i first = _mm256_mulhi_epi16(_mm256_loadu_si256((const __m256i *)(a + 4 * n + 16 * m)), of_a);
                __m256i second = _mm256_mulhi_epi16(_mm256_loadu_si256((const __m256i *)(b + 4 * n + 16 * m)), of_b);
                sums[m] = _mm256_srai_epi16(_mm256_add_epi16(_mm256_add_epi16(first, second), half), 2);
            }
            __m256i bytes = _mm256_permute4x64_epi64(_mm256_packus_epi16(sums[0], sums[1]), 0xd8);
            _mm_storeu_si128((__m128i *)(out + 3 * n), _mm_shuffle_epi8(_mm256_castsi256_si128(bytes), three));
            _mm_storeu_si128((__m128i *)(out + 3 * n + 12), _mm_shuffle_epi8(_mm256_extracti128_si256(bytes, 1), three));
        }
    }
    #else
    #define HAS_PAIRS 0
    static void along(
        const uint8_t *row, const int32_t *from, const uint8_t *which, const int16_t *shares, int16_t *out, long pairs
    ) {}
    static void down(const int16_t *a, const int16_t *b, int share_a, int share_b, uint8_t *out, long pixels) {}
    #endif
    """
    bint HAS_PAIRS
    void along(
        const uint8_t* row, const int32_t* begin, const uint8_t* which, const int16_t* shares, int16_t* out, long pairs
    ) nogil
    void down(const int16_t* a, const int16_t* b, int share_a, int share_b, uint8_t* out, long pixels) nogil


cdef struct Place:
    # Where one pixel of the result lies along an axis of the part: between two pixels, in these shares of 1/2048.
    int first, second, share_first, share_second


cdef inline Place place_of(int number, double scale, int size, bint is_row) noexcept nogil:
    cdef float at = <float>((number + 0.5) * scale - 0.5)
    cdef int first = <int>floorf(at)
    cdef float beyond = at - <float>first, one = 1, whole = 2048
    # Beyond the edges OpenCV gives a column one share, and a row two of the same.
    if not is_row and (first < 0 or first >= size - 1):
        beyond = 0
    cdef Place result
    result.first, result.second = min(max(first, 0), size - 1), min(max(first + 1, 0), size - 1)
    result.share_first, result.share_second = <int>rintf((one - beyond) * whole), <int>rintf(beyond * whole)
    return result


def pieces(pixels, parts, int input_height, int input_width):
    """Each of `parts` (left, top, right, bottom) of `pixels` (H, W, 3) uint8, scaled as all of it would be to fit the input:
    (h, w, 3), no larger than that. None for one where it cannot be done here: to less than half the width, from less than six
    pixels beside each other, pixels that lie apart, another processor.

    Raises:
        ValueError: it is no such picture, or has no such part.
    """
    cdef cnp.ndarray array = picture(pixels)
    if cnp.PyArray_SIZE(array) == 0:
        raise ValueError(f"a picture without pixels: {pixels.shape}")
    cdef double by_height = <double>input_height / <double>cnp.PyArray_DIM(array, 0)
    cdef double by_width = <double>input_width / <double>cnp.PyArray_DIM(array, 1)
    cdef double scale = by_width if by_width < by_height else by_height
    cdef bint is_dense = cnp.PyArray_STRIDE(array, 2) == 1 and cnp.PyArray_STRIDE(array, 1) == 3
    cdef int left, top, right, bottom, height, width
    cdef const uint8_t* corner
    cdef list every = []
    for part in parts:
        left, top, right, bottom = part
        if not (
            0 <= left < right <= cnp.PyArray_DIM(array, 1) and 0 <= top < bottom <= cnp.PyArray_DIM(array, 0)
            and input_height > 0 and input_width > 0
        ):
            raise ValueError(f"a picture of {pixels.shape} has no part {part} for {input_height}x{input_width}")
        # As Python rounds: a half to the even number.
        height = min(input_height, max(1, <int>rint((bottom - top) * scale)))
        width = min(input_width, max(1, <int>rint((right - left) * scale)))
        if not HAS_PAIRS or not is_dense or right - left < 6 or 2 * width < right - left:
            every.append(None)
            continue
        corner = <const uint8_t*>cnp.PyArray_DATA(array) + top * cnp.PyArray_STRIDE(array, 0) + 3 * left
        every.append(linear(corner, cnp.PyArray_STRIDE(array, 0), bottom - top, right - left, height, width))
    return every


cdef object linear(const uint8_t* corner, Py_ssize_t apart, int rows, int columns, int height, int width):
    """A part whose rows begin `apart` bytes after each other as (height, width, 3); None when it is too wide for that."""
    cdef cnp.npy_intp shape[3]
    shape[0], shape[1], shape[2] = height, width, 3
    cdef cnp.ndarray result = cnp.PyArray_EMPTY(3, shape, cnp.NPY_UINT8, 0)
    # Eight pixels at once: the rest of the last eight is made from nothing and thrown away.
    cdef Py_ssize_t pixels = (width + 7) // 8 * 8
    cdef uint8_t* room = <uint8_t*>malloc(pixels // 2 * (4 + 32 + 32) + 2 * pixels * 8 + 3 * pixels + 16)
    if room == NULL:
        raise MemoryError
    cdef bint is_made = scaled(
        corner, apart, rows, columns, <uint8_t*>cnp.PyArray_DATA(result), height, width, pixels, room
    )
    free(room)
    return result if is_made else None


cdef bint scaled(
    const uint8_t* given, Py_ssize_t apart, int rows, int columns, uint8_t* out, int height, int width, Py_ssize_t pixels,
    uint8_t* room,
) noexcept nogil:
    """False when two pixels of the result are made of more than sixteen bytes. `room` is for all that follows here."""
    cdef int16_t* shares = <int16_t*>room
    cdef uint8_t* which = room + pixels // 2 * 32
    cdef int16_t* line[2]
    line[0] = <int16_t*>(which + pixels // 2 * 32)
    line[1] = line[0] + 4 * pixels
    cdef int32_t* begin = <int32_t*>(line[1] + 4 * pixels)
    cdef uint8_t* made = <uint8_t*>(begin + pixels // 2)
    if not pairs_of(columns, width, pixels // 2, begin, which, shares):
        return False
    # As OpenCV computes it.
    cdef double scale = 1.0 / (<double>height / <double>rows)
    cdef int number, held[2]
    cdef Place place
    cdef int one, other
    held[0] = held[1] = -1
    for number in range(height):
        place = place_of(number, scale, rows, True)
        one = 0 if held[0] == place.first else 1 if held[1] == place.first else -1
        if one < 0:
            one = 0 if held[0] != place.second else 1
            along(given + place.first * apart, begin, which, shares, line[one], pixels // 2)
            held[one] = place.first
        other = one
        if place.second != place.first:
            other = 1 - one
            if held[other] != place.second:
                along(given + place.second * apart, begin, which, shares, line[other], pixels // 2)
                held[other] = place.second
        down(line[one], line[other], place.share_first, place.share_second, made, pixels)
        memcpy(out + 3 * width * number, made, 3 * width)
    return True


cdef bint pairs_of(
    int columns, int width, Py_ssize_t pairs, int32_t* begin, uint8_t* which, int16_t* shares
) noexcept nogil:
    """Of each pair of pixels of the result: where its sixteen bytes begin, which of them it is made of, in which shares."""
    cdef double scale = 1.0 / (<double>width / <double>columns)
    cdef Py_ssize_t n
    cdef int m, channel, number, at
    cdef Place place
    memset(which, 128, 32 * pairs)  # 128: a zero, and no byte
    memset(shares, 0, 32 * pairs)
    for n in range(pairs):
        begin[n] = 0
        for m in range(2):
            number = <int>(2 * n + m)
            if number >= width:
                break
            place = place_of(number, scale, columns, False)
            if m == 0:
                begin[n] = min(3 * place.first, 3 * columns - 16)
            if 3 * place.second + 2 - begin[n] > 15:
                return False
            for channel in range(3):
                at = 32 * <int>n + 16 * m + 4 * channel
                which[at] = <uint8_t>(3 * place.first + channel - begin[n])
                which[at + 2] = <uint8_t>(3 * place.second + channel - begin[n])
                shares[at // 2], shares[at // 2 + 1] = <int16_t>place.share_first, <int16_t>place.share_second
    return True
