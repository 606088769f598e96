// Datagrams in batches: recvmmsg(2), sendmmsg(2), and several as one where the kernel can.
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "status.h"
#include "sys/datagram.h"
#include "sys/sockaddr.h"

// Older headers lack them; kernels that lack them too refuse them.
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace evloop {

namespace {

// What the kernel takes as one send to be cut: UDP_MAX_SEGMENTS, and the payload of an IPv4 packet.
constexpr uint32_t kMaxSegments = 64;
constexpr size_t kMaxSegmentedBytes = 65507;

union Control {
  cmsghdr align;
  uint8_t bytes[CMSG_SPACE(sizeof(int))];
};

uint32_t SegmentOf(msghdr* message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(message); part != nullptr; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level != IPPROTO_UDP || part->cmsg_type != UDP_GRO) continue;
    int size;
    memcpy(&size, CMSG_DATA(part), sizeof(size));
    return static_cast<uint32_t>(size);
  }
  return 0;
}

void CutInto(uint16_t size, Control* control, msghdr* message) {
  message->msg_control = control;
  message->msg_controllen = CMSG_SPACE(sizeof(size));
  cmsghdr* part = CMSG_FIRSTHDR(message);
  part->cmsg_level = IPPROTO_UDP;
  part->cmsg_type = UDP_SEGMENT;
  part->cmsg_len = CMSG_LEN(sizeof(size));
  memcpy(CMSG_DATA(part), &size, sizeof(size));
}

// By value: JS may name one address in many places.
bool IsSame(const InternetAddress* a, const InternetAddress* b) {
  if (a == b) return true;
  if (a == nullptr || b == nullptr) return false;
  return a->port == b->port && a->family == b->family && a->scope == b->scope &&
         memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

// How many datagrams from the first on can leave as one: of one size, the last may be shorter.
uint32_t RunOf(const OutgoingDatagram* datagrams, uint32_t count) {
  const size_t size = datagrams[0].size;
  if (size == 0) return 1;
  size_t total = size;
  uint32_t run = 1;
  while (run < count && run < kMaxSegments) {
    const OutgoingDatagram& next = datagrams[run];
    total += next.size;
    if (next.size == 0 || next.size > size || total > kMaxSegmentedBytes) break;
    if (!IsSame(next.to, datagrams[0].to)) break;
    run++;
    if (next.size < size) break;
  }
  return run;
}

int32_t Send(int fd, const OutgoingDatagram* datagrams, uint32_t count, bool may_join) {
  mmsghdr messages[kDatagramBatch] = {};
  iovec pieces[kDatagramBatch];
  sockaddr_storage names[kDatagramBatch];
  Control controls[kDatagramBatch] = {};
  uint32_t used = 0;
  for (uint32_t i = 0; i < count; used++) {
    const uint32_t run = may_join ? RunOf(datagrams + i, count - i) : 1;
    msghdr* message = &messages[used].msg_hdr;
    for (uint32_t j = i; j < i + run; j++) {
      pieces[j] = {const_cast<uint8_t*>(datagrams[j].data), datagrams[j].size};
    }
    message->msg_iov = pieces + i;
    message->msg_iovlen = run;
    if (datagrams[i].to != nullptr) {
      message->msg_name = &names[used];
      message->msg_namelen = ToSockaddr(*datagrams[i].to, &names[used]);
    }
    if (run > 1) CutInto(static_cast<uint16_t>(datagrams[i].size), &controls[used], message);
    i += run;
  }
  int sent;
  do {
    sent = sendmmsg(fd, messages, used, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    const int32_t error = LastError();
    const auto first = static_cast<uint32_t>(messages[0].msg_hdr.msg_iovlen);
    // Larger than the path takes uncut, or a kernel or device without segmentation.
    const bool is_refused =
        error == -EINVAL || error == -EIO || error == -EMSGSIZE || error == -EOPNOTSUPP;
    return is_refused && first > 1 ? Send(fd, datagrams, first, false) : error;
  }
  size_t taken = 0;
  for (int i = 0; i < sent; i++) taken += messages[i].msg_hdr.msg_iovlen;
  return static_cast<int32_t>(taken);
}

}  // namespace

int32_t DatagramCoalesce(int fd) {
  const int on = 1;
  return FromSystem(setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)));
}

int32_t DatagramReceive(int fd, IncomingDatagram* datagrams, uint32_t count) {
  if (count > kDatagramBatch) count = kDatagramBatch;
  mmsghdr messages[kDatagramBatch] = {};
  iovec pieces[kDatagramBatch];
  sockaddr_storage names[kDatagramBatch];
  Control controls[kDatagramBatch];
  for (uint32_t i = 0; i < count; i++) {
    pieces[i] = {datagrams[i].data, datagrams[i].capacity};
    msghdr* message = &messages[i].msg_hdr;
    message->msg_iov = &pieces[i];
    message->msg_iovlen = 1;
    message->msg_name = &names[i];
    message->msg_namelen = sizeof(names[i]);
    message->msg_control = &controls[i];
    message->msg_controllen = sizeof(controls[i]);
  }
  int received;
  do {
    received = recvmmsg(fd, messages, count, MSG_DONTWAIT, nullptr);
  } while (received < 0 && errno == EINTR);
  if (received < 0) return LastError();
  for (int i = 0; i < received; i++) {
    datagrams[i].size = messages[i].msg_len;
    datagrams[i].segment = SegmentOf(&messages[i].msg_hdr);
    datagrams[i].is_truncated = (messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
    datagrams[i].from = FromSockaddr(names[i]);
  }
  return received;
}

int32_t DatagramSend(int fd, const OutgoingDatagram* datagrams, uint32_t count) {
  if (count == 0) return 0;
  return Send(fd, datagrams, count < kDatagramBatch ? count : kDatagramBatch, true);
}

}  // namespace evloop
