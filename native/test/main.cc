// native/test/main.cc - runs every native test; the last line is `N passed, N failed`.
//
//   native_tests                        all
//   native_tests -tc='wheel*'           by name (doctest's filters)
//   EVLOOP_SEED=7 native_tests          repeats a random run
#define DOCTEST_CONFIG_IMPLEMENT
#include <cstdio>
#include <cstdlib>
#include <random>

#include "test/check.h"

namespace evloop {

namespace {

uint64_t ChooseSeed() {
  if (const char* text = std::getenv("EVLOOP_SEED")) return std::strtoull(text, nullptr, 0);
  return std::random_device()();
}

unsigned passed = 0;
unsigned failed = 0;

// Only counts: doctest's own reporter has already said what failed.
struct Counter : doctest::IReporter {
  explicit Counter(const doctest::ContextOptions&) {}
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats& stats) override {
    failed = stats.numTestCasesFailed;
    passed = stats.numTestCasesPassingFilters - failed;
  }
  void test_case_start(const doctest::TestCaseData&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};

REGISTER_LISTENER("counter", 1, Counter);

}  // namespace

uint64_t FreshSeed() {
  static const uint64_t seed = ChooseSeed();
  return seed;
}

}  // namespace evloop

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  std::printf("seed %llu\n", static_cast<unsigned long long>(evloop::FreshSeed()));
  std::fflush(stdout);
  const int status = context.run();
  // --help and the like ran no test.
  if (context.shouldExit()) return status;
  std::printf("%u passed, %u failed\n", evloop::passed, evloop::failed);
  return status != 0 || evloop::passed == 0 ? 1 : 0;
}
