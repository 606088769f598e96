// Closed-loop TCP load: every connection keeps a fixed number of requests under way and sends the
// next one when an answer is complete. Every echoed byte is compared with what was sent.
//
// usage: echo-load HOST PORT [--connections N] [--size BYTES] [--pipeline N] [--warmup S]
//                  [--seconds S] [--idle N] [--mix] [--lines] [--http] [--request FILE]
//                  [--websocket]
//                  [--rate N] [--pid PID]
//   --lines  requests end with a newline and contain no other
//   --http   requests are GET /, answers are as long as the first one
//   --request  as --http, with what the file holds for a request
//   --websocket  connections are upgraded, requests are binary messages
//   --rate   so many requests a second, each due at its time and timed from then; one under way on
//   a connection
//   --idle   connections opened behind the warm-up that stay silent; with --http behind a request
//   --mix    random ones of all connections are active from then on
//   --pid    the server: its processor time and memory are read at the edges of the measured window
//
// Prints one line of JSON. Exit code 0 only if everything sent came back right.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "load.h"

enum {
  STAGING_BYTES = 256 * 1024,
  MAX_EVENTS = 1024,
  PATTERN_SPAN = 65521,  // Prime, so that requests start everywhere in the pattern.
  HEADER_BYTES = 65536,
  SETTLE_MS = 500,
  DRAIN_MS = 3000,
  CONNECTIONS_PER_ADDRESS = 4000,
};

typedef struct {
  int fd;
  uint32_t number;
  bool waits_for_room;
  uint64_t begun;  // Requests that may be sent.
  uint64_t sent;   // Requests sent whole; sent_bytes more of the next one.
  size_t sent_bytes;
  uint64_t answered;  // Answers received whole; answer_bytes more of the next one.
  size_t answer_bytes;
  uint64_t* begun_at;  // Times of the requests under way, a ring of `pipeline`.
} Connection;

static struct {
  union {
    struct sockaddr any;
    struct sockaddr_in internet;
    struct sockaddr_un path;
  } address;
  uint32_t connections;
  uint32_t idle;
  uint32_t pipeline;
  size_t size;
  double warmup;
  double seconds;
  bool is_lines;
  bool is_http;
  bool is_websocket;
  bool is_mixed;
  double rate;
  const char* request_file;
  int pid;
} options = {.connections = 1, .pipeline = 1, .size = 64, .warmup = 1, .seconds = 5};

static const char http_request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
static const char http_ok[] = "HTTP/1.1 200";
static const char upgrade[] =
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
// What all requests and answers are; null where they are taken from the pattern or not known.
static const char* fixed_request;
static const char* fixed_answer;
static size_t request_size;
static size_t answer_size;
static char* pattern;
static char staging[STAGING_BYTES];

static int poller;
static Connection* connections;
static bool is_draining;
static uint64_t next_due;  // Of the next request, with a rate.
static uint32_t errors;
static Latencies latencies;

// Requests

// What request `sequence` of a connection consists of; with lines, all but its last byte.
static const char* Content(const Connection* connection, uint64_t sequence) {
  if (fixed_request != NULL) return fixed_request;
  return pattern + (connection->number * 7919u + sequence * 104729u) % PATTERN_SPAN;
}

static void MakePattern(void) {
  size_t length = PATTERN_SPAN + options.size;
  uint64_t state = 0x9E3779B97F4A7C15u;
  pattern = malloc(length);
  if (pattern == NULL) Die("malloc");
  for (size_t i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    pattern[i] = (char)(state >> 32);
    if (options.is_lines && pattern[i] == '\n') pattern[i] = ' ';
  }
}

static void Fail(Connection* connection, const char* why) {
  if (errors++ < 5) fprintf(stderr, "connection %u: %s\n", connection->number, why);
  close(connection->fd);
  connection->fd = -1;
}

static void Watch(int operation, Connection* connection, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (epoll_ctl(poller, operation, connection->fd, &event) != 0) Die("epoll_ctl");
}

// Copies what is to be sent next; returns its length.
static size_t Stage(const Connection* connection) {
  size_t length = 0;
  size_t offset = connection->sent_bytes;
  for (uint64_t i = connection->sent; i < connection->begun && length < STAGING_BYTES; i++) {
    size_t part = request_size - offset;
    if (part > STAGING_BYTES - length) part = STAGING_BYTES - length;
    memcpy(staging + length, Content(connection, i) + offset, part);
    length += part;
    if (options.is_lines && offset + part == request_size) staging[length - 1] = '\n';
    offset = 0;
  }
  return length;
}

