/* Base64url without padding, RFC 4648 section 5; declared in gk_bytes.h. The tables are plain look-ups: what is encoded here is
 * ciphertext, stored in the clear, so their timing tells nobody anything. */
#include "gk_bytes.h"

static const char alphabet[64] = {'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P',
                                  'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'a', 'b', 'c', 'd', 'e', 'f',
                                  'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v',
                                  'w', 'x', 'y', 'z', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '-', '_'};

/* value + 1 of each character; 0 marks a character outside of the alphabet */
static const uint8_t values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11,
    ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22,
    ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33,
    ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44,
    ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55,
    ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64};

void gk_b64_encode(char *out, const uint8_t *in, size_t n)
{
    size_t i = 0;

    for (; n - i >= 3; i += 3, out += 4) {
        uint32_t v = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];

        out[0] = alphabet[v >> 18];
        out[1] = alphabet[v >> 12 & 63];
        out[2] = alphabet[v >> 6 & 63];
        out[3] = alphabet[v & 63];
    }
    if (n - i == 1) {
        out[0] = alphabet[in[i] >> 2];
        out[1] = alphabet[(in[i] & 3) << 4];
    } else if (n - i == 2) {
        out[0] = alphabet[in[i] >> 2];
        out[1] = alphabet[(in[i] & 3) << 4 | in[i + 1] >> 4];
        out[2] = alphabet[(in[i + 1] & 15) << 2];
    }
}

/* decode_group turns k characters (2 to 4) into k - 1 bytes. Spare bits must be zero, or one byte string would have several spellings,
 * and ZooKeeper several names for one node (RFC 4648 section 3.5). */
static gk_err decode_group(uint8_t *out, const char *in, size_t k)
{
    uint32_t v = 0;
    unsigned spare = k == 4 ? 0 : k == 3 ? 2 : 4;

    for (size_t i = 0; i < k; i++) {
        uint8_t x = values[(uint8_t)in[i]];

        if (x == 0)
            return GK_ERR_MALFORMED;
        v = v << 6 | (uint32_t)(x - 1);
    }
    if ((v & ((1u << spare) - 1)) != 0)
        return GK_ERR_MALFORMED;
    v >>= spare;
    for (size_t i = k - 1; i-- > 0; v >>= 8)
        out[i] = (uint8_t)v;
    return GK_OK;
}

gk_err gk_b64_decode(uint8_t *out, size_t *out_n, const char *in, size_t n)
{
    size_t len = n / 4 * 3;
    size_t rest = n % 4;

    *out_n = 0;
    if (rest == 1)
        return GK_ERR_MALFORMED;
    for (size_t i = 0; i < n / 4; i++) {
        if (decode_group(out + 3 * i, in + 4 * i, 4) != GK_OK)
            return GK_ERR_MALFORMED;
    }
    if (rest != 0) {
        if (decode_group(out + len, in + n - rest, rest) != GK_OK)
            return GK_ERR_MALFORMED;
        len += rest - 1;
    }
    *out_n = len;
    return GK_OK;
}
