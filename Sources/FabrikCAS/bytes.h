// Numbers and digits as bytes.
#pragma once
#include <stddef.h>
#include <stdint.h>

static const char hex_digits[] = "0123456789abcdef";

// Little endian.
static inline void put_number(uint8_t *bytes, uint64_t number, int count) {
  for (int i = 0; i < count; i++) bytes[i] = (uint8_t)(number >> 8 * i);
}

static inline uint64_t number(const uint8_t *bytes, int count) {
  uint64_t result = 0;
  for (int i = count - 1; i >= 0; i--) result = result << 8 | bytes[i];
  return result;
}

// Two digits for each byte. Returns what is behind them.
static inline char *put_hex(char *text, const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    *text++ = hex_digits[bytes[i] >> 4];
    *text++ = hex_digits[bytes[i] & 15];
  }
  return text;
}
