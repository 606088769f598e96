// native/fuzz/submissions_fuzz.cc - libFuzzer: whatever words stand in the memory that JS shares
// with the engine, nothing outside of it is touched, nothing is used after its end, and nothing is
// left.
//
//   node scripts/fuzz.mjs [SECONDS]
//
// The input is a program: what JS writes, when the engine is called, and what the system answers
// (see test/fake_system.h). Each buffer is a block of its own, so that the sanitizer sees every
// byte beyond.
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "engine.h"
#include "sys/descriptor.h"
#include "test/fake_system.h"

namespace evloop {

namespace {

// Runs out as zeros.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), end_(data + size) {}
  bool IsOver() const { return data_ == end_; }
  uint8_t Byte() { return data_ == end_ ? 0 : *data_++; }
  uint32_t Word() {
    uint32_t word = 0;
    for (int i = 0; i < 4; i++) word = word << 8 | Byte();
    return word;
  }
  double Double() {
    const uint64_t bits = uint64_t{Word()} << 32 | Word();
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
  }

 private:
  const uint8_t* data_;
  const uint8_t* end_;
};

// All, some or none of the bytes, the end, or an error.
int32_t Decide(void* context, size_t most) {
  const uint8_t choice = static_cast<Input*>(context)->Byte();
  static constexpr int32_t kErrors[] = {-EAGAIN, -ECONNRESET, -EPIPE, -EINPROGRESS, -ENOTCONN};
  if (choice < 128 || most > INT32_MAX) return static_cast<int32_t>(most);
  if (choice < 192) return static_cast<int32_t>(most * (choice - 128U) / 64);
  return kErrors[choice % 5];
}

enum Step : uint8_t {
  kSubmit,
  kSubmitWords,
  kDrain,
  kPoll,
  kExpire,
  kReap,
  kWriteControl,
  kWriteRing,
  kListen,
  kConnect,
  kArrive,
  kTell,
  kSendNow,
  kBacklog,
  kWatch,
  kAdopt,
  kSetSlab,
  kClearSlab,
  kSteps,
};

// Enough for a few thousand steps; more only slows the search down.
constexpr uint32_t kTimers = 1U << 14;

class Run {
 public:
  Run(const uint8_t* data, size_t size) : input_(data, size) {
    control_.assign(kControlWords, 0);
    submissions_.assign(size_t{kSubmissionCapacity} * kEntryWords, 0);
    completions_.resize(size_t{kCompletionCapacity} * kEntryWords);
    send_slab_.resize(kSendSlabBytes);
  }

  void Go() {
    TheSystem().Reset(Decide, &input_);
    foreign_ = TheSystem().Open();
    {
      Engine engine;
      if (engine.Open(PollerKind::kEpoll, {control_.data(), submissions_.data(),
                                           completions_.data(), send_slab_.data()}) < 0) {
        abort();
      }
      for (uint32_t slot = 0; slot < kReceiveSlabCount; slot++) SetSlab(&engine, slot);
      while (!input_.IsOver()) Take(&engine, input_.Byte() % kSteps);
      engine.Drain();
      engine.Poll(64);
    }
    TheSystem().Close(foreign_);
    if (TheSystem().open_count() != 0) abort();
  }

 private:
  void Take(Engine* engine, uint8_t step) {
    switch (step) {
      case kSubmit:
        return Submit();
      case kSubmitWords:
        return SubmitWords();
      case kDrain:
        return engine->Drain();
      case kPoll:
        return engine->Poll(input_.Byte());
      case kExpire:
        now_ms_ += input_.Byte() * 16.0;
        return engine->Expire(now_ms_);
      case kReap:
        return Reap(engine);
      case kWriteControl: {
        const uint32_t word = input_.Byte() % kControlWords;
        control_[word] = input_.Word();
        return;
      }
      case kWriteRing: {
        const uint32_t word = input_.Word();
        submissions_[word % submissions_.size()] = input_.Word();
        return;
      }
      case kListen:
        return Note(engine->Listen({}, {}, 1));
      case kConnect:
        return Note(engine->Connect({}, {}, {}));
      case kArrive:
        return TheSystem().Arrive();
      case kTell:
        // Of the descriptors that were given out, in their order.
        return TheSystem().Tell(1000 + input_.Byte(), input_.Byte() & 7U);
      case kSendNow: {
        const uint8_t size = input_.Byte();
        const std::vector<uint8_t> data(size);
        engine->SendNow(Index(), Generation(), data.data(), size);
        return;
      }
      case kBacklog:
        engine->Backlog(Index(), Generation());
        return;
      case kWatch: {
        // Most often the foreign one.
        const uint8_t choice = input_.Byte();
        const int fd = choice < 128 ? foreign_ : 1000 + choice;
        if (TheSystem().IsOpen(fd)) engine->Watch(fd, input_.Byte() & 3U);
        return;
      }
      case kAdopt: {
        const uint32_t adoption = input_.Byte() & 7U;
        const int fd = TheSystem().Open();
        const int32_t index = engine->AdoptForeign(fd, adoption);
        if (index < 0 || (adoption & ADOPT_SHARED) != 0) TheSystem().Close(fd);
        return Note(index);
      }
      case kSetSlab:
        return SetSlab(engine, input_.Byte() % kReceiveSlabCount);
      case kClearSlab:
        return engine->receive_slabs()->Clear(input_.Byte() % kReceiveSlabCount);
      default:
        return;
    }
  }

