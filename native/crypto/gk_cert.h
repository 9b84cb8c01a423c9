/* gk_cert: X.509 identities of members: a chain under CAs, who it names, and signatures by its key; and private keys in PEM files of any of the
 * algorithms Ed25519, ECDSA (P-256, P-384: SHA-256), RSA (2048 bits or more: PSS, SHA-256). */
#ifndef GK_CERT_H
#define GK_CERT_H

#include "gk_key.h"

#define GK_CERT_SIG_MAX 1024
#define GK_CERT_CHAIN_MAX 8

typedef struct gk_cert gk_cert;     /* a parsed chain, leaf first; immutable, one owner */
typedef struct gk_signer gk_signer; /* a private key; immutable, shared by threads */

/* gk_cert_parse reads u16-length-prefixed DER certificates, leaf first, 1 to GK_CERT_CHAIN_MAX, nothing behind them. */
gk_err gk_cert_parse(gk_cert **out, gk_bytes chain) GK_MUST_CHECK;
/* gk_cert_from_pem turns a PEM file (leaf first) into that form: needs at most pem.n bytes at out. */
gk_err gk_cert_from_pem(uint8_t *out, size_t cap, size_t *out_n, gk_bytes pem) GK_MUST_CHECK;
/* gk_cert_check: valid at now (seconds since 1970), for a client's use, under one of the CAs (DER chain form as above, each self-signed
 * or not): else GK_ERR_AUTH. */
gk_err gk_cert_check(const gk_cert *c, gk_bytes cas, int64_t now) GK_MUST_CHECK;
/* gk_cert_spki_hash: SHA-256 of the leaf's SubjectPublicKeyInfo. */
gk_err gk_cert_spki_hash(const gk_cert *c, uint8_t out[32]) GK_MUST_CHECK;
/* gk_cert_subject: RFC 2253, as text; views live as long as c. */
const char *gk_cert_subject(const gk_cert *c);
/* gk_cert_matches: whether the leaf has what pattern says, '*' standing for any characters but '/' and '.' ('**' for any at all):
 * "subject:CN=app-*" (a component of the subject), "dns:*.example.org", "email:*@example.org", "uri:spiffe://td/ns/ * /sa/x" (without blanks). */
bool gk_cert_matches(const gk_cert *c, gk_bytes pattern);
/* gk_cert_pattern_ok: whether a pattern has one of these forms. */
bool gk_cert_pattern_ok(gk_bytes pattern);
/* gk_cert_verify: the signature over u16 length | label | body by the leaf's key: else GK_ERR_AUTH. */
gk_err gk_cert_verify(const gk_cert *c, gk_bytes sig, const char *label, gk_bytes body) GK_MUST_CHECK;
void gk_cert_free(gk_cert *c);

/* gk_signer_load: a private key's PEM file, without passphrase. GK_ERR_MALFORMED for other algorithms and short RSA keys. */
gk_err gk_signer_load(gk_signer **out, gk_bytes pem) GK_MUST_CHECK;
/* gk_signer_fits: whether it is the private key of c's leaf. */
bool gk_signer_fits(const gk_signer *s, const gk_cert *c);
/* gk_signer_sign writes at most GK_CERT_SIG_MAX bytes. */
gk_err gk_signer_sign(const gk_signer *s, uint8_t *sig, size_t *sig_n, const char *label, gk_bytes body) GK_MUST_CHECK;
void gk_signer_free(gk_signer *s);

#endif
