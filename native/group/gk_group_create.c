/* A new group: all its znodes in one multi. */
#include <stdlib.h>

#include "gk_group_internal.h"

gk_err gk_group_create(gk_group **out, const gk_control *c, gk_bytes genesis, gk_bytes policy, uint64_t now_ms, gk_plan *plan)
{
    static const char *const folders[] = {"epochs", "members", "requests", "replies"};
    gk_group *g = NULL;
    gk_mem data = {0};
    gk_plan *chunks = NULL;
    size_t chunks_n = 0;
    gk_err e = gk_group_new(&g, c, genesis, policy, true);

    *out = NULL;
    *plan = (gk_plan){0};
    if (e == GK_OK)
        e = gk_plan_add(plan, GK_WRITE_CREATE, false, NULL, "%s", "");
    if (e == GK_OK)
        e = gk_mem_copy(&data, genesis);
    if (e == GK_OK)
        e = gk_plan_add(plan, GK_WRITE_CREATE, false, &data, "genesis");
    if (e == GK_OK)
        e = gk_mem_copy(&data, policy);
    if (e == GK_OK)
        e = gk_plan_add(plan, GK_WRITE_CREATE, false, &data, "policy");
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && e == GK_OK; i++)
        e = gk_plan_add(plan, GK_WRITE_CREATE, false, NULL, "%s", folders[i]);
    if (e == GK_OK)
        e = gk_group_first(g, plan, now_ms);
    if (e == GK_OK)
        e = gk_group_fresh(g, now_ms, &data);
    if (e == GK_OK)
        e = gk_plan_add(plan, GK_WRITE_CREATE, false, &data, "fresh");
    if (e == GK_OK)
        e = gk_side_list(&g->side, &data, g->genesis.id, c->sign);
    if (e == GK_OK)
        e = gk_plan_add(plan, GK_WRITE_CREATE, false, &data, "deny");
    if (e == GK_OK)
        e = gk_group_put_side(g, plan, true, now_ms);
    if (e == GK_OK) { /* the first snapshot goes with it: one chunk, then the head */
        g->ready = true;
        e = gk_group_snapshot(g, 1, &chunks, &chunks_n);
    }
    if (e == GK_OK && (chunks_n != 1 || chunks[0].n != 2))
        e = GK_ERR_STATE;
    if (e == GK_OK)
        e = gk_plan_add(plan, GK_WRITE_CREATE, false, &chunks[0].writes[1].data, "state");
    if (e == GK_OK)
        e = gk_plan_add(plan, GK_WRITE_CREATE, false, &chunks[0].writes[0].data, "%s", chunks[0].writes[0].path);
    for (size_t i = 0; i < chunks_n; i++)
        gk_plan_clear(&chunks[i]);
    free(chunks);
    gk_mem_free(&data);
    if (e != GK_OK) {
        gk_plan_clear(plan);
        gk_group_free(g);
        return e;
    }
    gk_group_snapshot_done(g);
    g->side_dirty = false; /* it was sealed just now */
    g->out = true;
    *out = g;
    return GK_OK;
}
