// native/test/engine_memory.h - an engine on a fake system, with the memory that JS would share.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "engine.h"
#include "test/check.h"
#include "test/fake_system.h"

namespace evloop {

struct Outcome {
  uint32_t kind;
  uint32_t index;
  uint32_t generation;
  int32_t result;
  uint32_t a;
};

class EngineOnFake {
 public:
  explicit EngineOnFake(FakeSystem::Decide decide, void* context = nullptr)
      : control_(kControlWords),
        submissions_(size_t{kSubmissionCapacity} * kEntryWords),
        completions_(size_t{kCompletionCapacity} * kEntryWords),
        send_slab_(kSendSlabBytes),
        slab_(kReceiveLargeSlabBytes) {
    TheSystem().Reset(decide, context);
    REQUIRE(engine.Open(PollerKind::kEpoll, {control_.data(), submissions_.data(),
                                             completions_.data(), send_slab_.data()}) == 0);
    ReplaceSlabs(0xff);
  }

  // While there is memory to write to.
  ~EngineOnFake() { engine.Close(); }
  EngineOnFake(const EngineOnFake&) = delete;
  EngineOnFake& operator=(const EngineOnFake&) = delete;

  uint32_t& control(ControlWord word) { return control_[word]; }

  void Submit(uint32_t op, uint32_t index, uint32_t generation, uint32_t a = 0, uint32_t b = 0,
              double time_ms = 0) {
    uint32_t* entry =
        &submissions_[control_[CTL_SUBMISSION_TAIL]++ % kSubmissionCapacity * size_t{kEntryWords}];
    const uint32_t words[] = {op, index, generation, a, b};
    memcpy(entry, words, sizeof words);
    SetEntryDouble(entry, time_ms);
    if (engine_pending() == kSubmissionCapacity) engine.Drain();
  }

  // Hands what has happened to `hear`, as a turn of JS would.
  template <class F>
  void Reap(F&& hear) {
    uint32_t& head = control_[CTL_COMPLETION_HEAD];
    for (; head != control_[CTL_COMPLETION_TAIL]; head++) {
      const uint32_t* entry = &completions_[head % kCompletionCapacity * size_t{kEntryWords}];
      hear(Outcome{entry[0], entry[1], entry[2], static_cast<int32_t>(entry[3]), entry[4]});
    }
    ReplaceSlabs(control_[CTL_SLAB_CONSUMED_MASK]);
  }

  // Turns until there is nothing to do.
  template <class F>
  void Settle(F&& hear) {
    do {
      engine.Drain();
      engine.Poll(64);
      Reap(hear);
      // As long as events come there are more of them.
    } while (engine.HasWork() || TheSystem().HasEvents());
  }

  Engine engine;

 private:
  uint32_t engine_pending() const {
    return control_[CTL_SUBMISSION_TAIL] - control_[CTL_SUBMISSION_HEAD];
  }

  // Nobody looks at what was received: one block of memory serves all slots.
  void ReplaceSlabs(uint32_t mask) {
    for (; mask != 0; mask &= mask - 1) {
      const auto slot = static_cast<uint32_t>(__builtin_ctz(mask));
      const uint32_t size = slot < kReceiveLargeSlot ? kReceiveSlabBytes : kReceiveLargeSlabBytes;
      engine.receive_slabs()->Set(slot, slab_.data(), size);
    }
  }

  std::vector<uint32_t> control_;
  std::vector<uint32_t> submissions_;
  std::vector<uint32_t> completions_;
  std::vector<uint8_t> send_slab_;
  std::vector<uint8_t> slab_;
};

}  // namespace evloop
