#include "notifiers.h"

#include <mutex>
#include <unordered_map>

#include "engine.h"

namespace evloop {

namespace {

struct Table {
  std::mutex mutex;
  std::unordered_map<uint32_t, Engine*> engines;
  uint32_t next_id = 1;
};

// Never destroyed: a worker may still notify while the process runs its exit handlers.
Table& Shared() {
  static Table* const table = new Table;
  return *table;
}

}  // namespace

uint32_t RegisterNotifier(Engine* engine) {
  Table& table = Shared();
  const std::lock_guard<std::mutex> lock(table.mutex);
  const uint32_t id = table.next_id++;
  table.engines.emplace(id, engine);
  return id;
}

void UnregisterNotifier(uint32_t id) {
  Table& table = Shared();
  const std::lock_guard<std::mutex> lock(table.mutex);
  table.engines.erase(id);
}

bool Notify(uint32_t id) {
  Table& table = Shared();
  const std::lock_guard<std::mutex> lock(table.mutex);
  const auto found = table.engines.find(id);
  if (found == table.engines.end()) return false;
  found->second->Notify();
  return true;
}

}  // namespace evloop
