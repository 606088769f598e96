// native/bench/main.cc - times the pure structures.
//
//   native_bench                 all cases, a default count each
//   native_bench NAME [COUNT]    one case
//   native_bench --list          the names
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "bench/bench.h"

namespace evloop {

namespace {

constexpr uint32_t kDefaultCount = 1000000;

constexpr BenchCase kCases[] = {
    {"wheel-start-cancel", WheelStartCancel},
    {"wheel-start-cancel-1m", WheelStartCancelMillion},
    {"wheel-start-expire-equal", WheelStartExpireEqual},
    {"wheel-start-expire-spread", WheelStartExpireSpread},
    {"wheel-start-expire-past", WheelStartExpirePast},
    {"wheel-next-deadline", WheelNextDeadline},
    {"ring-submission", RingSubmission},
    {"ring-completion", RingCompletion},
    {"slots-allocate-free", SlotsAllocateFree},
    {"slots-get", SlotsGet},
    {"slab-small-reads", SlabSmallReads},
    {"slab-mixed-reads", SlabMixedReads},
};

void Run(const BenchCase& bench, uint32_t count) {
  const double took_ns = static_cast<double>(bench.run_ns(count));
  std::printf("%-28s %9u operations %8.2f ns each\n", bench.name, count,
              count == 0 ? 0 : took_ns / count);
}

int Main(int argc, char** argv) {
  const char* name = argc > 1 ? argv[1] : nullptr;
  const uint32_t count =
      argc > 2 ? static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10)) : kDefaultCount;
  bool found = false;
  for (const BenchCase& bench : kCases) {
    if (name != nullptr && std::strcmp(name, "--list") == 0) {
      std::puts(bench.name);
    } else if (name == nullptr || std::strcmp(name, bench.name) == 0) {
      Run(bench, count);
    } else {
      continue;
    }
    found = true;
  }
  if (!found) std::fprintf(stderr, "no case \"%s\"; see native_bench --list\n", name);
  return found ? 0 : 1;
}

}  // namespace

}  // namespace evloop

int main(int argc, char** argv) { return evloop::Main(argc, argv); }