static void Send(Connection* connection) {
  while (connection->sent < connection->begun) {
    size_t length = Stage(connection);
    ssize_t taken = send(connection->fd, staging, length, MSG_NOSIGNAL);
    if (taken < 0 && errno != EAGAIN) {
      Fail(connection, strerror(errno));
      return;
    }
    if (taken > 0) {
      size_t total = connection->sent_bytes + (size_t)taken;
      connection->sent += total / request_size;
      connection->sent_bytes = total % request_size;
    }
    if (taken < (ssize_t)length) {
      if (!connection->waits_for_room) Watch(EPOLL_CTL_MOD, connection, EPOLLIN | EPOLLOUT);
      connection->waits_for_room = true;
      return;
    }
  }
  if (connection->waits_for_room) Watch(EPOLL_CTL_MOD, connection, EPOLLIN);
  connection->waits_for_room = false;
}

static bool IsRight(const Connection* connection, const char* bytes, size_t length) {
  size_t offset = connection->answer_bytes;
  if (options.is_http) {
    size_t checked = sizeof http_ok - 1;
    if (offset >= checked) return true;
    if (length > checked - offset) length = checked - offset;
    return memcmp(bytes, http_ok + offset, length) == 0;
  }
  if (fixed_answer != NULL) return memcmp(bytes, fixed_answer + offset, length) == 0;
  if (options.is_lines && offset + length == request_size) {
    length--;
    if (bytes[length] != '\n') return false;
  }
  return memcmp(bytes, Content(connection, connection->answered) + offset, length) == 0;
}

static void OnAnswer(Connection* connection, uint64_t now) {
  uint64_t* begun_at = &connection->begun_at[connection->answered % options.pipeline];
  AddLatency(&latencies, now - *begun_at);
  connection->answered++;
  connection->answer_bytes = 0;
  if (is_draining || options.rate > 0) return;
  // As many requests are under way as the ring holds, so the next one takes this one's place.
  *begun_at = now;
  connection->begun++;
}

// Returns false when the connection failed.
static bool TakeAnswers(Connection* connection, const char* bytes, size_t length) {
  uint64_t now = Now();
  while (length > 0) {
    bool is_expected = connection->answered < connection->sent ||
                       (connection->answered == connection->sent && connection->sent_bytes > 0);
    size_t part = answer_size - connection->answer_bytes;
    if (part > length) part = length;
    if (!is_expected || !IsRight(connection, bytes, part)) {
      Fail(connection, is_expected ? "wrong bytes came back" : "more came back than was sent");
      return false;
    }
    bytes += part;
    length -= part;
    connection->answer_bytes += part;
    if (connection->answer_bytes == answer_size) OnAnswer(connection, now);
  }
  return true;
}

static void Receive(Connection* connection) {
  static char input[STAGING_BYTES];
  ssize_t length = recv(connection->fd, input, sizeof input, 0);
  if (length < 0 && errno == EAGAIN) return;
  if (length <= 0) {
    Fail(connection, length == 0 ? "closed by the server" : strerror(errno));
  } else if (TakeAnswers(connection, input, (size_t)length)) {
    Send(connection);
  }
}

// Connections

// The kernel looks long for a port when most of an address are taken, hence several addresses.
static void BindSource(int fd, uint32_t number) {
  int on = 1;
  struct sockaddr_in source = {.sin_family = AF_INET};
  source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + number / CONNECTIONS_PER_ADDRESS);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (bind(fd, (struct sockaddr*)&source, sizeof source) != 0) Die("bind");
}

static void SendWhole(int fd, const char* bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent <= 0) Die("send");
    bytes += sent;
    length -= (size_t)sent;
  }
}

static void Upgrade(int fd) {
  static const char switching[] = "HTTP/1.1 101";
  char answer[HEADER_BYTES];
  size_t length = 0;
  SendWhole(fd, upgrade, sizeof upgrade - 1);
  do {
    if (length == sizeof answer || recv(fd, answer + length, 1, 0) != 1) Die("upgrade");
    length++;
  } while (length < 4 || memcmp(answer + length - 4, "\r\n\r\n", 4) != 0);
  if (memcmp(answer, switching, sizeof switching - 1) == 0) return;
  fprintf(stderr, "the connection was not upgraded\n");
  exit(1);
}

