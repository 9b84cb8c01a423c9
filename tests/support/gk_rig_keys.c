#include "gk_rig_keys.h"

#include "../../native/codec/gk_own.h"
#include "../../native/codec/gk_payload.h"
#include "../../native/codec/gk_servers.h"
#include "../../native/group/gk_agreement_internal.h"

static gk_bytes text(const char *s)
{
    return (gk_bytes){(const uint8_t *)s, strlen(s)};
}

static void seal(gk_rig *r, gk_buf *out, const gk_node *node, gk_bytes data)
{
    gk_buf_clear(out);
    gk_writer w = gk_writer_of(gk_buf_room(out, data.n + GK_PAYLOAD_OVERHEAD), data.n + GK_PAYLOAD_OVERHEAD);
    rig_must(gk_payload_seal(r->worker, &w, node, (gk_blob){data, false}) == GK_OK && w.err == GK_OK);
}

void gk_rig_seal(gk_rig *r, gk_buf *out, const char *path, gk_bytes data)
{
    gk_node node;
    gk_writer none = gk_writer_of(NULL, 0);

    rig_must(gk_path_encrypt(r->worker, &none, &node, text(path)) == GK_OK);
    seal(r, out, &node, data);
}

void gk_rig_agree(gk_rig *r, uint8_t hash, bool known, gk_buf *current)
{
    uint8_t raw[32], record[GK_CURRENT_MAX];
    size_t n = 0;
    gk_key *ks = NULL;
    gk_current c = {.n = 1, .ids = {1}};
    gk_node node;

    memset(raw, 0x5a, sizeof(raw));
    memset(c.run_id, 0x11, sizeof(c.run_id));
    memset(c.hash, hash, sizeof(c.hash));
    rig_must(gk_key_new(&ks, GK_PURPOSE_AGREED, 0, (gk_bytes){raw, sizeof(raw)}) == GK_OK);
    if (known) {
        gk_secrets *secrets = gk_agreement_secrets(r->codec->servers);
        rig_must(gk_secrets_offer(secrets, c.hash, ks) == GK_OK && gk_secrets_use(secrets, c.hash) == GK_OK);
    }
    gk_key_free(ks);
    rig_must(gk_current_write(record, sizeof(record), &n, &c) == GK_OK && gk_own_node(r->worker, &node, text(GK_OWN_CURRENT)) == GK_OK);
    if (current)
        seal(r, current, &node, (gk_bytes){record, n});
}

gk_rig gk_rig_keys_open(void)
{
    gk_options o = gk_rig_options();
    char why[GK_AGREEMENT_WHY];

    o.agreement = true;
    gk_rig r = gk_rig_open(&o);
    gk_rig_connect(&r);
    gk_session_trust(r.session);
    rig_must(gk_servers_start(r.codec, &(gk_agreement_config){.server_id = 1, .keyring = r.keyring}, why, sizeof(why)) == GK_OK);
    gk_servers_serve(r.codec, true);
    gk_rig_agree(&r, 0xaa, true, NULL);
    return r;
}
