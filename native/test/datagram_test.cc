#include "sys/datagram.h"

#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "test/check.h"

namespace evloop {

namespace {

InternetAddress Loopback(uint8_t family) {
  InternetAddress address;
  address.family = family;
  if (family == 4) {
    address.bytes[0] = 127;
    address.bytes[3] = 1;
  } else {
    address.bytes[15] = 1;
  }
  return address;
}

struct Peer {
  InternetAddress address;
  int fd;

  explicit Peer(uint8_t family, const InternetAddress& remote = InternetAddress())
      : address(Loopback(family)), fd(DatagramOpen(address, remote, 0)) {
    REQUIRE(fd >= 0);
    sockaddr_in6 name = {};
    socklen_t size = sizeof(name);
    REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) == 0);
    // The port is in the same place in both families.
    address.port = ntohs(name.sin6_port);
  }
  ~Peer() { close(fd); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // What arrives until `count` datagrams are there, each cut out of what was coalesced.
  std::vector<std::string> Receive(size_t count, InternetAddress* from = nullptr) const {
    std::vector<std::string> all;
    std::vector<uint8_t> memory(4 * 65536);
    while (all.size() < count) {
      pollfd waiting = {fd, POLLIN, 0};
      REQUIRE(poll(&waiting, 1, 5000) == 1);
      IncomingDatagram datagrams[4] = {};
      for (size_t i = 0; i < 4; i++) {
        datagrams[i].data = memory.data() + i * 65536;
        datagrams[i].capacity = 65536;
      }
      const int32_t received = DatagramReceive(fd, datagrams, 4);
      REQUIRE(received > 0);
      for (int32_t i = 0; i < received; i++) {
        const IncomingDatagram& one = datagrams[i];
        const std::string bytes(reinterpret_cast<const char*>(one.data), one.size);
        const size_t step = one.segment > 0 ? one.segment : one.size;
        if (step == 0) all.push_back(bytes);
        for (size_t at = 0; at < one.size; at += step) all.push_back(bytes.substr(at, step));
        if (from != nullptr) *from = one.from;
      }
    }
    return all;
  }
};

OutgoingDatagram To(const InternetAddress* to, const std::string& bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), to};
}

void SendsAllInOrder(uint8_t family, bool coalesce) {
  const Peer receiver(family);
  const Peer sender(family);
  if (coalesce) DatagramCoalesce(receiver.fd);
  const std::vector<std::string> sent = {"aaaa", "bbbb", "cccc", "dd", "", "eeeeeeee", "f", "f"};
  std::vector<OutgoingDatagram> datagrams;
  for (const std::string& bytes : sent) datagrams.push_back(To(&receiver.address, bytes));
  for (size_t done = 0; done < sent.size();) {
    const int32_t taken =
        DatagramSend(sender.fd, datagrams.data() + done, static_cast<uint32_t>(sent.size() - done));
    REQUIRE(taken > 0);
    done += static_cast<size_t>(taken);
  }
  InternetAddress from;
  CHECK(receiver.Receive(sent.size(), &from) == sent);
  CHECK(from.family == family);
  CHECK(from.port == sender.address.port);
}

}  // namespace

TEST_CASE("datagrams keep their order, sizes and sender, the empty one too") {
  for (const bool coalesce : {false, true}) {
    SendsAllInOrder(4, coalesce);
    SendsAllInOrder(6, coalesce);
  }
}

TEST_CASE("datagrams too large to be cut from one send leave one by one") {
  const Peer receiver(4);
  const Peer sender(4);
  const std::vector<std::string> sent(3, std::string(30000, 'x'));
  std::vector<OutgoingDatagram> datagrams;
  for (const std::string& bytes : sent) datagrams.push_back(To(&receiver.address, bytes));
  REQUIRE(DatagramSend(sender.fd, datagrams.data(), 3) == 3);
  CHECK(receiver.Receive(3) == sent);
}

TEST_CASE("an over-size datagram fails alone and the socket goes on") {
  const Peer receiver(4);
  const Peer sender(4);
  const std::string large(70000, 'x');
  const OutgoingDatagram refused = To(&receiver.address, large);
  CHECK(DatagramSend(sender.fd, &refused, 1) == -EMSGSIZE);
  const std::string small = "ok";
  const OutgoingDatagram taken = To(&receiver.address, small);
  CHECK(DatagramSend(sender.fd, &taken, 1) == 1);
  CHECK(receiver.Receive(1) == std::vector<std::string>{"ok"});
}