  // An entry as JS writes it, with any numbers.
  void Submit() {
    uint32_t* entry = NextEntry();
    entry[0] = input_.Byte() % 20U;
    const bool is_timer =
        entry[0] == OP_TIMER_START || entry[0] == OP_TIMER_CANCEL || entry[0] == OP_TIMER_START_IN;
    entry[1] = is_timer ? input_.Byte() * 4099U % kTimers : Index();
    entry[2] = Generation();
    const uint8_t form = input_.Byte();
    entry[3] = (form & 1) != 0 ? input_.Word() : input_.Byte() * 64U;
    entry[4] = (form & 2) != 0 ? input_.Word() : input_.Byte() * 16U;
    entry[5] = input_.Byte();
    const double time = (form & 4) != 0 ? input_.Double() : now_ms_ + input_.Byte();
    if (is_timer) memcpy(entry + 6, &time, sizeof time);
    control_[CTL_SUBMISSION_TAIL]++;
  }

  void SubmitWords() {
    uint32_t* entry = NextEntry();
    for (uint32_t i = 0; i < kEntryWords; i++) entry[i] = input_.Word();
    control_[CTL_SUBMISSION_TAIL]++;
  }

  uint32_t* NextEntry() {
    const uint32_t place = control_[CTL_SUBMISSION_TAIL] % kSubmissionCapacity;
    return submissions_.data() + place * kEntryWords;
  }

  // What native wrote must be good as well.
  void Reap(Engine* engine) {
    const uint32_t tail = control_[CTL_COMPLETION_TAIL];
    uint32_t head = control_[CTL_COMPLETION_HEAD];
    if (tail - head <= kCompletionCapacity) {
      for (; head != tail; head++) {
        const uint32_t* entry = completions_.data() + head % kCompletionCapacity * kEntryWords;
        const auto result = static_cast<int32_t>(entry[3]);
        if (entry[0] == CQ_RECEIVE && result > 0) Touch(entry[4], entry[5], entry[3]);
        if (entry[0] == CQ_ACCEPT && result >= 0) Note(result, entry[4]);
      }
    }
    control_[CTL_COMPLETION_HEAD] = tail;
    for (uint32_t bits = control_[CTL_SLAB_CONSUMED_MASK] & 0xffU; bits != 0; bits &= bits - 1) {
      SetSlab(engine, static_cast<uint32_t>(__builtin_ctz(bits)));
    }
  }

  // The room of a receive lies in the slab, unless that was replaced or the words overwritten.
  void Touch(uint32_t slot, uint32_t offset, uint32_t size) {
    if (slot >= kReceiveSlabCount) return;
    const std::vector<uint8_t>& slab = slabs_[slot];
    if (size <= slab.size() && offset <= slab.size() - size) sum_ += slab[offset + size - 1];
  }

  void SetSlab(Engine* engine, uint32_t slot) {
    // Small ones run out sooner.
    slabs_[slot] = std::vector<uint8_t>(slot < kReceiveLargeSlot ? 8192 : 16384);
    engine->receive_slabs()->Set(slot, slabs_[slot].data(),
                                 static_cast<uint32_t>(slabs_[slot].size()));
  }

  void Note(int32_t index) { Note(index, control_[CTL_RESULT_GENERATION]); }

  void Note(int32_t index, uint32_t generation) {
    if (index < 0 || index >= 256) return;
    generations_[index] = generation;
  }

  uint32_t Index() {
    last_ = input_.Byte();
    return last_ == 255 ? input_.Word() : last_ % 16U;
  }

  // Most often the right one.
  uint32_t Generation() {
    const uint8_t choice = input_.Byte();
    if (choice == 255) return input_.Word();
    return choice >= 240 ? choice - 240U : generations_[last_ % 16U];
  }

  Input input_;
  int foreign_ = -1;  // Open throughout, and not the engine's.
  // Kept from run to run: making them takes longer than a run.
  static inline std::vector<uint32_t> control_;
  static inline std::vector<uint32_t> submissions_;
  static inline std::vector<uint32_t> completions_;
  static inline std::vector<uint8_t> send_slab_;
  std::vector<uint8_t> slabs_[kReceiveSlabCount];
  uint32_t generations_[256] = {};
  uint8_t last_ = 0;
  double now_ms_ = 1e6;
  volatile uint32_t sum_ = 0;
};

}  // namespace

}  // namespace evloop

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  evloop::Run(data, size).Go();
  return 0;
}
