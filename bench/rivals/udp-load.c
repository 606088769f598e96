// Closed-loop UDP load: every client is a connected socket of its own that keeps a fixed number of
// datagrams under way, and sends the next ones when answers come. Every byte of an answer is
// compared with what was sent. What a client has to send at a moment leaves in one sendmmsg.
//
// usage: udp-load HOST PORT [--clients N] [--size BYTES] [--pipeline N] [--warmup S] [--seconds S]
//                 [--join] [--pid PID]
//   --join  clients hand the kernel what they send as one (UDP_SEGMENT), and take what it has
//           joined (UDP_GRO), as QUIC does
//   --pid   the server: its processor time is read at the edges of the measured window
//
// Prints one line of JSON. Exit code 0 only if every answer came, once and right: keep fewer under
// way than a socket's buffer holds, about 270 small ones.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "load.h"

enum {
  MAX_EVENTS = 1024,
  MAX_PIPELINE = 256,
  MAX_BYTES = 2048,
  PATTERN_SPAN = 65521,  // Prime, so that datagrams start everywhere in the pattern.
  LOST_MS = 10000,
  JOINED_BYTES = 65536,
  MAX_JOINED = 64,
};

// One place of a client's pipeline; the datagram says which, and the how manieth of it.
typedef struct {
  uint32_t round;
  bool is_under_way;
  uint64_t sent_at;
} Place;

typedef struct {
  uint32_t place;
  uint32_t round;
} Label;

typedef struct {
  int fd;
  uint32_t number;
  uint64_t answered;
  Place* places;
} Client;

static struct {
  struct sockaddr_in address;
  uint32_t clients;
  uint32_t pipeline;
  size_t size;
  double warmup;
  double seconds;
  bool joins;
  int pid;
} options = {.clients = 1, .pipeline = 1, .size = 64, .warmup = 1, .seconds = 5};

static int poller;
static Client* clients;
static char* pattern;
static char memory[MAX_PIPELINE][MAX_BYTES];
static bool is_draining;
static uint64_t errors;
static uint64_t lost;
static uint64_t receives;
static Latencies latencies;

static void Fail(const Client* client, const char* why) {
  if (errors++ < 5) fprintf(stderr, "client %u: %s\n", client->number, why);
}

static void MakePattern(void) {
  size_t length = PATTERN_SPAN + MAX_BYTES;
  uint64_t state = 0x9E3779B97F4A7C15u;
  pattern = malloc(length);
  if (pattern == NULL) Die("malloc");
  for (size_t i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    pattern[i] = (char)(state >> 32);
  }
}

static const char* Content(const Client* client, Label label) {
  return pattern +
         (client->number * 7919u + label.place * 31u + label.round * 104729u) % PATTERN_SPAN;
}

// As one, which the kernel cuts where it has to.
static void SendJoined(int fd, struct iovec* pieces, uint32_t count) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(uint16_t))];
  } control = {0};
  uint16_t size = (uint16_t)options.size;
  struct msghdr message = {
      .msg_iov = pieces,
      .msg_iovlen = count,
      .msg_control = &control,
      .msg_controllen = sizeof control,
  };
  struct cmsghdr* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = IPPROTO_UDP;
  part->cmsg_type = UDP_SEGMENT;
  part->cmsg_len = CMSG_LEN(sizeof size);
  memcpy(CMSG_DATA(part), &size, sizeof size);
  if (sendmsg(fd, &message, 0) < 0) Die("sendmsg");
}

// Sends these places anew.
static void Send(Client* client, const uint32_t* places, uint32_t count) {
  static struct mmsghdr messages[MAX_PIPELINE];
  static struct iovec pieces[MAX_PIPELINE];
  uint64_t now = Now();
  for (uint32_t i = 0; i < count; i++) {
    Place* place = &client->places[places[i]];
    Label label = {places[i], ++place->round};
    place->is_under_way = true;
    place->sent_at = now;
    memcpy(memory[i], &label, sizeof label);
    memcpy(memory[i] + sizeof label, Content(client, label), options.size - sizeof label);
    pieces[i] = (struct iovec){memory[i], options.size};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
  }
  if (options.joins) return SendJoined(client->fd, pieces, count);
  for (uint32_t sent = 0; sent < count;) {
    // Blocks while the socket's own buffer is full.
    int taken = sendmmsg(client->fd, messages + sent, count - sent, 0);
    if (taken < 0) Die("sendmmsg");
    sent += (uint32_t)taken;
  }
}

