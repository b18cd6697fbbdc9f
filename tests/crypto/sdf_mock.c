/* A crypto device of GM/T 0018 for the tests: one key pair for each purpose under number 1, access code "12345678".
 * It computes by libcrypto, whose few functions are declared here, for the headers may not be installed.
 * mock_fail(code, count) makes the next calls of any operation return a code; the counters tell what is open. */
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned int bits; unsigned char x[64], y[64]; } Public;
typedef struct { unsigned char r[64], s[64]; } Signature;
typedef struct { unsigned char x[64], y[64], m[32]; unsigned int size; unsigned char c[]; } Cipher;

extern void *d2i_AutoPrivateKey(void *, const unsigned char **, long);
extern void *d2i_PUBKEY(void *, const unsigned char **, long);
extern void EVP_PKEY_free(void *);
extern void *EVP_PKEY_CTX_new(void *, void *);
extern void EVP_PKEY_CTX_free(void *);
extern int EVP_PKEY_sign_init(void *), EVP_PKEY_verify_init(void *), EVP_PKEY_encrypt_init(void *), EVP_PKEY_decrypt_init(void *);
extern int EVP_PKEY_sign(void *, unsigned char *, size_t *, const unsigned char *, size_t);
extern int EVP_PKEY_verify(void *, const unsigned char *, size_t, const unsigned char *, size_t);
extern int EVP_PKEY_encrypt(void *, unsigned char *, size_t *, const unsigned char *, size_t);
extern int EVP_PKEY_decrypt(void *, unsigned char *, size_t *, const unsigned char *, size_t);

enum { BASE = 0x01000000, COMMFAIL = BASE + 3, PARDENY = BASE + 7, KEYNOTEXIST = BASE + 8, SKOPERR = BASE + 12, SIGNERR, VERIFYERR };

static int devices, sessions, opened, fail_code, fail_count;
static unsigned char pkcs8[2][150], spki[2][91]; /* signing pair, encryption pair */

void mock_keys(const unsigned char *private_keys, const unsigned char *public_keys) {
    memcpy(pkcs8, private_keys, sizeof pkcs8);
    memcpy(spki, public_keys, sizeof spki);
}
void mock_fail(int code, int count) { fail_code = code; fail_count = count; }
int mock_devices(void) { return devices; }
int mock_sessions(void) { return sessions; }
int mock_opened(void) { return opened; }

static int failing(void) { return fail_count > 0 ? (fail_count--, fail_code) : 0; }

/* the number at *at of a DER SEQUENCE, right-aligned in 64 bytes */
static const unsigned char *number(const unsigned char *at, unsigned char *out) {
    int size = at[1];
    const unsigned char *content = at + 2;
    memset(out, 0, 64);
    for (int skip = size > 32 ? size - 32 : 0; skip; skip--) content++, size--;
    memcpy(out + 64 - size, content, size);
    return content + size;
}
static unsigned char *written(unsigned char *at, const unsigned char *value) {
    const unsigned char *from = value + 32;
    int size = 32;
    while (size > 1 && *from == 0) from++, size--;
    int pad = *from >> 7;
    *at++ = 2;
    *at++ = size + pad;
    if (pad) *at++ = 0;
    memcpy(at, from, size);
    return at + size;
}

int SDF_OpenDevice(void **device) { int bad = failing(); if (bad) return bad; devices++; opened++; *device = &devices; return 0; }
int SDF_CloseDevice(void *device) { (void)device; devices--; return 0; }
int SDF_OpenSession(void *device, void **session) {
    (void)device;
    int bad = failing();
    if (bad) return bad;
    sessions++;
    *session = calloc(1, sizeof(int)); /* whether its keys may be used */
    return 0;
}
int SDF_CloseSession(void *session) { free(session); sessions--; return 0; }
int SDF_GetPrivateKeyAccessRight(void *session, unsigned int index, const char *code, unsigned int size) {
    if (index != 1) return KEYNOTEXIST;
    if (size != 8 || memcmp(code, "12345678", 8)) return PARDENY;
    *(int *)session = 1;
    return 0;
}
static int exported(unsigned int index, Public *out, int which) {
    int bad = failing();
    if (bad) return bad;
    if (index != 1) return KEYNOTEXIST;
    memset(out, 0, sizeof *out);
    out->bits = 256;
    memcpy(out->x + 32, spki[which] + 27, 32);
    memcpy(out->y + 32, spki[which] + 59, 32);
    return 0;
}
int SDF_ExportSignPublicKey_ECC(void *s, unsigned int index, Public *out) { (void)s; return exported(index, out, 0); }
int SDF_ExportEncPublicKey_ECC(void *s, unsigned int index, Public *out) { (void)s; return exported(index, out, 1); }

