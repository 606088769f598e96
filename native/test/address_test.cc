#include "sys/address.h"

#include <net/if.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "test/check.h"

namespace evloop {

namespace {

// What a text becomes on its way through the bytes.
std::string Through(const char* text) {
  InternetAddress address;
  const int32_t status = AddressParse(text, 80, &address);
  if (status != 0) return strerror(-status);
  CHECK(address.port == 80);
  char back[kAddressTextBytes];
  AddressFormat(address, back);
  return back;
}

}  // namespace

TEST_CASE("addresses are the same after they were bytes") {
  CHECK(Through("127.0.0.1") == "127.0.0.1");
  CHECK(Through("::") == "::");
  CHECK(Through("2001:DB8::0:1") == "2001:db8::1");
  CHECK(Through("::ffff:1.2.3.4") == "::ffff:1.2.3.4");
}

TEST_CASE("an interface is named by its name or number, and told by its name") {
  const std::string number = std::to_string(if_nametoindex("lo"));
  CHECK(Through("fe80::1%lo") == "fe80::1%lo");
  CHECK(Through(("fe80::1%" + number).c_str()) == "fe80::1%lo");
  CHECK(Through("fe80::1%4294967295") == "fe80::1%4294967295");
}

TEST_CASE("the longest address fits") {
  InternetAddress address;
  REQUIRE(AddressParse("1111:2222:3333:4444:5555:6666:7777:8888", 1, &address) == 0);
  address.scope = 4294967295;
  char text[kAddressTextBytes];
  AddressFormat(address, text);
  CHECK(std::string(text) == "1111:2222:3333:4444:5555:6666:7777:8888%4294967295");
}

TEST_CASE("what is no address, or names no interface, is refused") {
  InternetAddress address;
  for (const char* text : {"", "localhost", "1.2.3", "1.2.3.4%lo", "::1::", "%lo", "fe80::1 %lo",
                           "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb%lo"}) {
    CHECK(AddressParse(text, 0, &address) == -EINVAL);
  }
  for (const char* text : {"fe80::1%", "fe80::1%0", "fe80::1%-1", "fe80::1% 1",
                           "fe80::1%4294967297", "fe80::1%none"}) {
    CHECK(AddressParse(text, 0, &address) == -ENODEV);
  }
}

}  // namespace evloop
