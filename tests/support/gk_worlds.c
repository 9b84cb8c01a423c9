#include "gk_worlds.h"

#include <stdio.h>

gk_worlds gk_worlds_open(const gk_options *o)
{
    gk_worlds w = {.rig = gk_rig_open(o)};

    gk_rig_connect(&w.rig);
    w.plain = gk_sim_new(NULL);
    w.stored = gk_sim_new(w.rig.worker);
    return w;
}

void gk_worlds_close(gk_worlds *w)
{
    gk_buf *all[] = {&w->request, &w->on_wire, &w->answers, &w->seen, &w->want};

    gk_sim_free(w->plain);
    gk_sim_free(w->stored);
    gk_rig_close(&w->rig);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        gk_buf_free(all[i]);
}

void gk_worlds_fill(gk_worlds *w, gk_source *s, bool broken)
{
    gk_buf_clear(&w->request);
    for (uint32_t n = gk_pick(s, 4); n < 4; n++) {
        size_t at = gk_buf_open(&w->request);
        gk_ops_request(s, &w->request, broken);
        gk_buf_close(&w->request, at);
    }
}

/* each_frame gives the frames of b to f, until f returns false. */
static void each_frame(gk_worlds *w, const gk_buf *b, bool (*f)(gk_worlds *, gk_bytes frame, gk_bytes body))
{
    gk_reader r = gk_reader_of(b->p, b->n);

    while (r.n > 0) {
        const uint8_t *start = r.p;
        gk_blob body;

        rig_must(gk_jute_blob(&r, &body) == GK_OK && !body.null);
        if (!f(w, (gk_bytes){start, body.b.n + 4}, body.b))
            return;
    }
}

static bool to_stored(gk_worlds *w, gk_bytes frame, gk_bytes body)
{
    (void)frame;
    gk_sim_handle(w->stored, &w->answers, body);
    return !gk_sim_closed(w->stored);
}

static bool to_plain(gk_worlds *w, gk_bytes frame, gk_bytes body)
{
    (void)frame;
    gk_sim_handle(w->plain, &w->want, body);
    w->handled++;
    return !gk_sim_closed(w->plain);
}

static bool to_client(gk_worlds *w, gk_bytes frame, gk_bytes body)
{
    (void)body;
    rig_must(gk_rig_reply(&w->rig, &w->seen, frame) == GK_OK);
    return true;
}

static void show(const char *what, gk_bytes b)
{
    printf("%s: ", what);
    for (size_t i = 0; i < b.n; i++)
        printf(b.p[i] >= 32 && b.p[i] < 127 && b.p[i] != '\\' ? "%c" : "\\%02x", b.p[i]);
    printf("\n");
    (void)fflush(stdout); /* the process may end here */
}

/* show_difference prints the requests and the first frame that differs. */
static void show_difference(const gk_worlds *w)
{
    gk_reader a = gk_reader_of(w->seen.p, w->seen.n), b = gk_reader_of(w->want.p, w->want.n);
    gk_blob x = {{NULL, 0}, true}, y = x;

    for (gk_reader r = gk_reader_of(w->request.p, w->request.n); r.n > 0 && gk_jute_blob(&r, &x) == GK_OK;)
        show("request", x.b);
    x.b.n = 0;
    while (gk_jute_blob(&a, &x) == GK_OK && gk_jute_blob(&b, &y) == GK_OK && gk_bytes_equal(x.b, y.b))
        x.b.n = y.b.n = 0;
    show("seen", x.b);
    show("want", y.b);
}

bool gk_worlds_step(gk_worlds *w, bool secrets)
{
    gk_buf_clear(&w->on_wire);
    gk_buf_clear(&w->answers);
    gk_buf_clear(&w->seen);
    gk_buf_clear(&w->want);
    rig_must(gk_rig_requests(&w->rig, &w->on_wire, gk_buf_view(&w->request)) == w->request.n);
    if (secrets && gk_rig_contains(gk_buf_view(&w->on_wire), (gk_bytes){(const uint8_t *)GK_OPS_SECRET, strlen(GK_OPS_SECRET)})) {
        show("a secret is on the wire", gk_buf_view(&w->on_wire));
        return false;
    }
    each_frame(w, &w->on_wire, to_stored);
    each_frame(w, &w->answers, to_client);
    each_frame(w, &w->request, to_plain);
    bool same = gk_bytes_equal(gk_buf_view(&w->seen), gk_buf_view(&w->want)) && gk_sim_closed(w->plain) == gk_sim_closed(w->stored) &&
                gk_sim_nodes(w->plain) == gk_sim_nodes(w->stored);
    if (!same)
        show_difference(w);
    if (gk_sim_closed(w->plain)) {
        gk_sim_reopen(w->plain);
        gk_sim_reopen(w->stored);
        gk_rig_reconnect(&w->rig);
    }
    return same;
}