// Whether it is one that is missed; it is not any more.
static bool TakeAnswer(Client* client, const char* bytes, size_t size, uint64_t now,
                       uint32_t* which) {
  Label label;
  if (size != options.size) return false;
  memcpy(&label, bytes, sizeof label);
  if (label.place >= options.pipeline) return false;
  Place* place = &client->places[label.place];
  if (!place->is_under_way || place->round != label.round) return false;
  if (memcmp(bytes + sizeof label, Content(client, label), size - sizeof label) != 0) return false;
  place->is_under_way = false;
  client->answered++;
  AddLatency(&latencies, now - place->sent_at);
  *which = label.place;
  return true;
}

// Receives what is there, joined or one by one; answers how many messages that were, or -1.
static int ReceiveMessages(const Client* client, char (*into)[JOINED_BYTES], uint32_t* sizes) {
  static struct mmsghdr messages[MAX_PIPELINE];
  static struct iovec pieces[MAX_PIPELINE];
  for (uint32_t i = 0; i < options.pipeline; i++) {
    pieces[i] = (struct iovec){into[i], JOINED_BYTES};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
  }
  int received = recvmmsg(client->fd, messages, options.pipeline, MSG_DONTWAIT, NULL);
  for (int i = 0; i < received; i++) sizes[i] = messages[i].msg_len;
  return received;
}

static void Receive(Client* client) {
  static char input[MAX_PIPELINE][JOINED_BYTES];
  uint32_t sizes[MAX_PIPELINE];
  uint32_t places[MAX_PIPELINE];
  uint32_t count = 0;
  int received = ReceiveMessages(client, input, sizes);
  if (received < 0) {
    if (errno != EAGAIN) Fail(client, strerror(errno));
    return;
  }
  receives++;
  uint64_t now = Now();
  for (int i = 0; i < received; i++) {
    // All are of one size, so joined ones are cut by it.
    for (uint32_t at = 0; at == 0 || at < sizes[i]; at += (uint32_t)options.size) {
      size_t size = sizes[i] - at < options.size ? sizes[i] - at : options.size;
      uint32_t place;
      if (!TakeAnswer(client, input[i] + at, size, now, &place)) {
        Fail(client, "an answer is wrong, or comes twice");
      } else {
        places[count++] = place;
      }
    }
  }
  if (!is_draining && count > 0) Send(client, places, count);
}

static void OpenClients(void) {
  clients = calloc(options.clients, sizeof *clients);
  if (clients == NULL) Die("calloc");
  for (uint32_t i = 0; i < options.clients; i++) {
    Client* client = &clients[i];
    client->number = i;
    client->places = calloc(options.pipeline, sizeof *client->places);
    if (client->places == NULL) Die("calloc");
    client->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0) Die("socket");
    if (connect(client->fd, (struct sockaddr*)&options.address, sizeof options.address) != 0) {
      Die("connect");
    }
    int on = 1;
    if (options.joins && setsockopt(client->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) != 0) {
      Die("setsockopt");
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, client->fd, &event) != 0) Die("epoll_ctl");
  }
}

static void BeginAll(void) {
  uint32_t places[MAX_PIPELINE];
  for (uint32_t i = 0; i < options.pipeline; i++) places[i] = i;
  for (uint32_t i = 0; i < options.clients; i++) Send(&clients[i], places, options.pipeline);
}

// How many are missed; those for too long are lost, and another is sent in their place.
static uint64_t CountMissing(void) {
  uint64_t missing = 0;
  uint64_t now = Now();
  for (uint32_t i = 0; i < options.clients; i++) {
    for (uint32_t j = 0; j < options.pipeline; j++) {
      Place* place = &clients[i].places[j];
      if (!place->is_under_way) continue;
      missing++;
      if (now - place->sent_at < LOST_MS * 1000000ull) continue;
      lost++;
      place->is_under_way = false;
      if (!is_draining) Send(&clients[i], &j, 1);
    }
  }
  return missing;
}

