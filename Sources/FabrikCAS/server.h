// The server, over its Unix socket. Everything that goes wrong is "nothing": there is no error, and no call waits
// without bound.
//
// Frames: length of what follows (4 bytes), kind (1), fields; integers are little endian. The other side is
// CompilerCacheLink in Sources/FrontEnds.
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "CSHA256.h"

enum { most_idle_connections = 16 };

typedef struct {
  char *socket, *lease, *directory;
  // A file whose time says when somebody last waited in vain.
  char *silence;
  pthread_mutex_t lock;
  int idle[most_idle_connections];
  size_t idle_count;
  // Whose connections they are.
  pid_t process;
  // Whether nothing more is asked by this process.
  bool is_given_up;
} server;

// The fields of an answer; `bytes` is the caller's, to be freed.
typedef struct {
  uint8_t kind;
  uint8_t *bytes;
  size_t size;
} answer;

enum answer_kind { answer_ready = 1, answer_hit = 2, answer_miss = 3, answer_object = 4, answer_working = 5 };

// NULL or empty `socket`: there is no server.
void server_open(server *, const char *socket, const char *lease, const char *directory);
void server_close(server *);

// Asks for an action. False: no answer; otherwise a hit or a miss.
bool server_get_action(server *, const uint8_t key[sha256_length], answer *);
// Asks for an object.
bool server_get_object(server *, const uint8_t digest[sha256_length], answer *);
// Tells of a new action.
void server_put_action(server *, const uint8_t key[sha256_length], const uint8_t *body, size_t size);
// Tells that an action of the working directory was used.
void server_used_action(server *, const uint8_t key[sha256_length], uint64_t bytes);
