/* Parsing keyring files. The first byte chooses: 0, the rest is a file as it stands; else the rest is a file whose body is plain text, which
 * is sealed under the data key in its header first, so that the fuzzer gets past the authentication. What parses must, written again with
 * the same data key and nonce, be the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "../../native/keyring/gk_keyring_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WRAP (1 + 2 + GK_KEYRING_DK)
#define TRAILER (GK_XAES_NONCE + 2)

static void check(int ok)
{
    if (!ok)
        abort();
}

/* header_size finds the end of the header in bytes that parse, from the lengths that docs/FORMAT.md gives. */
static size_t header_size(gk_bytes file)
{
    gk_reader r = gk_reader_of(file.p, file.n);
    gk_bytes skipped = {0};
    uint16_t n = 0;

    if (gk_reader_take(&r, &skipped, 8 + 2 + 2 * GK_ID) != GK_OK || gk_reader_u16(&r, &n) != GK_OK ||
        gk_reader_take(&r, &skipped, n) != GK_OK || gk_reader_u16(&r, &n) != GK_OK ||
        gk_reader_take(&r, &skipped, (size_t)n * 22 + WRAP) != GK_OK)
        return 0;
    return file.n - r.n;
}

static void parse(gk_bytes file)
{
    gk_keyring *kr = NULL;
    gk_err e = gk_keyring_parse(&kr, file);
    uint8_t fingerprint[8];
    uint8_t *again = NULL;
    size_t head = header_size(file);
    size_t n = 0;

    check((e == GK_OK) == (kr != NULL));
    if (kr == NULL)
        return;
    again = malloc(file.n);
    check(again != NULL && head != 0);
    check(gk_keyring_sealed_size(kr) == file.n);
    check(gk_keyring_seal_with(kr, again, file.n, &n, file.p + head - GK_KEYRING_DK, file.p + head) == GK_OK);
    check(n == file.n && memcmp(again, file.p, n) == 0);
    check(gk_keyring_fingerprint(kr, fingerprint) == GK_OK);
    check(gk_keyring_active(kr, GK_PURPOSE_NAME) != NULL && gk_keyring_active(kr, GK_PURPOSE_PENDING) != NULL);
    free(again);
    gk_keyring_free(kr);
}

static void seal_and_parse(gk_bytes in)
{
    size_t head = header_size(in);
    size_t body = head + TRAILER;
    gk_key *dk = NULL;
    gk_xaes *x = NULL;
    uint8_t *file = NULL;

    if (head == 0 || in.n < body || in.n > GK_KEYRING_FILE_MAX)
        return;
    file = malloc(in.n + GK_XAES_TAG);
    check(file != NULL);
    memcpy(file, in.p, in.n);
    check(gk_key_new(&dk, GK_PURPOSE_DK, 0, (gk_bytes){file + head - GK_KEYRING_DK, GK_KEYRING_DK}) == GK_OK);
    check(gk_xaes_new(&x, dk) == GK_OK);
    check(gk_xaes_seal(x, file + body, file + head, (gk_bytes){file, head}, (gk_bytes){0}, (gk_bytes){file + body, in.n - body}) == GK_OK);
    parse((gk_bytes){file, in.n + GK_XAES_TAG});
    gk_xaes_free(x);
    gk_key_free(dk);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] == 0)
        parse((gk_bytes){data + 1, size - 1});
    else
        seal_and_parse((gk_bytes){data + 1, size - 1});
    return 0;
}
