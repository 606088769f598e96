// What an echo over TCP or a Unix socket costs without any runtime: one thread, level-triggered epoll, one read and one
// write per readiness event. The other servers are measured against this one.
//
// usage: echo-epoll HOST PORT [lines]
// With `lines` it answers each newline-terminated request by itself, but writes all answers to one
// read together, as a careful author would.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ_BYTES = 65536, MAX_EVENTS = 1024, BACKLOG = 511 };

typedef struct {
  int fd;
  char* rest;  // What the kernel did not take, or NULL; reading pauses meanwhile.
  size_t rest_length;
  size_t rest_sent;
  char* line;  // The beginning of a request whose end has not come yet, or NULL.
  size_t line_length;
} Connection;

static int poller;
static bool answers_lines;
static char input[READ_BYTES];
static char output[READ_BYTES];

static void Die(const char* call) {
  perror(call);
  exit(1);
}

static void* Allocate(size_t size) {
  void* memory = malloc(size);
  if (memory == NULL) Die("malloc");
  return memory;
}

static void Watch(int operation, Connection* connection, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (epoll_ctl(poller, operation, connection->fd, &event) != 0) Die("epoll_ctl");
}

static void Close(Connection* connection) {
  close(connection->fd);
  free(connection->rest);
  free(connection->line);
  free(connection);
}

static void AcceptAll(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    Connection* connection = Allocate(sizeof *connection);
    *connection = (Connection){.fd = fd};
    Watch(EPOLL_CTL_ADD, connection, EPOLLIN);
  }
}

// Returns false when the connection is gone.
static bool Write(Connection* connection, const char* bytes, size_t length) {
  ssize_t sent = write(connection->fd, bytes, length);
  if (sent == (ssize_t)length) return true;
  if (sent < 0) {
    if (errno != EAGAIN) {
      Close(connection);
      return false;
    }
    sent = 0;
  }
  connection->rest_length = length - (size_t)sent;
  connection->rest_sent = 0;
  connection->rest = Allocate(connection->rest_length);
  memcpy(connection->rest, bytes + sent, connection->rest_length);
  Watch(EPOLL_CTL_MOD, connection, EPOLLOUT);
  return true;
}

static void WriteRest(Connection* connection) {
  size_t left = connection->rest_length - connection->rest_sent;
  ssize_t sent = write(connection->fd, connection->rest + connection->rest_sent, left);
  if (sent < 0) {
    if (errno != EAGAIN) Close(connection);
    return;
  }
  connection->rest_sent += (size_t)sent;
  if ((size_t)sent < left) return;
  free(connection->rest);
  connection->rest = NULL;
  Watch(EPOLL_CTL_MOD, connection, EPOLLIN);
}

// Finds every whole request and answers it; keeps the beginning of the last one.
static void AnswerLines(Connection* connection, size_t length) {
  size_t answered = 0;
  size_t begin = 0;
  if (connection->line != NULL) {
    memcpy(output, connection->line, connection->line_length);
    answered = connection->line_length;
  }
  size_t whole = 0;
  for (const char* end; (end = memchr(input + begin, '\n', length - begin)) != NULL;) {
    size_t size = (size_t)(end + 1 - (input + begin));
    memcpy(output + answered, input + begin, size);
    answered += size;
    begin += size;
    whole = answered;
  }
  memcpy(output + answered, input + begin, length - begin);
  size_t kept = answered + length - begin - whole;
  free(connection->line);
  connection->line = NULL;
  connection->line_length = kept;
  if (kept > 0) {
    connection->line = Allocate(kept);
    memcpy(connection->line, output + whole, kept);
  }
  if (whole > 0) Write(connection, output, whole);
}

static void Read(Connection* connection) {
  // The kept part of a line has to fit in front.
  ssize_t length = read(connection->fd, input, READ_BYTES - connection->line_length);
  if (length <= 0) {
    if (length == 0 || errno != EAGAIN) Close(connection);
  } else if (answers_lines) {
    AnswerLines(connection, (size_t)length);
  } else {
    Write(connection, input, (size_t)length);
  }
}

// A host that begins with a slash is the path of a Unix socket.
static int BindTo(const char* host, const char* port) {
  int on = 1;
  bool is_path = host[0] == '/';
  int listener = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) Die("socket");
  if (is_path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", host);
    if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0) Die("bind");
    return listener;
  }
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1) Die("inet_pton");
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // Accepted sockets inherit it.
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0) Die("bind");
  return listener;
}

static int Listen(const char* host, const char* port) {
  int listener = BindTo(host, port);
  if (listen(listener, BACKLOG) != 0) Die("listen");
  return listener;
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s HOST PORT [lines]\n", argv[0]);
    return 2;
  }
  answers_lines = argc > 3 && strcmp(argv[3], "lines") == 0;
  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  int listener = Listen(argv[1], argv[2]);
  poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event listening = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &listening) != 0) Die("epoll_ctl");

  static struct epoll_event events[MAX_EVENTS];
  for (;;) {
    int count = epoll_wait(poller, events, MAX_EVENTS, -1);
    for (int i = 0; i < count; i++) {
      Connection* connection = events[i].data.ptr;
      if (connection == NULL) {
        AcceptAll(listener);
      } else if (connection->rest != NULL) {
        WriteRest(connection);
      } else {
        Read(connection);
      }
    }
  }
}
