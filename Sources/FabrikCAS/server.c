#define _GNU_SOURCE
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"

enum { protocol_version = 2 };
enum message_kind { message_hello = 1, message_get = 2, message_put = 3, message_object = 4, message_used = 5 };

// Milliseconds. A server that lives says so at once, and then every second while it asks others; a busy machine must
// not look like a hung one.
enum { silence_patience = 4000, answer_patience = 30000 };
// Seconds that all processes leave a server alone after it was silent.
enum { silence_length = 30 };
// Microseconds until a queue that was full is tried again.
enum { queue_pause = 1000 };
// Bytes of an answer: half a megabyte are the largest action and the paths of 64 objects.
enum { longest_answer = 1 << 20 };

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

void server_open(server *self, const char *socket, const char *lease, const char *directory) {
  memset(self, 0, sizeof *self);
  pthread_mutex_init(&self->lock, NULL);
  self->process = getpid();
  self->is_given_up = true;
  if (socket == NULL || socket[0] == 0 || directory == NULL || directory[0] != '/') return;
  self->socket = strdup(socket);
  self->lease = strdup(lease == NULL || strlen(lease) > 255 ? "" : lease);
  self->directory = strdup(directory);
  if (asprintf(&self->silence, "%s/silent", directory) < 0) self->silence = NULL;
  self->is_given_up = self->socket == NULL || self->lease == NULL || self->directory == NULL || self->silence == NULL;
}

void server_close(server *self) {
  for (size_t i = 0; i < self->idle_count; i++) close(self->idle[i]);
  free(self->socket), free(self->lease), free(self->directory), free(self->silence);
  pthread_mutex_destroy(&self->lock);
}

static bool is_silent(const server *self) {
  struct stat status;
  if (stat(self->silence, &status) != 0) return false;
  time_t age = time(NULL) - status.st_mtime;
  return age >= 0 && age < silence_length;
}

// Others need not find out for themselves.
static void note_silence(server *self) {
  int file = open(self->silence, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file >= 0) {
    futimens(file, NULL);
    close(file);
  }
  __atomic_store_n(&self->is_given_up, true, __ATOMIC_RELAXED);
}

static bool wait_for(int connection, short events, int64_t deadline) {
  for (;;) {
    int64_t left = deadline - now();
    if (left <= 0) return false;
    struct pollfd entry = {connection, events, 0};
    int count = poll(&entry, 1, (int)left);
    if (count > 0) return true;
    if (count < 0 && errno != EINTR) return false;
  }
}

// How it ended; `done`: well.
typedef enum { done, ended, silent } outcome;

static outcome send_frame(int connection, uint8_t kind, const struct iovec *fields, size_t count) {
  size_t size = 1;
  for (size_t i = 0; i < count; i++) size += fields[i].iov_len;
  uint8_t head[5];
  put_number(head, size, 4);
  head[4] = kind;
  struct iovec parts[5] = {{head, sizeof head}};
  if (count > 4) return ended;
  if (count > 0) memcpy(parts + 1, fields, count * sizeof *fields);
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = count + 1};
  int64_t deadline = now() + silence_patience;
  while (message.msg_iovlen > 0) {
    ssize_t sent = sendmsg(connection, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) return ended;
    if (sent < 0 && !wait_for(connection, POLLOUT, deadline)) return silent;
    for (size_t left = sent < 0 ? 0 : (size_t)sent; message.msg_iovlen > 0;) {
      struct iovec *part = message.msg_iov;
      size_t taken = left < part->iov_len ? left : part->iov_len;
      part->iov_base = (uint8_t *)part->iov_base + taken;
      part->iov_len -= taken;
      left -= taken;
      if (part->iov_len > 0) break;
      message.msg_iov++, message.msg_iovlen--;
    }
  }
  return done;
}

static outcome receive(int connection, void *bytes, size_t size, int64_t deadline) {
  for (size_t held = 0; held < size;) {
    ssize_t count = recv(connection, (uint8_t *)bytes + held, size - held, MSG_DONTWAIT);
    if (count > 0) {
      held += (size_t)count;
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
      return ended;
    } else if (!wait_for(connection, POLLIN, deadline)) {
      return silent;
    }
  }
  return done;
}

static outcome receive_frame(int connection, answer *result, int64_t deadline) {
  uint8_t head[5];
  outcome state = receive(connection, head, sizeof head, deadline);
  if (state != done) return state;
  size_t size = number(head, 4);
  if (size < 1 || size > longest_answer) return ended;
  *result = (answer){head[4], malloc(size), size - 1};
  if (result->bytes == NULL) return ended;
  state = receive(connection, result->bytes, size - 1, deadline);
  if (state != done) free(result->bytes);
  return state;
}

// What comes of a request: waits as long as the server says that it is at work.
static outcome receive_answer(int connection, answer *result) {
  int64_t end = now() + answer_patience;
  for (;;) {
    int64_t deadline = now() + silence_patience;
    outcome state = receive_frame(connection, result, deadline < end ? deadline : end);
    if (state != done || result->kind != answer_working) return state;
    free(result->bytes);
    if (now() >= end) return silent;
  }
}