static int Connect(uint32_t number) {
  bool is_path = options.address.any.sa_family == AF_UNIX;
  int fd = socket(options.address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;
  if (fd < 0) Die("socket");
  if (number >= CONNECTIONS_PER_ADDRESS && !is_path) BindSource(fd, number);
  if (!is_path) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  socklen_t size = is_path ? sizeof options.address.path : sizeof options.address.internet;
  if (connect(fd, &options.address.any, size) != 0) Die("connect");
  if (options.is_websocket) Upgrade(fd);
  return fd;
}

// A connection that is kept behind its request.
static int ConnectAndAsk(uint32_t number) {
  static char answer[STAGING_BYTES];
  int fd = Connect(number);
  if (!options.is_http) return fd;
  SendWhole(fd, fixed_request, request_size);
  for (size_t left = answer_size; left > 0;) {
    ssize_t length = recv(fd, answer, left < sizeof answer ? left : sizeof answer, 0);
    if (length <= 0) Die("recv");
    left -= (size_t)length;
  }
  return fd;
}

static void OpenConnections(void) {
  connections = calloc(options.connections, sizeof *connections);
  if (connections == NULL) Die("calloc");
  for (uint32_t i = 0; i < options.connections; i++) {
    Connection* connection = &connections[i];
    connection->number = i;
    connection->begun_at = calloc(options.pipeline, sizeof *connection->begun_at);
    if (connection->begun_at == NULL) Die("calloc");
    connection->fd = Connect(i);
    if (fcntl(connection->fd, F_SETFL, O_NONBLOCK) != 0) Die("fcntl");
    Watch(EPOLL_CTL_ADD, connection, EPOLLIN);
  }
}

// Silent connections, none of which is closed before the end. With `is_mixed`, random ones of them
// change places with the active ones, which have nothing under way.
static void OpenIdle(void) {
  int* idle = calloc(options.idle, sizeof *idle);
  if (idle == NULL) Die("calloc");
  for (uint32_t i = 0; i < options.idle; i++) idle[i] = ConnectAndAsk(options.connections + i);
  srand(1);
  for (uint32_t i = 0; options.is_mixed && i < options.connections; i++) {
    Connection* connection = &connections[i];
    int* other = &idle[(uint32_t)rand() % options.idle];
    if (epoll_ctl(poller, EPOLL_CTL_DEL, connection->fd, NULL) != 0) Die("epoll_ctl");
    int fd = connection->fd;
    connection->fd = *other;
    *other = fd;
    if (fcntl(connection->fd, F_SETFL, O_NONBLOCK) != 0) Die("fcntl");
    Watch(EPOLL_CTL_ADD, connection, EPOLLIN);
  }
  free(idle);
}

// Begins as many requests on each connection as may be under way.
static void BeginAll(void) {
  is_draining = false;
  next_due = Now();
  if (options.rate > 0) return;
  for (uint32_t i = 0; i < options.connections; i++) {
    Connection* connection = &connections[i];
    if (connection->fd < 0) continue;
    uint64_t now = Now();
    while (connection->begun - connection->answered < options.pipeline) {
      connection->begun_at[connection->begun++ % options.pipeline] = now;
    }
    Send(connection);
  }
}

static uint32_t CountWaiting(void) {
  uint32_t waiting = 0;
  for (uint32_t i = 0; i < options.connections; i++) {
    const Connection* connection = &connections[i];
    if (connection->fd >= 0 && connection->answered < connection->begun) waiting++;
  }
  return waiting;
}

// Begins what is due, as long as there is a connection that has nothing under way.
static void BeginDue(void) {
  static uint32_t place;
  for (uint32_t tried = 0; tried < options.connections && next_due <= Now(); tried++) {
    Connection* connection = &connections[place++ % options.connections];
    if (connection->fd < 0 || connection->answered < connection->begun) continue;
    connection->begun_at[connection->begun++ % options.pipeline] = next_due;
    next_due += (uint64_t)(1e9 / options.rate);
    Send(connection);
    tried = 0;
  }
}

static void RunUntil(uint64_t deadline) {
  static struct epoll_event events[MAX_EVENTS];
  bool is_timed = options.rate > 0 && !is_draining;
  while (Now() < deadline && errors < options.connections) {
    if (is_timed) BeginDue();
    int count = epoll_wait(poller, events, MAX_EVENTS, is_timed ? 0 : 10);
    for (int i = 0; i < count; i++) {
      Connection* connection = events[i].data.ptr;
      if (connection->fd < 0) continue;
      if (events[i].events & ~(uint32_t)EPOLLOUT) Receive(connection);
      if (connection->fd >= 0 && (events[i].events & EPOLLOUT)) Send(connection);
    }
    if (is_draining && CountWaiting() == 0) return;
  }
}

// Lets everything that is under way come back; returns how many connections still miss something.
static uint32_t Drain(void) {
  is_draining = true;
  RunUntil(Now() + DRAIN_MS * 1000000ull);
  return CountWaiting();
}

// How long the server's answer to one request is.
static size_t LearnHttpAnswerSize(void) {
  static char answer[HEADER_BYTES + 1];
  size_t length = 0;
  int fd = Connect(0);
  SendWhole(fd, fixed_request, request_size);
  for (;;) {
    ssize_t received = recv(fd, answer + length, HEADER_BYTES - length, 0);
    if (received <= 0) Die("recv");
    length += (size_t)received;
    answer[length] = '\0';
    const char* end = strstr(answer, "\r\n\r\n");
    const char* field = strcasestr(answer, "\r\ncontent-length:");
    if (end == NULL) continue;
    if (field == NULL || field > end) {
      fprintf(stderr, "the answer has no Content-Length\n");
      exit(1);
    }
    close(fd);
    return (size_t)(end + 4 - answer) + strtoul(field + strlen("\r\ncontent-length:"), NULL, 10);
  }
}

static void ReadRequest(void) {
  FILE* file = fopen(options.request_file, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) Die(options.request_file);
  request_size = (size_t)ftell(file);
  char* bytes = malloc(request_size);
  rewind(file);
  if (bytes == NULL || fread(bytes, 1, request_size, file) != request_size) Die("fread");
  fclose(file);
  fixed_request = bytes;
}

// A message of the pattern, from a client that masks with zeros, and the same from the server.
static void MakeFrames(void) {
  enum { BINARY = 0x82, MASKED = 0x80, SHORT = 125, TWO_BYTES = 126, MASK_BYTES = 4 };
  size_t size = options.size;
  size_t header = size <= SHORT ? 2 : 4;
  char* request = calloc(1, header + MASK_BYTES + size);
  char* answer = calloc(1, header + size);
  if (request == NULL || answer == NULL || size > UINT16_MAX) Die("frame");
  answer[0] = (char)BINARY;
  answer[1] = (char)(size <= SHORT ? size : TWO_BYTES);
  if (size > SHORT) {
    answer[2] = (char)(size >> 8);
    answer[3] = (char)size;
  }
  memcpy(request, answer, header);
  request[1] = (char)(request[1] | MASKED);
  memcpy(request + header + MASK_BYTES, pattern, size);
  memcpy(answer + header, pattern, size);
  request_size = header + MASK_BYTES + size;
  answer_size = header + size;
  fixed_request = request;
  fixed_answer = answer;
}

static void PrepareMessages(void) {
  MakePattern();
  request_size = answer_size = options.size;
  if (options.is_websocket) MakeFrames();
  if (!options.is_http) return;
  fixed_request = http_request;
  request_size = sizeof http_request - 1;
  if (options.request_file != NULL) ReadRequest();
  answer_size = LearnHttpAnswerSize();
}

// The server

static double ServerResidentKib(void) {
  char line[256];
  double resident = 0;
  snprintf(line, sizeof line, "/proc/%d/status", options.pid);
  FILE* file = options.pid == 0 ? NULL : fopen(line, "r");
  if (file == NULL) return 0;
  while (fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "VmRSS: %lf", &resident) == 1) break;
  }
  fclose(file);
  return resident;
}

