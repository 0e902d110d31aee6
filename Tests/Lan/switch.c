/*
 * An Ethernet switch in user space, which delays, limits and loses frames: a stand-in for netem, which many kernels
 * lack.
 *
 *   switch DELAY_US RATE_MBIT LOSS_PERCENT PORT[=DELAY_US]...
 *
 * DELAY_US is one way: a round trip takes twice that. RATE_MBIT limits what leaves each port; 0: no limit. PORT is an
 * interface of this network namespace; what it sends and gets takes its own delay longer, one way. The switch learns addresses; what it does not know goes to all ports.
 *
 * Frames are read with their virtio header, so that a frame of 64 KiB, which a host sends where segmentation is left to
 * the card, passes whole, and a checksum still to be made is made by whoever needs it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

enum {
  MAX_PORTS = 64,
  MAX_ADDRESSES = 256,
  HEADER = sizeof(struct virtio_net_hdr),
  MAX_FRAME = HEADER + ETH_HLEN + 4 + 65536,
  /* What a limited port keeps waiting, as a cheap switch does: about 16 ms at 1 Gbit/s. Beyond it, frames are lost. */
  QUEUE_BYTES = 2 << 20,
  /* What a port without a limit keeps: the delay times whatever the hosts can send. */
  DELAY_BYTES = 64 << 20,
  /* Frames read from one port before the others have their turn. */
  BATCH = 32,
  SOCKET_BYTES = 8 << 20,
};
/* A timer wakes us up so late; the rest of the time is waited out. Nanoseconds. */
static const int64_t WAKE_EARLY = 60 * 1000;
/* When a port does not take a frame, try again so much later. */
static const int64_t RETRY = 50 * 1000;

struct frame {
  struct frame *next;
  int64_t due;
  int length;
  unsigned char bytes[];
};

struct port {
  const char *name;
  int socket;
  struct frame *first, **end;
  int64_t last_due; /* of the last frame that waits */
  int64_t delay;    /* of what is sent from and to here, beside that of all */
  int64_t waiting; /* bytes */
  int64_t free_at; /* when the last frame has left at the limited rate */
};

static struct port ports[MAX_PORTS];
static int port_count;
static struct { unsigned char address[ETH_ALEN]; int port; } addresses[MAX_ADDRESSES];
static int address_count;
static int64_t delay;
static double nanoseconds_per_byte, loss;

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static int port_of(const unsigned char *address) {
  for (int i = 0; i < address_count; i++)
    if (memcmp(addresses[i].address, address, ETH_ALEN) == 0) return i;
  return -1;
}

static void learn(const unsigned char *address, int port) {
  if (address[0] & 1) return;
  int known = port_of(address);
  if (known < 0) {
    if (address_count == MAX_ADDRESSES) return;
    known = address_count++;
    memcpy(addresses[known].address, address, ETH_ALEN);
  }
  addresses[known].port = port;
}

/* The frames of a port leave in the order of their times: what comes from afar does not hold up what comes from near. */
static void insert(struct port *port, struct frame *frame) {
  struct frame **place = &port->first;
  if (port->first && frame->due >= port->last_due) place = port->end;
  while (*place && (*place)->due <= frame->due) place = &(*place)->next;
  frame->next = *place;
  *place = frame;
  if (!frame->next) {
    port->end = &frame->next;
    port->last_due = frame->due;
  }
}

static void queue(struct port *port, const unsigned char *bytes, int length, int64_t arrival, int64_t way) {
  if (loss > 0 && drand48() * 100 < loss) return;
  if (port->waiting + length > (nanoseconds_per_byte > 0 ? QUEUE_BYTES + delay / nanoseconds_per_byte : DELAY_BYTES))
    return;
  if (port->free_at < arrival) port->free_at = arrival;
  port->free_at += (int64_t)(nanoseconds_per_byte * (length - HEADER));
  struct frame *frame = malloc(sizeof *frame + length);
  if (!frame) return;
  *frame = (struct frame){.due = port->free_at + delay + way + port->delay, .length = length};
  memcpy(frame->bytes, bytes, length);
  insert(port, frame);
  port->waiting += length;
}