TEST_CASE("a connected datagram socket is told that nobody listens, once") {
  InternetAddress nobody;
  {
    const Peer gone(4);
    nobody = gone.address;
  }
  const Peer sender(4, nobody);
  const std::string bytes = "x";
  const OutgoingDatagram one = To(nullptr, bytes);
  REQUIRE(DatagramSend(sender.fd, &one, 1) == 1);
  uint8_t memory[16];
  IncomingDatagram datagram = {};
  datagram.data = memory;
  datagram.capacity = sizeof(memory);
  CHECK(DatagramReceive(sender.fd, &datagram, 1) == -ECONNREFUSED);
  CHECK(DatagramReceive(sender.fd, &datagram, 1) == -EAGAIN);
}

TEST_CASE("a datagram larger than its memory is told as cut off") {
  const Peer receiver(4);
  const Peer sender(4);
  const std::string bytes = "four";
  const OutgoingDatagram one = To(&receiver.address, bytes);
  REQUIRE(DatagramSend(sender.fd, &one, 1) == 1);
  uint8_t memory[2];
  IncomingDatagram datagram = {};
  datagram.data = memory;
  datagram.capacity = sizeof(memory);
  REQUIRE(DatagramReceive(receiver.fd, &datagram, 1) == 1);
  CHECK(datagram.size == 2);
  CHECK(datagram.is_truncated);
}

TEST_CASE("families of local and remote have to fit") {
  CHECK(DatagramOpen(Loopback(4), Loopback(6), 0) == -EINVAL);
  CHECK(DatagramOpen(InternetAddress(), InternetAddress(), 0) == -EINVAL);
}

TEST_CASE("several datagrams of one size arrive as one where the kernel can do both") {
  const Peer receiver(4);
  const Peer sender(4);
  if (DatagramCoalesce(receiver.fd) < 0) return;
  const std::string bytes(64, 'x');
  const std::vector<OutgoingDatagram> datagrams(8, To(&receiver.address, bytes));
  REQUIRE(DatagramSend(sender.fd, datagrams.data(), 8) == 8);
  std::vector<uint8_t> memory(65536);
  IncomingDatagram one = {};
  one.data = memory.data();
  one.capacity = memory.size();
  REQUIRE(DatagramReceive(receiver.fd, &one, 1) == 1);
  CHECK(one.size == 512);
  CHECK(one.segment == 64);
}

TEST_CASE("a group is heard from joining until leaving it, on the interface that was chosen") {
  const uint32_t loopback = if_nametoindex("lo");
  InternetAddress group;
  group.family = 4;
  group.bytes[0] = 239;
  group.bytes[1] = 255;
  group.bytes[3] = 7;
  const int receiver = DatagramOpen(group, InternetAddress(), 0);
  REQUIRE(receiver >= 0);
  sockaddr_in name = {};
  socklen_t size = sizeof(name);
  REQUIRE(getsockname(receiver, reinterpret_cast<sockaddr*>(&name), &size) == 0);
  group.port = ntohs(name.sin_port);
  const Peer sender(4);
  REQUIRE(DatagramSetMulticastInterface(sender.fd, 4, loopback) == 0);
  REQUIRE(DatagramSetMulticastLoopback(sender.fd, 4, true) == 0);
  uint8_t memory[16];
  IncomingDatagram datagram = {};
  datagram.data = memory;
  datagram.capacity = sizeof(memory);
  const std::string bytes = "x";
  const OutgoingDatagram one = To(&group, bytes);
  for (const bool joins : {true, false}) {
    REQUIRE(DatagramSetMembership(receiver, group, loopback, joins) == 0);
    REQUIRE(DatagramSend(sender.fd, &one, 1) == 1);
    CHECK(DatagramReceive(receiver, &datagram, 1) == (joins ? 1 : -EAGAIN));
  }
  CHECK(DatagramSetMembership(receiver, group, loopback, false) == -EADDRNOTAVAIL);
  close(receiver);
}

TEST_CASE("hops are refused outside of their range") {
  for (const uint8_t family : {uint8_t{4}, uint8_t{6}}) {
    const Peer peer(family);
    CHECK(DatagramSetTtl(peer.fd, family, 9) == 0);
    CHECK(DatagramSetTtl(peer.fd, family, 256) == -EINVAL);
    CHECK(DatagramSetMulticastTtl(peer.fd, family, 9) == 0);
    CHECK(DatagramSetMulticastTtl(peer.fd, family, 256) == -EINVAL);
  }
}

}  // namespace evloop
