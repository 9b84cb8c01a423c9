/* The bytes of a keyring file: docs/FORMAT.md, "Keyring file". */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

#include "../crypto/gk_key_internal.h"
#include "gk_keyring_internal.h"

#define FORMAT 1
#define WRAP_NONE 0
#define ENTRY_SIZE (4 + 1 + 1 + 8 + 8)

static const uint8_t magic[8] = {'G', 'K', 'K', 'E', 'Y', 'R', 'N', 'G'};

/* What parsing keeps beside the keyring itself. */
typedef struct header {
    gk_keyring *kr; /* ids and zone name are filled in */
    size_t n;
    gk_key_info *rows; /* n of them */
    uint8_t dk[GK_KEYRING_DK];
    gk_bytes aad; /* the header's own bytes */
} header;

/* --- writing ------------------------------------------------------------------------------------------------------------ */

static void write_header(gk_writer *w, const gk_keyring *kr, const uint8_t dk[GK_KEYRING_DK])
{
    size_t name_n = strlen(kr->zone_name);

    gk_writer_put(w, magic, sizeof(magic));
    gk_writer_u16(w, FORMAT);
    gk_writer_put(w, kr->ensemble, GK_ID);
    gk_writer_put(w, kr->zone, GK_ID);
    gk_writer_u16(w, (uint16_t)name_n);
    gk_writer_put(w, kr->zone_name, name_n);
    gk_writer_u16(w, (uint16_t)kr->n_stored);
    for (size_t i = 0; i < kr->n_stored; i++) {
        const gk_key_info *info = &kr->entries[i].info;

        gk_writer_u32(w, info->id);
        gk_writer_u8(w, (uint8_t)info->purpose);
        gk_writer_u8(w, (uint8_t)info->state);
        gk_writer_u64(w, info->created_ms);
        gk_writer_put(w, info->check_value, sizeof(info->check_value));
    }
    gk_writer_u8(w, WRAP_NONE);
    gk_writer_u16(w, GK_KEYRING_DK);
    gk_writer_put(w, dk, GK_KEYRING_DK);
}

uint16_t gk_keyring_format(void)
{
    return FORMAT;
}

static size_t body_size(const gk_keyring *kr)
{
    size_t n = 0;

    for (size_t i = 0; i < kr->n_stored; i++)
        n += 2 + gk_key_size(kr->entries[i].info.purpose);
    return n;
}

static size_t header_size(const gk_keyring *kr)
{
    return sizeof(magic) + 2 + 2 * GK_ID + 2 + strlen(kr->zone_name) + 2 + kr->n_stored * ENTRY_SIZE + 1 + 2 + GK_KEYRING_DK;
}

size_t gk_keyring_sealed_size(const gk_keyring *kr)
{
    return header_size(kr) + GK_XAES_NONCE + 2 + body_size(kr) + GK_XAES_TAG;
}

static gk_err xaes_of_dk(gk_xaes **out, const uint8_t dk[GK_KEYRING_DK])
{
    gk_key *k = NULL;
    gk_err e = gk_key_new(&k, GK_PURPOSE_DK, 0, (gk_bytes){dk, GK_KEYRING_DK});

    *out = NULL;
    if (e == GK_OK)
        e = gk_xaes_new(out, k);
    gk_key_free(k);
    return e;
}

gk_err gk_keyring_seal_with(const gk_keyring *kr, uint8_t *out, size_t cap, size_t *out_n, const uint8_t dk[GK_KEYRING_DK],
                            const uint8_t nonce[GK_XAES_NONCE])
{
    gk_writer w = gk_writer_of(out, cap);
    gk_bytes head = {out, header_size(kr)};
    size_t body_n = body_size(kr);
    uint8_t *body = NULL;
    gk_xaes *x = NULL;
    gk_err e = GK_OK;

    *out_n = 0;
    if (cap < gk_keyring_sealed_size(kr))
        return GK_ERR_SPACE;
    write_header(&w, kr, dk);
    gk_writer_put(&w, nonce, GK_XAES_NONCE);
    gk_writer_u16(&w, (uint16_t)(body_n + GK_XAES_TAG));
    body = gk_writer_reserve(&w, 0); /* the body is written as plain text, and sealed where it stands */
    for (size_t i = 0; i < kr->n_stored; i++) {
        gk_bytes raw = gk_key_raw(kr->entries[i].key);

        gk_writer_u16(&w, (uint16_t)raw.n);
        gk_writer_put(&w, raw.p, raw.n);
    }
    (void)gk_writer_reserve(&w, GK_XAES_TAG);
    e = w.err;
    if (e == GK_OK)
        e = xaes_of_dk(&x, dk);
    if (e == GK_OK)
        e = gk_xaes_seal(x, body, nonce, head, (gk_bytes){0}, (gk_bytes){body, body_n});
    gk_xaes_free(x);
    if (e != GK_OK) {
        gk_wipe(out, cap);
        return e;
    }
    *out_n = w.len;
    return GK_OK;
}

