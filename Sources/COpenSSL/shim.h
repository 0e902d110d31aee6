// OpenSSL's headers, and functions in place of those of its macros that Swift cannot call.
#pragma once
#include <openssl/buffer.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

// Makes TLS 1.3 the only version. Returns 1 on success.
static inline int fabrik_tls13_only(SSL_CTX *context) {
  return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1;
}

// Lets a read from an empty memory BIO mean "later", not the end.
static inline void fabrik_bio_empty_is_retry(BIO *bio) { BIO_set_mem_eof_return(bio, -1); }

// No session tickets, no session cache.
static inline void fabrik_no_resumption(SSL_CTX *context) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
}

// The bytes a memory BIO holds. They stay its own.
static inline long fabrik_bio_contents(BIO *bio, char **data) { return BIO_get_mem_data(bio, data); }

// The bytes a memory BIO has room for.
static inline size_t fabrik_bio_capacity(BIO *bio) {
  BUF_MEM *memory = NULL;
  BIO_get_mem_ptr(bio, &memory);
  return memory == NULL ? 0 : memory->max;
}

static inline void fabrik_bio_reset(BIO *bio) { BIO_reset(bio); }

// Buffers are given back while a connection is idle.
static inline void fabrik_release_idle_buffers(SSL_CTX *context) {
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}
