// SHA-256 (FIPS 180-4), with the processor's own instructions where it has them. For programs that cannot load OpenSSL:
// the launcher, and libFabrikCAS.so.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { sha256_length = 32 };

typedef struct {
  uint32_t state[8];
  uint64_t length;
  uint8_t block[64];
} sha256;

void sha256_begin(sha256 *hash);
void sha256_add(sha256 *hash, const void *bytes, size_t count);
void sha256_end(sha256 *hash, uint8_t digest[sha256_length]);

// Computes without the processor's instructions, whatever it has: for tests.
void sha256_use_plain(bool is_plain);
