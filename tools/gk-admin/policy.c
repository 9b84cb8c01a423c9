#include "policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../native/crypto/gk_cert.h"
#include "../common/gk_io.h"

enum { CA_FILE_MAX = 262144 };

void policy_free(policy_text *t)
{
    gk_mem_free(&t->cas);
    gk_mem_free(&t->record);
}

int policy_admit(policy_text *t, const char *text)
{
    static const struct {
        const char *name;
        uint8_t bit;
    } names[] = {{"x509", GK_ADMIT_X509}, {"token", GK_ADMIT_TOKEN}, {"manual", GK_ADMIT_MANUAL}};
    const char *p = text;
    uint8_t bits = 0;

    for (;;) {
        size_t n = strcspn(p, "+");
        size_t i = 0;

        while (i < 3 && (strlen(names[i].name) != n || strncmp(names[i].name, p, n) != 0))
            i++;
        if (i == 3)
            return cli_usage("gk-admin group create", "--admit takes x509, token, manual, or several with + between them, not \"%s\"",
                             text);
        bits |= names[i].bit;
        if (p[n] == '\0')
            break;
        p += n + 1;
    }
    if (t->p.admit_n == GK_POLICY_ALTERNATIVES)
        return cli_fail("LIMIT", NULL, "at most %d alternatives are allowed", GK_POLICY_ALTERNATIVES);
    t->p.admit[t->p.admit_n++] = bits;
    return CLI_OK;
}

int policy_ca(policy_text *t, const char *file)
{
    uint8_t *pem = NULL;
    size_t n = 0;
    char why[512] = {0};
    gk_mem both = {0};
    size_t got = 0;
    gk_err e = gk_io_read(file, CA_FILE_MAX, &pem, &n, why, sizeof(why));

    if (e == GK_OK)
        e = gk_mem_new(&both, t->p.cas.n + n);
    if (e == GK_OK) {
        if (t->p.cas.n > 0)
            memcpy(both.p, t->p.cas.p, t->p.cas.n);
        e = gk_cert_from_pem(both.p + t->p.cas.n, n, &got, (gk_bytes){pem, n});
        if (e != GK_OK)
            (void)snprintf(why, sizeof(why), "%s holds no CA certificate: give a PEM file", file);
    }
    free(pem);
    if (e != GK_OK) {
        gk_mem_free(&both);
        return cli_fail_why(e, why);
    }
    both.n = t->p.cas.n + got;
    gk_mem_free(&t->cas);
    t->cas = both;
    t->p.cas = gk_mem_view(&t->cas);
    return CLI_OK;
}

int policy_match(policy_text *t, const char *pattern)
{
    gk_bytes b = {(const uint8_t *)pattern, strlen(pattern)};

    if (!gk_cert_pattern_ok(b))
        return cli_fail("ARG", "subject:CN=app-*, dns:*.example.org, email:*@example.org or uri:spiffe://td/ns/*/sa/x",
                        "\"%s\" is no pattern", pattern);
    if (t->p.patterns_n == GK_POLICY_PATTERNS)
        return cli_fail("LIMIT", NULL, "at most %d patterns are allowed", GK_POLICY_PATTERNS);
    t->p.patterns[t->p.patterns_n++] = b;
    return CLI_OK;
}

static int set_number(uint32_t *to, const char *key, const char *value)
{
    char *end = NULL;
    unsigned long n = 0;

    errno = 0;
    n = strtoul(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || n > UINT32_MAX)
        return cli_usage("gk-admin group policy", "%s takes a number, not \"%s\"", key, value);
    *to = (uint32_t)n;
    return CLI_OK;
}

static int set_duration(uint32_t *to, const char *key, const char *value, int64_t unit_ms)
{
    int64_t ms = 0;

    if (!cli_duration(value, &ms) || ms / unit_ms > UINT32_MAX)
        return cli_usage("gk-admin group policy", "%s takes a duration like 200ms, 10s, 1h, not \"%s\"", key, value);
    *to = (uint32_t)(ms / unit_ms);
    return CLI_OK;
}

int policy_set(policy_text *t, const char *pair)
{
    const char *value = strchr(pair, '=');
    size_t n = value == NULL ? 0 : (size_t)(value - pair);
    char key[32] = {0};

    if (n == 0 || n >= sizeof(key))
        return cli_usage("gk-admin group policy", "--set takes KEY=VALUE, not \"%s\"", pair);
    memcpy(key, pair, n);
    value++;
    if (strcmp(key, "period") == 0)
        return set_duration(&t->p.period_s, key, value, 1000);
    if (strcmp(key, "batch-window") == 0)
        return set_duration(&t->p.batch_ms, key, value, 1);
    if (strcmp(key, "max-age") == 0)
        return set_duration(&t->p.max_age_s, key, value, 1000);
    if (strcmp(key, "ring") == 0)
        return set_number(&t->p.ring, key, value);
    if (strcmp(key, "max-members") == 0)
        return set_number(&t->p.max_members, key, value);
    if (strcmp(key, "max-pending") == 0)
        return set_number(&t->p.max_pending, key, value);
    if (strcmp(key, "max-per-identity") == 0)
        return set_number(&t->p.max_per_identity, key, value);
    if (strcmp(key, "admit") == 0)
        return policy_admit(t, value);
    if (strcmp(key, "match") == 0)
        return policy_match(t, value);
    if (strcmp(key, "ca") == 0)
        return policy_ca(t, value);
    return cli_usage("gk-admin group policy",
                     "there is no %s: admit, match, ca, period, batch-window, max-age, ring, max-members, max-pending, max-per-identity",
                     key);
}

cJSON *policy_json(const gk_policy *p)
{
    cJSON *doc = cJSON_CreateObject();
    cJSON *admit = cJSON_AddArrayToObject(doc, "admit");
    cJSON *match = NULL;

    for (size_t i = 0; i < p->admit_n; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "%s%s%s", (p->admit[i] & GK_ADMIT_X509) != 0 ? "+x509" : "",
                       (p->admit[i] & GK_ADMIT_TOKEN) != 0 ? "+token" : "", (p->admit[i] & GK_ADMIT_MANUAL) != 0 ? "+manual" : "");
        cJSON_AddItemToArray(admit, cJSON_CreateString(text[0] == '\0' ? text : text + 1));
    }
    match = cJSON_AddArrayToObject(doc, "match");
    for (size_t i = 0; i < p->patterns_n; i++) {
        char text[512];

        (void)snprintf(text, sizeof(text), "%.*s", (int)p->patterns[i].n, (const char *)p->patterns[i].p);
        cJSON_AddItemToArray(match, cJSON_CreateString(text));
    }
    cJSON_AddNumberToObject(doc, "version", (double)p->version);
    cJSON_AddNumberToObject(doc, "period_s", p->period_s);
    cJSON_AddNumberToObject(doc, "batch_window_ms", p->batch_ms);
    cJSON_AddNumberToObject(doc, "max_age_s", p->max_age_s);
    cJSON_AddNumberToObject(doc, "ring", p->ring);
    cJSON_AddNumberToObject(doc, "max_members", p->max_members);
    cJSON_AddNumberToObject(doc, "max_pending", p->max_pending);
    cJSON_AddNumberToObject(doc, "max_per_identity", p->max_per_identity);
    return doc;
}