gk_err gk_keyring_seal(const gk_keyring *kr, uint8_t *out, size_t cap, size_t *out_n)
{
    uint8_t dk[GK_KEYRING_DK] = {0};
    uint8_t nonce[GK_XAES_NONCE] = {0};
    gk_err e = GK_ERR_CRYPTO;

    *out_n = 0;
    if (RAND_priv_bytes(dk, sizeof(dk)) == 1 && RAND_bytes(nonce, sizeof(nonce)) == 1)
        e = gk_keyring_seal_with(kr, out, cap, out_n, dk, nonce);
    gk_wipe(dk, sizeof(dk));
    return e;
}

/* --- reading ------------------------------------------------------------------------------------------------------------ */

static gk_err read_magic(gk_reader *r)
{
    gk_bytes m = {0};
    uint16_t format = 0;
    gk_err e = gk_reader_take(r, &m, sizeof(magic));

    if (e != GK_OK)
        return e;
    if (memcmp(m.p, magic, sizeof(magic)) != 0)
        return GK_ERR_MALFORMED;
    e = gk_reader_u16(r, &format);
    if (e != GK_OK)
        return e;
    if (format == 0)
        return GK_ERR_MALFORMED;
    return format > FORMAT ? GK_ERR_VERSION : GK_OK;
}

static gk_err read_zone_name(gk_reader *r, char out[GK_KEYRING_ZONE_NAME_MAX + 1])
{
    gk_bytes name = {0};
    uint16_t n = 0;
    gk_err e = gk_reader_u16(r, &n);

    if (e == GK_OK)
        e = gk_reader_take(r, &name, n);
    if (e != GK_OK)
        return e;
    if (n == 0 || n > GK_KEYRING_ZONE_NAME_MAX)
        return GK_ERR_MALFORMED;
    for (size_t i = 0; i < n; i++) {
        /* it is printed: on terminals, into JSON, into logs */
        uint8_t c = name.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
            return GK_ERR_MALFORMED;
    }
    memcpy(out, name.p, n);
    out[n] = '\0';
    return GK_OK;
}

static gk_err read_row(gk_reader *r, gk_key_info *out)
{
    uint8_t purpose = 0;
    uint8_t state = 0;
    gk_err e = gk_reader_u32(r, &out->id);

    if (e == GK_OK)
        e = gk_reader_u8(r, &purpose);
    if (e == GK_OK)
        e = gk_reader_u8(r, &state);
    if (e == GK_OK)
        e = gk_reader_u64(r, &out->created_ms);
    if (e == GK_OK)
        e = gk_reader_copy(r, out->check_value, sizeof(out->check_value));
    if (e != GK_OK)
        return e;
    if (out->id == 0 || (state != GK_KEY_ACTIVE && state != GK_KEY_DECRYPT))
        return GK_ERR_MALFORMED;
    if (purpose != GK_PURPOSE_NAME && purpose != GK_PURPOSE_PAYLOAD && purpose != GK_PURPOSE_SEED)
        return GK_ERR_MALFORMED;
    out->purpose = (gk_purpose)purpose;
    out->state = (gk_key_state)state;
    return GK_OK;
}

/* check_rows: rows ascend by (purpose, id), which forbids duplicates and gives one set of keys one fingerprint. There is one active key
 * of each purpose, and one name key in all: under a second one every name would stand for another node. */
static gk_err check_rows(const gk_key_info *rows, size_t n)
{
    size_t total[GK_PURPOSE_SEED + 1] = {0};
    size_t active[GK_PURPOSE_SEED + 1] = {0};

    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (rows[i].purpose < rows[i - 1].purpose || (rows[i].purpose == rows[i - 1].purpose && rows[i].id <= rows[i - 1].id)))
            return GK_ERR_MALFORMED;
        total[rows[i].purpose]++;
        active[rows[i].purpose] += rows[i].state == GK_KEY_ACTIVE;
    }
    if (active[GK_PURPOSE_NAME] != 1 || active[GK_PURPOSE_PAYLOAD] != 1 || active[GK_PURPOSE_SEED] != 1)
        return GK_ERR_MALFORMED;
    return total[GK_PURPOSE_NAME] == 1 ? GK_OK : GK_ERR_MALFORMED;
}

static gk_err read_wrap(gk_reader *r, uint8_t dk[GK_KEYRING_DK])
{
    uint8_t type = 0;
    uint16_t n = 0;
    gk_err e = gk_reader_u8(r, &type);

    if (e == GK_OK)
        e = gk_reader_u16(r, &n);
    if (e != GK_OK)
        return e;
    if (type != WRAP_NONE)
        return GK_ERR_VERSION; /* passphrases and tokens come in later versions */
    if (n != GK_KEYRING_DK)
        return GK_ERR_MALFORMED;
    return gk_reader_copy(r, dk, GK_KEYRING_DK);
}