// -1: there is nobody.
static int connect_anew(server *self) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(self->socket) >= sizeof address.sun_path || is_silent(self)) return -1;
  strcpy(address.sun_path, self->socket);
  int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (connection < 0) return -1;
  int result;
  // A full queue is emptied soon, or never.
  int64_t deadline = now() + silence_patience;
  while ((result = connect(connection, (struct sockaddr *)&address, sizeof address)) != 0 && errno == EAGAIN) {
    if (now() > deadline) break;
    usleep(queue_pause);
  }
  uint8_t head[2] = {protocol_version, (uint8_t)strlen(self->lease)};
  const struct iovec fields[] = {
      {head, sizeof head}, {self->lease, strlen(self->lease)}, {self->directory, strlen(self->directory)}};
  answer ready = {0, NULL, 0};
  outcome state = ended;
  if (result == 0) state = send_frame(connection, message_hello, fields, 3);
  if (result != 0 && errno == EAGAIN) state = silent;
  if (result == 0 && state == done) state = receive_frame(connection, &ready, now() + silence_patience);
  bool is_ready =
      state == done && ready.kind == answer_ready && ready.size == 1 && ready.bytes[0] == protocol_version;
  if (state == done) free(ready.bytes);
  if (is_ready) return connection;
  if (state == silent) note_silence(self);
  close(connection);
  return -1;
}

// Whether nothing has arrived on a connection on which nothing was asked, not even its end: what came now would be
// taken for the answer to another question.
static bool is_quiet(int connection) {
  uint8_t byte;
  ssize_t count;
  do count = recv(connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  while (count < 0 && errno == EINTR);
  return count < 0 && errno == EAGAIN;
}

// The newest idle connection; -1: there is none.
static int take_idle(server *self) {
  int connection = -1;
  pthread_mutex_lock(&self->lock);
  if (self->process != getpid()) {
    // This process has split off from the one that asks and is answered there.
    while (self->idle_count > 0) close(self->idle[--self->idle_count]);
    self->process = getpid();
  }
  if (self->idle_count > 0) connection = self->idle[--self->idle_count];
  pthread_mutex_unlock(&self->lock);
  return connection;
}

static int take_connection(server *self, bool *is_new) {
  int connection = take_idle(self);
  for (; connection >= 0 && !is_quiet(connection); connection = take_idle(self)) close(connection);
  *is_new = connection < 0;
  return *is_new ? connect_anew(self) : connection;
}

static void give_back(server *self, int connection) {
  pthread_mutex_lock(&self->lock);
  bool is_kept = self->idle_count < most_idle_connections;
  if (is_kept) self->idle[self->idle_count++] = connection;
  pthread_mutex_unlock(&self->lock);
  if (!is_kept) close(connection);
}

static bool is_answer(uint8_t kind, const answer *answer) {
  return answer->kind == answer_miss || answer->kind == (kind == message_get ? answer_hit : answer_object);
}

// `result` NULL: no answer is expected.
static bool exchange(server *self, uint8_t kind, const struct iovec *fields, size_t count, answer *result) {
  bool is_new = false;
  // Another server may have taken the place of the one that an idle connection led to.
  while (!is_new && !__atomic_load_n(&self->is_given_up, __ATOMIC_RELAXED)) {
    int connection = take_connection(self, &is_new);
    if (connection < 0) return false;
    outcome state = send_frame(connection, kind, fields, count);
    if (state == done && result != NULL) state = receive_answer(connection, result);
    if (state == done && result != NULL && !is_answer(kind, result)) {
      // It does not speak this language.
      free(result->bytes);
      close(connection);
      return false;
    }
    if (state == done) {
      give_back(self, connection);
      return true;
    }
    close(connection);
    if (state == silent) {
      note_silence(self);
      return false;
    }
  }
  return false;
}

static struct iovec field(const void *bytes, size_t size) { return (struct iovec){(void *)bytes, size}; }

static bool get(server *self, uint8_t kind, const uint8_t name[sha256_length], answer *result) {
  const struct iovec fields[] = {field(name, sha256_length)};
  return exchange(self, kind, fields, 1, result);
}

bool server_get_action(server *self, const uint8_t key[sha256_length], answer *result) {
  return get(self, message_get, key, result);
}

bool server_get_object(server *self, const uint8_t digest[sha256_length], answer *result) {
  return get(self, message_object, digest, result);
}

void server_put_action(server *self, const uint8_t key[sha256_length], const uint8_t *body, size_t size) {
  const struct iovec fields[] = {field(key, sha256_length), field(body, size)};
  exchange(self, message_put, fields, 2, NULL);
}

void server_used_action(server *self, const uint8_t key[sha256_length], uint64_t bytes) {
  uint8_t count[8];
  put_number(count, bytes, sizeof count);
  const struct iovec fields[] = {field(key, sha256_length), field(count, sizeof count)};
  exchange(self, message_used, fields, 2, NULL);
}