static void SleepMs(unsigned milliseconds) {
  struct timespec time = {.tv_sec = milliseconds / 1000,
                          .tv_nsec = (long)(milliseconds % 1000) * 1000000};
  nanosleep(&time, NULL);
}

static void ParseOptions(int argc, char** argv) {
  static const struct option names[] = {{"connections", required_argument, NULL, 'c'},
                                        {"size", required_argument, NULL, 's'},
                                        {"pipeline", required_argument, NULL, 'p'},
                                        {"warmup", required_argument, NULL, 'w'},
                                        {"seconds", required_argument, NULL, 't'},
                                        {"idle", required_argument, NULL, 'i'},
                                        {"mix", no_argument, NULL, 'm'},
                                        {"lines", no_argument, NULL, 'l'},
                                        {"http", no_argument, NULL, 'h'},
                                        {"request", required_argument, NULL, 'r'},
                                        {"websocket", no_argument, NULL, 'W'},
                                        {"rate", required_argument, NULL, 'R'},
                                        {"pid", required_argument, NULL, 'P'},
                                        {NULL, 0, NULL, 0}};
  for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
    switch (name) {
      case 'c':
        options.connections = (uint32_t)atoi(optarg);
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
      case 'i':
        options.idle = (uint32_t)atoi(optarg);
        break;
      case 'm':
        options.is_mixed = true;
        break;
      case 'l':
        options.is_lines = true;
        break;
      case 'h':
        options.is_http = true;
        break;
      case 'r':
        options.is_http = true;
        options.request_file = optarg;
        break;
      case 'W':
        options.is_websocket = true;
        break;
      case 'R':
        options.rate = atof(optarg);
        break;
      case 'P':
        options.pid = atoi(optarg);
        break;
      default:
        exit(2);
    }
  }
  bool is_complete = argc - optind == 2 && options.connections > 0 && options.pipeline > 0 &&
                     options.size > 0 && options.seconds > 0;
  if (!is_complete) {
    fprintf(stderr, "usage: %s HOST PORT [options]\n", argv[0]);
    exit(2);
  }
  const char* host = argv[optind];
  // A host that begins with a slash is the path of a Unix socket.
  if (host[0] == '/') {
    options.address.path.sun_family = AF_UNIX;
    snprintf(options.address.path.sun_path, sizeof options.address.path.sun_path, "%s", host);
    return;
  }
  options.address.internet.sin_family = AF_INET;
  options.address.internet.sin_port = htons((uint16_t)atoi(argv[optind + 1]));
  if (inet_pton(AF_INET, host, &options.address.internet.sin_addr) != 1) Die(host);
}

