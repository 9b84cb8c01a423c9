/* A member in forty lines: joins with a token where one is given, waits for a key, seals a message and opens it again.
 * usage: member_example GROUP STATE CONNECT [NAME TOKEN-FILE] */
#include <groupkeeper/member.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what, gkm_result r, const char *why)
{
    fprintf(stderr, "member_example: %s: %s %s\n", what, gkm_result_text(r), why);
    return 1;
}

int main(int argc, char **argv)
{
    char why[256] = "", token[128] = "";
    unsigned char sealed[5 + GKM_OVERHEAD], plain[5];
    size_t sealed_n = sizeof sealed, plain_n = sizeof plain;
    gkm_status s;
    gkm *m = NULL;
    gkm_result r = GKM_OK;
    if (argc < 4)
        return fail("usage", GKM_ARG, "GROUP STATE CONNECT [NAME TOKEN-FILE]");
    gkm_options o = {.size = sizeof o, .group = argv[1], .state = argv[2], .connect = argv[3], .name = argv[4], .token = token};
    FILE *f = argc > 5 ? fopen(argv[5], "r") : NULL;
    if (argc > 5 && (f == NULL || fgets(token, sizeof token, f) == NULL || fclose(f) != 0))
        return fail("the token", GKM_FILE, argv[5]);
    if (argc > 5 && (r = gkm_join(&o, 20000, why, sizeof why)) != GKM_OK)
        return fail("join", r, why);
    if ((r = gkm_open(&m, &o, why, sizeof why)) != GKM_OK || (r = gkm_wait(m, 0, 20000)) != GKM_OK)
        return fail("open", r, why);
    if ((r = gkm_seal(m, sealed, &sealed_n, (const unsigned char *)"hello", 5)) != GKM_OK ||
        (r = gkm_unseal(m, plain, &plain_n, sealed, sealed_n)) != GKM_OK)
        return fail("seal", r, "");
    gkm_status_get(m, &s);
    printf("%s epoch %llu: %.*s\n", s.member, (unsigned long long)s.epoch, (int)plain_n, (char *)plain);
    gkm_close(m);
    return memcmp(plain, "hello", 5) == 0 ? 0 : 1;
}
