// native/datagrams.h - what a datagram socket has besides its slot, and the records in shared
// memory.
//
// A record is a header and the bytes, padded to kDatagramAlign. JS writes those to send into the
// send slab; native writes those received into a receive slab.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <vector>

#include "abi.h"
#include "sys/datagram.h"

namespace evloop {

// As JS reads and writes it: eight words.
struct DatagramHeader {
  InternetAddress address;  // Family 0 to whom the socket is connected.
  uint32_t size;
  uint32_t segment;  // Received ones: as in IncomingDatagram.
};
static_assert(sizeof(DatagramHeader) == kDatagramHeaderBytes, "JS counts on it");

constexpr uint32_t kDatagramAlign = 8;
// What the system itself adds to each; counted, so that empty ones are not free.
constexpr uint32_t kDatagramCost = 8;
// No UDP datagram is larger, nor several that were joined.
constexpr uint32_t kDatagramLargest = 65536;

constexpr uint32_t RecordBytes(uint32_t size) {
  return kDatagramHeaderBytes + ((size + kDatagramAlign - 1) & ~(kDatagramAlign - 1));
}

// A copy: the memory is JS's, who may write anything into it.
inline DatagramHeader HeaderAt(const uint8_t* record) {
  DatagramHeader header;
  memcpy(&header, record, sizeof(header));
  return header;
}

struct DatagramState {
  uint8_t family = 0;
  uint32_t batch = 8;             // Datagrams asked for at the next receive; adapts.
  std::vector<uint8_t> unsent;    // Records that the kernel did not take yet,
  size_t unsent_begin = 0;        // from here on.
  std::vector<uint8_t> received;  // Records that no slab had room for,
  size_t received_begin = 0;      // from here on.
};

class Datagrams {
 public:
  // The most that one receive takes.
  static constexpr uint32_t kReceiveBatch = kDatagramBatch;

  struct Failure {
    uint64_t token;
    int32_t error;
  };

  DatagramState* Add(uint32_t index) {
    return (states_[index] = std::make_unique<DatagramState>()).get();
  }
  DatagramState* Get(uint32_t index) { return states_.find(index)->second.get(); }
  void Remove(uint32_t index) { states_.erase(index); }
  void Clear() { states_.clear(); }

  // Where one datagram of a batch lands before it is packed into a slab; its pages cost memory only
  // once they are written.
  uint8_t* Landing(uint32_t place) {
    if (landing_ == nullptr) {
      landing_.reset(new uint8_t[static_cast<size_t>(kReceiveBatch) * kDatagramLargest]);
    }
    return landing_.get() + static_cast<size_t>(place) * kDatagramLargest;
  }

 private:
  std::unordered_map<uint32_t, std::unique_ptr<DatagramState>> states_;  // By slot.
  std::unique_ptr<uint8_t[]> landing_;
};

}  // namespace evloop
