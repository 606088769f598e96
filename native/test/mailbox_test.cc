#include "mailbox.h"

#include <thread>
#include <vector>

#include "test/check.h"

namespace evloop {

namespace {

struct Call {
  uint32_t function;
  bool has_payload;
  std::vector<uint8_t> payload;
};

// The loop's end, as src/core/remote.ts has it.
class Consumer {
 public:
  explicit Consumer(uint32_t capacity)
      : capacity_(capacity), words_(kMailboxHeaderWords + capacity) {}

  Mailbox mailbox() { return Mailbox(words_.data(), words_.size()); }
  uint32_t* words() { return words_.data(); }
  void MoveTo(uint32_t position) { words_[MAIL_HEAD] = words_[MAIL_TAIL] = position; }

  std::vector<Call> Take() {
    std::vector<Call> calls;
    __atomic_store_n(&words_[MAIL_NOTIFIED], 0, __ATOMIC_SEQ_CST);
    const uint32_t tail = __atomic_load_n(&words_[MAIL_TAIL], __ATOMIC_SEQ_CST);
    uint32_t head = words_[MAIL_HEAD];
    while (head != tail) {
      const uint32_t size = Word(head);
      Call call = {Word(head + 1), size != kMailboxNoPayload, {}};
      head += kMailboxRecordWords;
      if (call.has_payload) {
        for (uint32_t i = 0; i < size; ++i) {
          call.payload.push_back(static_cast<uint8_t>(Word(head + i / 4) >> (i % 4 * 8)));
        }
        head += (size + 3) / 4;
      }
      head %= 2 * capacity_;
      calls.push_back(call);
      __atomic_store_n(&words_[MAIL_HEAD], head, __ATOMIC_SEQ_CST);
    }
    return calls;
  }

 private:
  uint32_t Word(uint32_t position) const {
    return words_[kMailboxHeaderWords + position % capacity_];
  }

  const uint32_t capacity_;
  std::vector<uint32_t> words_;
};

}  // namespace

TEST_CASE("mailbox: calls come out as they went in, wherever the ring ends") {
  constexpr uint32_t kCapacity = 16;
  const std::vector<uint8_t> bytes = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
  for (uint32_t position = 0; position < 2 * kCapacity; ++position) {
    for (size_t size = 0; size <= bytes.size(); ++size) {
      Consumer consumer(kCapacity);
      consumer.MoveTo(position);
      REQUIRE(consumer.mailbox().Put(7, bytes.data(), size) == POST_DONE);
      REQUIRE(consumer.mailbox().Put(8, nullptr, 0) == POST_DONE);
      const std::vector<Call> calls = consumer.Take();
      REQUIRE(calls.size() == 2);
      CHECK(calls[0].function == 7);
      CHECK(calls[0].has_payload);
      CHECK(calls[0].payload ==
            std::vector<uint8_t>(bytes.begin(), bytes.begin() + static_cast<long>(size)));
      CHECK(calls[1].function == 8);
      CHECK(!calls[1].has_payload);
    }
  }
}

TEST_CASE("mailbox: full is full, and room comes back") {
  Consumer consumer(8);
  const uint8_t bytes[8] = {};
  CHECK(consumer.mailbox().Put(0, bytes, 8) == POST_DONE);
  CHECK(consumer.mailbox().Put(1, bytes, 8) == POST_DONE);
  CHECK(consumer.mailbox().Put(2, nullptr, 0) == POST_FULL);
  CHECK(consumer.Take().size() == 2);
  CHECK(consumer.mailbox().Put(2, nullptr, 0) == POST_DONE);
  CHECK(consumer.mailbox().Put(3, bytes, 28) == POST_FULL);
  CHECK(consumer.Take().size() == 1);
}

TEST_CASE("mailbox: a closed one takes nothing") {
  Consumer consumer(8);
  consumer.words()[MAIL_CLOSED] = 1;
  consumer.words()[MAIL_HEAD] = UINT32_MAX;
  CHECK(consumer.mailbox().Put(0, nullptr, 0) == POST_CLOSED);
}

TEST_CASE("mailbox: the first since the loop looked has to wake it") {
  Consumer consumer(8);
  CHECK(consumer.mailbox().MarkNotified());
  CHECK(!consumer.mailbox().MarkNotified());
  consumer.Take();
  CHECK(consumer.mailbox().MarkNotified());
}

TEST_CASE("mailbox: threads keep their order each, and nothing is lost") {
  constexpr uint32_t kThreads = 3;
  constexpr uint32_t kCalls = 2000;
  Consumer consumer(64);
  std::vector<std::thread> threads;
  for (uint32_t id = 0; id < kThreads; ++id) {
    threads.emplace_back([&consumer, id] {
      for (uint32_t i = 0; i < kCalls; ++i) {
        const uint8_t payload[6] = {static_cast<uint8_t>(i), static_cast<uint8_t>(i >> 8)};
        while (consumer.mailbox().Put(id, payload, sizeof(payload)) == POST_FULL)
          std::this_thread::yield();
      }
    });
  }
  uint32_t next[kThreads] = {};
  for (uint32_t total = 0; total < kThreads * kCalls;) {
    for (const Call& call : consumer.Take()) {
      const uint32_t number = call.payload[0] | static_cast<uint32_t>(call.payload[1]) << 8;
      REQUIRE(number == next[call.function]++);
      ++total;
    }
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(consumer.Take().empty());
}

}  // namespace evloop
