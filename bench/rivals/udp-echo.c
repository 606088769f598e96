// What an echo over UDP costs without any runtime: one thread, epoll, one recvmmsg and one sendmmsg
// for all datagrams that are there.
//
// usage: udp-echo HOST PORT [join]
// With `join` the kernel may hand over several datagrams of one sender as one (UDP_GRO), and takes
// several of one size to one receiver as one (UDP_SEGMENT).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { BATCH = 64, LARGEST = 65536, MAX_SEGMENTS = 64, MOST_BYTES = 65507 };

typedef union {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(int))];
} Control;

static bool joins;
static char memory[BATCH][LARGEST];
static struct sockaddr_in names[BATCH];
static struct mmsghdr received[BATCH];
static struct iovec received_pieces[BATCH];
static Control received_controls[BATCH];
static struct mmsghdr sent[BATCH];
static struct iovec sent_pieces[BATCH];
static Control sent_controls[BATCH];

static void Die(const char* call) {
  perror(call);
  exit(1);
}

// The size of the datagrams that were joined, or 0.
static uint16_t SegmentOf(struct msghdr* message) {
  for (struct cmsghdr* part = CMSG_FIRSTHDR(message); part != NULL;
       part = CMSG_NXTHDR(message, part)) {
    int size;
    if (part->cmsg_level != IPPROTO_UDP || part->cmsg_type != UDP_GRO) continue;
    memcpy(&size, CMSG_DATA(part), sizeof size);
    return (uint16_t)size;
  }
  return 0;
}

static void CutInto(uint16_t size, Control* control, struct msghdr* message) {
  message->msg_control = control;
  message->msg_controllen = CMSG_SPACE(sizeof size);
  struct cmsghdr* part = CMSG_FIRSTHDR(message);
  part->cmsg_level = IPPROTO_UDP;
  part->cmsg_type = UDP_SEGMENT;
  part->cmsg_len = CMSG_LEN(sizeof size);
  memcpy(CMSG_DATA(part), &size, sizeof size);
}

static bool IsSameSender(int a, int b) {
  return names[a].sin_port == names[b].sin_port &&
         names[a].sin_addr.s_addr == names[b].sin_addr.s_addr;
}

// How many from `first` on leave as one: of one size, to one receiver.
static int RunFrom(int first, int count) {
  size_t size = received[first].msg_len;
  size_t total = size;
  int end = first + 1;
  while (joins && end < count && end - first < MAX_SEGMENTS && IsSameSender(end, first) &&
         received[end].msg_len == size && SegmentOf(&received[end].msg_hdr) == 0 &&
         total + size <= MOST_BYTES) {
    total += size;
    end++;
  }
  return end - first;
}

static void Echo(int fd, int count) {
  int used = 0;
  for (int i = 0; i < count;) {
    uint16_t segment = SegmentOf(&received[i].msg_hdr);
    bool is_joined = segment > 0 && segment < received[i].msg_len;
    int run = is_joined ? 1 : RunFrom(i, count);
    struct msghdr* message = &sent[used++].msg_hdr;
    for (int j = i; j < i + run; j++)
      sent_pieces[j] = (struct iovec){memory[j], received[j].msg_len};
    *message = (struct msghdr){
        .msg_name = &names[i],
        .msg_namelen = sizeof names[i],
        .msg_iov = &sent_pieces[i],
        .msg_iovlen = (size_t)run,
    };
    if (is_joined || run > 1) {
      CutInto(is_joined ? segment : (uint16_t)received[i].msg_len, &sent_controls[i], message);
    }
    i += run;
  }
  for (int done = 0; done < used;) {
    int taken = sendmmsg(fd, sent + done, (unsigned)(used - done), 0);
    if (taken < 0) Die("sendmmsg");
    done += taken;
  }
}

// False when nothing more is there.
static bool ReceiveAndEcho(int fd) {
  for (int i = 0; i < BATCH; i++) {
    received_pieces[i] = (struct iovec){memory[i], LARGEST};
    received[i].msg_hdr = (struct msghdr){
        .msg_name = &names[i],
        .msg_namelen = sizeof names[i],
        .msg_iov = &received_pieces[i],
        .msg_iovlen = 1,
        .msg_control = joins ? &received_controls[i] : NULL,
        .msg_controllen = joins ? sizeof received_controls[i] : 0,
    };
  }
  int count = recvmmsg(fd, received, BATCH, MSG_DONTWAIT, NULL);
  if (count < 0) {
    if (errno != EAGAIN && errno != ECONNREFUSED) Die("recvmmsg");
    return false;
  }
  Echo(fd, count);
  return count == BATCH;
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s HOST PORT [join]\n", argv[0]);
    return 2;
  }
  joins = argc > 3 && strcmp(argv[3], "join") == 0;
  int on = 1;
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) Die("socket");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
  if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) Die("inet_pton");
  if (bind(fd, (struct sockaddr*)&address, sizeof address) != 0) Die("bind");
  if (joins && setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) != 0) Die("setsockopt");
  int poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN};
  if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) Die("epoll_ctl");
  for (;;) {
    if (epoll_wait(poller, &event, 1, -1) < 0 && errno != EINTR) Die("epoll_wait");
    while (ReceiveAndEcho(fd)) continue;
  }
}