static gk_err read_header(gk_reader *r, header *h)
{
    const uint8_t *start = r->p;
    size_t all = r->n;
    uint8_t ids[2 * GK_ID] = {0};
    char zone_name[GK_KEYRING_ZONE_NAME_MAX + 1] = {0};
    uint16_t n = 0;
    gk_err e = read_magic(r);

    if (e == GK_OK)
        e = gk_reader_copy(r, ids, sizeof(ids));
    if (e == GK_OK)
        e = read_zone_name(r, zone_name);
    if (e == GK_OK)
        e = gk_reader_u16(r, &n);
    if (e == GK_OK && (n == 0 || n > GK_KEYRING_KEYS_MAX))
        e = GK_ERR_MALFORMED;
    if (e == GK_OK && r->n / ENTRY_SIZE < n)
        e = GK_ERR_TRUNCATED; /* before anything is allocated by a number from the file */
    if (e == GK_OK)
        e = gk_keyring_alloc(&h->kr, n);
    if (e != GK_OK)
        return e;
    memcpy(h->kr->ensemble, ids, GK_ID);
    memcpy(h->kr->zone, ids + GK_ID, GK_ID);
    memcpy(h->kr->zone_name, zone_name, sizeof(zone_name));
    h->n = n;
    h->rows = OPENSSL_zalloc(n * sizeof(*h->rows));
    if (h->rows == NULL)
        return GK_ERR_NOMEM;
    for (size_t i = 0; i < n && e == GK_OK; i++)
        e = read_row(r, &h->rows[i]);
    if (e == GK_OK)
        e = check_rows(h->rows, n);
    if (e == GK_OK)
        e = read_wrap(r, h->dk);
    h->aad = (gk_bytes){start, all - r->n};
    return e;
}

static gk_err read_keys(const header *h, gk_bytes body)
{
    gk_reader r = gk_reader_of(body.p, body.n);
    gk_err e = GK_OK;

    for (size_t i = 0; i < h->n; i++) {
        const gk_key_info *row = &h->rows[i];
        gk_bytes raw = {0};
        gk_key *k = NULL;
        uint16_t n = 0;

        e = gk_reader_u16(&r, &n);
        if (e == GK_OK)
            e = gk_reader_take(&r, &raw, n);
        if (e == GK_OK && n != gk_key_size(row->purpose))
            e = GK_ERR_MALFORMED;
        if (e == GK_OK)
            e = gk_key_new(&k, row->purpose, row->id, raw);
        if (e == GK_OK)
            e = gk_keyring_add(h->kr, k, row->state, row->created_ms, false);
        gk_key_free(k);
        if (e != GK_OK)
            return e;
        if (!gk_bytes_equal((gk_bytes){row->check_value, 8}, (gk_bytes){h->kr->entries[i].info.check_value, 8}))
            return GK_ERR_AUTH;
    }
    return gk_reader_end(&r);
}

static gk_err open_body(gk_reader *r, const header *h)
{
    uint8_t nonce[GK_XAES_NONCE] = {0};
    gk_bytes sealed = {0};
    uint16_t n = 0;
    uint8_t *plain = NULL;
    gk_xaes *x = NULL;
    gk_err e = gk_reader_copy(r, nonce, sizeof(nonce));

    if (e == GK_OK)
        e = gk_reader_u16(r, &n);
    if (e == GK_OK)
        e = gk_reader_take(r, &sealed, n);
    if (e == GK_OK)
        e = gk_reader_end(r);
    if (e != GK_OK)
        return e;
    if (n <= GK_XAES_TAG)
        return GK_ERR_MALFORMED;
    plain = OPENSSL_zalloc(n);
    if (plain == NULL)
        return GK_ERR_NOMEM;
    e = xaes_of_dk(&x, h->dk);
    if (e == GK_OK)
        e = gk_xaes_open(x, plain, nonce, h->aad, (gk_bytes){0}, sealed);
    if (e == GK_OK)
        e = read_keys(h, (gk_bytes){plain, n - GK_XAES_TAG});
    gk_xaes_free(x);
    OPENSSL_clear_free(plain, n);
    return e;
}

gk_err gk_keyring_parse(gk_keyring **out, gk_bytes file)
{
    gk_reader r = gk_reader_of(file.p, file.n);
    header h = {0};
    gk_err e = GK_OK;

    *out = NULL;
    if (file.n > GK_KEYRING_FILE_MAX)
        return GK_ERR_LIMIT;
    e = read_header(&r, &h);
    if (e == GK_OK)
        e = open_body(&r, &h);
    if (e == GK_OK)
        e = gk_keyring_derive(h.kr);
    OPENSSL_free(h.rows);
    gk_wipe(h.dk, sizeof(h.dk));
    if (e != GK_OK) {
        gk_keyring_free(h.kr);
        return e;
    }
    *out = h.kr;
    return GK_OK;
}