static void receive(int from) {
  static unsigned char frame[MAX_FRAME];
  for (int i = 0; i < BATCH; i++) {
    ssize_t length = recv(ports[from].socket, frame, sizeof frame, 0);
    if (length < HEADER + ETH_HLEN) return; /* nothing more, or the link is down */
    int64_t arrival = now();
    const unsigned char *destination = frame + HEADER;
    learn(destination + ETH_ALEN, from);
    int known = destination[0] & 1 ? -1 : port_of(destination);
    if (known >= 0) {
      if (addresses[known].port != from) queue(&ports[addresses[known].port], frame, length, arrival, ports[from].delay);
    } else {
      for (int to = 0; to < port_count; to++)
        if (to != from) queue(&ports[to], frame, length, arrival, ports[from].delay);
    }
  }
}

/* Sends what is due; returns when the next frame is. */
static int64_t send_due(struct port *port) {
  while (port->first) {
    struct frame *frame = port->first;
    int64_t time = now();
    if (frame->due > time) return frame->due;
    if (send(port->socket, frame->bytes, frame->length, 0) < 0 && (errno == EAGAIN || errno == ENOBUFS))
      return time + RETRY;
    port->first = frame->next;
    if (!port->first) port->end = &port->first;
    port->waiting -= frame->length;
    free(frame);
  }
  return INT64_MAX;
}

static void open_port(struct port *port, char *name) {
  int yes = 1, size = SOCKET_BYTES;
  char *own = strchr(name, '=');
  if (own) *own++ = 0;
  *port = (struct port){.name = name, .end = &port->first, .delay = own ? atoll(own) * 1000 : 0};
  struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = if_nametoindex(name)};
  struct packet_mreq promiscuous = {.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
  port->socket = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (port->socket < 0 || setsockopt(port->socket, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof yes) ||
      setsockopt(port->socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) ||
      setsockopt(port->socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) ||
      bind(port->socket, (struct sockaddr *)&address, sizeof address)) {
    perror(name);
    exit(1);
  }
  /* Only root may have large ones; without, bursts lose frames as they would in a small switch. */
  if (setsockopt(port->socket, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
    setsockopt(port->socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  if (setsockopt(port->socket, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size))
    setsockopt(port->socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

int main(int count, char **words) {
  if (count < 5 || count > 4 + MAX_PORTS) {
    fprintf(stderr, "usage: switch DELAY_US RATE_MBIT LOSS_PERCENT PORT[=DELAY_US]...\n");
    return 2;
  }
  delay = atoll(words[1]) * 1000;
  nanoseconds_per_byte = atof(words[2]) > 0 ? 8000 / atof(words[2]) : 0;
  loss = atof(words[3]);
  struct pollfd polled[MAX_PORTS];
  for (int i = 4; i < count; i++, port_count++) {
    open_port(&ports[port_count], words[i]);
    polled[port_count] = (struct pollfd){.fd = ports[port_count].socket, .events = POLLIN};
  }
  /* A switch does not wait for compilers. Refused to all but root, and then times are less exact. */
  sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 10});
  prctl(PR_SET_TIMERSLACK, 1);
  puts("ready");
  fflush(stdout);
  for (;;) {
    int64_t next = INT64_MAX;
    for (int i = 0; i < port_count; i++) {
      int64_t due = send_due(&ports[i]);
      if (due < next) next = due;
    }
    int64_t rest = next == INT64_MAX ? INT64_MAX : next - now() - WAKE_EARLY;
    if (rest < 0) rest = 0;
    struct timespec timeout = {.tv_sec = rest / 1000000000, .tv_nsec = rest % 1000000000};
    if (ppoll(polled, port_count, next == INT64_MAX ? NULL : &timeout, NULL) > 0)
      for (int i = 0; i < port_count; i++)
        if (polled[i].revents) receive(i);
  }
}