static void RunUntil(uint64_t deadline) {
  static struct epoll_event events[MAX_EVENTS];
  uint64_t look_at = 0;
  for (uint64_t now; (now = Now()) < deadline;) {
    int count = epoll_wait(poller, events, MAX_EVENTS, 10);
    for (int i = 0; i < count; i++) Receive(events[i].data.ptr);
    if (now < look_at) continue;
    look_at = now + 10 * 1000000ull;
    if (CountMissing() == 0 && is_draining) return;
  }
}

static void ParseOptions(int argc, char** argv) {
  static const struct option names[] = {
      {"clients", required_argument, NULL, 'c'},  {"size", required_argument, NULL, 's'},
      {"pipeline", required_argument, NULL, 'p'}, {"warmup", required_argument, NULL, 'w'},
      {"seconds", required_argument, NULL, 't'},  {"join", no_argument, NULL, 'j'},
      {"pid", required_argument, NULL, 'P'},      {NULL, 0, NULL, 0}};
  for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
    switch (name) {
      case 'c':
        options.clients = (uint32_t)atoi(optarg);
        break;
      case 's':
        options.size = (size_t)atol(optarg);
        break;
      case 'p':
        options.pipeline = (uint32_t)atoi(optarg);
        break;
      case 'w':
        options.warmup = atof(optarg);
        break;
      case 't':
        options.seconds = atof(optarg);
        break;
      case 'j':
        options.joins = true;
        break;
      case 'P':
        options.pid = atoi(optarg);
        break;
      default:
        exit(2);
    }
  }
  bool is_complete = argc - optind == 2 && options.clients > 0 && options.pipeline > 0 &&
                     options.pipeline <= (options.joins ? MAX_JOINED : MAX_PIPELINE) &&
                     options.size >= sizeof(Label) && options.size <= MAX_BYTES &&
                     options.seconds > 0;
  if (!is_complete) {
    fprintf(stderr, "usage: %s HOST PORT [options]\n", argv[0]);
    exit(2);
  }
  options.address.sin_family = AF_INET;
  options.address.sin_port = htons((uint16_t)atoi(argv[optind + 1]));
  if (inet_pton(AF_INET, argv[optind], &options.address.sin_addr) != 1) Die(argv[optind]);
}

int main(int argc, char** argv) {
  ParseOptions(argc, argv);
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) Die("epoll_create1");
  MakePattern();
  OpenClients();
  BeginAll();
  RunUntil(Now() + (uint64_t)(options.warmup * 1e9));

  memset(&latencies, 0, sizeof latencies);
  receives = 0;
  uint64_t begin = Now();
  Usage before = ReadUsage(options.pid);
  RunUntil(begin + (uint64_t)(options.seconds * 1e9));
  Usage after = ReadUsage(options.pid);
  double elapsed = (double)(Now() - begin) / 1e9;
  uint64_t measured = latencies.total;
  double p50 = Percentile(&latencies, 0.5);
  double p99 = Percentile(&latencies, 0.99);
  double batch = receives == 0 ? 0 : (double)measured / (double)receives;
  uint32_t silent = 0;
  for (uint32_t i = 0; i < options.clients; i++) silent += clients[i].answered == 0;
  is_draining = true;
  RunUntil(Now() + 2 * LOST_MS * 1000000ull);

  printf("{\"seconds\":%.3f,\"answers\":%llu,\"perSecond\":%.0f,", elapsed,
         (unsigned long long)measured, (double)measured / elapsed);
  printf("\"p50Us\":%.2f,\"p99Us\":%.2f,\"answersPerReceive\":%.1f,", p50, p99, batch);
  printf("\"errors\":%llu,\"lost\":%llu,\"silent\":%u,", (unsigned long long)errors,
         (unsigned long long)lost, silent);
  PrintUsage(&before, &after);
  printf("}\n");
  return errors > 0 || lost > 0 || silent > 0 || measured == 0 ? 1 : 0;
}