static void *private_context(int which, void **key) {
    const unsigned char *der = pkcs8[which];
    *key = d2i_AutoPrivateKey(0, &der, sizeof pkcs8[which]);
    return EVP_PKEY_CTX_new(*key, 0);
}
static void *public_context(const Public *public, void **key) {
    unsigned char der[91];
    memcpy(der, spki[0], 27);
    memcpy(der + 27, public->x + 32, 32);
    memcpy(der + 59, public->y + 32, 32);
    const unsigned char *at = der;
    *key = d2i_PUBKEY(0, &at, sizeof der);
    return EVP_PKEY_CTX_new(*key, 0);
}
int SDF_InternalSign_ECC(void *session, unsigned int index, unsigned char *data, unsigned int size, Signature *out) {
    int bad = failing();
    if (bad) return bad;
    if (index != 1) return KEYNOTEXIST;
    if (!*(int *)session) return PARDENY;
    void *key, *context = private_context(0, &key);
    unsigned char der[80];
    size_t room = sizeof der;
    int done = EVP_PKEY_sign_init(context) == 1 && EVP_PKEY_sign(context, der, &room, data, size) == 1;
    if (done) number(number(der + 2, out->r), out->s);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    return done ? 0 : SIGNERR;
}
int SDF_ExternalVerify_ECC(void *s, unsigned int algorithm, Public *public, unsigned char *data, unsigned int size, Signature *given) {
    (void)s;
    int bad = failing();
    if (bad) return bad;
    if (algorithm != 0x00020200) return BASE + 9;
    unsigned char der[80] = {0x30}, *end = written(written(der + 2, given->r), given->s);
    der[1] = end - der - 2;
    void *key, *context = public_context(public, &key);
    int holds = EVP_PKEY_verify_init(context) == 1 && EVP_PKEY_verify(context, der, end - der, data, size) == 1;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    return holds ? 0 : VERIFYERR;
}
int SDF_ExternalEncrypt_ECC(void *s, unsigned int algorithm, Public *public, unsigned char *data, unsigned int size, Cipher *out) {
    (void)s;
    int bad = failing();
    if (bad) return bad;
    if (algorithm != 0x00020800) return BASE + 9;
    unsigned char der[512];
    size_t room = sizeof der;
    void *key, *context = public_context(public, &key);
    int done = EVP_PKEY_encrypt_init(context) == 1 && EVP_PKEY_encrypt(context, der, &room, data, size) == 1;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    if (!done) return BASE + 11;
    const unsigned char *at = der + (der[1] < 0x80 ? 2 : der[1] == 0x81 ? 3 : 4);
    at = number(number(at, out->x), out->y) + 2;
    memcpy(out->m, at, 32);
    at += 32;
    memcpy(out->c, at + (at[1] < 0x80 ? 2 : 3), size);
    out->size = size;
    return 0;
}
int SDF_InternalDecrypt_ECC(void *session, unsigned int index, unsigned int algorithm, Cipher *given, unsigned char *out, unsigned int *size) {
    int bad = failing();
    if (bad) return bad;
    if (algorithm != 0x00020800) return BASE + 9;
    if (!*(int *)session || index != 1) return PARDENY;
    unsigned char body[512], *end = written(written(body, given->x), given->y), der[520] = {0x30};
    *end++ = 4, *end++ = 32;
    memcpy(end, given->m, 32), end += 32;
    *end++ = 4;
    if (given->size > 127) *end++ = 0x81;
    *end++ = given->size;
    memcpy(end, given->c, given->size), end += given->size;
    size_t length = end - body, head = length < 128 ? 2 : length < 256 ? 3 : 4, room = *size;
    if (head == 2) der[1] = length;
    if (head == 3) der[1] = 0x81, der[2] = length;
    if (head == 4) der[1] = 0x82, der[2] = length >> 8, der[3] = length;
    memcpy(der + head, body, length);
    void *key, *context = private_context(1, &key);
    int done = EVP_PKEY_decrypt_init(context) == 1 && EVP_PKEY_decrypt(context, out, &room, der, head + length) == 1;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    *size = room;
    return done ? 0 : SKOPERR;
}
