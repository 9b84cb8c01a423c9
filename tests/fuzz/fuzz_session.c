/* A connection: the input chooses requests, replies come from two simulated servers, one of them behind the codec. The client must not see a
 * difference, the wire no secret. The first byte: bit 0 plaintext prefixes, bit 1 no cache, bit 2 broken requests. */
#include "../support/gk_worlds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gk_options o = gk_rig_options();

    if (size == 0)
        return 0;
    o.plaintext_prefixes = data[0] & 1 ? "/plain,/a/plain/plain,/secret-one/b" : NULL;
    if (data[0] & 2)
        o.path_cache_bytes = 0;
    gk_source s = gk_source_bytes(data + 1, size - 1);
    gk_worlds w = gk_worlds_open(&o);
    for (int i = 0; i < 60 && !gk_source_dry(&s); i++) {
        gk_worlds_fill(&w, &s, (data[0] & 4) != 0);
        rig_must(gk_worlds_step(&w, (data[0] & 5) == 0));
    }
    gk_worlds_close(&w);
    return 0;
}