int main(int argc, char** argv) {
  ParseOptions(argc, argv);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) Die("epoll_create1");

  double cold_kib = ServerResidentKib();
  PrepareMessages();
  OpenConnections();
  BeginAll();
  RunUntil(Now() + (uint64_t)(options.warmup * 1e9));

  double warm_kib = 0;
  double open_kib = 0;
  uint32_t lost = 0;
  if (options.idle > 0) {
    lost += Drain();
    SleepMs(SETTLE_MS);
    warm_kib = ServerResidentKib();
    OpenIdle();
    SleepMs(SETTLE_MS);
    open_kib = ServerResidentKib();
    BeginAll();
  }

  memset(&latencies, 0, sizeof latencies);
  uint64_t begin = Now();
  Usage before = ReadUsage(options.pid);
  RunUntil(begin + (uint64_t)(options.seconds * 1e9));
  Usage after = ReadUsage(options.pid);
  double elapsed = (double)(Now() - begin) / 1e9;
  uint64_t measured = latencies.total;
  double p50 = Percentile(&latencies, 0.5);
  double p99 = Percentile(&latencies, 0.99);
  double slowest = (double)latencies.slowest_ns / 1e3;
  double end_kib = ServerResidentKib();
  uint32_t silent = 0;
  for (uint32_t i = 0; i < options.connections; i++) silent += connections[i].answered == 0;
  lost += Drain();

  printf("{\"seconds\":%.3f,\"answers\":%llu,\"perSecond\":%.0f,\"bytesPerSecond\":%.0f,", elapsed,
         (unsigned long long)measured, (double)measured / elapsed,
         (double)measured * (double)answer_size / elapsed);
  printf("\"p50Us\":%.2f,\"p99Us\":%.2f,\"slowestUs\":%.2f,", p50, p99, slowest);
  printf("\"errors\":%u,\"lost\":%u,\"silent\":%u,", errors, lost, silent);
  PrintUsage(&before, &after);
  printf(",\"coldKib\":%.0f,\"warmKib\":%.0f,\"openKib\":%.0f,\"endKib\":%.0f}\n", cold_kib,
         warm_kib, open_kib, end_kib);
  return errors > 0 || lost > 0 || silent > 0 || measured == 0 ? 1 : 0;
}
